"""A picture of a question, from the column of pictures of a build's files."""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from cotbuild.builder.build.build import QUESTIONS, RATIONALES, StoredBuild
from cotbuild.builder.storage.images import IMAGE_COLUMN, parse_images
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.faults import NotFoundError
from cotbuild.builder.view.question_rows import NEAR_ROWS
from cotbuild.builder.view.tables import RowTable, open_table
from cotbuild.schemas.record import short_repr

SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
"""How files of pictures begin, and their media types. WebP: `RIFF????WEBP`."""


class Picture(NamedTuple):
    """The bytes of a picture, and their media type by their content."""

    data: bytes
    media_type: str


def read_picture(
    database: Database,
    build: StoredBuild,
    question_id: str,
    sha256: str,
    *,
    near: int | None = None,
) -> Picture:
    """Return a picture of a question by its digest.

    `near` is about where the question's rationales are. The bytes are those of the
    digest, and begin as those of a picture do. Raises NotFoundError, DataError.
    """
    for data in _stored_pictures(database, build, question_id, near):
        if hashlib.sha256(data).hexdigest() == sha256:
            media_type = find_media_type(data)
            if media_type is not None:
                return Picture(data, media_type)
    raise NotFoundError(
        f"{build.folder.name}: question {short_repr(question_id)} has no picture "
        f"{sha256[:12]}."
    )


def find_media_type(data: bytes) -> str | None:
    """Return the media type of a picture; None for anything else, such as SVG."""
    for signature, media_type in SIGNATURES:
        if data.startswith(signature):
            return media_type
    is_webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return "image/webp" if is_webp else None


def _stored_pictures(
    database: Database, build: StoredBuild, question_id: str, near: int | None
) -> Iterator[bytes]:
    """Yield the pictures of a question's first row, in any split."""
    if build.manifest.media is None:
        return
    for config_name in (RATIONALES, QUESTIONS):
        for split in build.splits(config_name):
            table = open_table(build, config_name, split)
            if IMAGE_COLUMN not in table.columns:
                continue
            cells = _read_cells(database, table, question_id, near)
            for cell in cells:
                where = f"{build.folder}/{config_name}"
                yield from (image.data for image in parse_images(cell, where))


def _read_cells(
    database: Database, table: RowTable, question_id: str, near: int | None
) -> list[object]:
    id_column = "id" if table.config_name == QUESTIONS else "question_id"
    for file in table.files:
        if near is None or not file.first <= near < file.first + file.num_rows:
            continue
        found = table.query(
            database,
            IMAGE_COLUMN,
            f"{id_column} = ? AND file_row_number >= ? AND file_row_number < ?",
            [question_id, near - file.first - NEAR_ROWS, near - file.first + NEAR_ROWS],
            files=[file],
            then="LIMIT 1",
        )
        if found:
            return [row[0] for row in found]
    found = table.query(
        database, IMAGE_COLUMN, f"{id_column} = ?", [question_id], then="LIMIT 1"
    )
    return [row[0] for row in found]

"""Verify a finished build from its own files alone."""

import hashlib
from collections.abc import Callable
from itertools import repeat
from pathlib import Path, PurePosixPath

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.build.compare import check_equal
from cotbuild.builder.build.directory import REBUILD
from cotbuild.builder.build.images import ImageCheck, check_image_file
from cotbuild.builder.card import config_has_images, record_model
from cotbuild.builder.storage.columns import check_columns
from cotbuild.builder.storage.images import images_of
from cotbuild.builder.storage.keys import KEY_DTYPE, count_distinct
from cotbuild.builder.storage.parquet import (
    RowsDigest,
    config_digests,
    read_images,
    read_rows,
)
from cotbuild.builder.storage.places import plain_folder
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import file_sha256
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.manifest import FileEntry
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale
from cotbuild.schemas.record import Record
from cotbuild.schemas.variant_rows import (
    VariantRow,
)


def verify_build(
    build: StoredBuild, observe: Callable[[Record], None] | None = None
) -> None:
    """Check the files and rows of a build against its manifest.

    These are checksums, digests, column types, and the schema, order and uniqueness of
    rows. The rows of variants are not derived again.
    `observe` is called with every row, in the order of the files. Raises DataError at
    the first fault.
    """
    _ = build.config  # raises DataError if it is missing or damaged
    check_files(build)
    seen, images = SeenRows(), ImageCheck()
    for entry in build.manifest.files:
        _check_rows(build, entry, seen, images, observe)
    seen.check_unique(build.folder)
    _check_media(build, images)
    _check_unnamed_files(build)


# -- files -------------------------------------------------------------------------------


def check_files(build: StoredBuild) -> None:
    """Check that every file has the size and checksum that the manifest states.

    Also that its digests are those of its files, and its fingerprint that of its
    digests. Raises DataError at the first fault.
    """
    folder, manifest = build.folder, build.manifest
    for entry in manifest.files:
        _check_bytes(build.place(entry), entry)
    digests = config_digests(manifest.files)
    fingerprint = digest("build/1", manifest.digests)
    check_equal(folder, "digests of its configs", digests, manifest.digests)
    check_equal(folder, "fingerprint", fingerprint, manifest.fingerprint)


def _check_bytes(path: Path, entry: FileEntry) -> None:
    if not path.is_file():
        raise DataError(
            f"{path}: missing; manifest.json says that it holds {entry.num_rows} rows. "
            "Build or download it again."
        )
    for what, value, stated in (
        ("size in bytes", path.stat().st_size, entry.num_bytes),
        ("sha256", file_sha256(path), entry.sha256),
    ):
        if value != stated:
            raise DataError(
                f"{path}: {what} is {value!r}, but manifest.json says {stated!r}. The file "
                "was changed after it was built. Delete it and run generate again, or "
                "download it again."
            )


def _check_unnamed_files(build: StoredBuild) -> None:
    named = {entry.path for entry in build.manifest.files}
    for config_name in build.manifest.digests:
        folder = plain_folder(
            build.folder, PurePosixPath(config_name), str(build.folder)
        )
        if not folder.is_dir():
            raise DataError(
                f"{folder}: missing; manifest.json says that it is a config. Derive or "
                "download the build again."
            )
        for path in sorted(folder.iterdir()):
            if path.relative_to(build.folder).as_posix() not in named:
                raise DataError(
                    f"{path}: not named in manifest.json. Remove it, or move it "
                    "elsewhere."
                )


# -- rows --------------------------------------------------------------------------------


def _check_rows(
    build: StoredBuild,
    entry: FileEntry,
    seen: "SeenRows",
    images: ImageCheck,
    observe: Callable[[Record], None] | None,
) -> None:
    path = build.place(entry)
    model = record_model(build.manifest, entry.config_name)
    if model is None:
        raise DataError(
            f"{path}: belongs to config {entry.config_name!r}, which manifest.json does "
            "not describe. Derive or download the build again."
        )
    has_images = config_has_images(build.manifest, entry.config_name)
    check_columns(path, model, has_images=has_images)
    stored = read_images(path) if has_images else repeat(())
    rows_digest, num_rows = RowsDigest(), 0
    for number, row in enumerate(read_rows(path)):
        where = f"{path} row {number}"
        record = model.parse(row, where)
        seen.add(entry, record, where)
        images.check_row(images_of(record), next(stored), where)
        if observe is not None:
            observe(record)
        rows_digest.add(row)
        num_rows += 1
    check_equal(path, "number of rows", num_rows, entry.num_rows)
    check_equal(path, "digest of its rows", rows_digest.hexdigest(), entry.digest)


def _check_media(build: StoredBuild, images: ImageCheck) -> None:
    """Check the pictures as a whole, and in a build of one's own their files.

    A release has the file of one picture, for its card.
    """
    media = build.manifest.media
    if media is None:
        return
    images.check_entry(build.folder, media)
    if build.is_release:
        if media.example is not None:
            check_image_file(build.folder, media.example.file_name)
    else:
        images.check_files(build.folder)


class SeenRows:
    """Order and ids of the rows read so far, in 16 bytes per row."""

    def __init__(self) -> None:
        self._last_position: dict[tuple[str, str], tuple[int, int]] = {}
        self._ids = bytearray()

    def add(self, entry: FileEntry, record: Record, where: str) -> None:
        """Take a row; raises DataError if it is out of order or of another split."""
        if isinstance(record, Rationale):
            position = (record.row, record.sample_index)
            self._check_order(entry, record.split, position, where)
            self._add_id(entry, record.question_id, record.sample_index)
        elif isinstance(record, Question):
            position = (record.source.row, 0)
            self._check_order(entry, record.source.split, position, where)
            self._add_id(entry, record.id, 0)
        elif isinstance(record, VariantRow):
            # Its order is checked where variants are derived again.
            self._add_id(entry, record.question_id, record.sample_index, record.task)
        else:
            raise TypeError(f"no order is defined for a {type(record).__name__}")

    def check_unique(self, folder: Path) -> None:
        """Raise DataError if two rows of a split share question id and sample index."""
        num_distinct, _ = count_distinct(self._ids)
        num_repeated = len(self._ids) // KEY_DTYPE.itemsize - num_distinct
        if num_repeated:
            raise DataError(
                f"{folder}: {num_repeated} rows repeat the question id and sample index "
                f"of another one. {REBUILD}"
            )

    def _check_order(
        self, entry: FileEntry, split: str, position: tuple[int, int], where: str
    ) -> None:
        if split != entry.split:
            raise DataError(
                f"{where}: its split is {split!r}, but the file is of {entry.split!r}."
            )
        series = (entry.config_name, entry.split)
        if position <= self._last_position.get(series, (-1, -1)):
            row, sample = position
            raise DataError(
                f"{where}: row {row}, sample {sample} of the source is out of order or "
                f"repeated. {REBUILD}"
            )
        self._last_position[series] = position

    def _add_id(self, entry: FileEntry, *row_id: object) -> None:
        full_id = (entry.config_name, entry.split, *row_id)
        self._ids += hashlib.sha256(repr(full_id).encode()).digest()[
            : KEY_DTYPE.itemsize
        ]

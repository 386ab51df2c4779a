"""The images of rows: a column beside those of the record, bounded row groups and files."""

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cotbuild.builder.storage import images, parquet
from cotbuild.builder.storage.columns import check_columns
from cotbuild.builder.storage.images import IMAGE_COLUMN, StoredImage
from cotbuild.builder.storage.parquet import (
    RowsDigest,
    read_images,
    read_rows,
    write_split,
)
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.manifest import FileEntry
from cotbuild.schemas.question import ImageRef, Input, Question


def noise(seed: int, num_bytes: int) -> bytes:
    """Return bytes that no compression makes smaller; nothing here decodes them."""
    return random.Random(seed).randbytes(num_bytes)


class Folder:
    """Images in memory, counting how often each is read."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.num_reads = 0

    def put(self, data: bytes) -> ImageRef:
        sha256 = hashlib.sha256(data).hexdigest()
        self.data[sha256] = data
        return ImageRef(sha256=sha256, media_type="image/png", width=4, height=3)

    def read(self, image: ImageRef) -> bytes:
        self.num_reads += 1
        return self.data[image.sha256]


@pytest.fixture
def folder() -> Folder:
    return Folder()


def question(number: int, *shown: ImageRef) -> Question:
    inputs = [
        Input(name=f"image{index}", image=image) for index, image in enumerate(shown)
    ]
    return Question.create("Which?", id=f"q{number}", inputs=inputs)


def write(
    root: Path, rows: Sequence[Question], folder: Folder | None
) -> list[FileEntry]:
    read = None if folder is None else folder.read
    return write_split(root, "questions", "train", Question, rows, len(rows), read)


def test_rows_come_back_without_the_bytes_and_the_bytes_apart(
    tmp_path: Path, folder: Folder
) -> None:
    first, second = folder.put(noise(1, 300)), folder.put(noise(2, 200))
    rows = [question(0, first), question(1), question(2, second, first)]
    [entry] = write(tmp_path, rows, folder)
    path = tmp_path / entry.path
    assert [Question.parse(row, "row") for row in read_rows(path)] == rows
    assert list(read_images(path)) == [
        [StoredImage(folder.read(image), image.file_name) for image in row.images]
        for row in rows
    ]
    check_columns(path, Question, has_images=True)
    with pytest.raises(DataError, match="column 'images' is not one that cotbuild"):
        check_columns(path, Question)


def test_the_digest_is_that_of_the_rows_without_the_column(
    tmp_path: Path, folder: Folder
) -> None:
    rows = [question(0, folder.put(b"an image"))]
    digest = RowsDigest()
    digest.add(rows[0].model_dump(mode="json"))
    [entry] = write(tmp_path, rows, folder)
    assert entry.digest == digest.hexdigest()


def test_rows_that_cannot_have_images_are_written_as_ever(tmp_path: Path) -> None:
    [entry] = write(tmp_path, [question(0)], None)
    schema = pq.read_schema(tmp_path / entry.path)
    assert IMAGE_COLUMN not in schema.names
    assert set(schema.metadata) == {b"cotbuild.format_version"}
    with pytest.raises(DataError, match="the last column is not 'images'"):
        check_columns(tmp_path / entry.path, Question, has_images=True)


def test_row_groups_and_files_end_where_their_images_reach_a_bound(
    tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES", 1_000)
    monkeypatch.setattr(parquet, "FILE_BYTES", 2_000)
    rows = [question(number, folder.put(noise(number, 400))) for number in range(10)]
    entries = write(tmp_path, rows, folder)
    files = [pq.ParquetFile(tmp_path / entry.path) for entry in entries]
    sizes = [
        [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
        for file in files
    ]
    assert sizes == [[3, 3], [3, 1]]
    assert [entry.num_rows for entry in entries] == [6, 4]
    assert entries == write(tmp_path / "again", rows, folder)


def test_an_image_that_rows_share_is_read_and_stored_once_a_row_group(
    tmp_path: Path, folder: Folder
) -> None:
    image = folder.put(noise(1, 100_000))
    [entry] = write(tmp_path, [question(n, image) for n in range(50)], folder)
    assert folder.num_reads == 1
    assert 100_000 < entry.num_bytes < 150_000
    stored = list(read_images(tmp_path / entry.path))
    assert len(stored) == 50
    assert all(row == [(folder.read(image), image.file_name)] for row in stored)


def test_a_row_whose_images_are_too_large_to_be_read_back_is_refused(
    tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MAX_ROW_IMAGE_BYTES", 150)
    shown = [folder.put(noise(number, 100)) for number in range(2)]
    with pytest.raises(DataError, match="take 200 bytes, more than"):
        write(tmp_path, [question(0, *shown)], folder)


def test_datasets_reads_the_column_as_images_without_a_card(
    tmp_path: Path, folder: Folder
) -> None:
    schema = pq.read_schema(tmp_path / write(tmp_path, [question(0)], folder)[0].path)
    from datasets import Features

    feature = Features.from_arrow_schema(schema)[IMAGE_COLUMN]
    assert type(feature.feature).__name__ == "Image"


@pytest.mark.parametrize(
    "value",
    [
        [{"bytes": None, "path": "a.png"}],
        [{"bytes": b"a", "path": None}],
        [None],
    ],
)
def test_an_image_without_bytes_or_name_is_damage(
    tmp_path: Path, folder: Folder, value: object
) -> None:
    [entry] = write(tmp_path, [question(0, folder.put(b"a"))], folder)
    path = tmp_path / entry.path
    table = pq.read_table(path)
    column = pa.array([value], images.IMAGE_TYPE)
    pq.write_table(table.set_column(len(table.schema) - 1, IMAGE_COLUMN, column), path)
    with pytest.raises(DataError, match="row 0: picture 0 has no bytes or no path"):
        list(read_images(path))

"""Reading and writing of rows in parquet files with checksums, in constant memory."""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from cotbuild.builder.storage.arrow_schema import (
    FORMAT_KEY,
    arrow_schema,
    check_plain,
    file_schema,
    read_format_version,
)
from cotbuild.builder.storage.arrow_tables import make_array, make_table
from cotbuild.builder.storage.images import (
    FILE_BYTES,
    GROUP_BYTES,
    IMAGE_COLUMN,
    IMAGE_TYPE,
    ImageBatch,
    ReadImage,
    StoredImage,
    columns_without_images,
    images_of,
    parse_images,
)
from cotbuild.builder.storage.parquet_rows import ParquetRows, read_schema
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.files import file_sha256, write_error
from cotbuild.schemas.fingerprint import digest, dumped_json
from cotbuild.schemas.manifest import FileEntry
from cotbuild.schemas.question import ImageRef
from cotbuild.schemas.record import Record, check_format

ROWS_PER_FILE = 100_000
ROWS_PER_GROUP = 1_000
"""Rows held in memory and written together."""


# -- writing ------------------------------------------------------------------------------


class EncodedRows(NamedTuple):
    """Rows ready to be written, which another process may have made of records."""

    table: pa.Table
    """Their columns, without pictures."""
    lines: list[str]
    """Each as canonical JSON, for the digest."""
    images: list[tuple[ImageRef, ...]] | None
    """The pictures of each row; None where no row has one."""

    def replace_values(self, name: str, values: Mapping[int, Any]) -> "EncodedRows":
        """Return the rows with other plain values in a column, by number of row."""
        table, lines = self.table, list(self.lines)
        at = table.schema.get_field_index(name)
        field, column = table.schema.field(at), table.column(at).to_pylist()
        for number, value in values.items():
            column[number] = value
            row = json.loads(lines[number]) | {name: value}
            lines[number] = dumped_json(row)
        table = table.set_column(at, field, make_array(column, field.type))
        return self._replace(table=table, lines=lines)


def encode_rows(model: type[Record], rows: Sequence[Record]) -> EncodedRows:
    """Return records as `SplitWriter.add_encoded` takes them."""
    values = [row.model_dump(mode="json") for row in rows]
    images = [images_of(row) for row in rows]
    return EncodedRows(
        table=make_table(values, arrow_schema(model)),
        lines=list(map(dumped_json, values)),
        images=images if any(images) else None,
    )


def write_split(
    root: Path,
    config_name: str,
    split: str,
    model: type[Record],
    rows: Iterable[Record],
    num_rows: int,
    read_image: ReadImage | None = None,
) -> list[FileEntry]:
    """Write rows as `root/config_name/split-…-of-….parquet`; return one entry per file.

    `read_image` as in `SplitWriter`. Raises DataError unless there are exactly
    `num_rows` rows, StoreError if a file cannot be written.
    """
    batches = (encode_rows(model, batch) for batch in _in_batches(rows))
    return write_encoded_split(
        root, config_name, split, model, batches, num_rows, read_image
    )


def write_encoded_split(
    root: Path,
    config_name: str,
    split: str,
    model: type[Record],
    batches: Iterable[EncodedRows],
    num_rows: int,
    read_image: ReadImage | None = None,
) -> list[FileEntry]:
    """Write rows as `write_split` does, which come in encoded batches of any size."""
    num_written = 0
    with SplitWriter(root, config_name, split, model, read_image) as writer:
        for batch in batches:
            writer.add_encoded(batch)
            num_written += len(batch.lines)
            if num_written > num_rows:
                break
        if num_written != num_rows:
            raise DataError(
                f"{config_name}/{split}: {num_written} rows or more. Expected {num_rows}: "
                "the source changed meanwhile."
            )
    return writer.entries


def _in_batches(rows: Iterable[Record]) -> Iterator[list[Record]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, ROWS_PER_GROUP)):
        yield batch


class WrittenFile(NamedTuple):
    """A finished file of a split, which has no final name yet."""

    num_rows: int
    digest: str


class SplitWriter:
    """Writes the rows of one split in files of ROWS_PER_FILE. A context manager.

    With `read_image` the files have a column with the pictures of each row, and a row
    group or file also ends where its pictures reach GROUP_BYTES or FILE_BYTES. Without,
    there is no such column.

    File names contain the number of files, so files are named when the writer is
    closed, which also fills `entries`. After an error, what was written stays under
    hidden names. Raises StoreError if a file cannot be written.
    """

    def __init__(
        self,
        root: Path,
        config_name: str,
        split: str,
        model: type[Record],
        read_image: ReadImage | None = None,
    ) -> None:
        self.entries: list[FileEntry] = []
        self._folder = root / config_name
        self._config_name = config_name
        self._split = split
        self._model = model
        self._schema = file_schema(model, has_images=read_image is not None)
        self._records: list[Record] = []
        """Records that are not encoded yet."""
        self._tables: list[pa.Table] = []
        """The rows of the next row group."""
        self._num_group_rows = 0
        self._images = None if read_image is None else ImageBatch(read_image)
        self._image_cells: list[list[dict[str, Any]]] = []
        """The pictures of the rows of the next row group."""
        self._image_bytes = 0
        """Bytes of the pictures in the open file's row groups."""
        self._file: pq.ParquetWriter | None = None
        self._num_rows = 0
        self._digest = RowsDigest()
        self._written: list[WrittenFile] = []
        self._folder.mkdir(parents=True, exist_ok=True)

    def add(self, row: Record) -> None:
        """Append one row."""
        self._records.append(row)
        if len(self._records) == ROWS_PER_GROUP:
            self._encode_records()

    def _encode_records(self) -> None:
        records, self._records = self._records, []
        self._add(encode_rows(self._model, records))

    def add_encoded(self, rows: EncodedRows) -> None:
        """Append rows that are encoded already."""
        self._encode_records()
        self._add(rows)

    def _add(self, rows: EncodedRows) -> None:
        start = 0
        while start < len(rows.lines):
            end = self._fill_group(rows, start)
            self._digest.add_lines(rows.lines[start:end])
            self._tables.append(rows.table.slice(start, end - start))
            self._num_rows += end - start
            self._num_group_rows += end - start
            start = end
            if self._is_group_full():
                file = self._flush()
                if self._is_file_full():
                    self._finish_file(file)

    def _fill_group(self, rows: EncodedRows, start: int) -> int:
        """Take the pictures of the rows from `start` on that the row group has room for;
        return the end of these rows.
        """
        end = min(len(rows.lines), start + ROWS_PER_GROUP - self._num_group_rows)
        if self._images is None:
            return end
        for number in range(start, end):
            images = () if rows.images is None else rows.images[number]
            self._image_cells.append(self._images.add(images))
            if self._images.num_bytes >= GROUP_BYTES:
                return number + 1
        return end

    def _is_group_full(self) -> bool:
        has_all_rows = self._num_group_rows == ROWS_PER_GROUP
        images = self._images
        return has_all_rows or (images is not None and images.num_bytes >= GROUP_BYTES)

    def _is_file_full(self) -> bool:
        return self._num_rows >= ROWS_PER_FILE or self._image_bytes >= FILE_BYTES

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if kind is None:
            self._encode_records()
            if self._num_rows or not self._written:
                self._finish_file(self._flush())
            self._name_files()
        elif self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def _hidden_path(self, number: int) -> Path:
        return self._folder / f".{self._split}-{number:05d}.parquet"

    def _flush(self) -> pq.ParquetWriter:
        """Write the rows so far as one row group, and return the open file."""
        path = self._hidden_path(len(self._written))
        try:
            if self._file is None:
                self._file = self._open_file(path)
            self._file.write_table(self._group())
        except OSError as error:
            raise write_error(path, error) from error
        self._tables.clear()
        self._image_cells.clear()
        self._num_group_rows = 0
        if self._images is not None:
            self._image_bytes += self._images.num_distinct_bytes
            self._images.clear()
        return self._file

    def _group(self) -> pa.Table:
        """Return the rows so far as one table.

        Its columns are in one piece each: a file's bytes depend on where they are cut.
        """
        if not self._tables:
            return self._schema.empty_table()
        group = pa.concat_tables(self._tables).combine_chunks()
        if self._images is not None:
            group = group.append_column(
                IMAGE_COLUMN, make_array(self._image_cells, IMAGE_TYPE)
            )
        return group

    def _open_file(self, path: Path) -> pq.ParquetWriter:
        if self._images is None:
            return pq.ParquetWriter(path, self._schema, compression="zstd")
        # A dictionary of a whole row group: the samples of a question share its
        # pictures, which are then stored once.
        return pq.ParquetWriter(
            path,
            self._schema,
            compression="zstd",
            dictionary_pagesize_limit=2 * GROUP_BYTES,
        )

    def _finish_file(self, file: pq.ParquetWriter) -> None:
        try:
            file.close()
        except OSError as error:
            raise write_error(self._folder, error) from error
        self._written.append(WrittenFile(self._num_rows, self._digest.hexdigest()))
        self._file = None
        self._num_rows = 0
        self._image_bytes = 0
        self._digest = RowsDigest()

    def _name_files(self) -> None:
        total = len(self._written)
        for number, written in enumerate(self._written):
            path = self._folder / f"{self._split}-{number:05d}-of-{total:05d}.parquet"
            self._hidden_path(number).replace(path)
            entry = FileEntry(
                path=f"{self._config_name}/{path.name}",
                config_name=self._config_name,
                split=self._split,
                num_rows=written.num_rows,
                num_bytes=path.stat().st_size,
                sha256=file_sha256(path),
                digest=written.digest,
            )
            self.entries.append(entry)


class RowsDigest:
    """A digest of rows in order, each as canonical JSON.

    It does not depend on pyarrow or on how rows are grouped.
    """

    def __init__(self) -> None:
        self._sum = hashlib.sha256(b"rows/1\n")

    def add(self, row: dict[str, Any]) -> None:
        """Add the next row, as plain JSON values."""
        self.add_lines([dumped_json(row)])

    def add_lines(self, lines: Iterable[str]) -> None:
        """Add the next rows, each as canonical JSON."""
        self._sum.update("".join([f"{line}\n" for line in lines]).encode())

    def hexdigest(self) -> str:
        """Return the digest, 64 hex digits."""
        return self._sum.hexdigest()


# -- reading ------------------------------------------------------------------------------


def read_rows(
    path: Path, columns: Sequence[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file as plain values, in constant memory.

    `columns` of None reads all columns but that of the pictures. Raises DataError if the
    file cannot be read, is not a parquet file of cotbuild, was written by a newer one, or
    takes more memory than `ParquetRows` allows.
    """
    with ParquetRows(path, str(path)) as file:
        check_format(read_format_version(file.schema), str(path))
        check_plain(file.schema, path)
        if columns is None:
            columns = columns_without_images(file.schema)
        yield from file.valid_rows(columns)


def read_images(path: Path) -> Iterator[list[StoredImage]]:
    """Yield the pictures of each row of a file that has the column, in constant memory.

    Raises DataError as `read_rows` and `parse_images` do.
    """
    for number, row in enumerate(read_rows(path, [IMAGE_COLUMN])):
        yield list(parse_images(row[IMAGE_COLUMN], f"{path} row {number}"))


def is_written_by_cotbuild(path: Path) -> bool:
    """Whether a file is a parquet file that cotbuild wrote; False if it is unreadable."""
    try:
        metadata = read_schema(path, str(path)).metadata
    except DataError:
        return False
    return FORMAT_KEY in (metadata or {})


def config_digests(entries: Iterable[FileEntry]) -> dict[str, str]:
    """Return the digest of each config: over its files' paths and digests, by path."""
    by_config: dict[str, list[list[str]]] = {}
    for entry in sorted(entries, key=lambda entry: entry.path):
        by_config.setdefault(entry.config_name, []).append([entry.path, entry.digest])
    return {
        name: digest("config/1", files) for name, files in sorted(by_config.items())
    }

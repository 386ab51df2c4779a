"""Read the rows of a parquet file that somebody else wrote, in bounded memory.

A text that a column repeats is stored once, in a dictionary, so that 2 KB can stand for
50 GB. So texts stay dictionaries until the size of their rows is known, and rows are
decoded in slices of bounded size. What no slice could bound is refused from the page
headers, before it is read.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cotbuild.builder.storage.parquet_pages import (
    ColumnPages,
    PageFault,
    check_footer,
    read_pages,
)
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.record import short_repr

MAX_ROW_BYTES = 64 << 20
"""Largest row, decoded."""
MAX_FREE_BYTES = 1 << 30
MAX_RATIO = 1_000
"""All rows of a file may take MAX_FREE_BYTES decoded, or MAX_RATIO times its size."""
MAX_COLUMNS = 10_000

_MAX_PAGES_BYTES = 512 << 20
_MAX_LIST_BYTES = 512 << 20
_BATCH_ROWS = 1_000
_SLICE_BYTES = 32 << 20
_VALUE_BYTES = 50
"""What a Python value takes beside its text, roughly."""
_ROW_FAULTS = (ValueError, OverflowError, ArithmeticError, KeyError, pa.ArrowException)

Sizes = NDArray[np.int64]
"""Bytes that each row takes, decoded."""


def read_schema(path: Path, where: str) -> pa.Schema:
    """Return the columns of a file as they were written; raises DataError."""
    with ParquetRows(path, where) as file:
        return file.schema


class RowFault(NamedTuple):
    """A row that cannot be read."""

    message: str
    is_text: bool
    """Whether a text of it is not UTF-8."""


class ParquetRows:
    """An open parquet file. A context manager.

    Raises DataError, in one line that starts with `where`, if the file cannot be read
    or takes more memory than the bounds of this module allow.
    """

    def __init__(self, path: Path, where: str) -> None:
        self._where = where
        try:
            self._file = path.open("rb")
        except (OSError, ValueError) as fault:
            reason = getattr(fault, "strerror", None) or fault
            raise DataError(f"{where}: cannot be read: {reason}.") from fault
        try:
            self._open()
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> None:
        try:
            check_footer(self._file)
            plain = pq.ParquetFile(self._file)
            self._metadata = plain.metadata
            self.schema: pa.Schema = plain.schema_arrow
            """The columns as they were written."""
            self._dictionaries = _dictionary_columns(self._metadata)
            self._parquet = pq.ParquetFile(
                self._file,
                metadata=self._metadata,
                read_dictionary=self._dictionaries,
            )
        except (PageFault, OSError, *_ROW_FAULTS) as fault:
            raise self._damaged(fault) from fault
        names = self.schema.names
        if self._metadata.num_columns > MAX_COLUMNS or len(names) > MAX_COLUMNS:
            raise DataError(f"{self._where}: more than {MAX_COLUMNS:,} columns.")
        if len(set(names)) < len(names):
            name, count = Counter(names).most_common(1)[0]
            raise DataError(
                f"{self._where}: column {short_repr(name)} occurs {count} times. Give "
                "each column its own name."
            )
        size = self._file.seek(0, 2)
        self._max_bytes = max(MAX_FREE_BYTES, size * MAX_RATIO)
        self._num_left = self._max_bytes

    @property
    def group_sizes(self) -> list[int]:
        """Number of rows of each row group."""
        groups = range(self._metadata.num_row_groups)
        return [self._metadata.row_group(group).num_rows for group in groups]

    def rows(
        self, columns: Sequence[str] | None = None, groups: Sequence[int] | None = None
    ) -> Iterator[dict[str, Any] | RowFault]:
        """Yield rows as plain values, in order; a RowFault for one that cannot be read.

        None stands for all columns, and for all row groups. Raises DataError.
        """
        self._num_left = self._max_bytes
        all_groups = range(self._metadata.num_row_groups)
        for group in all_groups if groups is None else groups:
            for batch in self._batches(group, columns):
                yield from self._decode(batch)

    def valid_rows(
        self, columns: Sequence[str] | None = None, groups: Sequence[int] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield rows as `rows` does; raises DataError for one that cannot be read."""
        for number, row in enumerate(self.rows(columns, groups)):
            if isinstance(row, RowFault):
                raise DataError(f"{self._where} row {number}: {row.message}")
            yield row

    def _batches(
        self, group: int, columns: Sequence[str] | None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a row group, with texts as dictionaries."""
        try:
            batch_rows = self._check_group(group)
            yield from self._parquet.iter_batches(
                batch_size=batch_rows, row_groups=[group], columns=columns
            )
        except (PageFault, OSError, *_ROW_FAULTS) as fault:
            raise self._damaged(fault) from fault

    def _check_group(self, group: int) -> int:
        """Return how many rows of a row group may be decoded together."""
        metadata = self._metadata.row_group(group)
        pages_bytes = row_bytes = 0
        for number in range(metadata.num_columns):
            chunk = metadata.column(number)
            pages = read_pages(
                self._file, _start(chunk), chunk.total_compressed_size, chunk.num_values
            )
            pages_bytes += pages.max_page_bytes + pages.dictionary_bytes
            value_bytes = self._value_bytes(number, pages)
            if self._metadata.schema.column(number).max_repetition_level:
                self._check_list(chunk.path_in_schema, pages, value_bytes)
            else:
                row_bytes += value_bytes
        if pages_bytes > _MAX_PAGES_BYTES:
            raise PageFault(
                f"row group {group} has pages that take {pages_bytes >> 20:,} MiB "
                f"decompressed, more than {_MAX_PAGES_BYTES >> 20}"
            )
        return max(1, min(_BATCH_ROWS, _SLICE_BYTES // max(1, row_bytes)))

    def _value_bytes(self, number: int, pages: ColumnPages) -> int:
        """Return a bound on what one value takes before dictionaries are decoded."""
        column = self._metadata.schema.column(number)
        if column.physical_type == "FIXED_LEN_BYTE_ARRAY":
            return int(column.length)
        if column.physical_type != "BYTE_ARRAY" or column.path in self._dictionaries:
            return 8
        may_repeat = pages.is_delta or pages.dictionary_bytes > 0
        return max(pages.max_page_bytes, pages.dictionary_bytes) if may_repeat else 8

    def _check_list(self, name: str, pages: ColumnPages, value_bytes: int) -> None:
        """Raise PageFault for lists too long: one row may hold all of their values."""
        num_bytes = pages.num_values * max(value_bytes, 8)
        if num_bytes > _MAX_LIST_BYTES:
            raise PageFault(
                f"the lists of column {short_repr(name)} may take {num_bytes >> 20:,} "
                f"MiB in one row group, more than {_MAX_LIST_BYTES >> 20}"
            )

    def _decode(self, batch: pa.RecordBatch) -> Iterator[dict[str, Any] | RowFault]:
        sizes = np.full(batch.num_rows, _VALUE_BYTES, np.int64)
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            sizes += self._column_sizes(name, column)
        ends = np.cumsum(sizes)
        start = 0
        while start < batch.num_rows:
            before = int(ends[start - 1]) if start else 0
            fitting = int(np.searchsorted(ends, before + _SLICE_BYTES, side="right"))
            end = max(start + 1, fitting)
            if sizes[start] > MAX_ROW_BYTES:
                yield RowFault(
                    f"the row takes {int(sizes[start]) >> 20:,} MiB, more than "
                    f"{MAX_ROW_BYTES >> 20}.",
                    is_text=False,
                )
            else:
                self._count(int(ends[end - 1]) - before)
                yield from self._decode_rows(batch.slice(start, end - start))
            start = end

    def _column_sizes(self, name: str, column: pa.Array) -> Sizes:
        try:
            return _sizes(column)
        except pa.ArrowNotImplementedError as fault:
            raise DataError(
                f"{self._where}: column {short_repr(name)} has the type {column.type}, "
                "which is not read. Write it as text, numbers, lists or structs."
            ) from fault

    def _count(self, num_bytes: int) -> None:
        self._num_left -= num_bytes
        if self._num_left < 0:
            raise DataError(
                f"{self._where}: its rows take more than {self._max_bytes >> 20:,} MiB, "
                f"{MAX_RATIO:,} times the size of the file. Write it in smaller parts."
            )

    def _decode_rows(self, rows: pa.RecordBatch) -> Iterator[dict[str, Any] | RowFault]:
        try:
            decoded: list[dict[str, Any]] = self._plain(rows).to_pylist()
        except _ROW_FAULTS as fault:
            if rows.num_rows == 1:
                is_text = isinstance(fault, UnicodeDecodeError)
                yield RowFault(f"it cannot be read: {_one_line(fault)}.", is_text)
                return
            for number in range(rows.num_rows):
                yield from self._decode_rows(rows.slice(number, 1))
        else:
            yield from decoded

    def _plain(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Decode dictionaries: their values come back several times as slowly."""
        names = rows.schema.names
        columns = [
            _plain_column(column, self.schema.field(name).type)
            for name, column in zip(names, rows.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, names=names)

    def _damaged(self, fault: Exception) -> DataError:
        return DataError(f"{self._where}: not Parquet, or damaged: {_one_line(fault)}.")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _dictionary_columns(metadata: pq.FileMetaData) -> frozenset[str]:
    """Return the columns of texts that Arrow can read as dictionaries."""
    found = set()
    for number in range(metadata.num_columns):
        column = metadata.schema.column(number)
        if column.physical_type == "BYTE_ARRAY" and not _has_deltas(metadata, number):
            found.add(column.path)
    return frozenset(found)


def _has_deltas(metadata: pq.FileMetaData, number: int) -> bool:
    groups = (metadata.row_group(at) for at in range(metadata.num_row_groups))
    encodings = (
        encoding for group in groups for encoding in group.column(number).encodings
    )
    return any("DELTA" in encoding for encoding in encodings)


def _start(chunk: pq.ColumnChunkMetaData) -> int:
    """Return the offset of a column chunk's first page, as Arrow finds it."""
    first: int = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < first:
        first = chunk.dictionary_page_offset
    return first


def _plain_column(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if column.type == kind:
        return column
    try:
        return column.cast(kind)
    except pa.ArrowNotImplementedError:
        return column  # its values are the same, only slower


def _sizes(array: pa.Array) -> Sizes:
    """Return what each value of an array takes, decoded; raises ArrowNotImplementedError
    for a type of unknown size.
    """
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _sizes(array.storage)
    if pa.types.is_dictionary(kind):
        entries = np.append(_sizes(array.dictionary), _VALUE_BYTES)
        # The last entry stands for null.
        indices = array.indices.cast(pa.int64())
        chosen: Sizes = entries[_numbers(indices, null=len(entries) - 1)]
        return chosen
    if pa.types.is_struct(kind):
        sizes = np.full(len(array), 2 * _VALUE_BYTES, np.int64)
        for field in array.flatten():
            sizes += _sizes(field)
        return sizes
    if _is_list(kind):
        return _list_sizes(array)
    if _is_text(kind):
        lengths = pc.binary_length(array).cast(pa.int64())
        return _VALUE_BYTES + _numbers(lengths, null=0)
    if (
        pa.types.is_primitive(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    ):
        return np.full(len(array), _VALUE_BYTES, np.int64)
    if pa.types.is_decimal(kind) or pa.types.is_fixed_size_binary(kind):
        return np.full(len(array), 2 * _VALUE_BYTES + kind.byte_width, np.int64)
    raise pa.ArrowNotImplementedError(f"{kind}")


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_map(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_large_binary(kind)
    )


def _list_sizes(array: pa.Array) -> Sizes:
    """Return what each list takes: the sizes of its values."""
    kind = array.type
    if pa.types.is_map(kind):
        inner = _sizes(array.keys) + _sizes(array.items)
    else:
        inner = _sizes(array.values)
    ends = np.concatenate([[0], np.cumsum(inner)])
    if pa.types.is_fixed_size_list(kind):
        starts = (np.arange(len(array) + 1) + array.offset) * kind.list_size
    else:
        starts = _numbers(array.offsets.cast(pa.int64()), null=0)
    sizes: Sizes = _VALUE_BYTES + ends[starts[1:]] - ends[starts[:-1]]
    return sizes


def _numbers(array: pa.Array, *, null: int) -> Sizes:
    """Return the values of an int64 array, `null` in place of each null.

    From its buffers: `to_numpy` and `fill_null` import pandas, which took 0.2 s of each
    command that reads rows.
    """
    if not len(array):
        return np.empty(0, np.int64)
    validity, data = array.buffers()
    values: Sizes = np.frombuffer(data, np.int64, len(array), array.offset * 8)
    if not array.null_count:
        return values
    bits = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")
    is_valid = bits[array.offset : array.offset + len(array)] == 1
    return np.where(is_valid, values, null)


def _one_line(fault: Exception) -> str:
    lines = str(fault).splitlines() or [type(fault).__name__]
    return lines[0][:300].rstrip(".")

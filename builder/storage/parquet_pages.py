"""What reading a parquet file would take, from its footer and page headers.

pyarrow bounds neither: it decompresses a page of any size, and believes a footer's
counts. A few hundred bytes can stand for gigabytes. So both are read here first, in
Apache Thrift's compact protocol, of which nothing but sizes is kept.

Format: https://parquet.apache.org/docs/file-format/
"""

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

MAX_FOOTER_BYTES = 16 << 20
"""Largest footer. 100,000 rows that cotbuild wrote take about 2 MiB."""
MAX_FOOTER_VALUES = 1_000_000
"""Most values in a footer; each takes up to 1 KiB in memory."""

_MAX_HEADER_BYTES = 1 << 20
_HEADER_WINDOW = 1 << 14
_MAGIC = b"PAR1"
_MAX_NESTING = 32

# Types of values in the compact protocol.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY = range(1, 9)
_LIST, _SET, _MAP, _STRUCT = range(9, 13)

# Fields of a page header, and of the header of its kind of page.
_UNCOMPRESSED_SIZE, _COMPRESSED_SIZE = 2, 3
_DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2 = 5, 7, 8
_NUM_VALUES = 1
_ENCODING = {_DATA_PAGE: 2, _DATA_PAGE_V2: 4}
_DELTA_BYTE_ARRAY = 7


class PageFault(ValueError):
    """A footer or page header is damaged or exceeds a bound; a clause in one line."""


class ColumnPages(NamedTuple):
    """What reading one column of one row group takes."""

    max_page_bytes: int
    """Its largest data page, decompressed."""
    dictionary_bytes: int
    """Its dictionary page, decompressed; 0 if there is none."""
    num_values: int
    is_delta: bool
    """Whether a value may repeat the beginning of the one before it, so that its page
    may hold less than the values do.
    """


def check_footer(file: BinaryIO, trusted_bytes: int = 0) -> None:
    """Raise PageFault unless a file's footer can be parsed within the bounds.

    The values of a footer of up to `trusted_bytes` are not counted, which takes about
    0.3 s for 200,000 of them; each takes at least a byte.
    """
    size = file.seek(0, 2)
    if size < 12:
        raise PageFault(f"{size} bytes, too few for Parquet")
    file.seek(size - 8)
    tail = file.read(8)
    if tail[4:] != _MAGIC:
        raise PageFault(f"it ends in {tail[4:]!r}, not {_MAGIC!r}")
    num_bytes = int.from_bytes(tail[:4], "little")
    if num_bytes > MAX_FOOTER_BYTES:
        raise PageFault(
            f"a footer of {num_bytes:,} bytes, more than {MAX_FOOTER_BYTES >> 20} MiB"
        )
    if num_bytes > size - 12:
        raise PageFault(f"a footer of {num_bytes:,} bytes in a file of {size:,}")
    if num_bytes <= trusted_bytes:
        return
    file.seek(size - 8 - num_bytes)
    _Thrift(file.read(num_bytes), MAX_FOOTER_VALUES).skip_struct()


def read_pages(
    file: BinaryIO, start: int, num_bytes: int, num_values: int
) -> ColumnPages:
    """Read the page headers of a column chunk at `start`, until its values are complete.

    A chunk without values is not read, by Arrow neither: the offset of an empty row
    group leads behind it. Raises PageFault if a header is damaged.
    """
    max_page_bytes = dictionary_bytes = seen_values = 0
    is_delta = False
    if num_values == 0:
        return ColumnPages(max_page_bytes, dictionary_bytes, seen_values, is_delta)
    for page in _page_headers(file, start, start + num_bytes):
        if page.kind == _DICTIONARY_PAGE:
            dictionary_bytes = max(dictionary_bytes, page.num_bytes)
            continue
        max_page_bytes = max(max_page_bytes, page.num_bytes)
        is_delta |= page.encoding == _DELTA_BYTE_ARRAY
        seen_values += page.num_values
        if seen_values >= num_values:
            break
    return ColumnPages(max_page_bytes, dictionary_bytes, seen_values, is_delta)


class _Page(NamedTuple):
    kind: int
    num_bytes: int
    num_values: int
    encoding: int


def _page_headers(file: BinaryIO, start: int, end: int) -> Iterator[_Page]:
    """Yield the pages between two offsets of a file."""
    while start < end:
        fields, header_bytes = _read_header(file, start)
        sizes = fields.get(_UNCOMPRESSED_SIZE), fields.get(_COMPRESSED_SIZE)
        num_bytes, compressed_bytes = (
            size if isinstance(size, int) else -1 for size in sizes
        )
        if num_bytes < 0 or compressed_bytes < 0:
            raise PageFault(f"the page at byte {start} has no size")
        yield _make_page(fields, num_bytes)
        start += header_bytes + compressed_bytes


def _make_page(fields: dict[int, Any], num_bytes: int) -> _Page:
    kinds = (_DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_V2)
    kind = next((kind for kind in kinds if kind in fields), 0)
    inner = fields.get(kind)
    if not isinstance(inner, dict):
        return _Page(kind, num_bytes, 0, 0)
    num_values = inner.get(_NUM_VALUES)
    encoding = inner.get(_ENCODING.get(kind, 0))
    return _Page(
        kind,
        num_bytes,
        num_values if isinstance(num_values, int) else 0,
        encoding if isinstance(encoding, int) else 0,
    )


def _read_header(file: BinaryIO, start: int) -> tuple[dict[int, Any], int]:
    """Return the fields of the page header at an offset, and its length."""
    for window in (_HEADER_WINDOW, _MAX_HEADER_BYTES):
        file.seek(start)
        data = file.read(window)
        reader = _Thrift(data, _MAX_HEADER_BYTES)
        try:
            fields = reader.read_struct()
        except _Truncated:
            if len(data) < window:
                break
        else:
            return fields, reader.offset
    raise PageFault(f"the page header at byte {start} does not end")


class _Truncated(PageFault):
    """The bytes end within a value."""


class _Thrift:
    """Reads values of the compact protocol, at most `max_values` of them."""

    def __init__(self, data: bytes, max_values: int) -> None:
        self.offset = 0
        self._data = data
        self._num_left = max_values
        self._max_values = max_values

    def read_struct(self, depth: int = 0) -> dict[int, Any]:
        """Return the whole numbers and structs of a struct by field id."""
        fields: dict[int, Any] = {}
        field = 0
        while head := self._byte():
            kind = head & 0x0F
            delta = head >> 4
            field = field + delta if delta else self._zigzag()
            if kind in (_I16, _I32, _I64):
                self._count()
                fields[field] = self._zigzag()
            elif kind == _STRUCT and depth == 0:
                self._count()
                fields[field] = self.read_struct(depth + 1)
            elif kind not in (_TRUE, _FALSE):
                self._skip(kind, depth + 1)
        return fields

    def skip_struct(self, depth: int = 0) -> None:
        """Move behind a struct."""
        while head := self._byte():
            kind = head & 0x0F
            if not head >> 4:
                self._zigzag()
            if kind not in (_TRUE, _FALSE):  # a field of a bool has no more bytes
                self._skip(kind, depth + 1)

    def _skip(self, kind: int, depth: int) -> None:
        self._count()
        if depth > _MAX_NESTING:
            raise PageFault(f"nested deeper than {_MAX_NESTING} levels")
        if kind in (_TRUE, _FALSE, _BYTE):
            self._advance(1)
        elif kind in (_I16, _I32, _I64):
            self._varint()
        elif kind == _DOUBLE:
            self._advance(8)
        elif kind == _BINARY:
            self._advance(self._varint())
        elif kind in (_LIST, _SET):
            self._skip_list(depth)
        elif kind == _STRUCT:
            self.skip_struct(depth)
        elif kind == _MAP:
            self._skip_map(depth)
        else:
            raise PageFault(f"a value of unknown type {kind}")

    def _skip_list(self, depth: int) -> None:
        head = self._byte()
        size = head >> 4
        if size == 15:
            size = self._varint()
        for _ in range(size):
            self._skip(head & 0x0F, depth + 1)

    def _skip_map(self, depth: int) -> None:
        size = self._varint()
        if size:
            kinds = self._byte()
            for _ in range(size):
                self._skip(kinds >> 4, depth + 1)
                self._skip(kinds & 0x0F, depth + 1)

    def _count(self) -> None:
        self._num_left -= 1
        if self._num_left < 0:
            raise PageFault(f"more than {self._max_values:,} values")

    def _advance(self, num_bytes: int) -> None:
        self.offset += num_bytes
        if self.offset > len(self._data):
            raise _Truncated("it ends within a value")

    def _byte(self) -> int:
        self._advance(1)
        return self._data[self.offset - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise PageFault("a number of more than 64 bits")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

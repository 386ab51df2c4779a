"""Read the rows of JSON Lines, JSON, CSV and Parquet files.

A row that cannot be read is yielded as a BadRow; a file that cannot be read raises.
"""

import hashlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.json_text import JsonFault, parse_json
from cotbuild.schemas.record import short_repr

_BOM = b"\xef\xbb\xbf"
MAX_LINE_BYTES = 64 << 20
"""Longest line of JSON Lines or CSV, and longest field of CSV."""
MAX_DOCUMENT_BYTES = 2 << 30
"""Largest JSON document; it takes up to about ten times its size in memory."""
MAX_CSV_COLUMNS = 10_000
Reader = Callable[[Path], Iterator[Row | BadRow]]


class FileRows:
    """The rows of one file.

    Raises DataError if the file as a whole cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.location = path.name
        self._read = _choose_reader(path)

    def __iter__(self) -> Iterator[Row | BadRow]:
        return self._read(self.path)

    def checksum(self) -> str:
        """Return the sha256 of the file in 64 hex digits."""
        with open_file(self.path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def open_file(path: Path) -> BufferedReader:
    """Open a file in binary mode; raises DataError if that fails."""
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {error.strerror}.") from error


def _choose_reader(path: Path) -> Reader:
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise DataError(
            f"{path.name}: unknown ending {suffix!r}. Use one of {', '.join(READERS)}."
        )
    # JSON documents are often named .jsonl and JSON Lines .json, so the content
    # decides.
    if suffix in _JSON_SUFFIXES:
        return read_json if _is_document(path) else read_jsonl
    return READERS[suffix]


def read_jsonl(path: Path) -> Iterator[Row | BadRow]:
    """Yield one row per line; blank lines, CRLF and a BOM are accepted."""
    with open_file(path) as file:
        for number, line in enumerate(_read_lines(file), 1):
            if line.is_cut:
                yield BadRow(BadRowReason.TOO_LARGE, _long_line(number))
            elif line.text.strip():
                yield _parse_line(line.text, number, line.start)


class _Line(NamedTuple):
    text: bytes
    """Without a BOM; the beginning of a line over the bound."""
    start: int
    """Offset in the file."""
    is_cut: bool


def _read_lines(file: BufferedReader) -> Iterator[_Line]:
    """Yield the lines of a file, each of at most MAX_LINE_BYTES."""
    start = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        is_cut = len(line) > MAX_LINE_BYTES
        num_bytes = len(line)
        rest = line if is_cut else b""
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE_BYTES)
            num_bytes += len(rest)
        text = line.removeprefix(_BOM) if start == 0 else line
        yield _Line(text, start + len(line) - len(text), is_cut)
        start += num_bytes


def _long_line(number: int) -> str:
    return f"line {number} is longer than {MAX_LINE_BYTES >> 20} MiB."


def _parse_line(line: bytes, number: int, start: int) -> Row | BadRow:
    try:
        value = parse_json(line.decode())
    except UnicodeDecodeError as error:
        return BadRow(BadRowReason.NOT_UTF8, describe_invalid_utf8(error, start))
    except JsonFault as error:
        return BadRow(BadRowReason.BAD_JSON, f"line {number} is not JSON: {error}.")
    return _check_row(value)


def _check_row(value: Any) -> Row | BadRow:
    if isinstance(value, dict):
        return value
    return BadRow(
        BadRowReason.NOT_A_ROW, f"the row is {short_repr(value)}, not a JSON object."
    )


def describe_invalid_utf8(error: UnicodeDecodeError, start: int) -> str:
    """Return a message with the offending byte and its offset in the file.

    `start` is the offset in the file of the bytes that were decoded.
    """
    offset, byte = start + error.start, error.object[error.start]
    return f"byte {offset} of the file is {byte:#04x}, which is not UTF-8."


def read_json(path: Path) -> Iterator[Row | BadRow]:
    """Yield the rows of a JSON document: an array, or an object whose values are rows.

    The document is held in memory.
    """
    content = read_document(path)
    document = _parse_document(content, path)
    if isinstance(document, dict):
        if not _is_object_of_rows(document):
            raise DataError(
                f"{path.name}: one object with the fields {short_repr(list(document))}. "
                "Expected an array of rows, or an object whose values are all rows."
            )
        document = list(document.values())
    for value in document:
        yield _check_row(value)


def read_document(path: Path) -> bytes:
    """Read a file whole. Raises DataError if it cannot be read or is too large."""
    with open_file(path) as file:
        content = file.read(MAX_DOCUMENT_BYTES + 1)
    if len(content) > MAX_DOCUMENT_BYTES:
        raise DataError(
            f"{path.name}: a JSON document larger than {MAX_DOCUMENT_BYTES >> 30} GiB, "
            "which is read whole. Write its rows as JSON Lines, one a line."
        )
    return content


def _parse_document(content: bytes, path: Path) -> Any:
    data = content.removeprefix(_BOM)
    try:
        return parse_json(data.decode())
    except UnicodeDecodeError as error:
        message = describe_invalid_utf8(error, len(content) - len(data))
        raise DataError(f"{path.name}: {message}") from error
    except JsonFault as error:
        raise DataError(f"{path.name}: not JSON: {error}.") from error


def _is_document(path: Path) -> bool:
    """Return whether a file is one JSON array or object of rows, not JSON Lines.

    Only its first two lines that are not blank are read.
    """
    with open_file(path) as file:
        lines = (line for line in _read_lines(file) if line.text.strip())
        first_line = next(lines, None)
        has_second = next(lines, None) is not None
    if first_line is None:
        return False
    first = first_line.text.strip()
    if not first.startswith(b"{"):
        return first.startswith(b"[")
    if has_second:
        return first == b"{"  # pretty-printed
    if first_line.is_cut:
        return True  # a single row would be over the bound
    try:
        return _is_object_of_rows(parse_json(first.decode()))
    except ValueError:  # JsonFault and UnicodeDecodeError are
        return False  # read_jsonl describes the error


def _is_object_of_rows(value: Any) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    return all(isinstance(row, dict) for row in value.values())


def read_csv(path: Path) -> Iterator[Row | BadRow]:
    """Yield the rows of a CSV file with a header; .tsv files are separated by tabs.

    Quoted fields may contain line breaks.
    """
    import csv

    # Rows are bounded below. The limit is the whole process's, so it is never lowered.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with open_file(path) as file:
        texts = _CsvLines(file, path)
        lines = csv.reader(texts, delimiter=delimiter, strict=True)
        try:
            header = next(lines, [])
            _check_header(header, path)
            texts.begin_row()
            for fields in lines:
                texts.begin_row()
                if fields:
                    yield _name_fields(header, fields, lines.line_num)
        except csv.Error as error:
            raise DataError(
                f"{path.name}: line {lines.line_num} is not CSV: {error}."
            ) from error


def _name_fields(header: list[str], fields: list[str], line: int) -> Row | BadRow:
    if len(fields) != len(header):
        return BadRow(
            BadRowReason.RAGGED_ROW,
            f"the row that ends in line {line} has {len(fields)} fields; the header has "
            f"{len(header)}.",
        )
    return dict(zip(header, fields, strict=True))


class _CsvLines:
    """The lines of a CSV file as text, of which a quoted field may take several."""

    # Not io.TextIOWrapper: the offset in its UnicodeDecodeError counts from the start
    # of a chunk, not of the file.

    def __init__(self, file: BufferedReader, path: Path) -> None:
        self._file = file
        self._path = path
        self._num_bytes = 0

    def begin_row(self) -> None:
        """Count the bytes of a row from here."""
        self._num_bytes = 0

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(_read_lines(self._file), 1):
            self._num_bytes += len(line.text)
            if line.is_cut or self._num_bytes > MAX_LINE_BYTES:
                raise DataError(
                    f"{self._path.name}: the row that holds line {number} is longer than "
                    f"{MAX_LINE_BYTES >> 20} MiB. Shorten it, or close its quotes."
                )
            try:
                yield line.text.decode()
            except UnicodeDecodeError as error:
                message = describe_invalid_utf8(error, line.start)
                raise DataError(
                    f"{self._path.name}: {message} Save the file as UTF-8."
                ) from error


def _check_header(header: list[str], path: Path) -> None:
    if len(header) > MAX_CSV_COLUMNS:
        raise DataError(
            f"{path.name}: {len(header):,} columns, more than {MAX_CSV_COLUMNS:,}. Name "
            "the columns in the first line."
        )
    has_repeated_names = len(set(header)) < len(header)
    if has_repeated_names or "" in header:
        raise DataError(
            f"{path.name}: header {short_repr(header)} has empty or repeated names. Give each "
            "column its own name."
        )


def read_parquet(path: Path) -> Iterator[Row | BadRow]:
    """Yield the rows of a Parquet file, in bounded memory."""
    from cotbuild.builder.storage.parquet_rows import ParquetRows, RowFault

    with ParquetRows(path, path.name) as file:
        for row in file.rows():
            if not isinstance(row, RowFault):
                yield row
            elif row.is_text:
                yield BadRow(BadRowReason.NOT_UTF8, row.message)
            else:
                yield BadRow(BadRowReason.UNREADABLE, row.message)


_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
READERS: dict[str, Reader] = {
    **dict.fromkeys(_JSON_SUFFIXES, read_jsonl),
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
}
"""The readers by file name ending."""

"""Read the rows of JSON Lines, JSON, CSV and Parquet files.

A row that cannot be read is yielded as a BadRow; a file that cannot be read raises.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, NoReturn

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.record import short_repr

_BOM = b"\xef\xbb\xbf"
_MAX_CSV_FIELD_CHARS = 2**31 - 1
"""Instead of 128 Ki, the csv module's default, since contexts may be long."""
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
    line_start = 0
    with open_file(path) as file:
        for number, line in enumerate(file, 1):
            text = line.removeprefix(_BOM) if number == 1 else line
            if text.strip():
                text_start = line_start + len(line) - len(text)
                yield _parse_line(text, number, text_start)
            line_start += len(line)


def _parse_line(line: bytes, number: int, start: int) -> Row | BadRow:
    try:
        value = _DECODER.decode(line.decode())
    except UnicodeDecodeError as error:
        return BadRow(BadRowReason.NOT_UTF8, describe_invalid_utf8(error, start))
    except (ValueError, RecursionError) as error:
        return BadRow(BadRowReason.BAD_JSON, f"line {number} is not JSON: {error}.")
    return _check_row(value)


def _check_row(value: Any) -> Row | BadRow:
    if isinstance(value, dict):
        return value
    return BadRow(
        BadRowReason.NOT_A_ROW, f"the row is {short_repr(value)}, not a JSON object."
    )


def _reject_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON value")


_DECODER = json.JSONDecoder(parse_constant=_reject_constant)


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
    with open_file(path) as file:
        content = file.read()
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


def _parse_document(content: bytes, path: Path) -> Any:
    data = content.removeprefix(_BOM)
    try:
        return _DECODER.decode(data.decode())
    except UnicodeDecodeError as error:
        message = describe_invalid_utf8(error, len(content) - len(data))
        raise DataError(f"{path.name}: {message}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: not JSON: {error}.") from error


def _is_document(path: Path) -> bool:
    """Return whether a file is one JSON array or object of rows, not JSON Lines.

    Only its first two lines that are not blank are read.
    """
    with open_file(path) as file:
        stripped = (line.removeprefix(_BOM).strip() for line in file)
        lines = (line for line in stripped if line)
        first = next(lines, b"")
        has_second = next(lines, None) is not None
    if not first.startswith(b"{"):
        return first.startswith(b"[")
    if has_second:
        return first == b"{"  # pretty-printed
    try:
        return _is_object_of_rows(_DECODER.decode(first.decode()))
    except (ValueError, RecursionError):
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

    csv.field_size_limit(_MAX_CSV_FIELD_CHARS)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with open_file(path) as file:
        lines = csv.reader(_decode_lines(file, path), delimiter=delimiter, strict=True)
        try:
            header = next(lines, [])
            _check_header(header, path)
            for fields in lines:
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


def _decode_lines(file: BufferedReader, path: Path) -> Iterator[str]:
    # Not io.TextIOWrapper: the offset in its UnicodeDecodeError counts from the start
    # of a chunk, not of the file.
    start = 0
    for line in file:
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            message = describe_invalid_utf8(error, start)
            raise DataError(
                f"{path.name}: {message} Save the file as UTF-8."
            ) from error
        yield text.removeprefix("\ufeff") if start == 0 else text
        start += len(line)


def _check_header(header: list[str], path: Path) -> None:
    has_repeated_names = len(set(header)) < len(header)
    if has_repeated_names or "" in header:
        raise DataError(
            f"{path.name}: header {header!r} has empty or repeated names. Give each "
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

"""Readers of JSON Lines, JSON, CSV and Parquet files.

One row's fault is yielded as a BadRow, a file's fault raises.
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
Reader = Callable[[Path], Iterator[Row | BadRow]]


class FileRows:
    """The rows of one file.

    Raises DataError where the file as a whole cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.where = path.name
        self._read = _reader(path)

    def __iter__(self) -> Iterator[Row | BadRow]:
        return self._read(self.path)

    def checksum(self) -> str:
        with open_file(self.path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def open_file(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {error.strerror}.") from error


def _reader(path: Path) -> Reader:
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise DataError(
            f"{path.name}: unknown ending {suffix!r}. Use one of {', '.join(READERS)}."
        )
    # A JSON document is often called .jsonl and the other way round: the content
    # decides.
    if suffix in _JSON_SUFFIXES:
        return read_json if _is_document(path) else read_jsonl
    return READERS[suffix]


def read_jsonl(path: Path) -> Iterator[Row | BadRow]:
    """One row a line; blank lines, CRLF and a BOM are no rows and no fault."""
    start = 0
    with open_file(path) as file:
        for number, line in enumerate(file, 1):
            text = line.removeprefix(_BOM) if number == 1 else line
            if text.strip():
                yield _parse_line(text, number, start + len(line) - len(text))
            start += len(line)


def _parse_line(line: bytes, number: int, start: int) -> Row | BadRow:
    try:
        row = _DECODER.decode(line.decode())
    except UnicodeDecodeError as error:
        return BadRow(BadRowReason.NOT_UTF8, not_utf8(error, start))
    except (ValueError, RecursionError) as error:
        return BadRow(
            BadRowReason.BAD_JSON,
            f"line {number} is not JSON: {error}.",
        )
    return _as_row(row)


def _as_row(value: Any) -> Row | BadRow:
    if isinstance(value, dict):
        return value
    return BadRow(
        BadRowReason.NOT_A_ROW,
        f"the row is {short_repr(value)}, not a JSON object.",
    )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON value")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def not_utf8(error: UnicodeDecodeError, start: int) -> str:
    return f"byte {start + error.start} of the file is {error.object[error.start]:#04x}, which is not UTF-8."


def read_json(path: Path) -> Iterator[Row | BadRow]:
    """One document: an array of rows, or one object whose values are rows.

    It is held in memory.
    """
    with open_file(path) as file:
        content = file.read()
    data = content.removeprefix(_BOM)
    try:
        document = _DECODER.decode(data.decode())
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name}: {not_utf8(error, len(content) - len(data))}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: not JSON: {error}.") from error
    if isinstance(document, dict):
        if not _is_object_of_rows(document):
            raise DataError(
                f"{path.name}: one object with the fields {short_repr(list(document))}. "
                "Expected an array of rows, or an object whose values are all rows."
            )
        document = list(document.values())
    for value in document:
        yield _as_row(value)


def _is_document(path: Path) -> bool:
    """Whether the file is one JSON array or object of rows rather than JSON Lines;
    reads two lines of it.
    """
    with open_file(path) as file:
        lines = (line.removeprefix(_BOM).strip() for line in file)
        first, second = (next((line for line in lines if line), b"") for _ in range(2))
    if second or not first.startswith(b"{"):
        return first.startswith(b"[") or first == b"{"  # pretty-printed
    try:
        return _is_object_of_rows(_DECODER.decode(first.decode()))
    except (ValueError, RecursionError):
        return False  # the reader of lines says what is wrong with it


def _is_object_of_rows(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) > 0
        and all(isinstance(row, dict) for row in value.values())
    )


def read_csv(path: Path) -> Iterator[Row | BadRow]:
    """A CSV (.tsv: tab-separated) file with a header line; quoted fields may hold line
    breaks.
    """
    import csv

    csv.field_size_limit(2**31 - 1)  # the default of 128 KiB refuses long contexts
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with open_file(path) as file:
        lines = csv.reader(_text_lines(file, path), delimiter=delimiter, strict=True)
        try:
            header = next(lines, [])
            _check_header(header, path)
            for fields in lines:
                if not fields:
                    continue
                if len(fields) != len(header):
                    what = f"the row that ends in line {lines.line_num} has {len(fields)} fields"
                    yield BadRow(
                        BadRowReason.RAGGED_ROW,
                        f"{what}; the header has {len(header)}.",
                    )
                else:
                    yield dict(zip(header, fields, strict=True))
        except csv.Error as error:
            raise DataError(
                f"{path.name}: line {lines.line_num} is not CSV: {error}."
            ) from error


def _text_lines(file: BufferedReader, path: Path) -> Iterator[str]:
    # Not io.TextIOWrapper: its UnicodeDecodeError counts from the start of a chunk, not
    # of the file.
    start = 0
    for line in file:
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path.name}: {not_utf8(error, start)} Save the file as UTF-8."
            ) from error
        yield text.removeprefix("\ufeff") if start == 0 else text
        start += len(line)


def _check_header(header: list[str], path: Path) -> None:
    if header and (len(set(header)) < len(header) or "" in header):
        raise DataError(
            f"{path.name}: header {header!r} has empty or repeated names. Give each column its own name."
        )


def read_parquet(path: Path) -> Iterator[Row | BadRow]:
    """A Parquet file, 1,000 rows in memory at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_file(path) as file:
            for batch in pq.ParquetFile(file).iter_batches(batch_size=1000):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        first_line = str(error).splitlines()[0]
        raise DataError(
            f"{path.name}: not Parquet, or damaged: {first_line}."
        ) from error


_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
READERS: dict[str, Reader] = {
    **dict.fromkeys(_JSON_SUFFIXES, read_jsonl),
    ".csv": read_csv,
    ".tsv": read_csv,
    ".parquet": read_parquet,
}
"""File endings and their readers."""

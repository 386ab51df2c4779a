"""Read the rows of JSON: one a line, or all in one document."""

from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.files.json_shapes import Shaped, is_row, shape_values
from cotbuild.builder.sources.files.lines import (
    describe_invalid_utf8,
    describe_long_line,
    read_lines,
)
from cotbuild.builder.sources.files.opening import BOM, open_content
from cotbuild.builder.sources.files.rows_under import ShapeFault
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.json_text import JsonFault, parse_json, parse_json_values
from cotbuild.schemas.record import short_repr

MAX_DOCUMENT_BYTES = 2 << 30
"""Largest JSON document; it takes up to about ten times its size in memory."""


def read_jsonl(path: Path) -> Iterator[Row | BadRow]:
    """Yield one row per line; blank lines, CRLF and a BOM are accepted."""
    with open_content(path) as content:
        for number, line in enumerate(read_lines(content.file), 1):
            if line.is_cut:
                yield BadRow(BadRowReason.TOO_LARGE, describe_long_line(number))
            elif line.text.strip():
                yield _parse_line(line.text, number, line.start)


def _parse_line(line: bytes, number: int, start: int) -> Row | BadRow:
    try:
        value = parse_json(line.decode(), allow_nan=True)
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


def read_json(path: Path, rows_under: str | None) -> tuple[str, Iterator[Row | BadRow]]:
    """Return the shape of a JSON document, and its rows.

    The document is held in memory. Raises DataError if it has no rows.
    """
    shaped = _shape_document(path, rows_under)
    return shaped.shape, map(_check_row, shaped.rows)


def _shape_document(path: Path, rows_under: str | None) -> Shaped:
    values = read_values(path)
    try:
        return shape_values(values, rows_under)
    except ShapeFault as fault:
        raise DataError(f"{path.name}: {fault}") from fault


def read_values(path: Path) -> list[Any]:
    """Return the values of a JSON document; there are several if they follow each other.

    Raises DataError if the file cannot be read, is too large, or is not JSON.
    """
    with open_content(path) as opened:
        content = opened.file.read(MAX_DOCUMENT_BYTES + 1)
    if len(content) > MAX_DOCUMENT_BYTES:
        raise DataError(
            f"{path.name}: a JSON document larger than {MAX_DOCUMENT_BYTES >> 30} GiB, "
            "which is read whole. Write its rows as JSON Lines, one a line."
        )
    data = content.removeprefix(BOM)
    try:
        return parse_json_values(data.decode(), allow_nan=True)
    except UnicodeDecodeError as error:
        message = describe_invalid_utf8(error, len(content) - len(data))
        raise DataError(f"{path.name}: {message}") from error
    except JsonFault as error:
        raise DataError(f"{path.name}: not JSON: {error}.") from error


def is_document(file: BufferedReader) -> bool:
    """Return whether a file is one JSON document, not JSON Lines.

    Only its first two lines that are not blank are read.
    """
    lines = (line for line in read_lines(file) if line.text.strip())
    first_line = next(lines, None)
    second_line = next(lines, None)
    if first_line is None:
        return False
    first = first_line.text.strip()
    if not first.startswith(b"{"):
        return first.startswith(b"[")
    if second_line is None:
        if first_line.is_cut:
            return True  # a single row would be over the bound
        return _is_one_line_document(first)
    if first == b"{":
        return True  # pretty-printed
    # A row that is cut is followed by another one.
    return not second_line.text.lstrip().startswith(b"{") and not _is_json(first)


def _is_json(line: bytes) -> bool:
    try:
        parse_json(line.decode(), allow_nan=True)
    except ValueError:  # JsonFault and UnicodeDecodeError are
        return False
    return True


def _is_one_line_document(line: bytes) -> bool:
    """Return whether the only line of a file holds several rows, not one."""
    try:
        values = parse_json_values(line.decode(), allow_nan=True)
    except ValueError:  # JsonFault and UnicodeDecodeError are
        return False  # read_jsonl describes the error
    return len(values) > 1 or not is_row(values[0])

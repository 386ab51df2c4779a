"""Lines of bounded length, and what is wrong with the bytes of one."""

from collections.abc import Iterator
from io import BufferedReader
from typing import NamedTuple

from cotbuild.builder.sources.files.opening import BOM

MAX_LINE_BYTES = 64 << 20
"""Longest line of JSON Lines or CSV, and longest field of CSV."""


class Line(NamedTuple):
    """A line of a file."""

    text: bytes
    """Without a BOM; the beginning of a line over the bound."""
    start: int
    """Offset in the file."""
    is_cut: bool


def read_lines(file: BufferedReader) -> Iterator[Line]:
    """Yield the lines of a file, each of at most MAX_LINE_BYTES."""
    start = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        is_cut = len(line) > MAX_LINE_BYTES
        num_bytes = len(line)
        rest = line if is_cut else b""
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE_BYTES)
            num_bytes += len(rest)
        text = line.removeprefix(BOM) if start == 0 else line
        yield Line(text, start + len(line) - len(text), is_cut)
        start += num_bytes


def describe_long_line(number: int) -> str:
    """Return the message for a line over the bound."""
    return f"line {number} is longer than {MAX_LINE_BYTES >> 20} MiB."


def describe_invalid_utf8(error: UnicodeDecodeError, start: int) -> str:
    """Return a message with the offending byte and its offset in the file.

    `start` is the offset in the file of the bytes that were decoded.
    """
    offset, byte = start + error.start, error.object[error.start]
    return f"byte {offset} of the file is {byte:#04x}, which is not UTF-8."

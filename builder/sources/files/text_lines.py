"""Read text files with a row a line, alone or side by side."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.files.lines import (
    Line,
    describe_invalid_utf8,
    describe_long_line,
    read_lines,
)
from cotbuild.builder.sources.files.opening import open_content
from cotbuild.schemas.errors import ConfigError, DataError

TEXT_COLUMN = "text"
"""Column of a file of lines that is read alone."""
_FIELD = re.compile(r"[A-Za-z_]\w*")


def read_text_lines(path: Path) -> Iterator[Row | BadRow]:
    """Yield a row for each line; a blank line is a row with an empty text."""
    yield from read_parallel({TEXT_COLUMN: path})


def parse_parallel(name: str) -> dict[str, Path] | None:
    """Return the files in "question=q.txt,target=a.txt" by column.

    None if the name is not of that form. Raises ConfigError if a column repeats.
    """
    pairs = [part.partition("=") for part in name.split(",")]
    if not all(_FIELD.fullmatch(field) and file for field, _, file in pairs):
        return None
    files = {field: Path(file) for field, _, file in pairs}
    if len(files) < len(pairs):
        raise ConfigError(f"{name!r} names a column twice. Give each file its own.")
    return files


def read_parallel(files: dict[str, Path]) -> Iterator[Row | BadRow]:
    """Yield rows made of the n-th lines of files, by column.

    Raises DataError if a file cannot be read or has fewer lines than another.
    """
    with ExitStack() as stack:
        lines = [
            read_lines(stack.enter_context(open_content(path)).file)
            for path in files.values()
        ]
        for number, cells in enumerate(zip_longest(*lines), 1):
            row: dict[str, str] = {}
            fault: BadRow | None = None
            for (column, path), line in zip(files.items(), cells, strict=True):
                if line is None:
                    raise DataError(
                        f"{path.name}: {number - 1:,} lines, fewer than another of "
                        f"{', '.join(file.name for file in files.values())}. Line n of "
                        "each must be about the same row."
                    )
                text = _read_text(line, number)
                if isinstance(text, BadRow):
                    fault = text
                else:
                    row[column] = text
            yield row if fault is None else fault


def _read_text(line: Line, number: int) -> str | BadRow:
    if line.is_cut:
        return BadRow(BadRowReason.TOO_LARGE, describe_long_line(number))
    try:
        return line.text.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        message = describe_invalid_utf8(error, line.start)
        return BadRow(BadRowReason.NOT_UTF8, message)

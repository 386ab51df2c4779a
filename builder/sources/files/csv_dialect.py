"""Choose how the fields of a table are separated. Pure."""

import csv
import re
from collections.abc import Sequence
from typing import NamedTuple

DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
"""Delimiter to its name, in order of precedence."""
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
"""First line of some spreadsheets' CSV; it names the delimiter and is no header."""


class ColumnCount(NamedTuple):
    """What a sample looks like with one delimiter."""

    num_columns: int
    is_regular: bool
    """Whether every row has as many fields as the header, whose names differ."""


def read_separator_line(line: str) -> str | None:
    """Return the delimiter that a first line names, None if it is a usual line."""
    match = _SEPARATOR_LINE.fullmatch(line)
    return None if match is None else match[1]


def choose_delimiter(
    lines: Sequence[str],
    preferred: str,
    *,
    is_whole: bool,
    header: Sequence[str] = (),
) -> str:
    """Return the delimiter of a table from its first lines.

    It is `preferred` if it makes a regular table of several columns, else the one that
    makes the most columns of a regular table. `is_whole` says whether there are no
    further lines; if there are, the last row may be cut. `header` are the names of the
    columns if the first line does not have them.
    """
    counts = {
        delimiter: count_columns(lines, delimiter, is_whole=is_whole, header=header)
        for delimiter in DELIMITERS
    }
    regular = {
        delimiter: count.num_columns
        for delimiter, count in counts.items()
        if count.is_regular and count.num_columns > 1
    }
    if preferred in regular:
        return preferred
    if regular:
        return max(regular, key=lambda delimiter: regular[delimiter])
    if counts[preferred].num_columns > 1:
        return preferred
    widest = max(counts, key=lambda delimiter: counts[delimiter].num_columns)
    return widest if counts[widest].num_columns > 1 else preferred


def count_columns(
    lines: Sequence[str],
    delimiter: str,
    *,
    is_whole: bool,
    header: Sequence[str] = (),
) -> ColumnCount:
    """Return the columns of a sample's header, and whether its rows have as many.

    `header` is empty if the first line is the header.
    """
    rows: list[list[str]] = [list(header)] if header else []
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        rows.extend(row for row in reader if row)
    except csv.Error:
        is_cut = not is_whole and reader.line_num == len(lines)
        if not is_cut:
            return ColumnCount(len(rows[0]) if rows else 0, is_regular=False)
    if not rows:
        return ColumnCount(0, is_regular=False)
    names, *others = rows
    has_different_names = len(set(names)) == len(names)
    is_regular = has_different_names and all(len(row) == len(names) for row in others)
    return ColumnCount(len(names), is_regular)

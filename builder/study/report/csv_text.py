"""CSV tables that a spreadsheet shows and does not run. Pure."""

import csv
import io
from collections.abc import Iterable, Mapping

from cotbuild.builder.visible import escape_hidden

Value = str | int | float | bool | None
Row = Mapping[str, Value]

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What makes a spreadsheet run a cell as a formula, or is skipped before one."""


def format_csv(header: Iterable[str], rows: Iterable[Row]) -> str:
    """Return a CSV table with these columns.

    None is an empty cell, and floats have all their digits. A text that a spreadsheet
    would run as a formula begins with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, list(header), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _escape_cell(value) for name, value in row.items()})
    return out.getvalue()


def _escape_cell(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    text = escape_hidden(value, "\n\t")
    return f"'{text}" if value.startswith(_FORMULA_STARTS) else text

"""What the first rows of a file have in common. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from cotbuild.builder.sources.base import Row, column_names
from cotbuild.builder.sources.paths import find_value, open_text
from cotbuild.builder.sources.targets import is_missing

Test = Callable[[Any], bool]

MIN_FRAC = 0.5
"""Least share of the rows that must have a value for a column to count as such: an odd
row among them is reported as a bad row, not as another form.
"""


class Shape:
    """The first rows of a file; at least one."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = [
            {name: _open_objects(value) for name, value in row.items()} for row in rows
        ]
        self.columns = tuple(column_names(rows))

    def has(self, path: str, test: Test) -> bool:
        """Return whether most rows have a value at a path that passes a test."""
        passed = sum(test(find_value(row, path)) for row in self.rows)
        return passed > 0 and passed >= MIN_FRAC * len(self.rows)

    def has_any(self, path: str, test: Test) -> bool:
        """Return whether some row has a value at a path that passes a test."""
        return any(test(find_value(row, path)) for row in self.rows)

    def find_column(self, names: Sequence[str], test: Test) -> str:
        """Return the first column that has one of the names, whatever its case, and
        such values in most rows; "" for none.
        """
        return next(iter(self.find_columns(names, test)), "")

    def find_columns(self, names: Sequence[str], test: Test) -> list[str]:
        """Return the columns that have one of the names and such values in most rows."""
        spelled = [
            column
            for name in names
            for column in self.columns
            if column.casefold() == name.casefold()
        ]
        return [column for column in spelled if self.has(column, test)]

    def texts_among(self, names: Sequence[str], prefix: str = "") -> list[str]:
        """Return the paths among `prefix` + name that hold texts in most rows."""
        return [prefix + name for name in names if self.has(prefix + name, is_text)]

    def values(self, path: str) -> Iterator[Any]:
        """Yield the values at a path that are not missing."""
        for row in self.rows:
            value = find_value(row, path)
            if not is_missing(value):
                yield value


def _open_objects(value: Any) -> Any:
    """Return the objects that are written in a cell of a table, as chats are."""
    opened = open_text(value)
    first = opened[0] if isinstance(opened, list) and opened else opened
    return opened if isinstance(first, Mapping) else value


def is_text(value: object) -> bool:
    """Return whether a value is a text that says something."""
    return isinstance(value, str) and not is_missing(value)


def is_string(value: object) -> bool:
    """Return whether a value is a text, be it empty."""
    return isinstance(value, str)


def is_text_or_texts(value: object) -> bool:
    """Return whether a value is a text, or a list of texts."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, str) for item in value)
    return is_text(value)


def is_scalar(value: object) -> bool:
    """Return whether a value is a text, a number or a boolean."""
    return isinstance(value, str | int | float) and not is_missing(value)


def is_target(value: object) -> bool:
    """Return whether a value can be a target: a scalar, or a list of them."""
    if isinstance(value, list | tuple):
        return bool(value) and all(is_scalar(item) for item in value)
    return is_scalar(value)


def is_options(value: object) -> bool:
    """Return whether a value can be the options of a question."""
    if isinstance(value, Mapping):
        return isinstance(value.get("text"), list | tuple)
    if not isinstance(value, list | tuple) or len(value) < 2:
        return False
    return all(is_scalar(item) or isinstance(item, Mapping) for item in value)


def is_object(value: object) -> bool:
    """Return whether a value has fields."""
    return isinstance(value, Mapping)


def is_list(value: object) -> bool:
    """Return whether a value has items."""
    return isinstance(value, list | tuple)

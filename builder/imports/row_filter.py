"""Which rows of the files of rationales a recipe reads."""

import json
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple

from cotbuild.builder.sources.base import BadRow, Row
from cotbuild.builder.sources.paths import find_value
from cotbuild.builder.sources.read_columns import SAMPLE_ROWS
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.import_recipe import ImportDropReason, ImportRecipe
from cotbuild.schemas.record import short_repr

_MAX_VALUES = 5
"""Most values of a column in the message that no row has the one that is wanted."""


class RowDrop(NamedTuple):
    """A text that cannot be imported, and why."""

    reason: ImportDropReason
    message: str


class RowFilter:
    """Which rows of one file a recipe reads."""

    def __init__(self, recipe: ImportRecipe) -> None:
        self._recipe = recipe
        self._seen: set[bytes] = set()

    def reject(self, row: Row) -> RowDrop | None:
        """Return why a row is not to be read; None if it is.

        Rows are given in order, each once.
        """
        for column, wanted in self._recipe.where.items():
            if wanted not in _written_forms(find_value(row, column)):
                message = f"{column} is not {wanted}"
                return RowDrop(ImportDropReason.NOT_SELECTED, message)
        if self._recipe.is_from_source and not row[self._recipe.columns["text"]]:
            return RowDrop(ImportDropReason.NO_RATIONALE, "the row has no rationale")
        if not self._recipe.once:
            return None
        values = [repr(find_value(row, column)) for column in self._recipe.once]
        content = "\n".join(values).encode("utf-8", "surrogatepass")
        key = blake2b(content, digest_size=16).digest()
        if key in self._seen:
            return RowDrop(ImportDropReason.REPEATED, ", ".join(values))
        self._seen.add(key)
        return None


def _written_forms(value: Any) -> Iterator[str]:
    """Yield how a value may be written in `where`: as in Python, and as in JSON.

    JSON writers differ in whether 1 and 1.0 are the same number.
    """
    yield str(value)
    if value is None or isinstance(value, bool):
        yield json.dumps(value)
    elif isinstance(value, float) and value.is_integer():
        yield str(int(value))


def nothing_selected(
    rows: Iterator[Row | BadRow], recipe: ImportRecipe, location: str
) -> DataError:
    """Return the error that no row has the values of a recipe's `where`.

    It names values of the first rows.
    """
    sample = [row for row in islice(rows, SAMPLE_ROWS) if not isinstance(row, BadRow)]
    wanted = " and ".join(f"{name}={value!r}" for name, value in recipe.where.items())
    found = "; ".join(
        f"{name} is {_list_values(name, sample)}" for name in recipe.where
    )
    return DataError(
        f"{location}: no row has {wanted}. In the first rows {found}. Correct --where "
        "or the recipe."
    )


def _list_values(column: str, sample: Sequence[Row]) -> str:
    """Return the different values of a column as words, at most so many."""
    shown = dict.fromkeys(short_repr(find_value(row, column)) for row in sample)
    values = list(shown)[:_MAX_VALUES]
    return ", ".join(values) + (", …" if len(shown) > _MAX_VALUES else "")

"""Read files of rationales: each text with its position, or the fault of its row."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.files import FileRows, read_values
from cotbuild.builder.sources.make import find_surrogate
from cotbuild.builder.sources.paths import (
    check_paths,
    find_stop,
    find_value,
    path_root,
)
from cotbuild.builder.sources.targets import is_missing
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.import_recipe import WHOLE_ROW, ImportDropReason, ImportRecipe
from cotbuild.schemas.record import short_repr

SAMPLE_ROWS = 100
"""Number of rows at the start of a file that show which columns it has."""
SHOWN = 20
"""How many dropped texts are kept for the report."""
_JSON = (".json", ".jsonl", ".ndjson")


class ImportedText(NamedTuple):
    """One text of the files, with its position."""

    number: int
    """Row over all files, from 0."""
    file: int
    row: int
    position: int
    text: str
    answer: object
    """Value of the answer column; None where it is empty or there is none."""


class UnmatchedText(NamedTuple):
    """A text that was dropped."""

    file: str
    row: int
    reason: ImportDropReason
    what: str
    """The key without a question, or the fault of the row; shortened."""


@dataclass
class DroppedTexts:
    """Dropped texts: their number by reason, and the first of them."""

    counts: Counter[ImportDropReason] = field(default_factory=Counter)
    shown: list[UnmatchedText] = field(default_factory=list)

    def add(self, file: str, row: int, reason: ImportDropReason, what: str) -> None:
        """Count one text, and keep it if it is among the first."""
        self.counts[reason] += 1
        if len(self.shown) < SHOWN:
            self.shown.append(UnmatchedText(file, row, reason, short_repr(what)))


def read_rows(path: Path, recipe: ImportRecipe) -> Iterator[Row | BadRow]:
    """Yield the rows of one file; a row that is itself a text gets the key `WHOLE_ROW`.

    Raises DataError where the file cannot be read, ConfigError where the first rows
    lack a column of the recipe.
    """
    if recipe.columns["text"] == WHOLE_ROW:
        return _bare_rows(path)
    rows = iter(FileRows(path))
    first = list(islice(rows, SAMPLE_ROWS))
    _check_columns(
        [row for row in first if not isinstance(row, BadRow)], recipe, path.name
    )
    return chain(first, rows)


def _check_columns(sample: list[Row], recipe: ImportRecipe, where: str) -> None:
    if not sample:
        return
    present = list(dict.fromkeys(key for row in sample for key in row))
    for name, column in recipe.columns.items():
        if column not in present and path_root(column) not in present:
            raise ConfigError(
                f"{where}: no column {column!r} for {name} in the first rows. "
                f"It must be one of {present}."
            )
    found = check_paths(recipe.columns.values(), sample)
    if found is not None:
        path, stop = found
        raise ConfigError(f"{where}: {path}: in the first rows {stop.describe()}.")


def _bare_rows(path: Path) -> Iterator[Row]:
    rows = FileRows(path)
    if rows.format not in ("json", "jsonl"):
        raise ConfigError(
            f"{path.name}: text={WHOLE_ROW} needs a JSON list of texts. For other "
            "files name the column of the text."
        )
    value = read_values(path)[0]
    if not isinstance(value, list):
        raise DataError(f"{path.name}: holds {short_repr(value)}, not a list of texts.")
    return ({WHOLE_ROW: item} for item in value)


def texts_of(row: Row, recipe: ImportRecipe) -> list[tuple[str, object] | BadRow]:
    """Return each text of a row with its answer.

    A column may hold a list of texts, and the answer column a list as long.
    """
    values = find_value(row, recipe.columns["text"])
    answers = None
    if "answer" in recipe.columns:
        answers = find_value(row, recipe.columns["answer"])
    if not isinstance(values, list | tuple):
        values = [values]
    if not isinstance(answers, list | tuple) or len(answers) != len(values):
        answers = [answers] * len(values)
    if not values:
        return [_no_text([])]
    stop = find_stop(row, recipe.columns["text"])
    if stop is not None:
        return [BadRow(BadRowReason.MISSING_FIELD, f"no text: {stop.describe()}.")]
    pairs = zip(values, answers, strict=True)
    return [_check_text(value, answer) for value, answer in pairs]


def _check_text(value: object, answer: object) -> tuple[str, object] | BadRow:
    if not isinstance(value, str):
        return _no_text(value)
    for name, text in (("text", value), ("answer", answer)):
        fault = find_surrogate(text) if isinstance(text, str) else None
        if fault is not None:
            return BadRow(BadRowReason.NOT_UTF8, f"{name} {fault}")
    return value, None if is_missing(answer) else answer


def _no_text(value: object) -> BadRow:
    return BadRow(
        BadRowReason.MISSING_FIELD,
        f"text is {short_repr(value)}. Expected a text, or a list of texts.",
    )

"""Reading files of rationales: every text with its place, or what is wrong with the
row.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.files import FileRows, open_file
from cotbuild.builder.sources.targets import is_missing
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.import_recipe import WHOLE_ROW, ImportDropReason, ImportRecipe
from cotbuild.schemas.record import short_repr

SAMPLE_ROWS = 100
"""First rows of a file that are looked at for the columns it has."""
SHOWN = 20
"""How many texts without a row are kept for the report."""
_JSON = (".json", ".jsonl", ".ndjson")


class ImportedText(NamedTuple):
    """One text of the files, and where it stands."""

    number: int
    """Row over all files, from 0."""
    file: int
    row: int
    position: int
    text: str
    answer: object
    """What the answer column says; None: nothing, or there is no such column."""


class UnmatchedText(NamedTuple):
    """A text that became no row."""

    file: str
    row: int
    reason: ImportDropReason
    what: str
    """What the row was looked up by, or what is wrong with it; shortened."""


@dataclass
class DroppedTexts:
    """Texts that became no row: how many for each reason, and the first of them."""

    counts: Counter[ImportDropReason] = field(default_factory=Counter)
    shown: list[UnmatchedText] = field(default_factory=list)

    def add(self, file: str, row: int, reason: ImportDropReason, what: str) -> None:
        self.counts[reason] += 1
        if len(self.shown) < SHOWN:
            self.shown.append(UnmatchedText(file, row, reason, short_repr(what)))


def read_rows(path: Path, recipe: ImportRecipe) -> Iterator[Row | BadRow]:
    """The rows of one file; a row that is itself the text stands under `WHOLE_ROW`.

    Raises DataError where the file cannot be read, ConfigError where none of its first
    rows has a column of the recipe.
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
    present = list(dict.fromkeys(key for row in sample for key in row))
    for name, column in recipe.columns.items():
        if sample and not {column, column.partition(".")[0]} & set(present):
            raise ConfigError(
                f"{where}: no column {column!r} for {name} in the first rows. Expected one of {present}."
            )


def _bare_rows(path: Path) -> Iterator[Row]:
    if path.suffix.lower() not in _JSON:
        raise ConfigError(
            f"{path.name}: text={WHOLE_ROW}. Expected a JSON list of texts. Name the column of the text."
        )
    with open_file(path) as file:
        content = file.read()
    try:
        value: Any = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise DataError(
            f"{path.name}: not JSON: {error}. Expected one list of texts."
        ) from error
    if not isinstance(value, list):
        raise DataError(
            f"{path.name}: holds {short_repr(value)}. Expected one list of texts."
        )
    return ({WHOLE_ROW: item} for item in value)


def get(row: Row, column: str) -> Any:
    """The value of a column, None where there is none; "a.b" is a whole name or reaches
    into nested fields.
    """
    if column in row:
        return row[column]
    value: Any = row
    for key in column.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def texts_of(row: Row, recipe: ImportRecipe) -> list[tuple[str, object] | BadRow]:
    """Each text of a row with its answer; an answer column may hold a list that goes
    along with a list of texts.
    """
    values = get(row, recipe.columns["text"])
    answers = get(row, recipe.columns["answer"]) if "answer" in recipe.columns else None
    if not isinstance(values, list | tuple):
        values = [values]
    if not isinstance(answers, list | tuple) or len(answers) != len(values):
        answers = [answers] * len(values)
    return [
        _text(value, answer) for value, answer in zip(values, answers, strict=True)
    ] or [_no_text([])]


def _text(value: object, answer: object) -> tuple[str, object] | BadRow:
    if not isinstance(value, str):
        return _no_text(value)
    try:
        value.encode()
    except (
        UnicodeEncodeError
    ) as error:  # such as JSON's "\ud800": no file in UTF-8 can hold it
        return BadRow(
            BadRowReason.NOT_UTF8,
            f"text has a lone surrogate at {error.start}. Expected valid Unicode.",
        )
    return value, None if is_missing(answer) else answer


def _no_text(value: object) -> BadRow:
    return BadRow(
        BadRowReason.MISSING_FIELD,
        f"text is {short_repr(value)}. Expected a text, or a list of texts.",
    )

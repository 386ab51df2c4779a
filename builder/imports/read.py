"""Read files of rationales: each text with its position, or the fault of its row."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, NamedTuple

from cotbuild.builder.imports.hub_files import HubFile, is_hub_file, open_hub_file
from cotbuild.builder.imports.row_filter import RowDrop
from cotbuild.builder.imports.source_rationales import SourceRationales
from cotbuild.builder.imports.values import (
    describe_failure,
    is_parts,
    join_parts,
    join_reasoning,
)
from cotbuild.builder.sources import Source
from cotbuild.builder.sources.base import BadRow, Row, column_names
from cotbuild.builder.sources.choices import without_empty_end
from cotbuild.builder.sources.files import (
    FileRows,
    RowFile,
    describe_rows_inside,
    open_rows,
    read_values,
)
from cotbuild.builder.sources.make import find_surrogate
from cotbuild.builder.sources.paths import (
    check_paths,
    find_stop,
    find_value,
    path_root,
)
from cotbuild.builder.sources.question_form import (
    find_form_columns,
    is_question_form,
)
from cotbuild.builder.sources.read_columns import SAMPLE_ROWS
from cotbuild.builder.sources.targets import is_missing
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.finish_reasons import (
    FILTERED,
    INTERRUPTED,
    FinishReason,
    fold_reason,
    to_finish_reason,
)
from cotbuild.schemas.import_recipe import (
    COLUMN_FIELDS,
    WHOLE_ROW,
    ImportConfig,
    ImportDropReason,
    ImportRecipe,
)
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.row_files import FileFormat

SHOWN = 20
"""How many dropped texts are kept for the report."""
_EXPECTED = (
    ImportDropReason.NOT_SELECTED,
    ImportDropReason.REPEATED,
    ImportDropReason.NO_RATIONALE,
)
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
    reasoning: str | None = None
    finish_reason: FinishReason | None = None


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
        """Count one text, and keep it if it is among the first.

        A row that was not to be read is only counted.
        """
        self.counts[reason] += 1
        if reason not in _EXPECTED and len(self.shown) < SHOWN:
            self.shown.append(UnmatchedText(file, row, reason, short_repr(what)))


ImportedFile = RowFile | HubFile | SourceRationales
"""What holds rationales: a file, a dataset on the Hub, or the rows of the questions."""


def open_rationales(config: ImportConfig, source: Source) -> list[ImportedFile]:
    """Return what an import reads: its files, or the rows of the questions."""
    if config.recipe.is_from_source:
        return [SourceRationales(source)]
    return open_files(config, source.config)


def open_files(config: ImportConfig, source: SourceConfig) -> list[ImportedFile]:
    """Return the files of an import; see `open_imported`."""
    return [
        open_imported(
            name, source, config.file_format, config.rows_under, config.header
        )
        for name in config.files
    ]


def open_imported(
    name: str,
    source: SourceConfig,
    file_format: FileFormat | None = None,
    rows_under: str | None = None,
    header: tuple[str, ...] = (),
) -> ImportedFile:
    """Return the rows of a file, of files side by side or of a dataset on the Hub.

    `source` has the split and the config of a dataset on the Hub. Raises ConfigError.
    """
    if is_hub_file(name):
        return open_hub_file(name, source)
    return open_rows(name, file_format, rows_under, header)


def read_rows(file: ImportedFile, recipe: ImportRecipe) -> Iterator[Row | BadRow]:
    """Yield the rows of one file; a row that is itself a text gets the key `WHOLE_ROW`.

    Raises DataError where the file cannot be read, ConfigError where the first rows
    lack a column of the recipe or of its filters.
    """
    if recipe.columns["text"] == WHOLE_ROW:
        return _bare_rows(file)
    rows = iter(file)
    first = list(islice(rows, SAMPLE_ROWS))
    _check_columns(
        [row for row in first if not isinstance(row, BadRow)], recipe, file.location
    )
    return chain(first, rows)


def _check_columns(sample: list[Row], recipe: ImportRecipe, where: str) -> None:
    if not sample:
        return
    present = column_names(sample)
    for option, columns in (("--where", recipe.where), ("--once", recipe.once)):
        for column in columns:
            if not _is_present(column, present):
                raise ConfigError(
                    f"{where}: no column {column!r} for {option} in the first rows. "
                    f"It must be one of {present}."
                )
            _check_paths([column], sample, where)
    for name, column in recipe.columns.items():
        if column in present:
            continue
        paths = column_paths(column, name)
        found = [path for path in paths if _is_present(path, present)]
        needs_all = name in ("question", "choices")
        if not found or (needs_all and len(found) < len(paths)):
            raise ConfigError(
                f"{where}: no column {column!r} for {name} in the first rows. "
                f"It must be one of {present}.{describe_rows_inside(sample)}"
            )
        if "error" not in recipe.columns:  # else all of these may have failed
            _check_paths(paths, sample, where)


def _is_present(path: str, present: list[str]) -> bool:
    return path in present or path_root(path) in present


def _check_paths(paths: list[str], sample: list[Row], where: str) -> None:
    """Raise ConfigError if none of the paths goes to its end in any row."""
    found = [check_paths([path], sample) for path in paths]
    if found[0] is not None and all(found):
        path, stop = found[0]
        raise ConfigError(f"{where}: {path}: in the first rows {stop.describe()}.")


def _bare_rows(file: ImportedFile) -> Iterator[Row]:
    if not isinstance(file, FileRows) or file.format not in ("json", "jsonl"):
        raise ConfigError(
            f"{file.location}: text={WHOLE_ROW} needs a JSON list of texts. For other "
            "files name the column of the text."
        )
    value = read_values(file.path)[0]
    if not isinstance(value, list):
        raise DataError(
            f"{file.location}: holds {short_repr(value)}, not a list of texts."
        )
    return ({WHOLE_ROW: item} for item in value)


def get(row: Row, column: str) -> Any:
    """Return the value of a column or path; of "a,b" the first that has a value."""
    if column in row:
        return row[column]
    values = (find_value(row, path) for path in column_paths(column, ""))
    empty = None
    for value in values:
        if _has_value(value):
            return value
        empty = value if empty is None else empty
    return empty


def get_options(row: Row, column: str) -> Any:
    """Return the options in a column or path; of "a,b" the options in this order.

    Empty columns at the end are left out.
    """
    paths = column_paths(column, "choices")
    if column in row or len(paths) == 1:
        return get(row, column)
    return without_empty_end([find_value(row, path) for path in paths], is_missing)


def column_paths(column: str, field: str) -> list[str]:
    """Return the columns and paths that "a,b", or the form of a question or an input,
    names.

    Raises ConfigError for a form that is none.
    """
    may_be_form = field == "question" or field not in ("", *COLUMN_FIELDS)
    if not may_be_form or not is_question_form(column):
        return [path.strip() for path in column.split(",")]
    try:
        return find_form_columns(column)
    except ValueError as error:
        raise ConfigError(f"--map {field}={column}: the form {error}.") from error


def _has_value(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_has_value(item) for item in value)
    return not is_missing(value)


class RowText(NamedTuple):
    """A text of a row, with what the row says about it."""

    text: str
    answer: object
    reasoning: str | None
    finish_reason: FinishReason | None


def texts_of(row: Row, recipe: ImportRecipe) -> list[RowText | RowDrop]:
    """Return each text of a row with what the row says about it, or why there is none.

    The text may be one, a list of texts or one content made of parts. The columns for
    the answer, the reasoning and the finish_reason may hold lists as long.
    """
    failure = describe_failure(_column(row, recipe, "error"))
    if failure is not None:
        return [RowDrop(ImportDropReason.FAILED, failure)]
    value = _column(row, recipe, "text")
    texts = _flatten(value)
    if not texts:
        return [_no_text([])]
    answers = _spread(_column(row, recipe, "answer"), texts)
    reasonings = _spread(_column(row, recipe, "reasoning"), texts)
    endings = _spread(_column(row, recipe, "finish_reason"), texts)
    columns = zip(texts, answers, reasonings, endings, strict=True)
    found = [_read_text(*values) for values in columns]
    stop = find_stop(row, column_paths(recipe.columns["text"], "text")[0])
    if value is None and stop is not None and isinstance(found[0], RowDrop):
        return [RowDrop(ImportDropReason.BAD_ROW, f"no text: {stop.describe()}.")]
    return found


def _column(row: Row, recipe: ImportRecipe, field: str) -> Any:
    return get(row, recipe.columns[field]) if field in recipe.columns else None


def _flatten(value: Any) -> list[Any]:
    """Return the texts of a value, which may be lists of lists."""
    if is_parts(value) or not isinstance(value, list | tuple):
        return [value]
    return [text for item in value for text in _flatten(item)]


def _spread(value: Any, texts: list[Any]) -> list[Any]:
    """Return a value for each text: of a list as long its items, else the value."""
    if is_parts(value) or not isinstance(value, list | tuple):
        return [value] * len(texts)
    for items in (value, _flatten(value)):
        if len(items) == len(texts):
            return list(items)
    return [value] * len(texts)


def _read_text(
    value: Any, answer: object, reasoning: object, ending: object
) -> RowText | RowDrop:
    word = fold_reason(ending) if isinstance(ending, str) else ""
    if word in INTERRUPTED | FILTERED:
        return RowDrop(ImportDropReason.FAILED, f"finish_reason is {ending!r}")
    finish_reason = to_finish_reason(word)
    thought = join_reasoning(reasoning)
    if is_parts(value):
        try:
            value = join_parts(value)
        except BadRow as fault:
            return RowDrop(ImportDropReason.BAD_ROW, fault.message)
    if value is None and (thought or finish_reason):
        value = ""  # a reply that is all reasoning
    if not isinstance(value, str):
        return _no_text(value)
    for name, part in (("text", value), ("answer", answer), ("reasoning", thought)):
        surrogate = find_surrogate(part) if isinstance(part, str) else None
        if surrogate is not None:
            return RowDrop(ImportDropReason.BAD_ROW, f"{name} {surrogate}")
    answer = None if is_missing(answer) else answer
    return RowText(value, answer, thought, finish_reason)


def _no_text(value: object) -> RowDrop:
    return RowDrop(
        ImportDropReason.BAD_ROW,
        f"text is {short_repr(value)}. Expected a text, or a list of texts.",
    )

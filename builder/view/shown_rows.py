"""Rows as pages and API show them: texts cut, whatever their length and the config."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import Field

from cotbuild.builder.build.build import QUESTIONS
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.row_filter import turns_sql
from cotbuild.builder.view.tables import RowTable, TableFile
from cotbuild.schemas.rationale import Rationale
from cotbuild.schemas.record import Record

MAX_SHOWN_CHARS = 600
"""Characters of a text that a list shows."""
_MAX_SHORT_CHARS = 200
"""The same of a label, a name, or another text that is short as a rule."""
_MAX_ITEMS = 26
"""Items of a list in a cell that are shown, such as choices."""


class CutText(Record):
    """A text, or the beginning of a long one."""

    text: str = Field(description="The text, at most 600 characters.")
    num_chars: int = Field(ge=0, description="Length of the whole text, characters.")

    @property
    def is_cut(self) -> bool:
        """Whether the text goes on."""
        return self.num_chars > len(self.text)


class ShownChoice(Record):
    """An option of a question."""

    label: str = Field(description="Label of the option.")
    text: CutText = Field(description="Text of the option.")


class ShownRow(Record):
    """A row of a list. What its config has no column for is None or empty."""

    position: int = Field(ge=0, description="Number of the row in its split, from 0.")
    question_id: str = Field(description="Id of the question.")
    sample_index: int | None = Field(default=None, description="Index of the sample.")
    kind: str | None = Field(default=None, description="Kind of question.")
    question: CutText | None = Field(default=None, description="Text of the question.")
    choices: tuple[ShownChoice, ...] = Field(
        default=(), description="Options, at most 26."
    )
    target: CutText | None = Field(default=None, description="Reference answer.")
    tags: dict[str, str] = Field(default={}, description="Tags of the question.")
    num_images: int = Field(default=0, description="Pictures that it is asked with.")
    rationale: CutText | None = Field(default=None, description="The rationale.")
    answer: CutText | None = Field(default=None, description="The answer extracted.")
    verdict: str | None = Field(default=None, description="Verdict.")
    flags: tuple[str, ...] = Field(default=(), description="Flags.")
    scores: dict[str, float] = Field(default={}, description="Scores by metric.")
    purpose: str | None = Field(default=None, description="Purpose.")
    template: str | None = Field(default=None, description="Template.")
    completion_tokens: int | None = Field(default=None, description="Tokens generated.")
    failure: CutText | None = Field(
        default=None, description="Why there is no completion; None if there is one."
    )
    task: str | None = Field(default=None, description="Task of a variant's row.")
    prompt: CutText | None = Field(
        default=None, description="Prompt of a variant's row."
    )
    completion: CutText | None = Field(
        default=None, description="Completion of a variant's row."
    )


def read_rows_at(
    database: Database, table: RowTable, positions: Sequence[int]
) -> list[ShownRow]:
    """Return the rows at these positions, which are in order.

    Raises QueryStopped, DataError.
    """
    columns = _columns_of(table)
    select = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    rows = []
    for file in table.files:
        numbers = [
            position - file.first
            for position in positions
            if file.first <= position < file.first + file.num_rows
        ]
        if numbers:
            found = _read_of_file(database, table, file, select, numbers)
            rows += [
                _shown_row(file, dict(zip(columns, values, strict=True)))
                for values in found
            ]
    return rows


def _read_of_file(
    database: Database,
    table: RowTable,
    file: TableFile,
    select: str,
    numbers: Sequence[int],
) -> list[tuple[Any, ...]]:
    # DuckDB reads only the row groups that hold one of the numbers.
    places = ", ".join("?" * len(numbers))
    return table.query(
        database,
        select,
        f"file_row_number IN ({places})",
        numbers,
        files=[file],
        then="ORDER BY file_row_number",
    )


# -- columns as SQL ------------------------------------------------------------------------


def _columns_of(table: RowTable) -> dict[str, str]:
    """Return what is read of a row: names of values to SQL."""
    if table.model is Rationale:
        columns = _rationale_columns(table)
    elif table.config_name == QUESTIONS:
        columns = _question_columns(table)
    else:
        columns = _variant_columns(table)
    return {"number": "file_row_number", **columns}


def _rationale_columns(table: RowTable) -> dict[str, str]:
    plain = (
        "question_id", "sample_index", "kind", "verdict", "purpose", "completion_tokens"
    )  # fmt: skip
    message = "failure_message" if "failure_message" in table.columns else "NULL"
    return {
        **{name: name for name in plain},
        "question": _cut("question"),
        "choices": _cut_choices(),
        "target": _cut("target"),
        "tags": _if_there("tags", f"tags[1:{_MAX_ITEMS}]", table),
        "num_images": _if_there("inputs", _NUM_IMAGES, table),
        "rationale": _cut("rationale"),
        "answer": _cut("answer"),
        "flags": f"flags[1:{_MAX_ITEMS}]",
        "scores": _if_there("scores", f"scores[1:{_MAX_ITEMS}]", table),
        "template": f"left(template, {_MAX_SHORT_CHARS})",
        "failure": _cut(f"failure || coalesce(': ' || {message}, '')"),
    }


def _question_columns(table: RowTable) -> dict[str, str]:
    return {
        "question_id": "id",
        "kind": "kind",
        "question": _cut("text"),
        "choices": _cut_choices(),
        "target": _cut("target"),
        "tags": _if_there("tags", f"tags[1:{_MAX_ITEMS}]", table),
        "num_images": _if_there("inputs", _NUM_IMAGES, table),
    }


def _variant_columns(table: RowTable) -> dict[str, str]:
    return {
        "question_id": "question_id",
        "sample_index": "sample_index",
        "task": "task",
        "target": _cut("target"),
        "prompt": _cut(turns_sql("prompt", table)),
        "completion": _cut(turns_sql("completion", table)),
    }


_NUM_IMAGES = "len(list_filter(inputs, lambda one: one.image IS NOT NULL))"


def _cut(text: str, max_chars: int = MAX_SHOWN_CHARS) -> str:
    """Return SQL for the beginning and the length of a text; NULL where it is NULL."""
    return (
        f"CASE WHEN ({text}) IS NULL THEN NULL "
        f"ELSE {{'text': left({text}, {max_chars}), 'num_chars': length({text})}} END"
    )


def _cut_choices() -> str:
    return (
        f"list_transform(choices[1:{_MAX_ITEMS}], lambda one: {{"
        f"'label': left(one.label, {_MAX_SHORT_CHARS}), "
        f"'text': {{'text': left(one.text, {MAX_SHOWN_CHARS}), "
        "'num_chars': length(one.text)}})"
    )


def _if_there(column: str, sql: str, table: RowTable) -> str:
    return sql if column in table.columns else "NULL"


# -- values as records ---------------------------------------------------------------------


class _Pair(NamedTuple):
    """Names of the two values of an item that is shown as a pair."""

    key: str
    value: str


_PAIRS = {"tags": _Pair("name", "value"), "scores": _Pair("metric", "value")}


def _shown_row(file: TableFile, values: Mapping[str, Any]) -> ShownRow:
    fields: dict[str, Any] = {"position": file.first + values["number"]}
    for name, value in values.items():
        # A column or an item that is NULL counts as one that is not there: strangers
        # write releases.
        if name == "number" or value is None:
            continue
        if name in _PAIRS:
            pair = _PAIRS[name]
            value = {
                item[pair.key][:_MAX_SHORT_CHARS]: _short(item[pair.value])
                for item in value
                if item is not None and item[pair.key] is not None
            }
        elif isinstance(value, list):
            value = [item for item in value if item is not None]
        fields[name] = value
    where = f"{file.path} row {values['number']}"
    return ShownRow.parse(fields, where)


def _short(value: object) -> object:
    return value[:_MAX_SHORT_CHARS] if isinstance(value, str) else value

"""Which rows of a config to show: a filter that is the query part of a URL."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NamedTuple, Self

from pydantic import Field, ValidationError, field_validator

from cotbuild.builder.build.build import QUESTIONS, RATIONALES
from cotbuild.builder.view.tables import RowTable
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import Flag, Purpose, Rationale, Verdict
from cotbuild.schemas.record import (
    MAX_INT,
    Record,
    explain_validation_error,
    short_repr,
)
from cotbuild.schemas.variant_rows import MessagesRow

MAX_SEARCH_CHARS = 1_000
"""Longest text that is searched for."""
MAX_TEXT_BYTES = 1 << 20
"""Of a longer text only the beginning is searched, and its length is in bytes: a file of
2 KB can hold one in each of a million rows, and a query only ends between 2,048 rows.
"""

Length = Annotated[int, Field(ge=0, le=MAX_INT)]
_DIGITS = re.compile(r"[0-9]{1,18}")


class RowFilter(Record):
    """Rows of one config and split that meet all conditions given.

    The names of the fields are the parameters of a URL. Only rationales have all of
    them; questions have a kind, an id and a text, rows of variants an id, a text and a
    length.
    """

    config: str = Field(default=RATIONALES, max_length=80, description="Config.")
    split: str | None = Field(
        default=None,
        max_length=200,
        description="Split; None for that which variants train on.",
    )
    verdict: Verdict | None = Field(default=None, description="Verdict.")
    flag: Flag | None = Field(default=None, description="A flag that the row has.")
    purpose: Purpose | None = Field(default=None, description="Purpose.")
    kind: QuestionKind | None = Field(default=None, description="Kind of question.")
    template: str | None = Field(
        default=None, max_length=200, description="name@version of the template."
    )
    tag: str | None = Field(
        default=None,
        max_length=MAX_SEARCH_CHARS,
        description="A tag of the question, as name:value.",
    )
    id: str | None = Field(
        default=None, max_length=MAX_SEARCH_CHARS, description="Id of the question."
    )
    text: str | None = Field(
        default=None,
        max_length=MAX_SEARCH_CHARS,
        description="A text that the row contains, in upper or lower case: in the "
        "question or the rationale; in the prompt or completion of a row of a variant.",
    )
    min_chars: Length | None = Field(
        default=None,
        description="Least length in characters, of the rationale or of the completion "
        "of a row of a variant.",
    )
    max_chars: Length | None = Field(default=None, description="Greatest such length.")
    min_tokens: Length | None = Field(
        default=None, description="Least number of tokens generated."
    )
    max_tokens: Length | None = Field(
        default=None, description="Greatest number of tokens generated."
    )

    @field_validator("tag")
    @classmethod
    def _check_tag(cls, tag: str | None) -> str | None:
        if tag is not None and not all(tag.partition(":")):
            raise ValueError(f"{short_repr(tag)} is not a tag. Write it as name:value")
        return tag

    @classmethod
    def from_query(
        cls, parameters: Mapping[str, str] | Iterable[tuple[str, str]]
    ) -> Self:
        """Read the parameters of a URL. Empty ones count as absent.

        Raises ConfigError, in one line, at one that is unknown, given twice or no value
        that the field can have.
        """
        pairs = parameters.items() if isinstance(parameters, Mapping) else parameters
        values: dict[str, Any] = {}
        for name, value in pairs:
            if name not in cls.model_fields:
                raise ConfigError(
                    f"parameter {short_repr(name)}: there is none of this name. Choose "
                    f"one of {', '.join(cls.model_fields)}."
                )
            if name in values:
                raise ConfigError(f"parameter {name}: it is given twice. Give it once.")
            if value != "":
                values[name] = _parse_length(name, value) if name in _LENGTHS else value
        try:
            return cls.model_validate(values, strict=False)
        except ValidationError as fault:
            raise ConfigError(f"parameter {explain_validation_error(fault)}") from fault

    def to_query(self) -> dict[str, str]:
        """Return the parameters of a URL; `from_query` is the inverse."""
        values = self.model_dump(mode="json", exclude_defaults=True)
        return {name: str(value) for name, value in values.items()}

    def replace(self, **changes: object) -> Self:
        """Return the filter with some fields changed; None removes a condition.

        Raises ConfigError as `from_query` does.
        """
        query = self.to_query()
        for name, value in changes.items():
            query[name] = "" if value is None else str(value)
        return self.from_query(query)

    @property
    def has_conditions(self) -> bool:
        """Whether it leaves any row of the config out."""
        return bool(self.to_query().keys() - {"config", "split"})


_LENGTHS = frozenset(("min_chars", "max_chars", "min_tokens", "max_tokens"))


def _parse_length(name: str, value: str) -> int:
    if not _DIGITS.fullmatch(value):
        raise ConfigError(
            f"parameter {name}: {short_repr(value)} is not a whole number from 0."
        )
    return int(value)


# -- as conditions -------------------------------------------------------------------------


class ShortTest(NamedTuple):
    """A test of a short value that each row has one of."""

    column: str
    """Name of the column, as `short_columns` has it."""
    least: int | None = None
    greatest: int | None = None
    equal: str | None = None
    """The one value of a column of names, or one of the flags."""


class SqlTest(NamedTuple):
    """A condition for WHERE, with the values for its `?`."""

    sql: str
    values: tuple[Any, ...]


class Conditions(NamedTuple):
    """What a row has to meet: all of it."""

    short: tuple[ShortTest, ...]
    sql: tuple[SqlTest, ...]


def make_conditions(row_filter: RowFilter, table: RowTable) -> Conditions:
    """Return the conditions of a filter on the rows of a table.

    Rows of an old build that lack a column do not meet a condition on it. Raises
    ConfigError if rows of this config cannot have what is asked for.
    """
    names = row_filter.to_query().keys() - {"config", "split"}
    for name in sorted(names):
        _check_applies(name, table)
    short: list[ShortTest] = []
    for name in ("verdict", "purpose", "kind", "template", "flag"):
        value = getattr(row_filter, name)
        if value is not None:
            column = "flags" if name == "flag" else name
            short.append(ShortTest(column, equal=str(value)))
    for unit in ("chars", "tokens"):
        least, greatest = (
            getattr(row_filter, f"{end}_{unit}") for end in ("min", "max")
        )
        if least is not None or greatest is not None:
            short.append(ShortTest(unit, least=least, greatest=greatest))
    sql: list[SqlTest] = []
    if row_filter.id is not None:
        column = "id" if table.config_name == QUESTIONS else "question_id"
        sql.append(SqlTest(f"{column} = ?", (row_filter.id,)))
    if row_filter.tag is not None:
        sql.append(_tag_test(row_filter.tag, table))
    if row_filter.text is not None:
        sql.append(_text_test(row_filter.text, table))
    return Conditions(tuple(short), tuple(sql))


_OF_QUESTIONS = frozenset(("kind", "tag", "id", "text"))
_OF_VARIANTS = frozenset(("id", "text", "min_chars", "max_chars"))


def _check_applies(name: str, table: RowTable) -> None:
    if table.model is Rationale:
        return
    known = _OF_QUESTIONS if table.config_name == QUESTIONS else _OF_VARIANTS
    if name not in known:
        raise ConfigError(
            f"parameter {name}: rows of {table.config_name} have no such column. Choose "
            f"of {', '.join(sorted(known))}, or show rationales."
        )


def _tag_test(tag: str, table: RowTable) -> SqlTest:
    if "tags" not in table.columns:
        return SqlTest("FALSE", ())
    name, _, value = tag.partition(":")
    sql = "len(list_filter(tags, lambda one: one.name = ? AND one.value = ?)) > 0"
    return SqlTest(sql, (name, value))


def _text_test(text: str, table: RowTable) -> SqlTest:
    # Of a million rationales, measured: contains 1.2 s of processor time, a regular
    # expression that ignores case 1.5 s, contains(lower(…)) 2.2 s, ILIKE 3.5 s.
    if text.lower() == text.upper():
        test, value = "contains({}, ?)", text
    else:
        test, value = "regexp_matches({}, ?, 'i')", _escape_pattern(text)
    places = searched_texts(table)
    sql = " OR ".join(test.format(_bounded(place)) for place in places)
    return SqlTest(sql, (value,) * len(places))


def _escape_pattern(text: str) -> str:
    """Return a regular expression of RE2 that matches a text as it is."""
    return "".join(
        char if char.isalnum() or ord(char) > 127 else f"\\x{ord(char):02x}"
        for char in text
    )


def searched_texts(table: RowTable) -> tuple[str, ...]:
    """Return the texts of a row that are searched, as SQL: those that a list shows."""
    if table.model is Rationale:
        return ("question", "rationale")
    if table.config_name == QUESTIONS:
        return ("text",)
    return (turns_sql("prompt", table), turns_sql("completion", table))


def chars_sql(table: RowTable) -> str:
    """Return the length of a row in characters, as SQL."""
    text = "rationale"
    if table.model is not Rationale:
        text = turns_sql("completion", table)
    return (
        f"CASE WHEN strlen({text}) > {MAX_TEXT_BYTES} THEN strlen({text}) "
        f"ELSE length({text}) END"
    )


def turns_sql(column: str, table: RowTable) -> str:
    """Return a prompt or completion as one text, as SQL: its turns on lines of their own."""
    if table.model is not MessagesRow:
        return column
    return (
        f"array_to_string(list_transform({column}, lambda one: one.content), chr(10))"
    )


def _bounded(text: str) -> str:
    """Return SQL for a text, or for the beginning of one that is very long."""
    return (
        f"CASE WHEN strlen({text}) > {MAX_TEXT_BYTES} "
        f"THEN left({text}, {MAX_TEXT_BYTES // 4}) ELSE {text} END"
    )

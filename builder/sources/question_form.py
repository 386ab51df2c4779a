"""Questions made of several columns: `Premise: {premise}\\nHypothesis: {hypothesis}`."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cotbuild.builder.sources.base import BadRow, BadRowReason, Row
from cotbuild.builder.sources.make import clean_text
from cotbuild.builder.sources.targets import is_missing
from cotbuild.schemas.record import short_repr

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_ESCAPES = {r"\n": "\n", r"\t": "\t"}
_BRACES = {"{{": "{", "}}": "}"}

Getter = Callable[[Row], Any]
"""Returns the raw value of a field from a row."""


def is_question_form(text: str) -> bool:
    """Return whether a mapped column is a form with columns in braces."""
    return "{" in text or "}" in text


def find_form_columns(form: str) -> list[str]:
    """Return the columns in the braces of a form, in order.

    Raises ValueError, with a clause that says why, if the form has a lone brace or
    names no column.
    """
    rest = _PLACEHOLDER.sub("", form)
    if is_question_form(rest):
        raise ValueError("has a lone brace; write {{ or }} for a brace of the text")
    columns = [match[1].strip() for match in _PLACEHOLDER.finditer(form) if match[1]]
    if not columns:
        raise ValueError("names no column; write {COLUMN} where its text belongs")
    return columns


def make_form_getter(form: str, getters: Mapping[str, Getter]) -> Getter:
    r"""Return a getter of a question's text from a form and its columns' getters.

    `\n` and `\t` in the form are a line break and a tab. A line whose columns are all
    empty in a row is left out.
    """
    for escape, char in _ESCAPES.items():
        form = form.replace(escape, char)
    lines = [_split_line(line) for line in form.split("\n")]

    def get_text(row: Row) -> str | None:
        texts = {name: _column_text(get(row), name) for name, get in getters.items()}
        if not any(texts.values()):
            return None
        kept = (_fill_line(line, texts) for line in lines)
        return "\n".join(line for line in kept if line is not None)

    return get_text


def make_joined_getter(getters: Sequence[Getter]) -> Getter:
    """Return a getter of the texts of several columns, joined by a space."""

    def get_joined(row: Row) -> str:
        values = [get(row) for get in getters]
        return " ".join(str(value).strip() for value in values if not is_missing(value))

    return get_joined


_Line = Sequence[tuple[str, str]]
"""Parts of a line, each the text before a column and the column, "" for none."""


def _split_line(line: str) -> _Line:
    parts: list[tuple[str, str]] = []
    text, start = "", 0
    for match in _PLACEHOLDER.finditer(line):
        text += line[start : match.start()]
        start = match.end()
        if match[0] in _BRACES:
            text += _BRACES[match[0]]
        else:
            parts.append((text, match[1].strip()))
            text = ""
    return [*parts, (text + line[start:], "")]


def _fill_line(line: _Line, texts: Mapping[str, str]) -> str | None:
    """Return a line with the texts of its columns, None if all of them are empty."""
    columns = [column for _, column in line if column]
    if columns and not any(texts[column] for column in columns):
        return None
    return "".join(
        before + (texts[column] if column else "") for before, column in line
    )


def _column_text(value: object, column: str) -> str:
    """Return the text of a cell, "" if it is empty; raises BadRow for a list."""
    if is_missing(value):
        return ""
    if isinstance(value, str | int | float):
        return clean_text(str(value))
    raise BadRow(
        BadRowReason.MISSING_FIELD,
        f"question: column {column!r} is {short_repr(value)}, not a text.",
    )

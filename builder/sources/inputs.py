"""Inputs and tags: what columns besides those of a question's own fields become."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from cotbuild.builder.sources.base import IMAGE_NAME, BadRow, BadRowReason, Row
from cotbuild.builder.sources.choice_targets import parse_position
from cotbuild.builder.sources.make import clean_text, find_surrogate
from cotbuild.builder.sources.question_form import Getter
from cotbuild.builder.sources.targets import is_missing
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import Input, Tag, is_input_name
from cotbuild.schemas.record import short_repr

MIN_SIMILARITY = 0.8
"""A name that is as close to that of a field as this is taken for a slip."""
_PICTURE_KEYS = frozenset(("bytes", "path"))
_MEANT_FIELDS = {
    "answer": "target",
    "answer_text": "target",
    "label": "target",
    "target_text": "target",
    "text": "question",
    "options": "choices",
    "rationale": "text",
}
"""Reserved name to the field that is meant by it."""


def check_input_names(
    columns: Mapping[str, str], fields: Collection[str], location: str
) -> None:
    """Raise ConfigError for a mapped name that is neither a field nor an input's.

    A name that is close to that of a field is taken for a slip.
    """
    for name, column in columns.items():
        if name in fields:
            continue
        given = f"{location}: --map {shell_quote(f'{name}={column}')}"
        meant = _find_meant_field(name, fields)
        if meant:
            raise ConfigError(
                f"{given}: no such field. Pass --map {shell_quote(f'{meant}={column}')} "
                "if that is meant, or give the input another name."
            )
        if not is_input_name(name):
            raise ConfigError(
                f"{given}: no such field, and no name for an input. Use a field, "
                f"{', '.join(fields)}, or a name of small letters, digits and _."
            )


def _find_meant_field(name: str, fields: Collection[str]) -> str:
    """Return the field that a name may stand for, "" for none."""
    known = {name: field for name, field in _MEANT_FIELDS.items() if field in fields}
    names = known | {field: field for field in fields}
    close = get_close_matches(name.casefold(), names, n=1, cutoff=MIN_SIMILARITY)
    return names[close[0]] if close else ""


def is_image(value: object) -> bool:
    """Return whether a cell holds the bytes of a picture, as a Hub's Image feature does."""
    if isinstance(value, Mapping):
        return "bytes" in value and value.keys() <= _PICTURE_KEYS
    return isinstance(value, bytes)


def find_image_names(
    getters: Mapping[str, Getter], names: Iterable[str], sample: Sequence[Row]
) -> tuple[str, ...]:
    """Return the names of the inputs that are pictures, by name or by content."""
    return tuple(
        name
        for name in names
        if name.startswith(IMAGE_NAME)
        or any(is_image(getters[name](row)) for row in sample)
    )


def read_inputs(row: Row, getters: Mapping[str, Getter]) -> list[Input]:
    """Return the text inputs of a row, without those whose cell is empty.

    Raises BadRow for a cell that holds no text.
    """
    texts = (
        (name, _cell_text(get(row), "input", name)) for name, get in getters.items()
    )
    return [Input(name=name, text=text) for name, text in texts if text]


def read_tags(row: Row, getters: Mapping[str, Getter]) -> list[Tag]:
    """Return the tags of a row, without those whose cell is empty; raises BadRow."""
    texts = ((name, _cell_text(get(row), "tag", name)) for name, get in getters.items())
    return [Tag(name=name, value=text) for name, text in texts if text]


def read_images(row: Row, getters: Mapping[str, Getter]) -> dict[str, object]:
    """Return the raw values of a row's pictures by name, without empty ones."""
    values = {name: _only_item(get(row)) for name, get in getters.items()}
    return {name: value for name, value in values.items() if not _is_empty(value)}


def _only_item(value: Any) -> Any:
    """Return the item of a list that has one, and any other value as it is."""
    is_single = isinstance(value, list | tuple) and len(value) == 1
    return value[0] if is_single else value


def _is_empty(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(inner is None for inner in value.values())
    return is_missing(value) or value in (b"", [], ())


def _cell_text(value: object, what: str, name: str) -> str:
    """Return the text of a cell, "" if it is empty; a list is a line an item.

    A whole number that a data frame made 1.0 beside empty cells is 1. Raises BadRow.
    """
    if isinstance(value, list | tuple):
        lines = (_plain_text(item, what, name) for item in value)
        return "\n".join(line for line in lines if line)
    return _plain_text(value, what, name)


def _plain_text(value: object, what: str, name: str) -> str:
    if is_missing(value):
        return ""
    if isinstance(value, float):
        position = parse_position(value)
        return str(value if position is None else position)
    if isinstance(value, str | int):
        text = clean_text(str(value))
        fault = find_surrogate(text)
        if fault is None and "\0" in text:
            fault = "has a NUL character."
        if fault is not None:
            raise BadRow(
                BadRowReason.BAD_QUESTION, f"{what} {name!r} {short_repr(text)} {fault}"
            )
        return text
    raise BadRow(
        BadRowReason.MISSING_FIELD,
        f"{what} {name!r} is {short_repr(value)}, not a text.",
    )

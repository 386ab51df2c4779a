"""The base class of all records, and the check of a file's format version."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from cotbuild.schemas.errors import CotbuildError, DataError
from cotbuild.schemas.field_names import suggest_names

FORMAT_VERSION = 1
"""Version of every format that cotbuild writes: journals, shards, manifest.json,
build.json.
"""

MIN_INT, MAX_INT = -(1 << 63), (1 << 63) - 1
"""Range of a whole number in JSON, YAML and parquet: that of a column."""
MAX_TEXT_CHARS = 64 << 20
"""Longest text of a record, in characters."""

_MAX_SHOWN_CHARS = 80
_MAX_SHOWN_DEPTH = 10
_MAX_SHOWN_BITS = 512
_BRACKETS: dict[type, tuple[str, str]] = {
    dict: ("{", "}"),
    list: ("[", "]"),
    tuple: ("(", ")"),
}


class Record(BaseModel):
    """A frozen Pydantic model that rejects unknown fields and does not coerce types.

    Its texts are valid Unicode of at most MAX_TEXT_CHARS characters, its floats finite.
    """

    # A bound on texts also makes pydantic refuse lone surrogates, which no file in
    # UTF-8 can hold; without one it keeps any text as it is.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        str_max_length=MAX_TEXT_CHARS,
    )

    @classmethod
    def parse(
        cls,
        value: Mapping[str, Any],
        where: str,
        error: type[CotbuildError] = DataError,
    ) -> Self:
        """Build a record from plain JSON values.

        Raises `error` in one line that starts with `where` if the values do not fit.
        """
        try:
            return cls.model_validate(value, strict=False)
        except ValidationError as fault:
            raise error(f"{where}: {explain_validation_error(fault, cls)}") from fault

    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> Self:
        """Copy the record, without its cached properties.

        A cached key or fingerprint would be that of the old fields.
        """
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


def explain_validation_error(fault: ValidationError, form: object = None) -> str:
    """Describe the first fault in one line, and count the others.

    `form` is the model that was validated, or the type that holds it: with it, the line
    for an unknown field has the names that could be meant.
    """
    faults = fault.errors(include_url=False)
    first = faults[0]
    place = ".".join(_visible(str(part)) for part in first["loc"])
    others = len(faults) - 1
    more = f" (and {others} more fault{'s' * (others > 1)})" if others else ""
    if first["type"] == "value_error":
        # One of our own validators, whose message names the value.
        message = first["msg"].removeprefix("Value error, ")
        return f"{place}: {message}{more}." if place else f"{message}{more}."
    if first["type"] == "missing":
        return f"{place} is missing{more}."
    if first["type"] == "extra_forbidden":
        name = short_repr(".".join(str(part) for part in first["loc"]))
        return f"there is no field {name}{more}. {suggest_names(form, first['loc'])}".strip()
    message = first["msg"]
    if first["type"] == "string_unicode":
        message = "It has a lone surrogate, which is not valid Unicode"
    if first["type"] == "union_tag_invalid":
        context = first["ctx"]
        message = f"{context['tag']!r} is none of {context['expected_tags']}"
    subject = place or "the record"
    return f"{subject} is {short_repr(first.get('input'))}. {message}{more}."


def _visible(name: str) -> str:
    """Return a name, quoted if it has characters that would break the line."""
    return name if name.isprintable() else short_repr(name)


def short_repr(value: object) -> str:
    """Return a value's repr for an error message, at most 80 characters long.

    No more of it is built than is shown, so the value may be of any size and depth.
    """
    shown = ""
    for piece in _repr_pieces(value, 0):
        shown += piece
        if len(shown) > _MAX_SHOWN_CHARS:
            return shown[: _MAX_SHOWN_CHARS - 3] + "..."
    return shown


def _repr_pieces(value: object, depth: int) -> Iterator[str]:
    """Yield the repr of a value in pieces, which are short for plain values."""
    if isinstance(value, str | bytes):
        yield repr(value[: _MAX_SHOWN_CHARS + 1])
    elif isinstance(value, int) and value.bit_length() > _MAX_SHOWN_BITS:
        # Python refuses to print one of more than 4,300 digits.
        yield f"<whole number of {value.bit_length()} bits>"
    elif type(value) in _BRACKETS:
        yield from _container_pieces(value, depth)
    else:
        try:
            yield repr(value)
        except (ValueError, RecursionError):
            yield f"<{type(value).__name__}>"


def _container_pieces(value: Any, depth: int) -> Iterator[str]:
    if depth == _MAX_SHOWN_DEPTH:
        yield "..."
        return
    opening, closing = _BRACKETS[type(value)]
    yield opening
    for number, item in enumerate(value):
        if number:
            yield ", "
        yield from _repr_pieces(item, depth + 1)
        if isinstance(value, dict):
            yield ": "
            yield from _repr_pieces(value[item], depth + 1)
    if isinstance(value, tuple) and len(value) == 1:
        yield ","
    yield closing


def check_format(
    version: object,
    where: str,
    error: type[CotbuildError] = DataError,
    *,
    newest: int = FORMAT_VERSION,
) -> None:
    """Raise `error` unless `version` is a format version that this code reads.

    Those are 1 to `newest`.
    """
    if type(version) is not int or version < 1:
        raise error(
            f"{where}: format version {short_repr(version)}. "
            f"Expected a whole number from 1 to {newest}."
        )
    if version > newest:
        raise error(
            f"{where}: format version {short_repr(version)}, written by a newer cotbuild; "
            f"this one reads versions up to {newest}. Upgrade cotbuild."
        )

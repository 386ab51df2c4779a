"""Parse targets in files of unknown shape: yes or no, numbers and texts."""

from decimal import Decimal
from fractions import Fraction

from cotbuild.builder.sources.base import BadRow, BadRowReason
from cotbuild.builder.sources.make import clean_text
from cotbuild.schemas.answers.number_notation import format_value
from cotbuild.schemas.answers.numbers import read_whole_number
from cotbuild.schemas.record import short_repr

_YES_NO = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
_TEXT_FORMS = "a text, a number, or a list of them"


def is_missing(value: object) -> bool:
    """Return whether a cell is empty: null, blank text or NaN, a data frame's null."""
    if isinstance(value, str):
        return not value.strip()
    is_nan = value != value
    return value is None or is_nan


def parse_yes_no(value: object) -> str | None:
    """Return yes or no for a boolean or one of the words yes, no, true and false.

    None for any other value.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return _YES_NO.get(clean_text(value).casefold())
    return None


def parse_number(value: object) -> str | None:
    """Return a number in plain digits, None for any other value.

    A text may have any notation that answers may have (see `answers.numbers`), among
    them a unit; fractions stay fractions, 1/2. If it has the "####" of GSM8K's worked
    solutions, only what follows the last one is parsed.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return _format_decimal(Decimal(repr(value)))
    if isinstance(value, int | Decimal):
        return _format_decimal(Decimal(value))
    if not isinstance(value, str):
        return None
    answer = " ".join(clean_text(value.rpartition("####")[2]).split())
    number = read_whole_number(answer.removeprefix("# "))
    if number is None:
        return None
    if isinstance(number.value, Fraction):
        return number.plain
    return _format_decimal(number.value)


def _format_decimal(value: Decimal) -> str | None:
    if not value.is_finite():
        return None
    digits = format_value(value)
    return "0" if digits == "-0" else digits


def parse_texts(value: object) -> tuple[str, tuple[str, ...]]:
    """Return the target and the other targets; the first of a list is the target.

    Raises BadRow.
    """
    values = list(value) if isinstance(value, list | tuple) else [value]
    texts = [_parse_text(item) for item in values]
    if not texts:
        raise bad_target(value, _TEXT_FORMS)
    target, *others = dict.fromkeys(texts)
    return target, tuple(others)


def _parse_text(value: object) -> str:
    if isinstance(value, str):
        text = clean_text(value)
        if text:
            return text
    if isinstance(value, int | float):
        number = parse_number(value)
        if number is not None:
            return number
    raise bad_target(value, _TEXT_FORMS)


def bad_target(value: object, expected: str) -> BadRow:
    """Return the fault of a target that is not what is expected of it."""
    return BadRow(
        BadRowReason.BAD_TARGET, f"target is {short_repr(value)}. Expected {expected}."
    )

"""Parse targets in files of unknown shape: yes or no, numbers, texts and choices."""

import re
from collections.abc import Iterable
from decimal import Decimal

from cotbuild.builder.sources.base import BadRow, BadRowReason
from cotbuild.builder.sources.make import ChoicePairs, clean_text
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.record import short_repr

_YES_NO = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
_NUMBER = re.compile(
    r"([-+−]?)[$€£¥]?\s?([-+−]?)((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)\s?%?",
    re.ASCII,
)
_BRACKETED = re.compile(r"\(?([^\s().:]+)[).:]{0,2}")
_MAX_POSITION_DIGITS = 9
_NUM_SHOWN_POSITIONS = 8
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

    A text may have thousands separators, a currency sign and a final %. If it has the
    "####" of GSM8K's worked solutions, only what follows the last one is parsed.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return _format_decimal(Decimal(repr(value)))
    if isinstance(value, int | Decimal):
        return _format_decimal(Decimal(value))
    if not isinstance(value, str):
        return None
    answer = clean_text(value.rpartition("####")[2])
    match = _NUMBER.fullmatch(answer)
    if match is None:
        return None
    sign_before_currency, sign_after_currency, digits = match.groups()
    if sign_before_currency and sign_after_currency:
        return None
    sign = sign_before_currency or sign_after_currency
    is_negative = sign in ("-", "−")
    magnitude = digits.replace(",", "")
    return _format_decimal(Decimal(f"-{magnitude}" if is_negative else magnitude))


def _format_decimal(value: Decimal) -> str | None:
    if not value.is_finite():
        return None
    digits = format(value, "f")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return "0" if digits in ("-0", "") else digits


def parse_texts(value: object) -> tuple[str, tuple[str, ...]]:
    """Return the target and the other targets; the first of a list is the target.

    Raises BadRow.
    """
    values = list(value) if isinstance(value, list | tuple) else [value]
    texts = [_parse_text(item) for item in values]
    if not texts:
        raise _bad_target(value, _TEXT_FORMS)
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
    raise _bad_target(value, _TEXT_FORMS)


def find_first_position(
    rows: Iterable[tuple[object, ChoicePairs]], location: str
) -> int | None:
    """Return whether whole-number targets count choices from 0 or from 1.

    `rows` are the raw targets and choices of a file's first rows. None means that every
    whole number is the label or text of a choice. Otherwise they are positions: from 0
    if a 0 occurs, from 1 if the number of choices occurs. Raises DataError if both or
    neither occur.
    """
    positions = ((_parse_position(value), pairs) for value, pairs in rows)
    numbered = [(index, pairs) for index, pairs in positions if index is not None]
    if all(_find_choices(str(index), pairs) for index, pairs in numbered):
        return None
    has_zero = any(index == 0 for index, _ in numbered)
    has_count = any(index == len(pairs) for index, pairs in numbered)
    if has_zero == has_count:
        targets = sorted({index for index, _ in numbered})[:_NUM_SHOWN_POSITIONS]
        raise DataError(
            f"{location}: targets {targets} of the first rows are positions of choices, "
            "and it is ambiguous whether the first choice is 0 or 1. Write labels such "
            "as 'A', or the texts of the choices, into the file."
        )
    return 0 if has_zero else 1


def find_choice_label(
    value: object, pairs: ChoicePairs, first_position: int | None
) -> str:
    """Return the label of the choice that a raw target names.

    A target may be a label or a text; it may be a position if `first_position` is not
    None (see `find_first_position`). Raises BadRow if it names no choice or several.
    """
    matching: list[tuple[str, str]] = []
    if isinstance(value, str | int) and not isinstance(value, bool):
        matching = _find_choices(str(value), pairs)
    position = _parse_position(value)
    if first_position is not None and position is not None:
        index = position - first_position
        if 0 <= index < len(pairs):
            matching.append(pairs[index])
    if not matching:
        labels = [label for label, _ in pairs]
        raise _bad_target(value, f"one of the choices' labels {labels} or texts")
    num_different = len({text for _, text in matching})
    if num_different > 1:
        labels = [label for label, _ in matching]
        raise _bad_target(value, f"one choice; it names {labels}")
    return matching[0][0]


def _find_choices(value: str, pairs: ChoicePairs) -> list[tuple[str, str]]:
    """Return the choices whose label or text is `value`, those with the label first.

    Case is ignored only if nothing matches exactly.
    """
    text = clean_text(value)
    bracketed = _BRACKETED.fullmatch(text)
    label = bracketed[1] if bracketed else text
    with_label = [pair for pair in pairs if pair[0] == label]
    with_text = [pair for pair in pairs if pair[1] == text]
    if with_label or with_text:
        return with_label + with_text
    label, text = label.casefold(), text.casefold()
    with_label = [pair for pair in pairs if pair[0].casefold() == label]
    with_text = [pair for pair in pairs if pair[1].casefold() == text]
    return with_label + with_text


def _parse_position(value: object) -> int | None:
    """Return a whole number, also one in a text; None for any other value."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        digits = value.strip()
        is_number = digits.isascii() and digits.isdigit()
        is_short = len(value) <= _MAX_POSITION_DIGITS
        return int(value) if is_number and is_short else None
    return value if isinstance(value, int) else None


def _bad_target(value: object, expected: str) -> BadRow:
    return BadRow(
        BadRowReason.BAD_TARGET, f"target is {short_repr(value)}. Expected {expected}."
    )

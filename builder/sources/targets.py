"""Targets of files of unknown shape: which answer a raw value stands for."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from cotbuild.builder.sources.base import BadRow, BadRowReason
from cotbuild.builder.sources.make import Pairs, clean
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.record import short_repr

_YES_NO = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}
_NUMBER = re.compile(
    r"([-+−]?)[$€£¥]?\s?([-+−]?)((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)\s?%?",
    re.ASCII,
)
_BRACKETED = re.compile(r"\(?([^\s().:]+)[).:]{0,2}")


def is_missing(value: object) -> bool:
    """Whether a cell is empty: null, blank text, or the NaN that stands for null in
    data frames.
    """
    return (
        value is None
        or value != value
        or (isinstance(value, str) and not value.strip())
    )


def yes_no(value: object) -> str | None:
    """yes or no from a boolean or one of the words yes, no, true, false; None from
    anything else.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _YES_NO.get(clean(value).casefold()) if isinstance(value, str) else None


def number(value: object) -> str | None:
    """A number in plain digits; None from anything else.

    Text may have thousands commas, a currency sign and a final %. Of a text with "####"
    only what follows the last one counts: GSM8K's form of a worked solution.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float | Decimal):
        return _plain(Decimal(repr(value) if isinstance(value, float) else value))
    if not isinstance(value, str):
        return None
    match = _NUMBER.fullmatch(clean(value.rpartition("####")[2]))
    if match is None or (match[1] and match[2]):
        return None
    sign = "-" if (match[1] or match[2]) in ("-", "−") else ""
    return _plain(Decimal(sign + match[3].replace(",", "")))


def _plain(value: Decimal) -> str | None:
    if not value.is_finite():
        return None
    digits = format(value, "f")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return "0" if digits in ("-0", "") else digits


def texts(value: object) -> tuple[str, tuple[str, ...]]:
    """Target and other targets of a short text; a list gives the target first.

    Raises BadRow.
    """
    values = list(value) if isinstance(value, list | tuple) else [value]
    cleaned = [_text(item) for item in values]
    if not cleaned:
        raise _bad(value, "a text, a number, or a list of them")
    return cleaned[0], tuple(
        dict.fromkeys(text for text in cleaned[1:] if text != cleaned[0])
    )


def _text(value: object) -> str:
    if isinstance(value, str) and (text := clean(value)):
        return text
    if isinstance(value, int | float) and (plain := number(value)) is not None:
        return plain
    raise _bad(value, "a text, a number, or a list of them")


class IndexBase(NamedTuple):
    """Whether whole numbers point to choices by position in this file, and the first
    position.
    """

    first: int


def index_base(rows: Iterable[tuple[object, Pairs]], where: str) -> IndexBase | None:
    """What the whole-number answers of a file's first rows mean; None: each is a
    choice's own label or text.

    Where some are neither, they are positions: from 0 if a 0 occurs, from 1 if the
    number of choices occurs. Raises DataError where both or neither occur, because then
    nobody can tell.
    """
    numbered = [
        (index, pairs) for value, pairs in rows if (index := _whole(value)) is not None
    ]
    if all(_named(str(index), pairs) for index, pairs in numbered):
        return None
    from_0 = any(index == 0 for index, _ in numbered)
    from_1 = any(index == len(pairs) for index, pairs in numbered)
    if from_0 == from_1:
        seen = sorted({index for index, _ in numbered})[:8]
        raise DataError(
            f"{where}: targets {seen} of the first rows are positions of choices, and it is ambiguous whether the "
            "first choice is 0 or 1. Write labels such as 'A', or the texts of the choices, into the file."
        )
    return IndexBase(0 if from_0 else 1)


def choice_label(value: object, pairs: Pairs, base: IndexBase | None) -> str:
    """The label a raw answer stands for: its label, its text, or its position.

    Raises BadRow where none or two do.
    """
    named = (
        _named(str(value), pairs)
        if isinstance(value, str | int) and not isinstance(value, bool)
        else []
    )
    index = _whole(value)
    if base is not None and index is not None and 0 <= index - base.first < len(pairs):
        named.append(pairs[index - base.first])
    labels = [label for label, _ in pairs]
    if not named:
        raise _bad(value, f"one of the choices' labels {labels} or texts")
    if len({text for _, text in named}) > 1:
        raise _bad(value, f"one choice; it names {[label for label, _ in named]}")
    return named[0][0]


def _named(value: str, pairs: Pairs) -> list[tuple[str, str]]:
    """The choices of which `value` is the label or the text, exactly or else in other
    capitals; label first.
    """
    text = clean(value)
    bracketed = _BRACKETED.fullmatch(text)
    label = bracketed[1] if bracketed else text
    exactly = [pair for pair in pairs if pair[0] == label] + [
        pair for pair in pairs if pair[1] == text
    ]
    if exactly:
        return exactly
    folded = [
        (
            pair,
            pair[0].casefold() == label.casefold(),
            pair[1].casefold() == text.casefold(),
        )
        for pair in pairs
    ]
    return [pair for pair, is_label, _ in folded if is_label] + [
        pair for pair, _, is_text in folded if is_text
    ]


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if (
        isinstance(value, str)
        and value.strip().isascii()
        and value.strip().isdigit()
        and len(value) < 10
    ):
        return int(value)
    return value if isinstance(value, int) else None


def _bad(value: object, expected: str) -> BadRow:
    return BadRow(
        BadRowReason.BAD_TARGET, f"target is {short_repr(value)}. Expected {expected}."
    )

"""Match a number written in English words at one place of a text. Pure.

Cardinals ("two hundred and fifty-five", "a thousand", "twelve hundred"), decimals
("three point five"), and fractions ("two thirds", "one and a half"). Not read: ordinals,
"dozen", and "three quarters", which may be coins, without a hyphen. Texts are as
`number_notation.fold_number` and `latex.undress` leave them.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from cotbuild.schemas.answers.number_notation import Value

_UNIT_WORDS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    " fifteen sixteen seventeen eighteen nineteen"
)
_TENS_WORDS = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS = {word: value for value, word in enumerate(_UNIT_WORDS.split(), start=1)}
_TENS = {word: 10 * tens for tens, word in enumerate(_TENS_WORDS.split(), start=2)}
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_HUNDRED = "hundred"
_DIGITS = {"zero": 0, **{word: value for word, value in _UNITS.items() if value < 10}}
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "thirds": 3, "fourth": 4, "fourths": 4,
    "quarter": 4, "quarters": 4, "fifth": 5, "fifths": 5, "sixth": 6, "sixths": 6,
    "seventh": 7, "sevenths": 7, "eighth": 8, "eighths": 8, "ninth": 9, "ninths": 9,
    "tenth": 10, "tenths": 10,
}  # fmt: skip
_SINGULAR = frozenset(word for word in _PARTS if not word.endswith("s"))

NUMBER_WORD = (
    rf"(?:{'|'.join(('zero', *_UNITS, *_TENS, _HUNDRED, *_SCALES))})(?![^\W_])"
)
_WORD_END = r"(?![^\W_]|'[^\W_])"
_SIGN = re.compile(r"(?:minus|negative) ", re.IGNORECASE)
_ARTICLE = re.compile(rf"a (?=(?:{'|'.join((_HUNDRED, *_SCALES))}){_WORD_END})", re.I)
_TOKEN = re.compile(
    rf"(?P<joiner>,? and |, | |-|)(?P<word>{NUMBER_WORD}){_WORD_END}", re.IGNORECASE
)
_POINT = re.compile(
    rf" point(?P<digits>(?: (?:{'|'.join(_DIGITS)}){_WORD_END}){{1,10}})", re.IGNORECASE
)
_PART = re.compile(
    rf"(?P<joiner>[ -])(?P<part>{'|'.join(_PARTS)}){_WORD_END}", re.IGNORECASE
)
_AND_PART = re.compile(
    rf" and (?P<top>an?|{'|'.join(_DIGITS)})[ -](?P<part>{'|'.join(_PARTS)}){_WORD_END}",
    re.IGNORECASE,
)
_MAX_TOKENS = 40
_MAX_TOP = 20
"""Numerators are below it: "twenty fifths" may be a misspelt ordinal."""


class WordNumber(NamedTuple):
    """A number in words."""

    value: Value
    plain: str
    """In plain digits: 255, 3.5, 2/3, 1 1/2."""
    start: int
    end: int
    is_one: bool = False
    """Whether it is the lone word "one", which may also be a pronoun."""
    is_fraction: bool = False
    """Whether it is a fraction without a whole number."""


class _Token(NamedTuple):
    joiner: str
    """What stands between it and the word before it."""
    word: str
    end: int


class _Sum(NamedTuple):
    """The value of the first words of a number."""

    value: int
    length: int
    """How many words it has."""


def match_number_words(text: str, start: int = 0) -> WordNumber | None:
    """Match the longest number in words at `start`; None if there is none."""
    sign = _SIGN.match(text, start)
    at = sign.end() if sign else start
    number = _match_unsigned(text, at)
    if number is None or sign is None:
        return number
    return number._replace(
        value=-number.value, plain=f"-{number.plain}", start=start, is_one=False
    )


def _match_unsigned(text: str, start: int) -> WordNumber | None:
    article = _ARTICLE.match(text, start)
    tokens = _split(text, article.end() if article else start)
    if article is not None:
        tokens = [_Token("", "one", article.end()), *_spaced(tokens)]
    cardinal = _add_up(tokens)
    if cardinal is None:
        return None
    end = tokens[cardinal.length - 1].end
    whole = cardinal.value
    if point := _POINT.match(text, end):
        return _to_decimal(whole, point, start)
    if fraction := _match_fraction(text, whole, start, end):
        return fraction
    if mixed := _match_mixed(text, whole, start, end):
        return mixed
    is_one = whole == 1 and article is None
    return WordNumber(Decimal(whole), str(whole), start, end, is_one=is_one)


# --- cardinals ---


def _split(text: str, start: int) -> list[_Token]:
    """Return the number words from `start` on that may belong to one number."""
    tokens: list[_Token] = []
    at = start
    while len(tokens) < _MAX_TOKENS:
        found = _TOKEN.match(text, at)
        if found is None or bool(found["joiner"]) != bool(tokens):
            break
        joiner = found["joiner"].lower().strip(" ") or found["joiner"]
        tokens.append(_Token(joiner, found["word"].lower(), found.end()))
        at = found.end()
    return tokens


def _spaced(tokens: Sequence[_Token]) -> list[_Token]:
    """Return the tokens as they are behind an article and a space."""
    first, *rest = tokens
    return [first._replace(joiner=" "), *rest]


def _add_up(tokens: Sequence[_Token]) -> _Sum | None:
    """Return the value of the longest number that the tokens begin with."""
    if not tokens:
        return None
    if tokens[0].word == "zero":
        return _Sum(0, 1)
    total, count, limit = 0, 0, 10**15
    while count < len(tokens):
        group = _read_group(tokens, count)
        if group is None:
            break
        scale = _read_scale(tokens, count + group.length)
        if not _may_follow(tokens[count], group.value, scale, limit):
            break
        total += group.value * scale
        count += group.length
        if scale == 1:
            break
        count += 1
        limit = scale
    return _Sum(total, count) if count else None


def _may_follow(first: _Token, group: int, scale: int, limit: int) -> bool:
    """Return whether a group and its scale can go on a number of larger scales."""
    if group * scale >= limit or (scale > 1 and group >= 1000):
        return False
    if first.joiner == ",":
        return scale > 1 or group >= 100  # "one million, two" may be a list
    if first.joiner in ("and", ", and"):
        return scale == 1 and group < 100
    return True


def _read_scale(tokens: Sequence[_Token], at: int) -> int:
    if at < len(tokens) and tokens[at].joiner in (" ", "-"):
        return _SCALES.get(tokens[at].word, 1)
    return 1


def _read_group(tokens: Sequence[_Token], at: int) -> _Sum | None:
    """Read a number below 1000 at a token, or "twelve hundred"."""
    first = _read_below_hundred(tokens, at)
    if first is None:
        return None
    following = at + first.length
    if following == len(tokens) or tokens[following].word != _HUNDRED:
        return first
    if tokens[following].joiner not in (" ", "-"):
        return first
    hundreds = _Sum(first.value * 100, first.length + 1)
    rest = _read_below_hundred(tokens, at + hundreds.length)
    if rest is None or tokens[at + hundreds.length].joiner not in (" ", "-", "and"):
        return hundreds
    return _Sum(hundreds.value + rest.value, hundreds.length + rest.length)


def _read_below_hundred(tokens: Sequence[_Token], at: int) -> _Sum | None:
    if at >= len(tokens):
        return None
    word = tokens[at].word
    if word in _UNITS:
        return _Sum(_UNITS[word], 1)
    if word not in _TENS:
        return None
    tens = _TENS[word]
    if at + 1 < len(tokens) and tokens[at + 1].joiner in (" ", "-"):
        unit = _UNITS.get(tokens[at + 1].word, 10)
        if unit < 10:
            return _Sum(tens + unit, 2)
    return _Sum(tens, 1)


# --- decimals and fractions ---


def _to_decimal(whole: int, point: re.Match[str], start: int) -> WordNumber:
    digits = "".join(str(_DIGITS[word]) for word in point["digits"].lower().split())
    plain = f"{whole}.{digits}"
    return WordNumber(Decimal(plain), plain, start, point.end())


def _match_fraction(text: str, top: int, start: int, end: int) -> WordNumber | None:
    """Match the rest of "two thirds" behind its numerator."""
    found = _PART.match(text, end)
    if found is None or not 0 < top < _MAX_TOP:
        return None
    part = found["part"].lower()
    if (part in _SINGULAR) != (top == 1):
        return None  # "two third graders"
    if part.startswith("quarter") and found["joiner"] != "-":
        return None
    bottom = _PARTS[part]
    return WordNumber(
        Fraction(top, bottom), f"{top}/{bottom}", start, found.end(), is_fraction=True
    )


def _match_mixed(text: str, whole: int, start: int, end: int) -> WordNumber | None:
    """Match the rest of "one and a half" behind its whole number."""
    found = _AND_PART.match(text, end)
    if found is None:
        return None
    top, part = _DIGITS.get(found["top"].lower(), 1), found["part"].lower()
    bottom = _PARTS[part]
    if (part in _SINGULAR) != (top == 1) or not 0 < top < bottom:
        return None
    value = whole + Fraction(top, bottom)
    return WordNumber(value, f"{whole} {top}/{bottom}", start, found.end())

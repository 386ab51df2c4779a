"""Parse numbers: a whole text, or the number that an open text gives. Pure.

Answers, targets, mentions and replies of students share this parser. The notations are
in `number_notation`; what may stand around a number is in `number_context`.

Ambiguous notations: 1,234 and 1.234 are read as in English (1234 and 1.234). "3,5" may
be two numbers and is none, unless a unit or a price makes it one. A percent sign is a
unit: 50% is 50, and never 0.5. A text that holds more than one number is none, unless
they are equal: ".25 or 1/4".
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.latex import undress
from cotbuild.schemas.answers.number_context import (
    Context,
    Follows,
    find_context,
    is_piece,
    limits_number,
)
from cotbuild.schemas.answers.number_notation import (
    CURRENCY,
    Number,
    Value,
    fold_number,
    match_number,
)
from cotbuild.schemas.answers.read_value import skip


class WholeNumber(NamedTuple):
    """A number that is all that a text says."""

    value: Value
    plain: str
    """In plain digits, as written apart from that: 1234.50, 3/4, 1 5/6."""
    unit: str
    """Its unit or currency in one form, such as %, $ or km/h; empty: none."""
    start: int
    end: int


class NumberReading(NamedTuple):
    """What an open text says at one place."""

    plain: str | None
    """None: it gives several numbers, or an expression."""
    start: int
    end: int
    complete: bool
    """Whether it would say the same if it were cut directly after the number."""


# --- a whole text ---

_APPROXIMATE = (
    r"(?:[≈~]|(?:about|approximately|approx\.?|roughly|around|nearly|almost|circa|exactly"
    r"|only|just|equal to|equals)(?![\w']))"
)
_PLAIN = re.compile(r"-?[0-9]++(?:\.[0-9]++)?")
_PREFIX = re.compile(rf"(?:{_APPROXIMATE}\s{{0,4}}){{0,3}}", re.IGNORECASE)
_WRAPPERS = {
    "(": ")",
    "[": "]",
    "{": "}",
    '"': '"',
    "'": "'",
    "`": "`",
    "*": "*",
    "_": "_",
}
_FINAL = ".,;:!"
_MAX_WRAPPERS = 12
_MAX_CHARS = 2000
"""Characters of the longest text that is read as one number, digits alone excepted."""
_NAME = re.compile(
    r"\s*(?:\\?[a-zA-Z]{1,20}'?(?:_\{?\w{1,10}\}?|\([^()=]{0,30}\))?\s{0,4}){1,6}"
)
_ARITHMETIC = re.compile(
    rf"(?:[-+*/×÷·⋅()0-9.,\s^%{{}}]|\\[dtc]?frac|{CURRENCY}){{1,200}}"
)
_WORDS = re.compile(r"[^0-9\\^_=<>≤≥≠√π±×÷+*|≈/]*+")
_PARENTHESIS = re.compile(r"\s{0,4}\(([^()]{1,80})\)")
_EQUAL = re.compile(r"\s{0,4}(?:=|≈|,?\s?\bor\b|,?\s?\bi\.e\.,?)\s{0,4}")


def parse_number(text: str) -> Value | None:
    """Return the value of a text that is one number; None for any other text.

    A currency, a unit, "about" and "x =" are ignored, and so is LaTeX dressing.
    """
    whole = read_whole_number(text)
    return whole.value if whole else None


def read_whole_number(
    text: str, *, maths: bool = False, with_words: bool = False
) -> WholeNumber | None:
    """Read a text that is one number; None for any other text.

    `maths` says that the text was in a box or between maths delimiters, where 5! is a
    factorial and 4k a product. With `with_words` any words may follow, as in
    "42 apples"; otherwise only a unit.
    """
    if _PLAIN.fullmatch(text):  # as most are, in a tenth of the time
        return WholeNumber(Decimal(text), text, "", 0, len(text))
    if len(text) > _MAX_CHARS:
        return None
    undressed = undress(fold_number(text))
    view = undressed.text
    maths = maths or undressed.is_maths(len(view) - len(view.lstrip()))
    start, end = _strip_whole(view, maths)
    sides = view[start:end].split("=")
    if not all(map(_is_side, sides[:-1])):
        return None
    start = end - len(sides[-1])
    start = skip(_PREFIX, view, start, end)
    start, end = _strip_whole(view, maths, start, end)
    body = view[:end]
    maths = maths or undressed.is_maths(start)
    number = match_number(body, start, maths=maths)
    if number is None:
        return None
    context = find_context(body, number, maths=maths)
    with_words = (
        with_words or "\\text" in text or "\\mbox" in text or "\\mathrm" in text
    )
    if not _is_whole(body, number, context, with_words=with_words):
        return None
    if any(_is_other_number(side, number) for side in sides[:-1]):
        return None
    unit = number.currency or context.unit
    return WholeNumber(number.value, number.plain, unit, number.start, number.end)


def _strip_whole(
    view: str, maths: bool, start: int = 0, end: int | None = None
) -> tuple[int, int]:
    """Return the span without white space, balanced wrappers and final marks."""
    end = len(view) if end is None else end
    for _ in range(_MAX_WRAPPERS):
        before = start, end
        start = end - len(view[start:end].lstrip())
        end = start + len(view[start:end].rstrip())
        if view.endswith(("**", "__"), start, end) and view.startswith(
            ("**", "__"), start
        ):
            start, end = start + 2, end - 2
        closing = _WRAPPERS.get(view[start : start + 1])
        if closing and end - start > 2 and view[end - 1] == closing:
            inner = view[start + 1 : end - 1]
            if not set(inner) & set(view[start] + closing):
                start, end = start + 1, end - 1
        if end > start and _is_final(view, end - 1, maths=maths):
            end -= 1
        if (start, end) == before:
            break
    return start, end


def _is_final(view: str, at: int, *, maths: bool) -> bool:
    """Return whether a mark ends a sentence; "..." goes on, and 5! is a factorial."""
    if view[at] == "!":
        return not maths
    return view[at] in _FINAL and view[at - 1 : at] != "."


def _is_side(side: str) -> bool:
    """Return whether a side of an equation is a name or a sum of numbers; "" is none."""
    return not side or bool(_NAME.fullmatch(side) or _ARITHMETIC.fullmatch(side))


def _is_other_number(side: str, number: Number) -> bool:
    """Return whether a side of an equation is a number that is not `number`."""
    other = match_number(side.strip())
    is_whole = other is not None and other.end == len(side.strip())
    return other is not None and is_whole and other.value != number.value


def _is_whole(body: str, number: Number, context: Context, *, with_words: bool) -> bool:
    """Return whether nothing of weight follows a number and its unit."""
    if context.follows is Follows.EXPRESSION:
        return False
    at = context.end
    if equal := _EQUAL.match(body, at):
        other = match_number(body, equal.end())
        if other is None or other.value != number.value:
            return False
        at = find_context(body, other).end
    elif context.follows is Follows.ANOTHER:
        return False
    if note := _PARENTHESIS.match(body, at):
        if not _repeats(note[1], number):
            return False
        at = note.end()
    rest = body[at:].strip()
    if not rest:
        return True
    if rest[0] in ",;" or with_words:
        words = _WORDS.match(rest)
        return words is not None and words.end() == len(rest)
    return False


def _repeats(note: str, number: Number) -> bool:
    """Return whether what is in parentheses is the number again, or words."""
    again = match_number(note.strip())
    if again is not None and again.end == len(note.strip()):
        return again.value == number.value
    words = _WORDS.match(note)
    return words is not None and words.end() == len(note)


# --- open text ---

_OPENING = re.compile(
    r"(?>(?:[ \n\u2009*_\"'`(\[{:=#≈~]|\\(?![a-zA-Z])"
    r"|(?:about|approximately|around|exactly|roughly|only|just|equal to|simply|now|still"
    r"|nearly|almost|also|most|likely|probably|definitely|clearly|therefore|thus|indeed"
    r"|that)(?![\w']))*)",
    re.IGNORECASE,
)
_CANDIDATE = re.compile(
    r"(?<![\w.,:/^\\'])(?:[-+]|(?:negative|minus) )?"
    rf"(?:{CURRENCY} ?)?-?(?=\.?[0-9]|[¼½¾⅐-⅞]|\\[dtc]?frac)",
    re.IGNORECASE,
)
_EXPRESSION_MARK = re.compile(r"[\\^_=<>≤≥≠√π±×÷+*|∞∪∩∈]")
_WORD = re.compile(r"[^\W\d_]{2,}")
_BOLD = re.compile(r"\*\*|__")
_EQUALS = re.compile(r"(?<![<>!])[=≈]|[(){}]")
_NAMED_VALUE = re.compile(r"(?<![\w\\])([a-zA-Z]{1,12}(?:_\{?\w{1,4}\}?)?)\s{0,4}=")
_LISTED = re.compile(r"\s{0,4}(?:[,;]\s{0,4})?(?:(?:or|and)\s{1,4})?")
_MAX_NUMBERS = 200


def _find_numbers(text: str, start: int) -> Iterator[Number]:
    """Yield the numbers of a text in order, whatever stands around them."""
    at = start
    for _ in range(_MAX_NUMBERS):
        candidate = _CANDIDATE.search(text, at)
        if candidate is None:
            return
        number = match_number(text, candidate.start())
        if number is not None:
            yield number
        at = max(number.end if number else 0, candidate.end() + 1)


def read_number(text: str) -> NumberReading | None:
    """Read the number that an open text begins with; None if it says nothing of one.

    The one after the last "=" counts, else the one that comes first, else the only one
    of the clause. A list, a range or an expression is no single number.
    """
    undressed = undress(fold_number(text))
    view = undressed.text
    start = skip(_OPENING, view, 0)
    clause = view[: start + len(p.clause(view, start))]
    maths = undressed.is_maths(start)
    number = None if is_piece(view, start) else match_number(clause, start, maths=maths)
    equals = _last_equals(clause, start, number)
    if equals is not None:
        return _read_after_equals(view, len(clause), start, equals, text)
    if number is not None:
        return _make_reading(view, number, text, maths=maths)
    return _read_only_number(clause, start, text)


def read_number_of_prose(text: str) -> NumberReading | None:
    """Read the only number of a sentence of words: "There are 42 of them."."""
    view = undress(fold_number(text)).text
    words = _BOLD.sub("  ", view).strip(" *_")
    if _EXPRESSION_MARK.search(words) or not _WORD.search(words):
        return None
    return _read_only_number(view, 0, text)


def _last_equals(clause: str, start: int, number: Number | None) -> int | None:
    """Return the offset of the last equals sign outside parentheses."""
    depth, last = 0, None
    for mark in _EQUALS.finditer(clause, start):
        if mark[0] in "(){}":
            depth += 1 if mark[0] in "({" else -1
        elif depth <= 0 and (mark[0] == "=" or number is None):
            last = mark.start()
    return last


def _read_after_equals(
    view: str, end: int, start: int, equals: int, text: str
) -> NumberReading | None:
    at = skip(_OPENING, view, equals + 1, end)
    number = None if is_piece(view, at) else match_number(view, at)
    if number is None:
        return None
    named = list(_NAMED_VALUE.finditer(view, start, equals + 1))
    if len({name[1] for name in named}) > 1 or _lists_values(view, named):
        return NumberReading(None, number.start, number.end, complete=True)
    return _make_reading(view, number, text, maths=False)


def _lists_values(view: str, named: list[re.Match[str]]) -> bool:
    """Return whether one name is given several values: "x = 5 or x = 6"."""
    for name, following in pairwise(named):
        number = match_number(view, skip(_OPENING, view, name.end()))
        if number and _LISTED.fullmatch(view, number.end, following.start()):
            return True
    return False


def _make_reading(
    view: str, number: Number, text: str, *, maths: bool
) -> NumberReading:
    """Return a reading of a number, None as its text if it is a piece of more."""
    context = find_context(view, number, maths=maths)
    if context.follows is not Follows.NOTHING:
        return NumberReading(None, number.start, number.end, complete=True)
    return _read_all(number, text)


def _read_all(number: Number, text: str) -> NumberReading:
    """Return a reading of a number that is no piece of more."""
    has_more = bool(text[number.end :].strip(" .,"))
    return NumberReading(number.plain, number.start, number.end, complete=has_more)


def _read_only_number(clause: str, start: int, text: str) -> NumberReading | None:
    """Read the only number of a clause of prose: "that there are 42 of them"."""
    numbers = list(_find_numbers(clause, start))
    if not numbers or len({number.value for number in numbers}) > 1:
        return None
    first = numbers[0]
    before = _BOLD.sub("  ", clause[start : first.start])
    if _EXPRESSION_MARK.search(before) or limits_number(before):
        return None
    if is_piece(clause, first.start):
        return None
    contexts = [find_context(clause, number) for number in numbers]
    if any(context.follows is not Follows.NOTHING for context in contexts):
        return None
    return _read_all(first, text)

"""Read the number of a formal statement or a bounded value: in digits or in words. Pure.

Number words count where the value begins with them, and where little but what is counted
follows: "twelve", "two hundred dollars", "twelve (12)". Words also compare, list and
stand for nouns ("one more than two", "two or three", "one that floats"), so whatever
else follows makes them no number.
"""

import re
from enum import Enum, auto
from typing import NamedTuple

from cotbuild.schemas.answers import numbers
from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.latex import undress
from cotbuild.schemas.answers.list_marks import read_list_item
from cotbuild.schemas.answers.number_context import match_unit
from cotbuild.schemas.answers.number_notation import Value, fold_number, match_number
from cotbuild.schemas.answers.number_words import (
    NUMBER_WORD,
    WordNumber,
    match_number_words,
)
from cotbuild.schemas.answers.plain_readers import (
    read_bounded_number,
    read_number,
    read_whole_number,
)
from cotbuild.schemas.answers.read_value import ReadValue, skip
from cotbuild.schemas.question import Question

_MARKUP = " *_\"'`$\\{}"
_MAX_NOUN_WORDS = 6
"""Words that may say what is counted, as in "twelve years old in the summer"."""
_MAX_CHARS = 600
_NOUN_END = re.compile(r"[,;:(\[=.!?\n/\u2026]| --? |\Z")
_WORD = re.compile(r"[^\W\d_]+")
_OTHER_NUMBER = re.compile(
    rf"[0-9½¼¾⅓⅔]|(?<![^\W_])(?!one(?![^\W_])){NUMBER_WORD}", re.IGNORECASE
)
_RELATIONS = (  # what compares, joins, limits, or begins a clause
    "more less fewer greater larger smaller higher lower bigger older younger than of out"
    " to or and nor but not if unless except either neither through past per each every"
    " that which who whom whose where what such is are was were be can could should would"
    " will may might must i we you he she it they this these those there"
)
_OPERATIONS = (  # what multiplies or divides
    "times time plus minus over squared cubed fold divided multiplied percentage half"
    " halves third thirds quarter quarters fourth fourths fifth fifths sixth sixths"
    " seventh sevenths eighth eighths ninth ninths tenth tenths dozen dozens score scores"
    " pair pairs hundreds thousands millions billions point factorial pi root sqrt mod"
    " modulo choose power log recurring repeating"
)
_TERMS = (  # what is counted of the reasoning itself
    "number numbers digit digits value values word words letter letters part parts step"
    " steps way ways thing things answer answers option options case cases solution"
    " solutions question questions possibility possibilities reason reasons different"
    " other another one ones o"
)
_NO_NOUNS = frozenset(f"{_RELATIONS} {_OPERATIONS} {_TERMS}".split())
"""Words behind number words that are not part of what is counted."""
_ORDINAL = re.compile(
    r"(?:[a-z]{2,8}(?:teen|tie)|hundred|thousand|[mbtr]{1,2}illion|eleven|twelf)ths?",
)
_AGAIN = re.compile(
    r"[\s*_]{0,4}(?:,? ?or |,? ?i\.e\.,? |,? that is,? |= ?)[\s*_$\\]{0,4}"
)
_DOUBTED = re.compile(r"[ ,*_]{0,4}(?:or )?(?:maybe|perhaps|possibly)\b", re.IGNORECASE)
_OR_WORDS = re.compile(r"[ *_]{0,4}(?:or|to|=) ?(?=[a-z])", re.IGNORECASE)
_NOTE = re.compile(r"[\s*_$\\]{0,4}[(\[](?P<note>[^()\[\]]{1,80})[)\]]")
_NOTE_BEHIND = re.compile(rf"[^()\[\]\n.;:0-9]{{0,40}}{_NOTE.pattern}")


class _Rest(Enum):
    """What the text behind number words makes of them."""

    COUNTED = auto()
    """They are a number, with or without what is counted."""
    PIECE = auto()
    """They are one of several numbers, or a piece of one."""
    PROSE = auto()
    """They are words like others."""


class _Again(NamedTuple):
    """The number that repeats another."""

    value: Value
    end: int


class _Reading(NamedTuple):
    """Number words, and what follows them."""

    rest: _Rest
    end: int
    """Of the words that say what is counted."""


def read_stated_number(text: str, question: Question) -> ReadValue | None:
    """Read the number that follows a formal cue, in digits or in words.

    Number words that are a piece of more, or that differ from the digits beside them,
    are no single answer.
    """
    if item := read_list_item(text):
        if item.has_others:
            return ReadValue(None, item.start, item.end, complete=True)
        text = item.text
    view = undress(fold_number(text[:_MAX_CHARS])).text
    start = skip(p.NUMBER_OPENING, view, 0)
    words = match_number_words(view, start)
    if words is None:
        return _check_note(read_number(text, question), view)
    clause = view[: start + len(p.clause(view, start))]
    reading = _read_rest(clause, words)
    match reading.rest:
        case _Rest.PROSE:
            return read_number(text, question)
        case _Rest.PIECE:
            return ReadValue(None, words.start, words.end, complete=True)
        case _Rest.COUNTED:
            complete = bool(view[reading.end :].strip(_MARKUP + ","))
            return ReadValue(words.plain, words.start, words.end, complete)


def read_bounded_stated_number(
    text: str, *, maths: bool = False, whole: bool = False
) -> ReadValue | None:
    """Read the number that is all that a bounded value says, in digits or in words.

    `maths` says that it is LaTeX, as in a box; `whole` that only a unit may follow, since
    "#### Two examples" is a heading.
    """
    item = None if maths else read_list_item(text)
    if item is not None:
        text = item.text
    in_digits = _read_bounded_digits(text, maths=maths, whole=whole)
    if len(text) > _MAX_CHARS:
        return in_digits
    view = undress(fold_number(text)).text
    words = match_number_words(view, skip(p.NUMBER_OPENING, view, 0))
    if words is None:
        return _check_note(in_digits, view)
    reading = _read_rest(view, words)
    if reading.rest is _Rest.PROSE:
        return in_digits
    note = _NOTE.match(view, reading.end)
    behind = note.end() if note else reading.end
    if reading.rest is _Rest.PIECE or _OTHER_NUMBER.search(view, behind):
        return None
    if whole and not _ends_in_unit(view, words):
        return None
    return ReadValue(words.plain, words.start, words.end, complete=True)


def _read_bounded_digits(text: str, *, maths: bool, whole: bool) -> ReadValue | None:
    if whole:
        return read_whole_number(text)
    return read_bounded_number(text, maths=maths)


def _ends_in_unit(view: str, words: WordNumber) -> bool:
    """Return whether nothing but a unit, or the number again, follows the words."""
    again = _read_again(view, words.end)
    _, unit_end = match_unit(view, again.end if again else words.end)
    return not view[unit_end:].strip(_MARKUP + ".,!()")


def _read_rest(clause: str, words: WordNumber) -> _Reading:
    """Return what the rest of its clause makes of number words."""
    again = _read_again(clause, words.end)
    if again is not None and again.value != words.value:
        return _Reading(_Rest.PIECE, again.end)
    if _DOUBTED.match(clause, words.end):
        return _Reading(_Rest.PIECE, words.end)
    noun_start = again.end if again else words.end
    found = _NOUN_END.search(clause, noun_start)
    noun_end = found.start() if found else len(clause)
    has_other = _OTHER_NUMBER.search(clause, noun_start) is not None
    noun = clause[noun_start:noun_end]
    mark = clause[noun_end : noun_end + 1]
    if not _is_counted(noun, words, mark):
        is_pronoun = words.is_one and not noun.startswith(" of ")
        is_piece = has_other and not is_pronoun and mark not in ("=", ":")
        return _Reading(_Rest.PIECE if is_piece else _Rest.PROSE, noun_end)
    note = _read_note(clause, noun_end)
    if note is not None and note.value != words.value:
        return _Reading(_Rest.PIECE, note.end)
    if has_other and not _is_same_in_digits(clause[noun_start:], words):
        return _Reading(_Rest.PIECE, noun_end)
    return _Reading(_Rest.COUNTED, noun_end)


def _read_again(clause: str, end: int) -> _Again | None:
    """Read the number that repeats one that ends at `end`: "twelve (12)", "or 12"."""
    if note := _read_note(clause, end):
        return note
    found = _AGAIN.match(clause, end)
    if found is None:
        return None
    number = match_number_words(clause, found.end()) or match_number(
        clause, found.end()
    )
    return _Again(number.value, number.end) if number else None


def _read_note(clause: str, at: int) -> _Again | None:
    """Read parentheses at `at` that hold one number: "(12)", "(twelve)"."""
    found = _NOTE.match(clause, at)
    if found is None:
        return None
    note = found["note"].strip(_MARKUP)
    words = match_number_words(note)
    if words is not None:
        return _Again(words.value, found.end()) if words.end == len(note) else None
    whole = numbers.read_whole_number(note, with_words=True)
    return _Again(whole.value, found.end()) if whole else None


def _is_counted(noun: str, words: WordNumber, mark: str) -> bool:
    """Return whether what follows number words, up to `mark`, is what they count."""
    bare = noun.strip(_MARKUP + ")")
    if not bare:
        return mark not in ("=", "/") and "-" not in noun
    if not noun.startswith((" ", "*", "_", "%", "\u2009")) or mark in (":", "=", "/"):
        return False
    unit, unit_end = match_unit(bare, 0)
    if unit and unit_end == len(bare):
        return True
    if unit == "%" or words.is_fraction:
        return False
    if _OTHER_NUMBER.search(bare) or not set("+×÷*^<>≤≥±√π'").isdisjoint(bare):
        return False
    counted = [word.lower() for word in _WORD.findall(bare)]
    most = 1 if words.is_one else _MAX_NOUN_WORDS
    if not 0 < len(counted) <= most or any(map(_ORDINAL.fullmatch, counted)):
        return False
    return _NO_NOUNS.isdisjoint(counted)


def _is_same_in_digits(rest: str, words: WordNumber) -> bool:
    """Return whether number words and their rest give the same number in digits."""
    if words.is_fraction:
        return False
    reading = numbers.read_number(words.plain + _write_in_digits(rest))
    if reading is None or reading.plain is None:
        return False
    return numbers.parse_number(reading.plain) == words.value


def _write_in_digits(text: str) -> str:
    """Return a text with its number words in digits, except for the lone word "one"."""
    pieces = []
    at = 0
    for word in _WORD.finditer(text):
        if word.start() < at:
            continue
        number = match_number_words(text, word.start())
        if number is not None and not number.is_one:
            pieces += [text[at : word.start()], number.plain]
            at = number.end
    return "".join([*pieces, text[at:]])


def _check_note(value: ReadValue | None, view: str) -> ReadValue | None:
    """Take back a number in digits that words behind it contradict: "12 (thirteen)"."""
    if value is None or value.answer is None:
        return value
    other = _read_words_behind(view, value.end)
    if other is None or numbers.parse_number(value.answer) == other.value:
        return value
    return value._replace(answer=None)


def _read_words_behind(view: str, end: int) -> WordNumber | None:
    """Read the words that say a number in digits again: "(twelve)", "or twelve"."""
    if joiner := _OR_WORDS.match(view, end):
        words = match_number_words(view, joiner.end())
        return None if words is None or words.is_one else words
    found = _NOTE_BEHIND.match(view, end)
    if found is None:
        return None
    note = found["note"].strip(_MARKUP)
    words = match_number_words(note)
    return words if words is not None and words.end == len(note) else None

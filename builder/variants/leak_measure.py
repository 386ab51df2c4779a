"""Measure whether a text names the target or another option, by two rules.

The exact rule is `find_mentions`, which strip transforms leave nothing for. What they
leave is measured by a loose rule that shares no code with it and finds more: "shops"
and "shopping" for "shop", "a bank" for "river bank", "B" without punctuation, "twelve"
for 12. It also finds what names nothing, such as "no" in "has no legs". So it is an
upper bound, to compare variants by, not a count of leaks.
"""

import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from snowballstemmer.english_stemmer import EnglishStemmer

from cotbuild.builder.variants.transforms.leak import is_target_mention
from cotbuild.builder.variants.units import STOP_WORDS, cache_short_words
from cotbuild.schemas.answers.mentions import Mention, find_mentions
from cotbuild.schemas.question import Question, QuestionKind


class NamedAnswers(NamedTuple):
    """Which answers a text names."""

    target: bool
    other: bool
    """Another option; for yes_no the other of the two. Only these two kinds have any."""


_TOKEN = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?|[^\W\d_]+(?:['’][^\W\d_]+)*")
# "A" and "I" are words more often than letters.
_LETTER = re.compile(
    r"(?<![\w'’])(?:[B-HJ-Z](?![\w'’])|[AI](?= ?[^\w\s'’])|(?<=ption |hoice |nswer )[AI]\b)"
)
_UP_TO_TWENTY = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen twenty
"""
_NUMBER_WORDS = _UP_TO_TWENTY.split()
_YES_NO_WORDS = {"yes": {"yes", "true"}, "no": {"no", "false"}}


def find_named_answers(text: str, question: Question) -> NamedAnswers:
    """Apply the exact rule."""
    return sort_mentions(find_mentions(text, question), question)


def sort_mentions(mentions: Sequence[Mention], question: Question) -> NamedAnswers:
    """Return which answers the mentions of a text name, by the exact rule."""
    is_target = [is_target_mention(mention, question) for mention in mentions]
    return NamedAnswers(True in is_target, False in is_target)


def find_named_answers_loosely(text: str, question: Question) -> NamedAnswers:
    """Apply the loose rule, which depends on the kind of the question.

    choice, text: the text has at least half of the answer's own stems, in any order.
    These are the stems of its words without stop words that no other option has, or
    all of them if none is left. A choice is also named by its label, as a capital
    letter alone (A and I only before punctuation or after "option").

    number: the text has its digits, or its word up to twenty. yes_no: the text has one
    of the words yes, true, no, false. prose: nothing, as by the exact rule.
    """
    match question.kind:
        case QuestionKind.CHOICE:
            return _find_choices(text, question)
        case QuestionKind.TEXT:
            return _find_text(text, question)
        case QuestionKind.NUMBER:
            return _find_number(text, question)
        case QuestionKind.YES_NO:
            return _find_yes_no(text, question)
        case QuestionKind.PROSE:
            return NamedAnswers(False, False)


def _find_choices(text: str, question: Question) -> NamedAnswers:
    stems = _stems(text)
    letters = set(_LETTER.findall(text))
    options = {
        choice.label: choice.text.strip().casefold() for choice in question.choices
    }
    own_stems = _own_stems_of(tuple(options.values()))
    named = {
        option
        for label, option in options.items()
        if label in letters or _has_half(stems, own_stems[option])
    }
    target = options.get(question.target or "")
    return NamedAnswers(target in named, bool(named - {target}))


def _find_text(text: str, question: Question) -> NamedAnswers:
    stems = _stems(text)
    is_named = any(
        _has_half(stems, _answer_stems(target)) for target in question.targets
    )
    return NamedAnswers(is_named, False)


def _find_number(text: str, question: Question) -> NamedAnswers:
    value = _parse_decimal(question.target or "")
    if value is None:
        return NamedAnswers(False, False)
    for token in _tokens(text):
        if token in _NUMBER_WORDS:
            number: Decimal | int | None = _NUMBER_WORDS.index(token)
        else:
            number = _parse_decimal(token)
        if number == value:
            return NamedAnswers(True, False)
    return NamedAnswers(False, False)


def _find_yes_no(text: str, question: Question) -> NamedAnswers:
    tokens = _tokens(text)
    named = {answer for answer, words in _YES_NO_WORDS.items() if words & tokens}
    return NamedAnswers(question.target in named, bool(named - {question.target}))


@lru_cache(maxsize=1024)  # the samples of one question are adjacent
def _own_stems_of(options: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Return the stems that set each option apart from the others."""
    stems = {option: _answer_stems(option) for option in options}
    counts = Counter(stem for found in stems.values() for stem in found)
    own_stems = {}
    for option, found in stems.items():
        own = frozenset(stem for stem in found if counts[stem] == 1)
        own_stems[option] = own or found
    return own_stems


def _has_half(stems: frozenset[str], own_stems: frozenset[str]) -> bool:
    return bool(own_stems) and 2 * len(own_stems & stems) >= len(own_stems)


def _answer_stems(answer: str) -> frozenset[str]:
    """Return the stems without stop words, unless there are no others ("then")."""
    tokens = _tokens(answer)
    return frozenset(map(_stem, tokens - STOP_WORDS or tokens))


def _stems(text: str) -> frozenset[str]:
    # No token has white space in it, so those of a text are those of its words.
    return frozenset(chain.from_iterable(map(_stems_of_word, text.split())))


@cache_short_words  # measured: half the time, since most words occur again
def _stems_of_word(word: str) -> tuple[str, ...]:
    return tuple(map(_stem, _tokens(word)))


def _tokens(text: str) -> set[str]:
    return {token.lower() for token in _TOKEN.findall(text)}


# Not snowballstemmer.stemmer(), which uses another package if that is installed.
_ENGLISH = EnglishStemmer()


@cache_short_words  # measured: 30 µs a word, and a build has few words
def _stem(word: str) -> str:
    stem: str = _ENGLISH.stemWord(word.replace(",", "").replace("’", "'"))
    return stem


def _parse_decimal(number: str) -> Decimal | None:
    try:
        return Decimal(number.replace(",", ""))
    except InvalidOperation:
        return None

"""Whether a text names the target, or another option: by the stated rule, and by a
looser one written apart from it.

The stated rule is `find_mentions`. Stripping leaves nothing for it to find, so what is
left over is looked for by a rule that shares no code with it and sees more: "shops" and
"shopping" for "shop", "a bank" for "river bank", "B" with nothing around it, "twelve"
for 12. It also sees what is none, such as "no" in "has no legs": an upper bound, to
compare variants by, not a leak count.
"""

import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from snowballstemmer.english_stemmer import EnglishStemmer

from cotbuild.builder.variants.transforms.leak import is_target_mention
from cotbuild.builder.variants.transforms.units import STOP_WORDS
from cotbuild.schemas.answers.mentions import find_mentions
from cotbuild.schemas.question import Question, QuestionKind

Named = tuple[bool, bool]
"""Whether the target is named, and whether another option is (for yes_no: the other of
the two).
"""

_TOKEN = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?|[^\W\d_]+(?:['’][^\W\d_]+)*")
# "A" and "I" are words more often than letters.
_LETTER = re.compile(
    r"(?<![\w'’])(?:[B-HJ-Z](?![\w'’])|[AI](?= ?[^\w\s'’])|(?<=ption |hoice |nswer )[AI]\b)"
)
_NUMBERS = [
    *(
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
    ),
    *(
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
    ),
]


def names(text: str, question: Question) -> Named:
    """By the stated rule."""
    targets = [
        is_target_mention(mention, question)
        for mention in find_mentions(text, question)
    ]
    return True in targets, False in targets


def names_loosely(text: str, question: Question) -> Named:
    """By the looser rule.

    choice, text: at least half of an answer's own stems stand in the text, in any
    order. Its own are the stems of its words, stop words apart, that no other option
    has (all of them, if none is left); or the choice's letter stands alone, as a
    capital (A and I: before a mark, or behind "option"). number: its digits inside
    anything, or its word up to twenty. yes_no: one of yes, true, no, false. Only choice
    and yes_no have other options.
    """
    return _RULES[question.kind](text, question)


def _choice(text: str, question: Question) -> Named:
    found = _stems(text)
    letters = set(_LETTER.findall(text))
    options = [
        (choice.label, choice.text.strip().casefold()) for choice in question.choices
    ]
    own = _own(tuple(option for _, option in options))
    named = {
        option
        for label, option in options
        if label in letters or _half(own[option], found)
    }
    target = dict(options).get(question.target or "")
    return target in named, bool(named - {target})


def _text(text: str, question: Question) -> Named:
    found = _stems(text)
    return any(_half(_own_stems(target), found) for target in question.targets), False


def _number(text: str, question: Question) -> Named:
    value = _decimal(question.target or "")
    numbers = (
        _NUMBERS.index(token) if token in _NUMBERS else _decimal(token)
        for token in _tokens(text)
    )
    return value is not None and value in numbers, False


def _yes_no(text: str, question: Question) -> Named:
    tokens = _tokens(text)
    named = {answer for answer, said in _SAID.items() if said & tokens}
    return question.target in named, bool(named - {question.target})


_RULES = {
    QuestionKind.CHOICE: _choice,
    QuestionKind.TEXT: _text,
    QuestionKind.NUMBER: _number,
    QuestionKind.YES_NO: _yes_no,
}
_SAID = {"yes": {"yes", "true"}, "no": {"no", "false"}}


@lru_cache(maxsize=1024)  # the samples of one question come one after the other
def _own(options: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Option → the stems that tell it from the others."""
    stems = {option: _own_stems(option) for option in options}
    times = Counter(stem for option in stems.values() for stem in option)
    return {
        option: frozenset(stem for stem in found if times[stem] == 1) or found
        for option, found in stems.items()
    }


def _half(own: frozenset[str], found: frozenset[str]) -> bool:
    return bool(own) and 2 * len(own & found) >= len(own)


def _own_stems(answer: str) -> frozenset[str]:
    """Without stop words, unless it has no others: "then", "may"."""
    tokens = _tokens(answer)
    return frozenset(map(_stem, tokens - STOP_WORDS or tokens))


def _stems(text: str) -> frozenset[str]:
    return frozenset(map(_stem, _tokens(text)))


def _tokens(text: str) -> set[str]:
    return {token.lower() for token in _TOKEN.findall(text)}


@lru_cache(
    maxsize=1 << 16
)  # *measured*: 30 µs a word, and a build has few different ones
def _stem(word: str) -> str:
    stem: str = _ENGLISH.stemWord(word.replace(",", "").replace("’", "'"))
    return stem


_ENGLISH = EnglishStemmer()  # not snowballstemmer.stemmer(), which takes another package's where that is installed


def _decimal(number: str) -> Decimal | None:
    try:
        return Decimal(number.replace(",", ""))
    except InvalidOperation:
        return None

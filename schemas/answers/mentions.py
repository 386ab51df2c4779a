"""Find where a text names an option of its question, or its target. Pure.

A mention is an option's words at word borders (anywhere in a script without spaces
between words, such as Chinese), in any case, or its letter in an answer context: "(B)",
"B:", "B)", "option B", "answer is B", "B is correct"; never the article "A". For
questions without choices it is the target's words, its value in plain digits (see
`plain_numbers`; fewer notations than an answer may have), or yes and no if they are given
as an answer. Offsets are into the text as given.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import table_of_options
from cotbuild.schemas.answers.long_names import (
    GAP,
    WORD,
    find_long_name,
    is_border,
    is_unspaced,
)
from cotbuild.schemas.answers.numbers import parse_number
from cotbuild.schemas.answers.plain_numbers import PLAIN_NUMBER, SCALE, plain_number
from cotbuild.schemas.answers.scripts import UNSPACED
from cotbuild.schemas.question import Question, QuestionKind


class Mention(NamedTuple):
    """One place that names an answer."""

    start: int
    end: int
    label: str
    """Of the first choice with that text; yes or no; the target of other questions."""


class _Name(NamedTuple):
    """The words of an answer.

    A compiled pattern would cost 80 µs an option, and most questions are read once.
    """

    label: str
    first: str
    """Its first word."""
    rest: tuple[tuple[str, str], ...]
    """Its other words, each with what the option itself has before it."""
    has_article: bool
    """Whether an article before the words belongs to them."""


class _Place(NamedTuple):
    """A place that may be a mention; of two that overlap only one is."""

    start: int
    end: int
    label: str
    has_article: bool = False
    """Whether an article before it belongs to it."""


MAX_NAME_WORDS = 32
"""Words of an answer that are looked for at every place of a text; `long_names` finds
longer ones.
"""
_MANY_OPTIONS = 32

_EDGE = " \n.,;:!?\"'()[]*"
# What no word or number ends within; see `is_border`.
_UNBROKEN = re.compile(rf"(?:[^\W_{UNSPACED}]+|(?<=\d)[.,:/](?=\d))++")
_ALNUM = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")
_COMMON = frozenset((*p.ARTICLES, "i"))  # an option "A" is found by its letter alone
_ARTICLE = re.compile(r"(?:a|an|the)[ \n]+(?=\S)")
_ARTICLE_BEFORE = re.compile(r"(?<![^\W_])(?:a|an|the)[ \n]{1,2}\Z")

# Contexts in which a letter names an option, if it is one of the question's labels.
_BRACKETED = re.compile(
    # One set of characters first, which is searched for in a seventh of the time.
    r"[(\[{*](?:(?<!\*)|(?<=(?<![\w)])\*))\*?([^\W_]{1,2})\*?[)\]}*]"
)
_CLOSED = re.compile(r"[):.](?<=(?<![\w'(\[{.*°])([^\W_]).)")
_CUE = re.compile(
    r"(?:option|choice|answer)s?(?: (?:is|was|are|must be|would be|should be|could be))?[ :]{1,2}"
    r"[*_\"'(\[{$<]{0,3}(?:(?:either|both|option|choice) )?([^\W_]{1,2})(?![\w'-])"
)
_NEXT = re.compile(
    r"[)\]}*_\"']{0,3}(?:,? (?:and|or|nor)|,|/|&) ?[(\[{*_\"']{0,3}([^\W_]{1,2})(?![\w'-])"
)
_IS_ONE = re.compile(
    r" is (?<=(?<![\w'])([A-Z]) is )(?:clearly |definitely |not )?(?:the )?(?:most |only )?"
    r"(?:in)?(?:correct|wrong|best|right|accurate|likely|logical|appropriate|suitable)\b"
)

# "no" is a common word: yes and no count if they open a sentence, are in quotes or
# emphasis, or follow "answer is".
_YES_NO = re.compile(
    r"(?:(?:\A|[.!?\n]|\bso|\bthus|\btherefore|\bhence|answers?(?:[ :]| is| was"
    r"| would be| must be| should be)?)"
    r"[ ,:*_\"'(]{0,4}|[*\"'(])(yes|no|true|false)(?=[ *_\"')]{0,3}(?:[.,;:!)*\"'\n]|\Z"
    r"|because\b|since\b))"
)


def find_mentions(text: str, question: Question) -> tuple[Mention, ...]:
    """Return the mentions in order, without overlaps.

    Of two that overlap the longer one counts, then the earlier. An answer in prose is
    longer than a mention: its words are the subject of the rationale.
    """
    view = p.fold(text)
    low = view.lower()
    places = sorted(_FINDERS[question.kind](view, low, question), key=_longest_first)
    if not places:
        return ()
    taken = bytearray(len(text))
    mentions = []
    for start, end, label, has_article in places:
        if any(taken[start:end]):
            continue
        if has_article:
            start = _include_article(low, start, taken)
        taken[start:end] = b"\1" * (end - start)
        mentions.append(Mention(start, end, label))
    return tuple(sorted(mentions))


def names_target(text: str, question: Question) -> bool:
    """Return whether `text` mentions the target, under any letter that has its text."""
    if question.target is None:
        return False
    target = _first_labels(question.options).get(question.target, question.target)
    return any(mention.label == target for mention in find_mentions(text, question))


def _longest_first(place: _Place) -> tuple[int, int, str]:
    return place.start - place.end, place.start, place.label


def _include_article(low: str, start: int, taken: bytearray) -> int:
    """Return where the article before `start` begins, if it is free."""
    article = _ARTICLE_BEFORE.search(low, max(0, start - 6), start)
    if article is None or any(taken[article.start() : start]):
        return start
    return article.start()


# --- words ---


def _find_name(low: str, name: _Name) -> Iterator[_Place]:
    """Yield the places of an answer's words."""
    if not name.rest and name.first in _COMMON:
        return
    if len(name.rest) >= MAX_NAME_WORDS:
        for long_start, long_end in find_long_name(low, name.first, name.rest):
            yield _Place(long_start, long_end, name.label, name.has_article)
        return
    start = low.find(name.first)
    while start >= 0:
        end = _name_end(name, low, start)
        if end is not None:
            yield _Place(start, end, name.label, name.has_article)
        if unbroken := _UNBROKEN.match(low, start):
            following = unbroken.end()
        elif end is not None and is_unspaced(low[start]):
            following = end  # else time would grow with the square of a repetition
        else:
            following = start + 1
        start = low.find(name.first, following)


def _name_end(name: _Name, low: str, start: int) -> int | None:
    """Return the end of the words, if they are all at `start`."""
    if not is_border(low, start):
        return None
    end = start + len(name.first)
    for own_gap, word in name.rest:
        gap = GAP.match(low, end)
        if gap and low.startswith(word, gap.end()):
            end = gap.end() + len(word)
        elif low.startswith(own_gap + word, end):
            end += len(own_gap) + len(word)
        else:
            return None
    return end if is_border(low, end) else None


@lru_cache(maxsize=1024)  # the samples of one question come one after the other
def _name(label: str, text: str) -> _Name:
    low = p.fold(text).lower().strip(_EDGE) or text.strip().lower()
    article = _ARTICLE.match(low)
    low = low[article.end() :] if article else low
    if low.replace(" ", "").isalpha():  # nearly all, in a third of the time
        first, *others = low.split()
        return _Name(label, first, tuple((" ", word) for word in others), bool(article))
    words = list(WORD.finditer(low))
    if not words:
        return _Name(label, low, (), has_article=False)
    rest = [
        (low[before.end() : word.start()], word[0])
        for before, word in itertools.pairwise(words)
    ]
    if tail := low[words[-1].end() :]:
        rest.append(("", tail))  # C++
    return _Name(label, low[: words[0].end()], tuple(rest), bool(article))


def _first_labels(choices: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return for each label the first one with the same option text."""
    firsts: dict[str, str] = {}
    texts = table_of_options(choices).texts if choices else {}
    return {label: firsts.setdefault(text, label) for label, text in texts.items()}


# --- one finder for each kind of question ---


class _Option(NamedTuple):
    """An option as it is looked for."""

    name: _Name
    words: tuple[str, ...]
    """The words without which a text does not name it; only ASCII ones are compared."""


class _Options(NamedTuple):
    """The choices of a question as they are looked for."""

    different: tuple[_Option, ...]
    labels: dict[str, str]
    """Case-folded label to the first label with the same option text."""


@lru_cache(maxsize=256)  # the samples of one question come one after the other
def _options(choices: tuple[tuple[str, str], ...]) -> _Options:
    table, firsts = table_of_options(choices), _first_labels(choices)
    different: dict[_Option, None] = {}
    for label, text in choices:
        words = filter(str.isascii, table.words[label][:MAX_NAME_WORDS])
        different[_Option(_name(firsts[label], text), tuple(words))] = None
    labels = {form: firsts[label] for form, label in table.labels.items()}
    return _Options(tuple(different), labels)


def _find_in_choice(view: str, low: str, question: Question) -> Iterator[_Place]:
    options = _options(question.options)
    if len(question.choices) > _MANY_OPTIONS:
        index = _WordIndex(low)
        for option in options.different:
            yield from index.find_name(low, option.name)
    else:
        for option in options.different:
            # An option is worth a closer look if the text has its words: one in five.
            for word in option.words:
                if word not in low:
                    break
            else:
                yield from _find_name(low, option.name)
    for start, end, letter in _find_letters(view, low):
        if label := options.labels.get(letter.casefold()):
            yield _Place(start, end, label)


class _WordIndex:
    """Where each word of a text is: with many options, each is looked for at its rarest
    word, so that those which begin alike do not each take the time of the text.
    """

    def __init__(self, low: str) -> None:
        self._starts: list[int] = []
        self._numbers: dict[str, list[int]] = {}
        for number, word in enumerate(_ALNUM.finditer(low)):
            self._starts.append(word.start())
            self._numbers.setdefault(word[0], []).append(number)

    def find_name(self, low: str, name: _Name) -> Iterator[_Place]:
        """Yield the same places as `_find_name`."""
        words = [name.first, *(word for _, word in name.rest)]
        is_long = len(words) > MAX_NAME_WORDS
        are_apart = all(gap for gap, _ in name.rest)  # unlike the "3" and "rd" of "3rd"
        are_words = are_apart and all(map(_is_one_word, words))
        if is_long or words[0] in _COMMON or not are_words:
            yield from _find_name(low, name)
            return
        numbers = [self._numbers.get(word, []) for word in words]
        rarest = min(range(len(words)), key=lambda at: len(numbers[at]))
        for number in numbers[rarest]:
            if number < rarest:
                continue
            start = self._starts[number - rarest]
            end = (
                _name_end(name, low, start) if low.startswith(words[0], start) else None
            )
            if end:
                yield _Place(start, end, name.label, name.has_article)


def _is_one_word(word: str) -> bool:
    """Return whether `_ALNUM` finds a word of a name whole."""
    return word.isalnum() and not is_unspaced(word)


def _find_letters(view: str, low: str) -> Iterator[tuple[int, int, str]]:
    """Yield every place where a letter would name a choice.

    With its brackets, if it is in any. A pattern is tried only where the text has the
    characters that it needs: most texts have none of them.
    """
    has_bracket = ")" in view
    if has_bracket or "]" in view or "}" in view or "*" in view:
        for found in _BRACKETED.finditer(view):
            yield *found.span(), found[1]
    # A full stop ends an item of a list, which opens a line.
    may_close = has_bracket or ":" in view or "\n" in view or view[1:2] == "."
    for found in _CLOSED.finditer(view) if may_close else ():
        start, end = found.span(1)
        is_item = found[0] == ":" or _is_list_item(view, start, found.end())
        if found[0] == ")" and found[1].isalpha():  # "1) First …" counts steps
            yield start, end + 1, found[1]
        elif found[1].isupper() and is_item:
            yield start, end, found[1]
    if " is " in view:
        for found in _IS_ONE.finditer(view):
            yield *found.span(1), found[1]
    if "option" in low or "choice" in low or "answer" in low:
        for cue in _CUE.finditer(low):
            yield from _find_joined_letters(view, cue)


def _is_list_item(view: str, start: int, end: int) -> bool:
    """Return whether "B." opens a line, as an item of a list does."""
    opens_line = view[max(0, start - 1) : start] in ("", "\n")
    return opens_line and view[end : end + 1] in (" ", "\n", "*")


def _find_joined_letters(
    view: str, found: re.Match[str] | None
) -> Iterator[tuple[int, int, str]]:
    """Yield the letter after a cue and those joined to it: "options B and C"."""
    while found and not _is_word(view, *found.span(1)):
        yield *found.span(1), view[found.start(1) : found.end(1)]
        found = _NEXT.match(view, found.end(1))


def _is_word(view: str, start: int, end: int) -> bool:
    """Return whether the letter is an article or a pronoun.

    As in "the answer is A rock" and "an option I have".
    """
    if view[start:end] not in ("a", "A", "i", "I") or p.AFTER_LETTER.match(view, end):
        return False
    before = view[max(0, start - 8) : start].lower()
    if not before.endswith(("option ", "options ", "choice ", "choices ")):
        return True
    return view[start] != "A" and not view.startswith(" is ", end)


def _find_in_number(view: str, low: str, question: Question) -> Iterator[_Place]:  # noqa: ARG001
    if question.target is None:
        return
    value = parse_number(question.target)
    if value is None:
        return
    digits = _significant_digits(question.target)
    for found in PLAIN_NUMBER.finditer(view):
        # Nine in ten numbers of a rationale are ruled out by their digits alone.
        if not found["rest"] and _significant_digits(found[0]) != digits:
            continue
        if parse_number(plain_number(found)) == value:
            scale = SCALE.match(view, found.end())
            end = scale.end() if scale else found.end()
            yield _Place(found.start(), end, question.target)


def _significant_digits(number: str) -> str:
    """Return the digits that 1,200 and 1200.00 have in common."""
    return "".join(filter(str.isdigit, number)).strip("0")


def _find_in_yes_no(view: str, low: str, question: Question) -> Iterator[_Place]:  # noqa: ARG001
    for found in _YES_NO.finditer(low):
        yield _Place(*found.span(1), "yes" if found[1] in ("yes", "true") else "no")


def _find_in_text(view: str, low: str, question: Question) -> Iterator[_Place]:  # noqa: ARG001
    for target in question.targets:
        yield from _find_name(low, _name(question.targets[0], target))


def _find_in_prose(view: str, low: str, question: Question) -> Iterator[_Place]:  # noqa: ARG001
    yield from ()


_FINDERS: dict[QuestionKind, Callable[[str, str, Question], Iterator[_Place]]] = {
    QuestionKind.CHOICE: _find_in_choice,
    QuestionKind.YES_NO: _find_in_yes_no,
    QuestionKind.NUMBER: _find_in_number,
    QuestionKind.TEXT: _find_in_text,
    QuestionKind.PROSE: _find_in_prose,
}

"""Where a text names an option of its question, or its target. Pure; offsets are into
the text as given.

A mention is the option's words at word borders, whatever their case, or its letter in
an answer context: "(B)", "B:", "B)", "option B", "answer is B", "B is correct"; never
the article "A". Of questions without choices: the target's words, its value however the
number is written in digits, or yes and no where they stand as an answer.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import option_table, parse_number
from cotbuild.schemas.answers.readers import plain_number
from cotbuild.schemas.question import Question, QuestionKind


class Mention(NamedTuple):
    """One place that names an answer."""

    start: int
    end: int
    label: str  # the first choice of that text; yes or no; the target of a number or text question


class _Name(NamedTuple):
    """An answer's words.

    A compiled pattern would cost 80 µs an option, and most questions are read once.
    """

    label: str
    first: str  # that every place of it begins with
    rest: tuple[tuple[str, str], ...]  # (what the option itself has before it, word)
    article: bool  # whether an article before the words belongs to them


_Place = tuple[
    int, int, str, bool
]  # start, end, label, whether an article before it belongs to it

_EDGE = " \n.,;:!?\"'()[]*"
_WORD = re.compile(r"\d+(?:[.,:/]\d+)*|[^\W_]+")
_GAP = re.compile(
    r"[ \n'\"*_-]{1,4}"
)  # between two words: "pet, shop" and "pet. Shop" are no "pet shop"
_COMMON = frozenset((*p.ARTICLES, "i"))  # an option "A" is found by its letter alone
_ARTICLE = re.compile(r"(?:a|an|the)[ \n]+(?=\S)")
_ARTICLE_BEFORE = re.compile(r"(?<![^\W_])(?:a|an|the)[ \n]{1,2}\Z")

# Letters are looked up among the question's labels; these say where one may stand.
_BRACKETED = re.compile(r"(?:[(\[{]|(?<![\w)])\*)\*?([^\W_]{1,2})\*?[)\]}*]")
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

# "no" is a common word: yes and no count where they open a sentence, stand in marks, or
# follow "answer is".
_YES_NO = re.compile(
    r"(?:(?:\A|[.!?\n]|\bso|\bthus|\btherefore|\bhence|answers?(?:[ :]| is| was| would be| must be| should be)?)"
    r"[ ,:*_\"'(]{0,4}|[*\"'(])(yes|no|true|false)(?=[ *_\"')]{0,3}(?:[.,;:!)*\"'\n]|\Z|because\b|since\b))"
)


def find_mentions(text: str, question: Question) -> tuple[Mention, ...]:
    """The mentions in order, none over another; of two that overlap the longer one,
    then the earlier.
    """
    view = p.fold(text)
    low = view.lower()
    places = sorted(_FINDERS[question.kind](view, low, question), key=_longest_first)
    taken = bytearray(len(text))
    mentions = []
    for start, end, label, article in places:
        if any(taken[start:end]):
            continue
        if article and (
            before := _ARTICLE_BEFORE.search(low, max(0, start - 6), start)
        ):
            start = start if any(taken[before.start() : start]) else before.start()
        taken[start:end] = b"\1" * (end - start)
        mentions.append(Mention(start, end, label))
    return tuple(sorted(mentions))


def names_target(text: str, question: Question) -> bool:
    """Whether a mention in `text` is one of the target, under any letter that has its
    text.
    """
    if question.target is None:
        return False
    target = _first_labels(question).get(question.target, question.target)
    return any(mention.label == target for mention in find_mentions(text, question))


def _longest_first(place: _Place) -> tuple[int, int, str]:
    return place[0] - place[1], place[0], place[2]


# --- words ---


def _places(low: str, name: _Name) -> Iterator[_Place]:
    at = low.find(name.first) if name.rest or name.first not in _COMMON else -1
    while at >= 0:
        if end := _end_of(name, low, at):
            yield at, end, name.label, name.article
        at = low.find(name.first, at + 1)


def _end_of(name: _Name, low: str, at: int) -> int | None:
    """The offset behind the words, if they stand at `at`."""
    if not _border(low, at):
        return None
    end = at + len(name.first)
    for own, word in name.rest:
        gap = _GAP.match(low, end)
        if gap and low.startswith(word, gap.end()):
            end = gap.end() + len(word)
        elif low.startswith(own + word, end):
            end += len(own) + len(word)
        else:
            return None
    return end if _border(low, end) else None


def _border(low: str, at: int) -> bool:
    """Whether a word, or a number such as 1.5 or 3:30, does not go on over `at`."""
    before, after = low[at - 1 : at] if at else "", low[at : at + 1]
    if before.isalnum() and after.isalnum():
        return False
    if before.isdigit() and after and after in ".,:/":
        return not low[at + 1 : at + 2].isdigit()
    if before and before in ".,:/" and after.isdigit():
        return not low[max(0, at - 2) : at - 1].isdigit()
    return True


@lru_cache(maxsize=1024)  # the samples of one question come one after the other
def _name(label: str, text: str) -> _Name:
    low = p.fold(text).lower().strip(_EDGE) or text.strip().lower()
    article = _ARTICLE.match(low)
    low = low[article.end() :] if article else low
    if low.replace(" ", "").isalpha():  # nearly all, in a third of the time
        first, *others = low.split()
        return _Name(label, first, tuple((" ", word) for word in others), bool(article))
    words = list(_WORD.finditer(low))
    if not words:
        return _Name(label, low, (), False)
    rest = [
        (low[before.end() : word.start()], word[0])
        for before, word in itertools.pairwise(words)
    ]
    if tail := low[words[-1].end() :]:
        rest.append(("", tail))  # C++
    return _Name(label, low[: words[0].end()], tuple(rest), bool(article))


def _first_labels(question: Question) -> dict[str, str]:
    """Label → the first label with the same text."""
    firsts: dict[str, str] = {}
    texts = option_table(question).texts if question.choices else {}
    return {label: firsts.setdefault(text, label) for label, text in texts.items()}


# --- one finder a kind ---


def _in_choice(view: str, low: str, question: Question) -> Iterator[_Place]:
    options, firsts = option_table(question), _first_labels(question)
    for choice in question.choices:
        words = options.words[choice.label]
        if words and all(
            word in low or not word.isascii() for word in words
        ):  # one in five is worth a closer look
            yield from _places(low, _name(firsts[choice.label], choice.text))
    for start, end, letter in _letters(view, low):
        if label := options.labels.get(letter.casefold()):
            yield start, end, firsts[label], False


def _letters(view: str, low: str) -> Iterator[tuple[int, int, str]]:
    """Every place where a letter would name a choice: with its brackets, else alone."""
    for found in _BRACKETED.finditer(view):
        yield *found.span(), found[1]
    for found in _CLOSED.finditer(view):
        start, end = found.span(1)
        if found[0] == ")" and found[1].isalpha():  # "1) First …" counts steps
            yield start, end + 1, found[1]
        elif found[1].isupper() and (
            found[0] == ":" or _lists(view, start, found.end())
        ):
            yield start, end, found[1]
    for found in _IS_ONE.finditer(view):
        yield *found.span(1), found[1]
    if any(word in low for word in ("option", "choice", "answer")):
        for cue in _CUE.finditer(low):
            yield from _series(view, cue)


def _lists(view: str, start: int, end: int) -> bool:
    """Whether "B." opens a line, as an item of a list does."""
    return view[max(0, start - 1) : start] in ("", "\n") and view[end : end + 1] in (
        " ",
        "\n",
        "*",
    )


def _series(view: str, found: re.Match[str] | None) -> Iterator[tuple[int, int, str]]:
    """The letter behind a cue and those joined to it: "options B and C"."""
    while found and not _is_word(view, *found.span(1)):
        yield *found.span(1), view[found.start(1) : found.end(1)]
        found = _NEXT.match(view, found.end(1))


def _is_word(view: str, start: int, end: int) -> bool:
    """Whether the letter is an article or a pronoun: "the answer is A rock", "an option
    I have".
    """
    if view[start:end] not in ("a", "A", "i", "I") or p.AFTER_LETTER.match(view, end):
        return False
    named = (
        view[max(0, start - 8) : start]
        .lower()
        .endswith(("option ", "options ", "choice ", "choices "))
    )
    return not (named and (view[start] == "A" or view.startswith(" is ", end)))


def _in_number(view: str, low: str, question: Question) -> Iterator[_Place]:  # noqa: ARG001
    value = None if question.target is None else parse_number(question.target)
    digits = _significant(str(question.target))
    for found in p.NUMBER.finditer(view) if value is not None else ():
        if (found["rest"] or _significant(found[0]) == digits) and parse_number(
            plain_number(found)
        ) == value:
            scale = p.SCALE.match(view, found.end())
            yield (
                found.start(),
                scale.end() if scale else found.end(),
                str(question.target),
                False,
            )


def _significant(number: str) -> str:
    """The digits that 1,200 and 1200.00 share: nine in ten numbers of a chain are told
    apart by them.
    """
    return "".join(filter(str.isdigit, number)).strip("0")


def _in_yes_no(view: str, low: str, question: Question) -> Iterator[_Place]:  # noqa: ARG001
    for found in _YES_NO.finditer(low):
        yield *found.span(1), "yes" if found[1] in ("yes", "true") else "no", False


def _in_text(view: str, low: str, question: Question) -> Iterator[_Place]:  # noqa: ARG001
    for target in question.targets:
        yield from _places(low, _name(question.targets[0], target))


_FINDERS: dict[QuestionKind, Callable[[str, str, Question], Iterator[_Place]]] = {
    QuestionKind.CHOICE: _in_choice,
    QuestionKind.YES_NO: _in_yes_no,
    QuestionKind.NUMBER: _in_number,
    QuestionKind.TEXT: _in_text,
}

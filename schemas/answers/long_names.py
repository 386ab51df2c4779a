"""Find answers of many words in a text, in linear time. Pure.

Comparing word by word from every place would take quadratic time where an answer and a
text repeat the same words.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple
from unicodedata import category

from cotbuild.schemas.answers.scripts import UNSPACED

# Between two words: "pet, shop" and "pet. Shop" are no "pet shop".
GAP = re.compile(r"[ \n'\"*_-]{1,4}")
_UNSPACED = re.compile(f"[{UNSPACED}]")
WORD = re.compile(r"\d+(?:[.,:/]\d+)*|[^\W_]+")


def is_border(low: str, at: int) -> bool:
    """Return whether no word, and no number such as 1.5 or 3:30, continues over `at`.

    In a script without spaces between words every letter, with its marks, may be one.
    """
    before, after = low[at - 1 : at] if at else "", low[at : at + 1]
    if before.isalnum() and after.isalnum():
        return is_unspaced(before) or is_unspaced(after)
    if is_unspaced(after) and category(after).startswith("M"):
        return False
    if before.isdigit() and after and after in ".,:/":
        return not low[at + 1 : at + 2].isdigit()
    if before and before in ".,:/" and after.isdigit():
        return not low[max(0, at - 2) : at - 1].isdigit()
    return True


def is_unspaced(text: str) -> bool:
    """Return whether a text has a character of a script without spaces between words."""
    return not text.isascii() and _UNSPACED.search(text) is not None


class _Name(NamedTuple):
    """A name as words, and what it has around and between them."""

    before: str
    words: list[str]
    gaps: list[str]
    """Before each word but the first."""
    after: str


class _TextWords(NamedTuple):
    """The words of a text, where they start and where they end."""

    words: list[str]
    starts: list[int]
    ends: list[int]


def find_long_name(
    low: str, first: str, rest: Sequence[tuple[str, str]]
) -> Iterator[tuple[int, int]]:
    """Yield start and end of the places of a name in a text, without overlaps.

    `first` is its first word with the marks before it. `rest` holds its other words,
    each with what the name itself has before it; the last may be marks alone.
    """
    name = _split_name(first, rest)
    if name is None:
        return
    text = _split_words(low)
    next_word = 0
    for number in _find_runs(text.words, name.words):
        last = number + len(name.words) - 1
        start = text.starts[number] - len(name.before)
        end = text.ends[last] + len(name.after)
        if number < next_word or not _fits_around(low, start, end, name):
            continue
        next_word = number + _count_fitting(low, text, number, name)
        if next_word > last:
            yield start, end


def _split_name(first: str, rest: Sequence[tuple[str, str]]) -> _Name | None:
    head = WORD.search(first)
    if head is None:
        return None
    others, after = list(rest), ""
    if others and WORD.match(others[-1][1]) is None:
        after = "".join(others.pop())
    return _Name(
        before=first[: head.start()],
        words=[head[0], *(word for _, word in others)],
        gaps=[gap for gap, _ in others],
        after=after,
    )


@lru_cache(maxsize=1)  # the long names of one question are looked for in the same text
def _split_words(low: str) -> _TextWords:
    found = list(WORD.finditer(low))
    return _TextWords(
        words=[word[0] for word in found],
        starts=[word.start() for word in found],
        ends=[word.end() for word in found],
    )


def _find_runs(words: Sequence[str], run: Sequence[str]) -> Iterator[int]:
    """Yield where `run` begins in `words`, by the method of Knuth, Morris and Pratt."""
    shorter = _shorter_runs(run)
    num_equal = 0
    for number, word in enumerate(words):
        while num_equal and (num_equal == len(run) or run[num_equal] != word):
            num_equal = shorter[num_equal - 1]
        if run[num_equal] == word:
            num_equal += 1
        if num_equal == len(run):
            yield number - len(run) + 1


def _shorter_runs(run: Sequence[str]) -> list[int]:
    """Return for each prefix of `run` the length of the next one that it ends in."""
    lengths = [0] * len(run)
    length = 0
    for number in range(1, len(run)):
        while length and run[length] != run[number]:
            length = lengths[length - 1]
        if run[length] == run[number]:
            length += 1
        lengths[number] = length
    return lengths


def _fits_around(low: str, start: int, end: int, name: _Name) -> bool:
    """Return whether the text from `start` to `end` begins and ends as the name does."""
    return (
        start >= 0
        and low.startswith(name.before, start)
        and low.startswith(name.after, end - len(name.after))
        and is_border(low, start)
        and is_border(low, end)
    )


def _count_fitting(low: str, text: _TextWords, number: int, name: _Name) -> int:
    """Return how many words from `number` on have a gap of the name's before them.

    The first needs none.
    """
    for count, own_gap in enumerate(name.gaps, start=1):
        start, end = text.ends[number + count - 1], text.starts[number + count]
        is_own = end - start == len(own_gap) and low.startswith(own_gap, start)
        if not is_own and GAP.fullmatch(low, start, end) is None:
            return count
    return len(name.words)

"""Find the words that two texts share, in order. Pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

MAX_EQUAL_PAIRS = 200_000
"""Pairs of equal words up to which two texts are compared closely: two of 4,000 words
of English have fewer. The time grows with the pairs, so with the square of the length.
"""


class Block(NamedTuple):
    """Words of either text that stand in the same place."""

    first: Sequence[str]
    second: Sequence[str]
    differs: bool


class WordMatch(NamedTuple):
    """The positions of a word, or of its first character, in two texts."""

    first: int
    second: int


def align_words(first: Sequence[str], second: Sequence[str]) -> Iterator[Block]:
    """Yield the blocks of two texts, equal ones and different ones, in order.

    Beyond MAX_EQUAL_PAIRS texts are compared in linear time: what follows or precedes
    a word that each text has once, in the same order, and the same beginning and end.
    """
    if _count_equal_pairs(first, second) > MAX_EQUAL_PAIRS:
        yield from _align_at_unique_words(first, second)
        return
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    for tag, start, end, second_start, second_end in matcher.get_opcodes():
        yield Block(first[start:end], second[second_start:second_end], tag != "equal")


def _count_equal_pairs(first: Sequence[str], second: Sequence[str]) -> int:
    counts = Counter(second)
    return sum(count * counts[word] for word, count in Counter(first).items())


def _align_at_unique_words(
    first: Sequence[str], second: Sequence[str]
) -> Iterator[Block]:
    end = WordMatch(len(first), len(second))
    first_start = second_start = 0
    for match in [*_find_unique_matches(first, second), end]:
        if match.first < first_start or match.second < second_start:
            continue  # it belongs to the equal words after an earlier match
        yield from _align_between(
            first[first_start : match.first], second[second_start : match.second]
        )
        num_equal = _count_equal(first, second, match)
        first_start, second_start = match.first + num_equal, match.second + num_equal
        if num_equal:
            equal = first[match.first : first_start]
            yield Block(equal, equal, differs=False)


def _find_unique_matches(
    first: Sequence[str], second: Sequence[str]
) -> list[WordMatch]:
    """Return the words that each text has once: the most that are in the same order."""
    first_counts, second_counts = Counter(first), Counter(second)
    positions = {
        word: position
        for position, word in enumerate(second)
        if second_counts[word] == 1
    }
    matches = [
        WordMatch(position, positions[word])
        for position, word in enumerate(first)
        if first_counts[word] == 1 and word in positions
    ]
    return longest_increasing(matches)


def longest_increasing(matches: Sequence[WordMatch]) -> list[WordMatch]:
    """Return the longest series of matches that is in order in the second text too."""
    # By length of a series: the lowest position in the second text that one ends in.
    ends: list[int] = []
    last: list[int] = []
    previous: list[int] = []
    for number, match in enumerate(matches):
        length = bisect_left(ends, match.second)
        previous.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [match.second]
        last[length : length + 1] = [number]
    series = []
    number = last[-1] if last else -1
    while number >= 0:
        series.append(matches[number])
        number = previous[number]
    return series[::-1]


def _count_equal(first: Sequence[str], second: Sequence[str], start: WordMatch) -> int:
    """Return how many words are equal from `start` on."""
    longest = min(len(first) - start.first, len(second) - start.second)
    for number in range(longest):
        if first[start.first + number] != second[start.second + number]:
            return number
    return longest


def _align_between(first: Sequence[str], second: Sequence[str]) -> Iterator[Block]:
    """Yield an equal beginning, what differs, and an equal end."""
    num_before = _count_equal(first, second, WordMatch(0, 0))
    first_rest, second_rest = first[num_before:], second[num_before:]
    num_after = _count_equal(first_rest[::-1], second_rest[::-1], WordMatch(0, 0))
    first_end, second_end = len(first) - num_after, len(second) - num_after
    blocks = [
        Block(first[:num_before], second[:num_before], differs=False),
        Block(first[num_before:first_end], second[num_before:second_end], differs=True),
        Block(first[first_end:], second[second_end:], differs=False),
    ]
    yield from (block for block in blocks if block.first or block.second)

"""What a variant did to the words of a rationale, as segments of text with marks. Pure.

The segments hold both texts: joined without what was added they are the text before,
joined without what was removed the text after.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import Literal

from cotbuild.builder.variants.align import WordMatch, align_words, longest_increasing
from cotbuild.builder.variants.provenance import Fragment
from cotbuild.builder.variants.units import word_spans, words

MAX_MARKED_WORDS = 20_000
"""Words of a text up to which differences are marked: ten times the longest rationale of
2,048 tokens. Longer texts are shown as they are.
"""
MAX_MARKED_CHARS = 200_000
"""The same in characters, for texts without spaces."""

How = Literal["derived", "aligned", "plain"]
"""How marks were found: by deriving the row again, by aligning its words with those of
the rationale, or not at all.
"""


class Mark(StrEnum):
    """What happened to a part of a text."""

    KEPT = "kept"  # in both texts, in the same order
    REMOVED = "removed"  # in the text before alone
    MOVED_FROM = "moved_from"  # where a moved part stood in the text before
    ADDED = "added"  # in the text after alone, from elsewhere
    MOVED = "moved"  # in the text after, from another place of the text before
    MASKED = "masked"  # in the text after, in the place of a removed word
    LABEL = "label"  # the label of a completion
    LAYOUT = "layout"  # what a completion has around label and rationale


BEFORE = frozenset({Mark.KEPT, Mark.REMOVED, Mark.MOVED_FROM})
"""Marks of what the text before has."""
AFTER = frozenset(Mark) - {Mark.REMOVED, Mark.MOVED_FROM}
"""Marks of what the text after has."""


@dataclass(frozen=True)
class Segment:
    """A part of a text with the same mark."""

    text: str
    mark: Mark
    title: str | None = None
    """What else is known of it, such as the word that a symbol masks."""


@dataclass(frozen=True)
class MarkedText:
    """Two texts as segments."""

    segments: tuple[Segment, ...]
    how: How
    note: str | None = None
    """Why the marks are not those of deriving the row, in a sentence."""

    @property
    def before(self) -> str:
        """The text before."""
        return "".join(one.text for one in self.segments if one.mark in BEFORE)

    @property
    def after(self) -> str:
        """The text after."""
        return "".join(one.text for one in self.segments if one.mark in AFTER)

    @property
    def differs(self) -> bool:
        """Whether anything but the space between words differs."""
        return any(
            one.mark not in (Mark.KEPT, Mark.LABEL, Mark.LAYOUT) and one.text.strip()
            for one in self.segments
        )

    @property
    def is_replaced(self) -> bool:
        """Whether other words stand in the place of all words of the text before."""
        marks = {one.mark for one in self.segments if one.text.strip()}
        return Mark.ADDED in marks and not marks & {Mark.KEPT, Mark.MOVED}


def plain_text(text: str, note: str | None = None) -> MarkedText:
    """Return a text without marks."""
    segments = (Segment(text, Mark.KEPT),) if text else ()
    return MarkedText(segments, "plain", note)


def is_too_long(text: str) -> bool:
    """Whether differences of a text are not marked."""
    return len(text) > MAX_MARKED_CHARS or len(text.split()) > MAX_MARKED_WORDS


# -- marks from what a variant did ------------------------------------------------------


def mark_fragments(before: str, fragments: Sequence[Fragment]) -> MarkedText:
    """Mark what a variant made of `before`, from the fragments of the text after.

    Of fragments in another order the most that are in order count as kept, the others
    as moved.
    """
    fragments = [fragment for fragment in fragments if fragment.text]
    sources = [
        WordMatch(fragment.start, number)
        for number, fragment in enumerate(fragments)
        if fragment.start is not None
    ]
    anchors = longest_increasing(sorted(sources))
    marker = _Marker(before, fragments, {anchor.second for anchor in anchors})
    at = number = 0
    segments: list[Segment] = []
    for anchor in anchors:
        if anchor.first < at:
            continue  # a part of a symbol, whose word was marked already
        segments += marker.mark_between(at, anchor.first, number, anchor.second)
        segments += marker.mark_anchor(anchor.second)
        at = fragments[anchor.second].end or anchor.first
        number = anchor.second + 1
    segments += marker.mark_between(at, len(before), number, len(fragments))
    return MarkedText(tuple(join_segments(segments)), "derived")


class _Marker:
    """Marks the parts of two texts that lie between fragments both have in order."""

    def __init__(
        self, before: str, fragments: Sequence[Fragment], anchors: set[int]
    ) -> None:
        self._before = before
        self._fragments = fragments
        moved = [
            (fragment.start, fragment.end or fragment.start)
            for number, fragment in enumerate(fragments)
            if fragment.start is not None and number not in anchors
        ]
        self._moved = sorted(moved)
        self._moved_starts = [start for start, _ in self._moved]
        self._word_starts = [start for start, _ in word_spans(before)]

    def mark_anchor(self, number: int) -> Iterator[Segment]:
        """Yield a fragment that is in its place, as it was or as a symbol."""
        fragment = self._fragments[number]
        if fragment.is_verbatim(self._before):
            yield Segment(fragment.text, Mark.KEPT)
            return
        masked = self._before[fragment.start : fragment.end]
        yield Segment(masked, Mark.REMOVED)
        yield Segment(fragment.text, Mark.MASKED, f"in place of {masked}")

    def mark_between(
        self, start: int, end: int, first: int, last: int
    ) -> Iterator[Segment]:
        """Yield what each text has between two fragments: characters of the one before,
        fragments of the one after. Equal white space at both ends is kept.
        """
        old = self._before[start:end]
        added = list(map(self._mark_after, range(first, last)))
        new = "".join(segment.text for segment in added)
        num_head = _count_equal_space(old, new)
        shortest = min(len(old), len(new)) - num_head
        num_tail = min(shortest, _count_equal_space(old[::-1], new[::-1]))
        yield Segment(old[:num_head], Mark.KEPT)
        yield from self._mark_before(start + num_head, end - num_tail)
        yield from _cut_segments(added, num_head, len(new) - num_tail)
        yield Segment(old[len(old) - num_tail :], Mark.KEPT)

    def _mark_before(self, start: int, end: int) -> Iterator[Segment]:
        """Yield the characters of the text before: removed, or moved elsewhere."""
        at = start
        number = max(0, bisect_right(self._moved_starts, start) - 1)
        for moved_start, moved_end in self._moved[number:]:
            if moved_start >= end:
                break
            if moved_end <= at:
                continue
            yield Segment(self._before[at : max(at, moved_start)], Mark.REMOVED)
            at = max(at, moved_start)
            yield Segment(self._before[at : min(moved_end, end)], Mark.MOVED_FROM)
            at = min(moved_end, end)
        yield Segment(self._before[at:end], Mark.REMOVED)

    def _mark_after(self, number: int) -> Segment:
        """Return a fragment that is not where it was before."""
        fragment = self._fragments[number]
        if fragment.start is None:
            return Segment(fragment.text, Mark.ADDED)
        if not fragment.is_verbatim(self._before):
            masked = self._before[fragment.start : fragment.end]
            return Segment(fragment.text, Mark.MASKED, f"in place of {masked}")
        word = bisect_right(self._word_starts, fragment.start)
        return Segment(fragment.text, Mark.MOVED, f"was word {max(1, word):,}")


def _count_equal_space(first: str, second: str) -> int:
    """Return how many white space characters two texts begin with that are equal."""
    for number, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other or not one.isspace():
            return number
    return min(len(first), len(second))


def _cut_segments(
    segments: Sequence[Segment], start: int, end: int
) -> Iterator[Segment]:
    """Yield the segments between two characters of the text that they make."""
    at = 0
    for segment in segments:
        first, last = max(start - at, 0), min(end - at, len(segment.text))
        if first < last:
            yield replace(segment, text=segment.text[first:last])
        at += len(segment.text)


def join_segments(segments: Sequence[Segment]) -> Iterator[Segment]:
    """Yield neighbours of the same mark as one, and none that is empty."""
    filled = [segment for segment in segments if segment.text]
    for (mark, title), group in groupby(filled, key=lambda one: (one.mark, one.title)):
        yield Segment("".join(one.text for one in group), mark, title)


# -- marks from two texts ---------------------------------------------------------------


def mark_differences(before: str, after: str, note: str | None = None) -> MarkedText:
    """Mark the words that one of two texts has and the other has not, in linear time
    for long ones (`align_words`).

    Texts longer than MAX_MARKED_WORDS are not compared: the text after is returned as
    it is, with a note that says so.
    """
    if is_too_long(before) or is_too_long(after):
        return plain_text(after, too_long_note())
    marked = mark_fragments(before, list(_align_fragments(before, after)))
    return replace(marked, how="aligned", note=note)


def _align_fragments(before: str, after: str) -> Iterator[Fragment]:
    """Yield the words of a text, those that another text has too with their places, and
    the white space between them.
    """
    before_spans, after_spans = word_spans(before), word_spans(after)
    at = first = second = 0
    for block in align_words(words(before), words(after)):
        for number in range(len(block.second)):
            start, end = after_spans[second + number]
            yield Fragment(after[at:start])
            source = (None, None) if block.differs else before_spans[first + number]
            yield Fragment(after[start:end], *source)
            at = end
        first += len(block.first)
        second += len(block.second)
    yield Fragment(after[at:])


def too_long_note() -> str:
    """Return why a text has no marks."""
    return (
        f"Longer than {MAX_MARKED_WORDS:,} words or {MAX_MARKED_CHARS:,} characters: "
        "differences are not marked."
    )

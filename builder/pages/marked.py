"""Marked texts as pages show them: cut to a length, without what is the same."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from cotbuild.builder.view.marks import Mark, MarkedText, Segment

MAX_SHOWN_CHARS = 20_000
"""Characters of one text on a page; its end is cut off beyond them."""
CONTEXT_CHARS = 60
"""Characters of what is the same that stay beside what differs."""


def shown_segments(
    marked: MarkedText, *, only_differing: bool = False
) -> list[Segment]:
    """Return the segments to show, at most MAX_SHOWN_CHARS of them.

    Where nothing of the text before is left, only the text after is shown. With
    `only_differing` long parts that are the same are cut out.
    """
    hidden = {Mark.MOVED_FROM}
    if marked.is_replaced:
        hidden.add(Mark.REMOVED)
    segments: Iterable[Segment] = chain.from_iterable(
        _without_space(one) for one in marked.segments if one.mark not in hidden
    )
    if only_differing and marked.differs:
        segments = _cut_kept(list(segments))
    return list(_cut_end(segments))


def _without_space(segment: Segment) -> Iterator[Segment]:
    """Yield a segment and the white space around it: a mark of that says nothing."""
    text = segment.text
    if segment.mark in (Mark.KEPT, Mark.LABEL, Mark.LAYOUT):
        yield segment
    elif text.strip():
        start = len(text) - len(text.lstrip())
        end = len(text.rstrip())
        yield Segment(text[:start], Mark.KEPT)
        yield replace(segment, text=text[start:end])
        yield Segment(text[end:], Mark.KEPT)
    elif segment.mark is not Mark.REMOVED:
        yield Segment(text, Mark.KEPT)


def _cut_kept(segments: list[Segment]) -> Iterator[Segment]:
    last = len(segments) - 1
    for number, segment in enumerate(segments):
        text = segment.text
        if segment.mark is not Mark.KEPT or len(text) <= 3 * CONTEXT_CHARS:
            yield segment
            continue
        head = "" if number == 0 else text[:CONTEXT_CHARS].rsplit(" ", 1)[0]
        tail = "" if number == last else text[-CONTEXT_CHARS:].split(" ", 1)[-1]
        yield replace(segment, text=f"{head} … {tail}")


def _cut_end(segments: Iterable[Segment]) -> Iterator[Segment]:
    left = MAX_SHOWN_CHARS
    for segment in segments:
        if not segment.text:
            continue
        if len(segment.text) > left:
            yield replace(segment, text=f"{segment.text[:left]} …")
            return
        yield segment
        left -= len(segment.text)


def count_marks(marked: MarkedText) -> str:
    """Return what was done to the words, such as `3 removed, 2 added`."""
    if marked.is_replaced:
        return "replaced"
    counts = {
        "masked": _count_words(marked, Mark.MASKED),
        "moved": _count_words(marked, Mark.MOVED),
        "removed": _count_words(marked, Mark.REMOVED),
        "added": _count_words(marked, Mark.ADDED),
    }
    counts["removed"] = max(0, counts["removed"] - counts["masked"])
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def _count_words(marked: MarkedText, mark: Mark) -> int:
    texts = (one.text for one in marked.segments if one.mark is mark)
    return sum(len(text.split()) for text in texts)

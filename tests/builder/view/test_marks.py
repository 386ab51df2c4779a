"""Marks of a variant's words: the segments hold both texts to the letter, and say what
the transforms did.
"""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.variants.provenance import Fragment
from cotbuild.builder.view.marks import (
    MAX_MARKED_WORDS,
    Mark,
    MarkedText,
    mark_differences,
    mark_fragments,
)

TEXT = st.text(max_size=60) | st.lists(
    st.sampled_from(["a", "b", "cork", "floats.", "\n", "  ", "é", "<b>", "\x00"]),
    max_size=30,
).map(" ".join)


def show(marked: MarkedText) -> str:
    """The segments as a line: [-removed-], {+added+}, <moved>, (masked)."""
    around = {
        Mark.KEPT: ("", ""),
        Mark.REMOVED: ("[-", "-]"),
        Mark.MOVED_FROM: ("[<", ">]"),
        Mark.ADDED: ("{+", "+}"),
        Mark.MOVED: ("<", ">"),
        Mark.MASKED: ("(", ")"),
    }
    return "".join(one.text.join(around[one.mark]) for one in marked.segments)


@given(TEXT, TEXT)
def test_an_alignment_holds_both_texts(before: str, after: str) -> None:
    marked = mark_differences(before, after)
    assert marked.before == before
    assert marked.after == after


@given(
    st.lists(st.text("ab \n", min_size=1, max_size=4), max_size=12),
    st.randoms(use_true_random=False),
)
def test_any_order_of_fragments_holds_both_texts(
    parts: list[str],
    random: Random,
) -> None:
    before = "".join(parts)
    fragments, at = [], 0
    for part in parts:
        fragments.append(Fragment(part, at, at + len(part)))
        at += len(part)
    random.shuffle(fragments)
    kept = fragments[: len(fragments) // 2]
    marked = mark_fragments(before, [*kept, Fragment(" new ")])
    assert marked.before == before
    assert marked.after == "".join(one.text for one in kept) + " new "


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("a cork floats", "a cork floats", "a cork floats"),
        ("a cork floats", "a floats", "a [-cork -]floats"),
        ("a floats", "a cork floats", "a {+cork +}floats"),
        ("a cork floats", "a stone sinks", "a [-cork floats-]{+stone sinks+}"),
        ("a\ncork", "a cork", "a[-\n-]{+ +}cork"),
        ("", "a", "{+a+}"),
        ("a", "", "[-a-]"),
        ("", "", ""),
    ],
)
def test_an_alignment_reads_well(before: str, after: str, shown: str) -> None:
    assert show(mark_differences(before, after)) == shown


def test_text_beyond_the_limit_is_shown_as_it_is() -> None:
    long = "word " * (MAX_MARKED_WORDS + 1)
    marked = mark_differences("a", long)
    assert (marked.how, marked.after) == ("plain", long)
    assert marked.note is not None
    assert marked.note.startswith("Longer than 20,000 words")

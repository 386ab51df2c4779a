"""Words that two texts share: blocks that give both texts again, in linear time."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.variants import align
from cotbuild.builder.variants.align import align_words

WORDS = st.lists(st.sampled_from("abcdefgh"), max_size=30)


def shared_words(first: Sequence[str], second: Sequence[str]) -> list[str]:
    return [
        word
        for block in align_words(first, second)
        if not block.differs
        for word in block.first
    ]


@pytest.mark.parametrize("max_pairs", [0, 1_000_000], ids=["linear", "close"])
@given(first=WORDS, second=WORDS)
def test_the_blocks_give_both_texts_again(
    max_pairs: int, first: list[str], second: list[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(align, "MAX_EQUAL_PAIRS", max_pairs)
        blocks = list(align_words(first, second))
    assert [word for block in blocks for word in block.first] == first
    assert [word for block in blocks for word in block.second] == second
    assert all(block.differs or block.first == block.second for block in blocks)
    assert all(block.first or block.second for block in blocks)


def test_a_long_text_without_some_words_shows_which(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(align, "MAX_EQUAL_PAIRS", 10)
    draws = random.Random(1)
    words = [f"w{number}" for number in range(2_000)] + ["the"] * 500
    draws.shuffle(words)
    dropped = set(draws.sample(range(len(words)), 100))
    left = [word for number, word in enumerate(words) if number not in dropped]
    blocks = list(align_words(words, left))
    assert sum(len(block.first) for block in blocks if block.differs) <= 2 * len(
        dropped
    )
    assert shared_words(words, left) != []


def test_equal_texts_of_one_word_are_one_block() -> None:
    words = ["very"] * 100_000
    [block] = align_words(words, words)
    assert (len(block.first), block.differs) == (100_000, False)


def test_texts_with_nothing_in_common_differ_throughout() -> None:
    [block] = align_words(["very"] * 3, ["so"] * 2)
    assert (len(block.first), len(block.second), block.differs) == (3, 2, True)

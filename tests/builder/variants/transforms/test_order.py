"""Shuffle, reverse, sort: the same units, drawn by seed, step and ids alone; golden
rows hold what they make today.
"""

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.variants.draws import HashedDraws
from cotbuild.builder.variants.example import (
    BuildCorpus,
    TransformFn,
)
from cotbuild.builder.variants.transforms.order import reverse, shuffle, sort
from cotbuild.builder.variants.units import sentences, words
from cotbuild.schemas.transform import Reverse, Shuffle, Sort, Unit
from tests.schemas.test_records import question
from tests.support.examples import example_of

SUBJECT = example_of(
    question(
        text="Where do fish live?",
        choices=[{"label": "A", "text": "a river"}, {"label": "B", "text": "the sea"}],
        target="B",
    )
)
NO_CORPUS = cast(BuildCorpus, None)  # these transforms must not look at it
FISH = "Twenty-five fish live in the sea. They don’t like a river! So the answer is (B), the sea."
TEXT = st.text() | st.lists(
    st.sampled_from(["a", "b", "c.", "D", "E!", "é", "漢。", "\n"]), max_size=30
).map(" ".join)
SEED = st.integers(0, 2**32)


def made(
    apply: TransformFn,
    text: str,
    seed: int = 1,
    step: int = 0,
    question_id: str = "q1",
    sample_index: int = 0,
) -> str:
    """What a transform makes of a text that every row can have."""
    left = apply(
        text, SUBJECT, HashedDraws(seed, step, question_id, sample_index), NO_CORPUS
    )
    assert left is not None
    return left


def characters(text: str) -> list[str]:
    """The simplest tokenizer."""
    return list(text)


def shuffled(text: str, seed: int = 1, **parameters: str | int) -> str:
    return made(
        shuffle(Shuffle.parse({"do": "shuffle", **parameters}, "t"), characters),
        text,
        seed,
    )


# --- golden rows ---


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (
            {},
            "the fish live don’t the They is sea. in answer like So river! Twenty-five the (B), a sea.",
        ),
        (
            {"unit": "sentence"},
            "They don’t like a river! So the answer is (B), the sea. Twenty-five fish live in the sea.",
        ),
        (
            {"block": 3},
            "in the sea. They don’t like the answer is (B), the sea. a river! So Twenty-five fish live",
        ),
        (
            {"within": "sentence"},
            "fish live the sea. in Twenty-five don’t They like river! a the is answer So the (B), sea.",
        ),
        (
            {"within": "sentence", "block": 2},
            "live in the sea. Twenty-five fish like a river! They don’t answer is So the (B), the sea.",
        ),
        ({"block": 99}, FISH),
        (
            {"unit": "piece", "block": 20},
            "e in the sea. They don’t like a river! S the sea.o the answer is (B),Twenty-five fish liv",
        ),
    ],
)
def test_golden_shuffles(parameters: dict[str, Any], expected: str) -> None:
    assert shuffled(FISH, **parameters) == expected


@pytest.mark.parametrize(
    ("unit", "backwards", "sorted_"),
    [
        ("word", "Cat, the. saw I it? Did", "Cat, Did I it? saw the."),
        ("sentence", "Cat, I saw the. Did it?", "Cat, Did it? I saw the."),
        ("piece", ",taC\n.eht was I ?ti diD", "\n    ,.?aaCDdehiiIstttw"),
    ],
)
def test_golden_reversals_and_sorts(unit: Unit, backwards: str, sorted_: str) -> None:
    text = "Did it? I saw the.\nCat,"
    assert (
        made(reverse(Reverse(do="reverse", unit=unit), characters), text) == backwards
    )
    assert made(sort(Sort(do="sort", unit=unit), characters), text) == sorted_


def test_sort_keeps_equal_words_in_order() -> None:
    assert (
        made(sort(Sort(do="sort")), "b A a B STRASSE Straße a")
        == "A a a b B STRASSE Straße"
    )


# --- what always holds ---


@given(TEXT, SEED, st.integers(1, 5))
def test_words_are_the_same_words(text: str, seed: int, block: int) -> None:
    kept = Counter(words(text))
    assert Counter(words(shuffled(text, seed, block=block))) == kept
    assert Counter(words(shuffled(text, seed, unit="sentence", block=block))) == kept
    assert Counter(words(made(reverse(Reverse(do="reverse")), text))) == kept
    assert Counter(words(made(sort(Sort(do="sort")), text))) == kept


@given(TEXT, SEED)
def test_pieces_are_the_same_pieces(text: str, seed: int) -> None:
    for apply in (
        shuffle(Shuffle(do="shuffle", unit="piece"), characters),
        reverse(Reverse(do="reverse", unit="piece"), characters),
        sort(Sort(do="sort", unit="piece"), characters),
    ):
        assert Counter(made(apply, text, seed)) == Counter(text)


@given(TEXT, SEED)
def test_sentences_are_the_same_sentences(text: str, seed: int) -> None:
    left = shuffled(text, seed, unit="sentence")
    assert sorted(left) == sorted(" ".join(sentences(text)))
    assert all(sentence in left for sentence in sentences(text))


@given(TEXT, SEED, st.integers(1, 4))
def test_within_sentences_each_keeps_its_place_and_words(
    text: str, seed: int, block: int
) -> None:
    left = words(shuffled(text, seed, within="sentence", block=block))
    at = 0
    for sentence in sentences(text):
        own = words(sentence)
        assert Counter(left[at : at + len(own)]) == Counter(own)
        at += len(own)
    assert at == len(left)


@given(st.lists(st.integers(0, 10**6), unique=True), SEED, st.integers(1, 5))
def test_blocks_hold_together(numbers: list[int], seed: int, block: int) -> None:
    left = list(
        map(int, words(shuffled(" ".join(map(str, numbers)), seed, block=block)))
    )
    blocks = [numbers[at : at + block] for at in range(0, len(numbers), block)]
    for one in blocks:
        start = left.index(one[0])
        assert left[start : start + block][: len(one)] == one


@given(TEXT)
def test_twice_reversed_and_twice_sorted(text: str) -> None:
    turn, order = reverse(Reverse(do="reverse")), sort(Sort(do="sort"))
    assert made(turn, made(turn, text)) == " ".join(words(text))
    assert made(order, made(order, text)) == made(order, text)


# --- chance ---


def test_only_seed_step_and_ids_decide() -> None:
    apply, text = shuffle(Shuffle(do="shuffle")), " ".join(map(str, range(12)))
    draws = [
        made(apply, text),
        made(apply, text, seed=2),
        made(apply, text, step=1),
        made(apply, text, question_id="q2"),
        made(apply, text, sample_index=1),
    ]
    assert len(set(draws)) == 5
    assert made(shuffle(Shuffle(do="shuffle")), text) == draws[0]


def test_equal_sentences_get_different_orders() -> None:
    sentence = " ".join(["A", *map(str, range(20)), "end."])
    left = words(shuffled(f"{sentence} {sentence}", within="sentence"))
    assert left[:22] != left[22:]


@pytest.mark.parametrize("within", ["rationale", "sentence"])
def test_every_order_is_as_likely(within: str) -> None:
    orders = Counter(shuffled("x y z", seed, within=within) for seed in range(6000))
    assert len(orders) == 6
    assert all(
        850 < count < 1150 for count in orders.values()
    )  # 1000 each, 5 standard deviations


def test_of_two_words_half_stay() -> None:
    assert (
        0.45 < sum(shuffled("x y", seed) == "x y" for seed in range(2000)) / 2000 < 0.55
    )


# --- the ends ---

ALL: list[Callable[[], TransformFn]] = [
    *(
        lambda unit=unit, within=within: shuffle(
            Shuffle(do="shuffle", unit=unit, within=within), characters
        )
        for unit in ("word", "sentence", "piece")
        for within in ("rationale", "sentence")
        if unit != "sentence" or within == "rationale"
    ),
    *(
        lambda unit=unit: reverse(Reverse(do="reverse", unit=unit), characters)
        for unit in ("word", "sentence", "piece")
    ),
    *(
        lambda unit=unit: sort(Sort(do="sort", unit=unit), characters)
        for unit in ("word", "sentence", "piece")
    ),
]


@pytest.mark.parametrize("bound", ALL)
def test_empty_one_word_and_ten_thousand(bound: Callable[[], TransformFn]) -> None:
    apply = bound()
    assert made(apply, "") == ""
    assert made(apply, "x") == "x"
    long = " ".join(f"Word{i % 97}{'.' if i % 9 == 0 else ''}" for i in range(10_000))
    assert Counter(made(apply, long)) == Counter(long)
    odd = "".join(
        chr(code)
        for code in range(sys.maxunicode + 1)
        if not 0xD800 <= code < 0xE000 and code % 97 == 0
    )
    assert Counter("".join(made(apply, odd).split())) == Counter("".join(odd.split()))


@pytest.mark.parametrize(
    "bind",
    [
        lambda: shuffle(Shuffle(do="shuffle", unit="piece")),
        lambda: reverse(Reverse(do="reverse", unit="piece")),
        lambda: sort(Sort(do="sort", unit="piece")),
    ],
)
def test_pieces_without_a_tokenizer_are_a_mistake(
    bind: Callable[[], TransformFn],
) -> None:
    with pytest.raises(TypeError, match="Pass the split"):
        bind()

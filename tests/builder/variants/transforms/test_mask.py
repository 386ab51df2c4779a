"""Masks and cuts: exact shares, one run, classes of words; golden rows hold what they
make today.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.variants.draws import HashedDraws
from cotbuild.builder.variants.example import (
    BuildCorpus,
    RationaleExample,
    TransformFn,
)
from cotbuild.builder.variants.transforms.leak import strip
from cotbuild.builder.variants.transforms.mask import (
    NUMBER_WORDS,
    cut,
    is_content_word,
    is_number,
    is_stop_word,
    mask,
)
from cotbuild.builder.variants.units import bare, share_of, words
from cotbuild.schemas.transform import Cut, Mask, Strip
from tests.builder.variants.transforms.test_order import FISH, SEED, SUBJECT, TEXT, made

SHARE = st.floats(0, 1)
SYMBOL = "▢"
CLASSES = ("any", "stop", "content", "number", "mention")


def masked(text: str, seed: int = 1, **parameters: object) -> str:
    return made(mask(Mask.parse({"do": "mask", **parameters}, "t")), text, seed)


def shortened(
    text: str, leaves: TransformFn | None = None, **parameters: object
) -> str:
    return made(cut(Cut.parse({"do": "cut", **parameters}, "t"), leaves), text)


def gives_up(
    text: str, subject: RationaleExample, chance: HashedDraws, corpus: BuildCorpus
) -> None:
    """A transform that no row can have."""


# --- golden rows ---


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"words": "any", "symbol": "_"}, " ".join("_" * 18)),
        ({"words": "any"}, ""),
        ({"words": "any", "share": 0}, FISH),
        (
            {"words": "stop", "symbol": "_"},
            "Twenty-five fish live _ _ sea. _ _ like _ river! _ _ answer _ (B), _ sea.",
        ),
        (
            {"words": "content", "symbol": "_"},
            "_ _ _ in the _ They don’t _ a _ So the _ is _ the _",
        ),
        (
            {"words": "number", "symbol": "_"},
            "_ fish live in the sea. They don’t like a river! So the answer is (B), the sea.",
        ),
        (
            {"words": "mention", "symbol": "_"},
            "Twenty-five fish live in _ _ They don’t like _ _ So the answer is _ _ _",
        ),
        (
            {"words": "mention"},
            "Twenty-five fish live in They don’t like So the answer is",
        ),
        (
            {"share": 0.3},
            "Twenty-five in sea. They like a river! So the answer is (B), sea.",
        ),
        (
            {"share": 0.3, "layout": "contiguous", "symbol": "_"},
            "Twenty-five fish live in the sea. They don’t like a river! _ _ _ _ _ the sea.",
        ),
        (
            {"words": "content", "share": 0.4, "layout": "contiguous", "symbol": "_"},
            "Twenty-five fish live in the sea. They don’t _ a _ So the _ is _ the sea.",
        ),
        (
            {"words": "stop", "share": 0.5, "symbol": "[M]"},
            "Twenty-five fish live in [M] sea. [M] don’t like [M] river! So [M] answer [M] (B), the sea.",
        ),
    ],
)
def test_golden_masks(parameters: dict[str, Any], expected: str) -> None:
    assert masked(FISH, **parameters) == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"count": 3}, "Twenty-five fish live"),
        ({"count": 3, "end": "last"}, "(B), the sea."),
        ({"count": 0}, ""),
        ({"count": 0, "end": "last"}, ""),
        ({"count": 99}, FISH),
        ({"count": 99, "end": "last"}, FISH),
        ({"share": 0.5}, "Twenty-five fish live in the sea. They don’t like"),
        ({"share": 0.25, "end": "last"}, "answer is (B), the sea."),  # 4.5 of 18
        ({"share": 1}, FISH),
    ],
)
def test_golden_cuts(parameters: dict[str, Any], expected: str) -> None:
    assert shortened(FISH, **parameters) == expected


# --- classes ---


@pytest.mark.parametrize(
    ("word", "classes"),
    [
        ("The", {"stop"}),
        ("“don’t”", {"stop"}),
        ("can", {"content"}),  # not on Snowball's list: "old tin CAN"
        ("Fish,", {"content"}),
        ("Seven.", {"content", "number"}),
        ("twenty-five", {"content", "number"}),
        ("well-off", {"content"}),
        ("3rd", {"content", "number"}),
        ("second", {"content"}),
        ("$1,200.", {"number"}),
        ("½", {"number"}),
        ("one-sided", {"content"}),
        ("漢字", {"content"}),
        ("—", set()),
        ("=", set()),
        ("😀", set()),
    ],
)
def test_classes(word: str, classes: set[str]) -> None:
    found = {
        "stop": is_stop_word(word),
        "content": is_content_word(word),
        "number": is_number(word),
    }
    assert {name for name, belongs in found.items() if belongs} == classes


@given(st.text())
def test_no_word_is_both_stop_and_content(word: str) -> None:
    assert not (is_stop_word(word) and is_content_word(word))


def test_number_words_are_as_they_are_compared() -> None:
    assert {bare(word) for word in NUMBER_WORDS} == NUMBER_WORDS


@given(
    TEXT
    | st.just(FISH)
    | st.lists(st.sampled_from(["A", "(B)", "a", "river", "the", "sea."])).map(" ".join)
)
def test_mentions_dropped_are_options_stripped(text: str) -> None:
    stripped = made(strip(Strip(do="strip", what="options")), text)
    assert masked(text, words="mention") == stripped


# --- what always holds ---


def of_class(text: str, name: str) -> int:
    """How many words of the class there are."""
    return words(masked(text, words=name, symbol=SYMBOL)).count(SYMBOL)


@given(
    TEXT,
    SEED,
    SHARE,
    st.sampled_from(CLASSES),
    st.sampled_from(["scattered", "contiguous"]),
)
def test_the_share_is_exact_and_the_others_stay(
    text: str, seed: int, share: float, name: str, layout: str
) -> None:
    left = words(
        masked(text, seed, words=name, share=share, layout=layout, symbol=SYMBOL)
    )
    assert left.count(SYMBOL) == share_of(share, of_class(text, name))
    assert all(new in (old, SYMBOL) for new, old in zip(left, words(text), strict=True))
    dropped = masked(text, seed, words=name, share=share, layout=layout)
    assert words(dropped) == [word for word in left if word != SYMBOL]


@given(TEXT, SEED, SHARE)
def test_contiguous_is_one_run(text: str, seed: int, share: float) -> None:
    left = words(masked(text, seed, share=share, layout="contiguous", symbol=SYMBOL))
    assert (
        "".join("#" if word == SYMBOL else "." for word in left).strip(".").count(".")
        == 0
    )


@given(TEXT, SEED, SHARE)
def test_contiguous_in_a_class_leaves_none_of_it_out_between(
    text: str, seed: int, share: float
) -> None:
    left = words(
        masked(
            text, seed, words="content", share=share, layout="contiguous", symbol=SYMBOL
        )
    )
    marks = "".join(
        "#" if word == SYMBOL else "."
        for word in left
        if word == SYMBOL or is_content_word(word)
    )
    assert "." not in marks.strip(".")


@given(TEXT, SEED, st.sampled_from(CLASSES), st.sampled_from([None, SYMBOL]))
def test_a_whole_class_goes_once(
    text: str, seed: int, name: str, symbol: str | None
) -> None:
    once = masked(text, seed, words=name, symbol=symbol)
    assert masked(once, seed, words=name, symbol=symbol) == once


@given(TEXT, SEED, SHARE, SHARE)
def test_a_larger_share_masks_all_that_a_smaller_does(
    text: str, seed: int, one: float, other: float
) -> None:
    less, more = (
        words(masked(text, seed, share=share, symbol=SYMBOL))
        for share in sorted((one, other))
    )
    assert all(b == SYMBOL for a, b in zip(less, more, strict=True) if a == SYMBOL)


@given(TEXT, st.integers(0, 40), SHARE)
def test_a_cut_is_an_end_of_the_words(text: str, count: int, share: float) -> None:
    said = words(text)
    for num, parameters in (
        (count, {"count": count}),
        (share_of(share, len(said)), {"share": share}),
    ):
        first = shortened(text, **parameters)
        assert words(first) == said[:num]
        assert (
            words(shortened(text, end="last", **parameters)) == said[::-1][:num][::-1]
        )
    assert shortened(shortened(text, count=count), count=count) == shortened(
        text, count=count
    )


@given(TEXT, SHARE)
def test_cut_like_a_mask_has_its_length(text: str, share: float) -> None:
    pattern = {"do": "mask", "share": share}
    leaves = mask(Mask.parse(pattern, "t"))
    assert len(words(shortened(text, leaves, like=pattern))) == len(
        words(masked(text, share=share))
    )


def test_cut_like_what_cannot_be_is_none() -> None:
    like = Cut.parse({"do": "cut", "like": {"do": "swap"}}, "t")
    assert cut(like, gives_up)(FISH, SUBJECT, HashedDraws(1, 0, "q1", 0), None) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parameters", "leaves"),
    [({"like": {"do": "swap"}}, None), ({"count": 1}, mask(Mask(do="mask")))],
)
def test_like_and_what_it_leaves_go_together(
    parameters: dict[str, Any], leaves: TransformFn | None
) -> None:
    with pytest.raises(TypeError, match="Pass the compiled transform"):
        shortened(FISH, leaves, **parameters)


# --- chance ---


def test_only_seed_step_and_ids_decide() -> None:
    text = " ".join(map(str, range(40)))
    for layout in ("scattered", "contiguous"):
        apply = mask(Mask.parse({"do": "mask", "share": 0.3, "layout": layout}, "t"))
        seeds = [made(apply, text, seed) for seed in range(8)]
        others = [
            made(apply, text, step=1),
            made(apply, text, question_id="q2"),
            made(apply, text, sample_index=1),
        ]
        assert len({*seeds, *others}) > 7
        assert (
            made(
                mask(Mask.parse({"do": "mask", "share": 0.3, "layout": layout}, "t")),
                text,
                0,
            )
            == seeds[0]
        )


@pytest.mark.parametrize(("layout", "places"), [("scattered", 5), ("contiguous", 4)])
def test_every_place_is_as_likely(layout: str, places: int) -> None:
    """Two of five words: every word scattered, every start of a run."""
    counts = [0] * places
    for seed in range(3000):
        left = words(masked("a b c d e", seed, share=0.4, layout=layout, symbol=SYMBOL))
        hits = [i for i, word in enumerate(left) if word == SYMBOL]
        for i in hits if layout == "scattered" else hits[:1]:
            counts[i] += 1
    expected = sum(counts) / places
    assert all(abs(count - expected) < 0.15 * expected for count in counts)


# --- the ends ---


def every() -> Iterator[TransformFn]:
    for name in CLASSES:
        for layout in ("scattered", "contiguous"):
            yield mask(
                Mask.parse(
                    {
                        "do": "mask",
                        "words": name,
                        "layout": layout,
                        "share": 0.5,
                        "symbol": "_",
                    },
                    "t",
                )
            )
    yield cut(Cut(do="cut", share=0.5))
    yield cut(Cut(do="cut", count=7, end="last"))


@pytest.mark.parametrize(
    "text", ["", " \n", "x", "the", "7", "(B)", "sea", "😀 漢字 e\u0301 \u200b", "\x00"]
)
def test_short_and_odd_texts_survive(text: str) -> None:
    for apply in every():
        assert len(words(made(apply, text))) <= len(words(text))


def test_ten_thousand_words_survive() -> None:
    text = " ".join(
        f"{('the', 'sea', 'seven', 'fish.', '(B)')[i % 5]}" for i in range(10_000)
    )
    for apply in every():
        assert len(words(made(apply, text))) in (10_000, 5000, 7)

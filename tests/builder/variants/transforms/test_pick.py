"""Key words by every measure, with and without mentions, and random words in their
place.
"""

import hashlib
import random
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.variants.corpus import LoadedCorpus
from cotbuild.builder.variants.draws import HashedDraws
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.scores import write_scores
from cotbuild.builder.variants.transforms.leak import find_naming_words
from cotbuild.builder.variants.transforms.pick import sample, top, word_scores
from cotbuild.builder.variants.units import (
    STOP_WORDS,
    bare,
    word_spans,
    words,
)
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.transform import Sample, Top
from tests.builder.variants.test_corpus import INFO, real_examples, scored
from tests.support.examples import example

TEXT = "Cold water runs. The pet, shop and the river: cold water fills the river, an attic has none."
BUILD = [
    example(TEXT, "q0"),
    example("The water is cold.", "q1"),
    example("The attic is up the stairs.", "q2"),
    example("The fish swims.", "q3"),
]
PIECES = [
    "the",
    "river",
    "River,",
    "pet",
    "shop",
    "(B)",
    "cold",
    "Water",
    "water.",
    "—",
    "naïve",
    "水",
    "attic",
]
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join),
    st.sampled_from(
        ["", "one", "\u3000", "pet shop " * 5_000, "pet x shop y " * 2_500]
    ),
)
BY = ["tfidf", "question", "options", "list"]


def draws() -> HashedDraws:
    return HashedDraws(7, 0, "q0", 0)


def best(
    folder: Path,
    text: str = TEXT,
    *,
    build: list[RationaleExample] = BUILD,
    **parameters: Any,
) -> str | None:
    """What `top` makes of a text; the list holds runs, fills and the, the scores are of
    BUILD[0].
    """
    by = parameters["by"]
    parameters |= {"do": "top", "file": by if by in ("list", "scores") else None}
    (folder / "words.txt").write_text("runs FILLS the\n")
    files = {"list": folder / "words.txt", "scores": folder / "scores.parquet"}
    with LoadedCorpus(build, files) as corpus:
        return top(Top.model_validate(parameters))(
            text, example(text, "q0"), draws(), corpus
        )


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        # tf × ln(1/df): river 2 ln 4, cold and water 2 ln 2, words of this text alone
        # ln 4, attic ln 2, the 0
        ({"by": "tfidf", "count": 3}, "Cold water river:"),
        ({"by": "tfidf", "count": 3, "order": "score"}, "river: Cold water"),
        ({"by": "tfidf", "count": 5, "order": "score"}, "river: Cold water runs. pet,"),
        (
            {"by": "tfidf", "count": 3, "order": "score", "mentions": "without"},
            "Cold water runs.",
        ),
        ({"by": "question", "count": 9}, "Cold water"),
        ({"by": "question", "count": 1}, "Cold"),
        ({"by": "options", "count": 9}, "pet, shop river: attic"),
        (
            {"by": "options", "count": 9, "mentions": "without"},
            "pet, shop",
        ),  # a comma apart, they name nothing
        ({"by": "list", "count": 9}, "runs. The fills"),
        ({"by": "list", "count": 2, "order": "score"}, "runs. The"),
    ],
)
def test_the_best_words(
    tmp_path: Path, parameters: dict[str, Any], expected: str
) -> None:
    assert best(tmp_path, **parameters) == expected


def test_a_word_that_the_build_lacks_counts_nothing(tmp_path: Path) -> None:
    assert best(tmp_path, "_ mask mask fish", by="tfidf", count=1) == "fish"


@given(
    TEXTS, st.integers(1, 20), st.sampled_from(BY), st.sampled_from(["with", "without"])
)
def test_what_is_kept_stands_in_the_text(
    tmp_path_factory: pytest.TempPathFactory,
    text: str,
    count: int,
    by: str,
    mentions: str,
) -> None:
    folder = tmp_path_factory.getbasetemp()
    build = [*BUILD, example(text, "q4")]
    kept = words(
        str(best(folder, text, build=build, by=by, count=count, mentions=mentions))
    )
    scored_first = words(
        str(
            best(
                folder,
                text,
                build=build,
                by=by,
                count=count,
                mentions=mentions,
                order="score",
            )
        )
    )
    said = iter(words(text))
    assert all(word in said for word in kept), "in the order of the text"
    assert Counter(scored_first) == Counter(kept)
    forms = [bare(word) for word in kept]
    assert len(kept) <= count
    assert len(set(forms)) == len(forms)
    assert "" not in forms
    if by in ("question", "options"):
        assert not STOP_WORDS.intersection(forms)
    if mentions == "without":
        assert not find_naming_words(kept, example(text), "options")
    elif by == "tfidf":
        assert len(kept) == min(count, len({bare(word) for word in words(text)} - {""}))


def test_words_that_name_an_option_once_side_by_side_make_room(tmp_path: Path) -> None:
    text = "pet and again shop then now"
    build = [
        example(text, "q0"),
        *(example("and again then now", f"more {i}") for i in range(4)),
    ]
    assert not find_naming_words(words(text), example(text), "options")
    assert best(tmp_path, text, build=build, by="tfidf", count=2) == "pet shop"
    assert (
        best(tmp_path, text, build=build, by="tfidf", count=2, mentions="without")
        == "and again"
    )


# --- by scores ---


def by_scores(
    folder: Path,
    text: str,
    spans: list[tuple[int, int, float, bool]],
    **parameters: Any,
) -> str | None:
    write_scores(folder / "scores.parquet", INFO, [scored(example(text, "q0"), *spans)])
    return best(folder, text, by="scores", **parameters)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"count": 1}, "cold"),
        ({"count": 2}, "cold ran"),
        ({"count": 2, "order": "score"}, "ran cold"),
        ({"count": 3}, "cold ran cold"),
        ({"count": 4}, "cold ran cold cold"),
        ({"count": 9}, "cold ran cold water cold"),
        ({"count": 9, "mentions": "without"}, "cold ran cold cold"),
    ],
)
def test_scores_are_of_places(
    tmp_path: Path, parameters: dict[str, Any], expected: str
) -> None:
    """Repeats count each, ran is in two spans, one span is over two words, the last
    word was never scored.
    """
    text = "cold ran cold water cold unseen"
    spans = [
        (0, 4, 2.0, False),
        (4, 6, 1.5, False),
        (6, 8, 1.0, False),
        (8, 13, 1.5, False),
        (13, 19, -4.0, True),
        (19, 24, 0.0, False),
    ]
    if parameters["count"] == 1:
        spans[0] = (0, 4, 9.0, False)
    assert by_scores(tmp_path, text, spans, **parameters) == expected


def test_a_rationale_without_scores_is_none(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.parquet", INFO, [])
    assert best(tmp_path, by="scores", count=3) is None


def test_scores_after_another_transform_are_refused(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.parquet", INFO, [])
    apply = top(Top(do="top", by="scores", file="scores", count=3))
    with (
        LoadedCorpus(BUILD, {"scores": tmp_path / "scores.parquet"}) as corpus,
        pytest.raises(
            ConfigError,
            match=r"'q0' sample 0: top by scores comes after a transform",
        ),
    ):
        apply("water Cold", BUILD[0], draws(), corpus)


@given(
    st.text(alphabet="ab 水\n", max_size=40),
    st.lists(
        st.tuples(
            st.integers(0, 45), st.integers(1, 9), st.floats(-5, 5), st.booleans()
        ),
        max_size=12,
    ),
    st.sampled_from(["with", "without"]),
)
def test_word_scores_are_sums_over_overlaps(
    text: str, raw: list[tuple[int, int, float, bool]], mentions: Any
) -> None:
    starts = sorted(start for start, *_ in raw)
    ends = sorted(start + length for start, length, *_ in raw)
    spans = [
        (s, e, score, option)
        for s, e, (_, _, score, option) in zip(starts, ends, raw, strict=True)
        if s < e
    ]
    places = word_spans(text)
    expected = {}
    for number, (start, end) in enumerate(places):
        over = [span for span in spans if span[0] < end and span[1] > start]
        if over and not (mentions == "without" and any(span[3] for span in over)):
            expected[number] = sum(span[2] for span in over)
    assert word_scores(places, spans, mentions) == pytest.approx(expected)


# --- random words ---


@given(TEXTS, st.integers(0, 30), st.sampled_from(["with", "without"]))
def test_a_sample_has_its_count_in_the_order_of_the_text(
    text: str, count: int, mentions: Any
) -> None:
    with LoadedCorpus(BUILD, {}) as corpus:
        made = sample(Sample(do="sample", count=count, mentions=mentions))(
            text, example(text), draws(), corpus
        )
    kept, said = words(str(made)), words(text)
    rest = iter(said)
    assert all(word in rest for word in kept)
    if mentions == "with":
        assert len(kept) == min(count, len(said))
    else:
        assert len(kept) <= count
        assert not find_naming_words(kept, example(text), "options")


@given(TEXTS, st.integers(1, 20))
def test_a_sample_has_as_many_as_another_leaves(text: str, count: int) -> None:
    model = Top(do="top", by="tfidf", count=count)
    build = [*BUILD, example(text, "q4")]
    with LoadedCorpus(build, {}) as corpus:
        left = top(model)(text, build[-1], draws(), corpus)
        made = sample(Sample(do="sample", like=model), top(model))(
            text, build[-1], draws(), corpus
        )
    assert len(words(str(made))) == len(words(str(left)))


def test_larger_samples_hold_smaller_ones() -> None:
    with LoadedCorpus(BUILD, {}) as corpus:
        made = [
            sample(Sample(do="sample", count=count))(TEXT, BUILD[0], draws(), corpus)
            for count in range(19)
        ]
    for small, large in pairwise(made):
        assert Counter(words(str(small))) <= Counter(words(str(large)))
    assert made[-1] == TEXT


def test_every_place_is_drawn_alike() -> None:
    apply = sample(Sample(do="sample", count=1))
    with LoadedCorpus(BUILD, {}) as corpus:
        made = Counter(
            apply("a b c d", example(""), HashedDraws(0, 0, str(i), 0), corpus)
            for i in range(4_000)
        )
    assert set(made) == set("abcd")
    assert all(880 < count < 1_120 for count in made.values())


def test_golden_samples() -> None:
    """Fixed for good: a change here is a new version of every variant that draws so."""
    with LoadedCorpus(BUILD, {}) as corpus:
        made = [
            sample(Sample(do="sample", count=5, mentions=mentions))(
                TEXT, BUILD[0], draws(), corpus
            )
            for mentions in ("with", "without")
        ]
    assert made == ["water runs. pet, river: fills", "water runs. pet, the fills"]


# --- whole builds ---


@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, chaos: random.Random
) -> None:
    folder = tmp_path_factory.getbasetemp()
    shuffled = chaos.sample(BUILD, len(BUILD))
    for by in BY:
        assert best(folder, build=shuffled, by=by, count=4) == best(
            folder, by=by, count=4
        )


REAL = "9b1dcf1dc8426902f2d5b82847a9129f711955a71feef097adb338fd5714cf1a"


@pytest.mark.needs_data
def test_real_rationales() -> None:
    """1,221 PaLM rationales: digest over what four transforms keep of each."""
    rows = list(real_examples())
    model = Top(do="top", by="tfidf", count=5)
    steps = [
        top(model),
        top(Top(do="top", by="question", count=5, order="score")),
        top(Top(do="top", by="tfidf", count=5, mentions="without")),
        sample(Sample(do="sample", like=model), top(model)),
    ]
    total = hashlib.sha256()
    with LoadedCorpus(rows, {}) as corpus:
        for row in rows:
            chance = HashedDraws(0, 0, row.question_id, row.sample_index)
            made = [str(step(row.rationale, row, chance, corpus)) for step in steps]
            assert len(words(made[0])) == len(words(made[3]))
            assert not find_naming_words(words(made[2]), row, "options")
            total.update("\n".join(made).encode())
    assert total.hexdigest() == REAL

"""Which rationales become rows: counts add up, more holds less, and order says nothing."""

import subprocess
import sys
import tracemalloc
from collections import Counter, defaultdict
from itertools import islice
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.variants.select import (
    GRAM,
    Candidate,
    NearDuplicates,
    VariantDropReason,
    choose_bands,
    select,
    share_limit,
)
from cotbuild.schemas.rationale import Flag, Verdict
from cotbuild.schemas.variant import Selection
from tests.support.labelled import SETS, rows_of

Key = tuple[str, int]
WORDS = ("ice", "melts", "in", "the", "sun", "so", "it", "is", "water", "then")
GROUPS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from([Verdict.CORRECT, Verdict.CORRECT, Verdict.INCORRECT]),
            st.sampled_from([(), (), (Flag.REFUSAL,), (Flag.MARKUP, Flag.REFUSAL)]),
            st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join),
        ),
        max_size=5,
    ),
    max_size=12,
)
Group = list[tuple[Verdict, tuple[Flag, ...], str]]


def candidates(groups: list[Group]) -> list[Candidate]:
    return [
        Candidate(f"q{i}", j, *one)
        for i, group in enumerate(groups)
        for j, one in enumerate(group)
    ]


def outcomes(
    rows: list[Candidate], seed: int = 0, ids: list[str] | None = None, **selection: Any
) -> dict[Key, VariantDropReason | None]:
    wanted = Selection.parse(selection, "test")
    limit = share_limit(
        [row.question_id for row in rows] if ids is None else ids, wanted.share, seed
    )
    found = list(select(rows, wanted, seed, limit))
    assert len(found) == len(rows)
    return {
        (row.question_id, row.sample_index): reason
        for row, reason in zip(rows, found, strict=True)
    }


def kept(rows: list[Candidate], seed: int = 0, **selection: Any) -> set[Key]:
    return {
        key
        for key, reason in outcomes(rows, seed, **selection).items()
        if reason is None
    }


def plain(num_questions: int, num_samples: int = 1) -> list[Candidate]:
    return candidates(
        [
            [(Verdict.CORRECT, (), f"reason {i} {j}") for j in range(num_samples)]
            for i in range(num_questions)
        ]
    )


# --- one reason a row ---


def test_each_reason() -> None:
    rows = [
        Candidate("a", 0, "correct", (), "one two three"),
        Candidate("a", 1, "incorrect", ("refusal",), "one"),
        Candidate("a", 2, "correct", ("markup", "refusal"), "one"),
        Candidate("a", 3, "correct", ("markup",), "one"),
        Candidate("a", 4, "correct", (), "one two three four five"),
        Candidate("b", 0, "correct", (), ""),
    ]
    found = outcomes(rows, without=["refusal"], min_words=2, max_words=4)
    assert list(found.values()) == [
        None,
        "verdict",
        "flag",
        "too_short",
        "too_long",
        "too_short",
    ]


def test_flags_may_be_asked_for() -> None:
    rows = [
        Candidate("a", i, "correct", flags, "x")
        for i, flags in enumerate([(), ("markup",), ("markup", "cut")])
    ]
    assert kept(rows, having=["markup"]) == {("a", 1), ("a", 2)}
    assert kept(rows, having=["markup", "cut"]) == {("a", 2)}
    assert kept(rows, having=["markup"], without=["cut"]) == {("a", 1)}


def test_verdicts_are_those_asked_for() -> None:
    rows = [Candidate("a", i, verdict, (), "x") for i, verdict in enumerate(Verdict)]
    # correct, and scored, which prose has in its place
    assert kept(rows) == {("a", 0), ("a", 4)}
    assert kept(rows, verdicts=["incorrect", "truncated"]) == {("a", 1), ("a", 3)}
    assert len(kept(rows, verdicts=list(Verdict))) == len(Verdict)


def test_a_rows_own_reason_comes_before_the_draws() -> None:
    rows = [
        Candidate("a", 0, "incorrect", (), "x"),
        Candidate("a", 1, "correct", (), "x"),
    ]
    assert list(outcomes(rows, per_question=2).values()) == ["verdict", "too_few"]
    ids = [f"q{i}" for i in range(1000)]
    assert list(outcomes(rows, ids=ids, share=0.001).values()) == [
        "verdict",
        "question_not_drawn",
    ]


def test_nothing_of_nothing() -> None:
    assert outcomes([], share=0.5) == {}
    assert share_limit([], 0.5, 0) == share_limit(["a"], 1.0, 0)


# --- draws ---


@pytest.mark.parametrize(
    ("num", "share", "expected"),
    [(1000, 0.1, 100), (1000, 0.0004, 1), (5, 0.5, 3), (3, 0.5, 2), (7, 1.0, 7)],
)
def test_so_many_questions_are_drawn(num: int, share: float, expected: int) -> None:
    assert len(kept(plain(num), share=share)) == expected


def test_the_draw_is_what_it_was_and_another_by_seed() -> None:
    """A change here is another set under the same seed."""
    rows = plain(8, 3)
    assert [
        sorted(kept(rows, seed, share=0.25, per_question=1)) for seed in range(3)
    ] == [
        [("q2", 2), ("q6", 2)],
        [("q0", 2), ("q2", 2)],
        [("q0", 0), ("q2", 0)],
    ]


@given(
    GROUPS,
    st.integers(0, 3),
    st.floats(0.01, 1),
    st.floats(0.01, 1),
    st.none() | st.integers(1, 3),
)
def test_a_larger_share_holds_a_smaller(
    groups: list[Group], seed: int, one: float, other: float, per_question: int | None
) -> None:
    rows = candidates(groups)
    less, more = sorted((one, other))
    assert kept(rows, seed, share=less, per_question=per_question) <= kept(
        rows, seed, share=more, per_question=per_question
    )


@given(GROUPS, st.integers(0, 3), st.integers(1, 3))
def test_so_many_a_question_or_none(groups: list[Group], seed: int, count: int) -> None:
    rows = candidates(groups)
    more = kept(rows, seed, per_question=count + 1)
    less = kept(rows, seed, per_question=count)
    assert set(Counter(question for question, _ in less).values()) <= {count}
    both = {question for question, _ in more}
    assert {key for key in less if key[0] in both} <= more
    assert both <= {question for question, _ in less}
    assert less <= kept(rows, seed)


@given(
    GROUPS,
    st.integers(0, 3),
    st.floats(0.01, 1),
    st.none() | st.integers(1, 3),
    st.randoms(),
)
def test_the_order_of_questions_and_of_their_rows_says_nothing(
    groups: list[Group],
    seed: int,
    share: float,
    per_question: int | None,
    random: Random,
) -> None:
    rows = candidates(groups)
    by_question: dict[str, list[Candidate]] = defaultdict(list)
    for row in random.sample(rows, len(rows)):
        by_question[row.question_id].append(row)
    shuffled = [row for group in by_question.values() for row in group]
    asked: dict[str, Any] = {
        "share": share,
        "per_question": per_question,
        "without": ["refusal"],
    }
    assert outcomes(rows, seed, **asked) == outcomes(shuffled, seed, **asked)


@given(GROUPS, st.floats(0.01, 1))
def test_a_question_is_drawn_whatever_the_teacher_said_of_it(
    groups: list[Group], share: float
) -> None:
    rows = candidates(groups)
    everything = {
        question
        for question, _ in kept(rows, share=share, verdicts=list(Verdict), min_words=0)
    }
    assert {question for question, _ in kept(rows, share=share)} <= everything


def test_a_question_takes_8_bytes() -> None:
    tracemalloc.start()
    share_limit((f"question {i}" for i in range(50_000)), 0.1, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000 * 8 * 4  # the array grows by halves, and is sorted in a copy


# --- near-duplicates ---


def jaccard(one: str, other: str) -> float:
    """Written apart from the code under test."""
    sets = []
    for text in (one, other):
        words = text.casefold().split()
        sets.append(
            {tuple(words[i : i + GRAM]) for i in range(max(1, len(words) - GRAM + 1))}
        )
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


@pytest.mark.parametrize(
    ("one", "other", "threshold", "similar"),
    [
        ("a b c d e f", "A  b C d\ne f", 1.0, True),
        ("a b c d e f", "a b c d e g", 0.6, True),  # 3 of 5
        ("a b c d e f", "a b c d e g", 0.61, False),
        ("f e d c b a", "a b c d e f", 0.3, False),
        ("a b", "a b", 0.9, True),
        ("", "", 0.9, True),
        ("", "a", 0.1, False),
        ("\ud800 b c", "\ud800 b c", 0.9, True),
    ],
)
def test_how_similar_is_similar(
    one: str, other: str, threshold: float, similar: bool
) -> None:
    earlier = NearDuplicates(threshold)
    assert not earlier.check_and_add(one.split())
    assert earlier.check_and_add(other.split()) is similar


@given(GROUPS, st.sampled_from([0.5, 0.8, 1.0]))
def test_nothing_less_similar_is_left_out(
    groups: list[Group], threshold: float
) -> None:
    rows = candidates(groups)
    found = outcomes(rows, near_duplicates=threshold, min_words=0)
    earlier: list[str] = []
    for row in rows:
        reason = found[row.question_id, row.sample_index]
        if reason is VariantDropReason.NEAR_DUPLICATE:
            assert max(jaccard(row.rationale, other) for other in earlier) >= threshold
        elif reason is None:
            earlier.append(row.rationale)
    assert len(earlier) == len(set(earlier))  # what is equal is always found


def test_hardly_anything_similar_enough_is_missed() -> None:
    """100 pairs of similarity 52 / 64."""
    earlier = NearDuplicates(0.8)
    missed = 0
    for i in range(100):
        words = [f"w{i}.{j}" for j in range(60)]
        assert not earlier.check_and_add(words)
        changed = [*words[:20], "x", *words[21:35], "x", *words[36:]]
        assert jaccard(" ".join(words), " ".join(changed)) == 52 / 64
        missed += not earlier.check_and_add(changed)
    assert missed < 10


def test_bands_miss_few_at_the_threshold() -> None:
    for percent in range(5, 101):
        num, size = choose_bands(percent / 100)
        assert num * size <= 128
        assert size == 1 or (1 - (percent / 100) ** size) ** num <= 0.05


def test_near_duplicates_do_not_depend_on_the_share() -> None:
    rows = [
        Candidate(f"q{i}", 0, "correct", (), f"the same words of reasoning {i % 5}")
        for i in range(50)
    ]
    small = kept(rows, near_duplicates=0.9, share=0.2)
    assert (
        small
        <= kept(rows, near_duplicates=0.9, share=0.6)
        <= kept(rows, near_duplicates=0.9)
    )
    assert kept(rows, near_duplicates=0.9) == {(f"q{i}", 0) for i in range(5)}


def test_without_datasketch_one_line_says_what_to_do() -> None:
    code = (
        "import sys; sys.modules['datasketch'] = None\n"
        "from cotbuild.builder.variants.select import NearDuplicates\n"
        "from cotbuild.schemas.errors import ConfigError\n"
        "try: NearDuplicates(0.8)\n"
        "except ConfigError as error: print(error)\n"
    )
    path = [*sys.path, "tests/.ns"]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path += {path!r}\n{code}"],
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(
        "near_duplicates 0.8 needs the extra 'dedup': datasketch is not installed. Leave "
        "near_duplicates out, or run in a checkout of cotbuild: pip install '.[dedup]'"
    ), done.stderr


@pytest.mark.needs_data
def test_five_chains_a_question() -> None:
    """The first 500 GPT-3 rationales, 100 questions."""
    rows = [
        Candidate(
            row.question_id, row.sample_index, row.verdict, row.flags, row.rationale
        )
        for _, row in islice(rows_of(SETS[4]), 500)
    ]
    found = Counter(
        outcomes(rows, per_question=3, near_duplicates=0.9, share=0.5).values()
    )
    assert found == {
        None: 129,
        VariantDropReason.VERDICT: 89,
        VariantDropReason.NEAR_DUPLICATE: 25,
        VariantDropReason.TOO_FEW: 13,
        VariantDropReason.NOT_DRAWN: 127,
        VariantDropReason.QUESTION_NOT_DRAWN: 117,
    }

"""Controls: counts matched exactly, words of where they should come from, nothing
dependent on the order of rows.
"""

import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.variants.corpus import LoadedCorpus
from cotbuild.builder.variants.draws import HashedDraws
from cotbuild.builder.variants.example import TransformFn
from cotbuild.builder.variants.transforms.controls import (
    constant,
    echo,
    filler,
    swap,
    vocabulary,
)
from cotbuild.builder.variants.transforms.pick import sample
from cotbuild.builder.variants.units import words
from cotbuild.schemas.transform import (
    Constant,
    Cut,
    Echo,
    Filler,
    Sample,
    Swap,
    Vocabulary,
)
from tests.builder.variants.test_corpus import real_examples
from tests.support.examples import example, example_of

BUILD = [
    example("Cold water runs down, and the river takes it.", "q0"),
    example("A fish is kept in a pet shop; a fish swims.", "q1", target="pet shop"),
    example("", "q2", target="attic"),
    example("Old things go up to the attic.", "q3", target="attic"),
]
TEXTS = st.one_of(
    st.text(max_size=80),
    st.sampled_from(["", "one", "水 🐟", "a\u3000b\x1cc\n\nd", "w " * 10_000]),
)
LIKE = Sample(do="sample", count=3)
AS_MANY: list[tuple[str, TransformFn]] = [
    ("vocabulary", vocabulary(Vocabulary(do="vocabulary"))),
    ("vocabulary by count", vocabulary(Vocabulary(do="vocabulary", weights="corpus"))),
    ("filler", filler(Filler(do="filler"))),
    ("echo", echo(Echo(do="echo"))),
]


def draws(step: int = 0, question_id: str = "q0") -> HashedDraws:
    return HashedDraws(7, step, question_id, 0)


@given(TEXTS)
def test_controls_have_as_many_words(text: str) -> None:
    with LoadedCorpus(BUILD, {}) as corpus:
        made = {name: apply(text, BUILD[0], draws(), corpus) for name, apply in AS_MANY}
    assert {name: len(words(str(made[name]))) for name in made} == dict.fromkeys(
        made, len(words(text))
    )
    said = {word for row in BUILD for word in words(row.rationale)}
    assert set(words(str(made["vocabulary"]))) <= said
    assert set(words(str(made["vocabulary by count"]))) <= said
    assert set(words(str(made["filler"]))) <= {"…"}


@given(TEXTS)
def test_controls_have_as_many_as_another_transform_leaves(text: str) -> None:
    leaves = sample(LIKE)
    with LoadedCorpus(BUILD, {}) as corpus:
        made = [
            vocabulary(Vocabulary(do="vocabulary", like=LIKE), leaves)(
                text, BUILD[0], draws(), corpus
            ),
            filler(Filler(do="filler", word="_", like=LIKE), leaves)(
                text, BUILD[0], draws(), corpus
            ),
        ]
    assert [len(words(str(one))) for one in made] == [min(3, len(words(text)))] * 2


MAKERS: list[Callable[[TransformFn], TransformFn]] = [
    lambda leaves: vocabulary(Vocabulary(do="vocabulary", like=LIKE), leaves),
    lambda leaves: filler(Filler(do="filler", like=LIKE), leaves),
    lambda leaves: sample(Sample(do="sample", like=LIKE), leaves),
]


@pytest.mark.parametrize("make", MAKERS)
def test_a_row_that_like_cannot_have_is_none(
    make: Callable[[TransformFn], TransformFn],
) -> None:
    with LoadedCorpus([BUILD[0]], {}) as corpus:
        assert (
            make(swap(Swap(do="swap")))("cold water", BUILD[0], draws(), corpus) is None
        )


def test_like_is_bound_or_not_there() -> None:
    with pytest.raises(TypeError, match="Pass the compiled transform"):
        filler(Filler(do="filler", like=Cut(do="cut", count=2)))
    with pytest.raises(TypeError, match="Pass the compiled transform"):
        vocabulary(Vocabulary(do="vocabulary"), sample(LIKE))


def test_weights_decide_how_often_a_word_comes() -> None:
    build = [example("a a a a a a a a a b", "q0")]
    text = "w " * 2_000
    with LoadedCorpus(build, {}) as corpus:
        uniform = vocabulary(Vocabulary(do="vocabulary"))(
            text, build[0], draws(), corpus
        )
        weighted = vocabulary(Vocabulary(do="vocabulary", weights="corpus"))(
            text, build[0], draws(), corpus
        )
    assert 900 < Counter(words(str(uniform)))["a"] < 1_100
    assert 1_740 < Counter(words(str(weighted)))["a"] < 1_860


@pytest.mark.parametrize("label", ["any", "same", "other"])
def test_swap_gives_another_questions_rationale_whole(label: str) -> None:
    apply = swap(Swap.model_validate({"do": "swap", "label": label}))
    with LoadedCorpus(BUILD, {}) as corpus:
        made = [apply("whatever", row, draws(), corpus) for row in BUILD]
    for row, text in zip(BUILD, made, strict=True):
        there = [other for other in BUILD if other.question_id != row.question_id]
        if label != "any":
            there = [
                other
                for other in there
                if (other.target_text == row.target_text) == (label == "same")
            ]
        assert text in [other.rationale for other in there] or (
            text is None and not there
        )


@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(chaos: random.Random) -> None:
    applies: list[TransformFn] = [apply for _, apply in AS_MANY]
    applies.append(swap(Swap(do="swap", label="other")))
    made = []
    for build in (BUILD, chaos.sample(BUILD, len(BUILD))):
        with LoadedCorpus(build, {}) as corpus:
            made.append(
                [
                    apply(BUILD[0].rationale, BUILD[0], draws(), corpus)
                    for apply in applies
                ]
            )
    assert made[0] == made[1]


def test_other_draws_are_other_words() -> None:
    apply = vocabulary(Vocabulary(do="vocabulary"))
    with LoadedCorpus(BUILD, {}) as corpus:
        made = {
            apply("w " * 20, BUILD[0], chance, corpus)
            for chance in (draws(), draws(1), draws(0, "q1"))
        }
    assert len(made) == 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vocabulary", "in attic. attic. takes a in pet go Cold"),
        ("vocabulary by count", "in attic. attic. takes a go pet fish Cold"),
        ("filler", "… … … … … … … … …"),
        ("echo", "Where does the cold water run? Where does the"),
    ],
)
def test_golden_rows(name: str, expected: str) -> None:
    """Fixed for good: a change here is a new version of every variant that draws so."""
    with LoadedCorpus(BUILD, {}) as corpus:
        assert (
            dict(AS_MANY)[name](BUILD[0].rationale, BUILD[0], draws(), corpus)
            == expected
        )


def test_a_constant_is_the_same_everywhere() -> None:
    with LoadedCorpus(BUILD, {}) as corpus:
        apply = constant(Constant(do="constant", text="So it is."))
        assert {
            apply(text, row, draws(), corpus) for row in BUILD for text in ("", "a b")
        } == {"So it is."}


def test_a_question_without_words_echoes_nothing() -> None:
    blank = example("a b").question.model_copy(update={"text": " "})
    with LoadedCorpus(BUILD, {}) as corpus:
        echoed = echo(Echo(do="echo"))("a b", example_of(blank), draws(), corpus)
    assert echoed == ""


@pytest.mark.needs_data
def test_real_rationales_have_controls_of_their_length() -> None:
    rows = list(real_examples())
    said = {word for row in rows for word in words(row.rationale)}
    with LoadedCorpus(rows, {}) as corpus:
        for row in rows[::5]:
            chance = HashedDraws(0, 0, row.question_id, row.sample_index)
            made = {
                name: str(apply(row.rationale, row, chance, corpus))
                for name, apply in AS_MANY
            }
            count = len(words(row.rationale))
            assert {
                name: len(words(text)) for name, text in made.items()
            } == dict.fromkeys(made, count)
            assert set(words(made["vocabulary"])) <= said

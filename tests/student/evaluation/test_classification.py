"""Classes, F1 and confusion against figures computed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.schemas.question import Choice, Question, QuestionKind
from cotbuild.student.evaluation.classification import (
    MAX_CLASSES,
    class_statistics,
    classify,
    macro_f1,
    shared_classes,
)

SENTIMENTS = ("negative", "neutral", "positive")
CLASSES = tuple(
    Choice(label=label, text=text)
    for label, text in zip("ABC", SENTIMENTS, strict=True)
)


def choice(*texts: str) -> Question:
    return Question.create("Which?", choices=texts)


YES_NO = Question.create("Is it?", kind=QuestionKind.YES_NO)


@pytest.mark.parametrize(
    ("questions", "texts"),
    [
        ([choice(*SENTIMENTS)] * 3, SENTIMENTS),
        ([YES_NO] * 2, ("yes", "no")),
        ([choice("a", "b"), choice("a", "c")], None),
        ([choice("a", "b"), choice("b", "a")], None),
        ([choice("a", "b"), YES_NO], None),
        ([Question.create("How many?", kind=QuestionKind.NUMBER)], None),
        ([Question.create("Who?", target="she")], None),
        ([], None),
    ],
)
def test_classes_are_the_options_that_all_questions_share(
    questions: list[Question], texts: tuple[str, ...] | None
) -> None:
    found = shared_classes(questions)
    if texts is None:
        assert found is None
    else:
        assert found is not None
        assert tuple(one.text for one in found) == texts


@pytest.mark.parametrize(("number", "shared"), [(0, True), (1, False)])
def test_there_are_at_most_so_many_classes(number: int, shared: bool) -> None:
    options = tuple(
        Choice(label=f"L{i}", text=f"class {i}") for i in range(MAX_CLASSES + number)
    )
    question = choice("a", "b").model_copy(update={"choices": options})
    assert (shared_classes([question]) is not None) == shared


def test_a_table_by_hand() -> None:
    # 4 negative: 3 found, 1 said to be neutral. 3 neutral: 1 found, 1 unanswered,
    # 1 positive. 1 positive: found.
    targets = "AAAABBBC"
    answers = ["A", "A", "A", "B", "B", None, "C", "C"]
    found = classify(targets, answers, CLASSES)
    assert found.confusion == ((3, 1, 0, 0), (0, 1, 1, 1), (0, 0, 1, 0))
    figures = [
        (one.support, one.answered, one.precision, one.recall, one.f1)
        for one in found.classes
    ]
    values = [
        (support, answered, *(part and part.value for part in parts))
        for support, answered, *parts in figures
    ]
    assert values == [
        pytest.approx((4, 3, 1.0, 3 / 4, 6 / 7)),
        pytest.approx((3, 2, 1 / 2, 1 / 3, 2 / 5)),
        pytest.approx((1, 2, 1 / 2, 1.0, 2 / 3)),
    ]
    assert found.macro_f1.value == pytest.approx((6 / 7 + 2 / 5 + 2 / 3) / 3)
    for one in [found.macro_f1, *(one.f1 for one in found.classes)]:
        assert one is not None
        assert 0 <= one.low <= one.value <= one.high <= 1
        assert one.low < one.high
    assert classify(targets, answers, CLASSES) == found, "resampled by a fixed seed"


def test_a_class_that_never_occurs_has_no_figures() -> None:
    found = classify("AABB", ["A", "B", "B", "A"], CLASSES)
    positive = found.classes[2]
    assert (positive.precision, positive.recall, positive.f1) == (None, None, None)
    assert found.macro_f1.value == 0.5, "the mean of the classes that are targets"


def test_a_class_that_is_said_but_no_target_is_not_in_the_mean() -> None:
    found = classify("AABB", ["A", "A", "B", "C"], CLASSES)
    positive = found.classes[2]
    assert positive.recall is None
    assert positive.precision is not None
    assert positive.f1 is not None
    assert (positive.precision.value, positive.f1.value) == (0.0, 0.0)
    assert found.macro_f1.value == pytest.approx((1 + 2 / 3) / 2)


def test_the_interval_covers_the_true_value_about_as_often_as_it_says() -> None:
    # Answers are right with probability 0.7, else one of the others.
    generator = np.random.default_rng(7)
    true_f1, covered, studies = 0.7, 0, 100
    for _ in range(studies):
        target_Q = np.arange(150) % 3
        wrong_Q = (target_Q + generator.integers(1, 3, size=150)) % 3
        answer_Q = np.where(generator.random(150) < 0.7, target_Q, wrong_Q)
        found = classify(
            ["ABC"[i] for i in target_Q], ["ABC"[i] for i in answer_Q], CLASSES
        )
        covered += found.macro_f1.low <= true_f1 <= found.macro_f1.high
    assert 88 <= covered <= 99


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 2)), min_size=1))
def test_macro_f1_equals_the_definition(pairs: list[tuple[int, int]]) -> None:
    target_Q = np.array([target for target, _ in pairs])
    answer_Q = np.array([answer for _, answer in pairs])
    sums = class_statistics(target_Q, answer_Q, 3).sum(axis=0)
    scores = []
    for name in sorted({target for target, _ in pairs}):
        true = sum(pair == (name, name) for pair in pairs)
        false = sum(answer == name != target for target, answer in pairs)
        missed = sum(target == name != answer for target, answer in pairs)
        scores.append(2 * true / (2 * true + false + missed))
    assert macro_f1(sums[None])[0] == pytest.approx(sum(scores) / len(scores))

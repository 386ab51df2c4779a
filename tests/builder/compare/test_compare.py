"""Two students compared: each metric that both have, and the questions that changed."""

import pytest

from cotbuild.builder.compare.answers import (
    AnsweredQuestion,
    GradedAnswer,
    StudentAnswers,
    Writer,
)
from cotbuild.builder.compare.compare import (
    choose_metric,
    compare_students,
    find_changes,
)
from cotbuild.builder.compare.match import match_questions
from cotbuild.schemas.errors import ConfigError, DataError

Grades = list[tuple[str | None, bool | None]]


def student(
    grades: Grades,
    *,
    metrics: tuple[str, ...] = ("accuracy", "free"),
    left_out: tuple[str, ...] = (),
    writer: Writer = Writer.COTBUILD,
) -> StudentAnswers:
    """A student with the same answers by every metric."""
    questions = tuple(
        AnsweredQuestion(
            f"q{number}", "B", dict.fromkeys(metrics, GradedAnswer(answer, correct))
        )
        for number, (answer, correct) in enumerate(grades)
    )
    return StudentAnswers("here", writer, questions, metrics, left_out)


A = student([("B", True), ("A", False), ("B", True), ("C", False), (None, None)])
B = student([("B", True), ("B", True), ("A", False), ("A", False), ("A", False)])


def test_the_questions_graded_in_both_are_compared() -> None:
    accuracy, free = compare_students(A, B, match_questions(A, B))
    assert (accuracy.metric, free.metric) == ("accuracy", "free")
    assert (accuracy.accuracy_a, accuracy.accuracy_b) == (50, 50)
    assert accuracy.num_ungraded == 1
    assert accuracy.result.num_questions == 4
    assert (accuracy.result.only_a, accuracy.result.only_b) == (1, 1)


def test_metrics_of_one_side_are_left_out() -> None:
    other = student([("A", False)] * 5, metrics=("normalised", "free"))
    [only] = compare_students(A, other, match_questions(A, other))
    assert only.metric == "free"


def test_without_a_shared_metric_both_sides_are_named() -> None:
    other = student([("A", False)] * 5, metrics=("acc_bytes",), left_out=("bleu",))
    with pytest.raises(DataError) as caught:
        compare_students(A, other, match_questions(A, other))
    assert str(caught.value) == (
        "no metric grades two questions or more in both. A has accuracy, free; B has "
        "acc_bytes (others: bleu)."
    )


def test_a_question_changed_where_one_is_right_or_answers_differ() -> None:
    changes = list(find_changes(match_questions(A, B), "accuracy"))
    assert [(one.name, one.is_decided) for one in changes] == [
        ("q1", True),
        ("q2", True),
        ("q3", False),
        ("q4", False),
    ]


def test_answers_of_two_programs_are_not_compared() -> None:
    other = student(
        [("river", True), ("bank", False), ("bank", False)], writer=Writer.LM_EVAL
    )
    changes = find_changes(match_questions(A, other), "accuracy")
    assert [one.name for one in changes] == ["q2"]


def test_a_metric_to_list_by_is_one_that_was_compared() -> None:
    compared = compare_students(A, B, match_questions(A, B))
    assert choose_metric(compared, None) == "accuracy"
    assert choose_metric(compared, "free") == "free"
    with pytest.raises(
        ConfigError, match=r"'bleu' was not compared\. Pass one of accuracy"
    ):
        choose_metric(compared, "bleu")

"""The lines of the classes of an evaluation."""

from typing import Any

import pytest

from cotbuild.builder.evaluation.class_table import class_lines
from cotbuild.schemas.evaluation import StudentMetrics
from cotbuild.schemas.question import Choice, Question
from cotbuild.student.evaluation.classification import classify
from cotbuild.student.evaluation.metrics import add_breakdown, compute_metrics
from tests.student.evaluation.test_metrics import result

QUESTION = Question.create("Is it good?", choices=("bad", "so\u202eso"), target="A")


def metrics_of(*results: dict[str, Any]) -> StudentMetrics:
    found = [result(**one) for one in results]
    questions = [QUESTION.model_copy(update={"target": one.target}) for one in found]
    return add_breakdown(compute_metrics(found, label_first=True), questions, found)


def test_classes_of_choices_and_free_answers() -> None:
    metrics = metrics_of(
        {"target": "A"},
        {"target": "A", "choice": "B", "answer": None},
        {"target": "B", "choice": "B", "answer": "B"},
        {"target": None},
    )
    lines = [line.split() for line in class_lines(metrics)]
    assert lines[0][:3] == ["forced", "choice,", "by"]
    columns = ["→", "A", "bad", "→", "B", "so\\u202eso"]
    assert lines[0][-6:] == columns, "every question has a forced choice"
    assert lines[1][:6] == ["A", "bad", "2", "100.0", "50.0", "66.7"]
    assert lines[1][-2:] == ["1", "1"]
    assert lines[3][:2] == ["free", "answer,"]
    assert lines[3][-8:] == [*columns, "no", "answer"]
    assert lines[4][-3:] == ["1", "0", "1"]
    assert len(lines) == 6


def test_questions_that_were_not_answered_freely_are_no_errors() -> None:
    not_asked = {"answer": None, "correct_free": None}
    metrics = metrics_of({"target": "A"}, {"target": "B", **not_asked})
    assert metrics.classification is not None
    assert metrics.free_classification is not None
    assert [one.support for one in metrics.classification.classes] == [1, 1]
    assert [one.support for one in metrics.free_classification.classes] == [1, 0]
    assert metrics.free_classification.macro_f1.value == 1.0
    assert metrics_of({"target": "A", **not_asked}).free_classification is None


def test_questions_that_share_no_options_have_no_lines() -> None:
    found = [result("A"), result("B")]
    others = Question.create("Which?", choices=("x", "y"))
    metrics = compute_metrics(found, label_first=True)
    metrics = add_breakdown(metrics, [QUESTION, others], found)
    assert list(class_lines(metrics)) == []
    assert "classification" not in metrics.model_dump()


@pytest.mark.parametrize("number", [9, 25])
def test_many_classes_have_no_matrix_and_some_are_left_out(number: int) -> None:
    names = [f"class {i}" for i in range(number)]
    classes = [Choice(label=name, text=name) for name in names]
    metrics = metrics_of({"target": "A"}).model_copy(
        update={
            "classification": classify(names, names, classes),
            "free_classification": None,
        }
    )
    lines = list(class_lines(metrics))
    assert len(lines) == 1 + min(number, 20) + (number > 20)
    assert lines[0].endswith("95 %")
    assert lines[-1] == "and 5 more in evaluation.json" or number == 9

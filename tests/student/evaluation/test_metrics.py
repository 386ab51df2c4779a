"""Metrics computed by hand, and parsed free answers."""

from typing import Any

import pytest

from cotbuild.schemas.evaluation import (
    FORCED_CHOICE,
    FREE_ANSWER,
    OptionResult,
    QuestionResult,
)
from cotbuild.schemas.question import Choice, Question, QuestionKind
from cotbuild.schemas.training import Layout
from cotbuild.student.evaluation.decode import label_stops
from cotbuild.student.evaluation.metrics import (
    compute_chance_accuracy,
    compute_majority_baseline,
    compute_metrics,
    name_primary_metric,
)
from cotbuild.student.evaluation.proportions import make_proportion
from cotbuild.student.evaluation.results import (
    choose_likeliest,
    choose_likeliest_normalised,
    parse_answer,
)
from tests.student.evaluation.test_decode import SOURCE
from tests.student.evaluation.test_options import EXPLAINED, LABEL_ONLY, POST


def option(
    name: str, log_prob: float, chars: int, correct: bool = False
) -> OptionResult:
    return OptionResult(
        name=name,
        log_prob=log_prob,
        label_log_prob=log_prob,
        tokens=1,
        chars=chars,
        correct=correct,
    )


def result(target: str | None, **changes: Any) -> QuestionResult:
    fields: dict[str, Any] = {
        "question_id": "q",
        "kind": QuestionKind.CHOICE,
        "target": target,
        "options": tuple(option(name, -1.0, 2, name == target) for name in "AB"),
        "choice": "A",
        "choice_normalised": "A",
        "rationale": None,
        "forced": False,
        "said": "",
        "answer": "A",
        "correct": target == "A",
        "correct_normalised": target == "A",
        "correct_free": target == "A",
        "rationale_tokens": 0,
        "answer_tokens": 3,
        "seconds": 0.5,
        "seen": False,
    }
    return QuestionResult(**(fields | changes))


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (130, 500, 0.2235, 0.3002),
    ],
)
def test_the_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    found = make_proportion([True] * count + [False] * (of - count))
    assert found is not None
    assert (found.count, found.of, found.share) == (count, of, count / of)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)
    # Wilson 1927, written out.
    z, p = 1.959964, count / of
    centre, half = (p + z**2 / 2 / of), z * (p * (1 - p) / of + z**2 / 4 / of**2) ** 0.5
    assert (found.low, found.high) == pytest.approx(
        tuple((centre + sign * half) / (1 + z**2 / of) for sign in (-1, 1)), abs=1e-6
    )


def test_no_values_give_no_proportion() -> None:
    assert make_proportion([]) is None


def test_metrics_equal_a_computation_by_hand() -> None:
    results = [
        result("A", seen=True),
        result(
            "B",
            correct_normalised=True,
            answer=None,
            correct_free=False,
            forced=True,
            rationale_tokens=10,
        ),
        result("A", answer=None, correct_free=False, answer_tokens=7, seconds=1.0),
        result(None, correct=None, correct_normalised=None, correct_free=None),
    ]
    found = compute_metrics(results, label_first=False)
    parts = (
        found.accuracy,
        found.normalised,
        found.free,
        found.unseen,
        found.forced,
        found.parse_failures,
    )
    assert [(part.count, part.of) for part in parts if part] == [
        (2, 3),
        (3, 3),
        (1, 3),
        (1, 2),
        (1, 4),
        (2, 4),
    ]
    assert found.seen == 1
    assert found.tokens_per_question == (3 + 13 + 7 + 3) / 4
    assert found.rationale_tokens_per_question == 10 / 4
    assert (found.seconds, found.questions_per_s) == (2.5, 4 / 2.5)
    assert compute_metrics(results, label_first=True).forced is None
    assert compute_metrics(results[1:], label_first=True).unseen is None


def test_metrics_without_targets() -> None:
    results = [result(None, correct=None, correct_normalised=None, correct_free=None)]
    found = compute_metrics(results, label_first=True)
    assert (found.accuracy, found.normalised, found.free) == (None, None, None)
    assert (compute_majority_baseline(results), compute_chance_accuracy(results)) == (
        None,
        None,
    )


def test_majority_and_chance_count_options_of_the_same_text() -> None:
    twins = (
        option("A", -1, 2, True),
        option("B", -1, 2, True),
        option("C", -1, 2),
        option("D", -1, 2),
    )
    results = [result("A", options=twins), result("B"), result("B"), result("A")]
    found = compute_majority_baseline(results)
    assert found is not None
    assert found.target == "A"  # of two equally frequent the first
    assert found.accuracy.count == 2
    assert compute_chance_accuracy(results) == (0.5 + 0.5 * 3) / 4
    more = compute_majority_baseline([*results, result("B")])
    assert more is not None
    assert (more.target, more.accuracy.count, more.accuracy.of) == (
        "B",
        4,
        5,
    )  # its text is right in the first too


def test_majority_of_numbers_has_no_chance_accuracy() -> None:
    results = [
        result(target, options=(), kind=QuestionKind.NUMBER)
        for target in ("7", "3", "7")
    ]
    found = compute_majority_baseline(results)
    assert found is not None
    assert (found.target, found.accuracy.share) == ("7", 2 / 3)
    assert compute_chance_accuracy(results) is None


def test_name_primary_metric() -> None:
    assert name_primary_metric([result("A")]) == FORCED_CHOICE
    assert name_primary_metric([result("7", options=())]) == FREE_ANSWER
    assert (
        name_primary_metric([result("7", options=()), result("A")])
        == f"{FORCED_CHOICE}; without options: {FREE_ANSWER}"
    )


@pytest.mark.parametrize(
    ("options", "raw", "normalised"),
    [
        ([("A", -4.0, 2), ("B", -6.0, 12)], "A", "B"),
        ([("A", -4.0, 2), ("B", -4.0, 2)], "A", "A"),  # of equals the first
        ([("A", -4.0, 4), ("B", -3.0, 3), ("C", -9.0, 3)], "B", "A"),
        ([], None, None),
    ],
)
def test_choose_likeliest(
    options: list[tuple[str, float, int]], raw: str | None, normalised: str | None
) -> None:
    made = [option(*one) for one in options]
    assert (choose_likeliest(made), choose_likeliest_normalised(made)) == (
        raw,
        normalised,
    )


CHOICES = ("ice", "a wooden boat", "because it rains", "no")


def question(kind: QuestionKind) -> Question:
    choices = zip("ABCD", CHOICES, strict=True) if kind is QuestionKind.CHOICE else ()
    return Question(
        id="q",
        kind=kind,
        text="What?",
        choices=tuple(Choice(label=label, text=text) for label, text in choices),
        target=None,
        other_targets=(),
        source=SOURCE,
    )


@pytest.mark.parametrize(
    ("kind", "labels", "said", "answer"),
    [
        ("choice", CHOICES, "ice", "A"),
        ("choice", CHOICES, "  Ice ", "A"),
        ("choice", CHOICES, "a  wooden boat", "B"),
        ("choice", CHOICES, "wooden boat.", "B"),
        ("choice", CHOICES, "because it rains", "C"),
        ("choice", CHOICES, "No", "D"),
        ("choice", CHOICES, "a wooden boat or ice", None),
        ("choice", CHOICES, "a stone", None),
        ("choice", CHOICES, "", None),
        ("choice", ("A", "B", "C", "D"), "B", "B"),
        ("choice", ("A", "B", "C", "D"), "(B)", "B"),
        ("choice", ("A", "B", "C", "D"), "E", None),
        (
            "choice",
            ("(A) ice", "(B) a wooden boat", "(C) because it rains", "(D) no"),
            "(B) a wooden boat",
            "B",
        ),
        (
            "choice",
            ("(A) ice", "(B) a wooden boat", "(C) because it rains", "(D) no"),
            "(B) ice",
            None,
        ),
        ("yes_no", ("yes", "no"), "Yes", "yes"),
        ("yes_no", ("yes", "no"), "no, it does not", "no"),
        ("yes_no", ("yes", "no"), "maybe", None),
        ("number", (), "1,200", "1,200"),
        ("number", (), "$5", "$5"),
        ("number", (), "5 apples", "5"),
        ("number", (), "many", None),
        ("text", (), " Paris, France ", "Paris, France"),
        ("text", (), " ", None),
    ],
)
def test_parse_answer(
    kind: str, labels: tuple[str, ...], said: str, answer: str | None
) -> None:
    assert parse_answer(said, question(QuestionKind(kind)), labels) == answer


@pytest.mark.parametrize(
    ("layout", "stops"),
    [(LABEL_ONLY, ("\n",)), (POST, ("\n",)), (EXPLAINED, ("\n", " because"))],
)
def test_label_stops(layout: Layout, stops: tuple[str, ...]) -> None:
    assert label_stops(layout) == stops


@pytest.mark.parametrize(
    ("layout", "stops"),
    [(LABEL_ONLY, ()), (POST, ("\nReasoning:",)), (EXPLAINED, (" because",))],
)
def test_a_line_break_ends_no_label_of_several_lines(
    layout: Layout, stops: tuple[str, ...]
) -> None:
    assert label_stops(layout, multiline=True) == stops

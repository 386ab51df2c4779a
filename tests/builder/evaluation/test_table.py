"""What a terminal shows of an evaluation in prose, and by tag."""

from pathlib import Path

import pytest

from cotbuild.builder.evaluation.slice_table import slice_lines
from cotbuild.builder.evaluation.table import evaluation_lines
from cotbuild.schemas.evaluation import (
    PROSE_SCORES,
    CorpusScore,
    Evaluation,
    EvaluationInputs,
    SliceMetrics,
    StudentMetrics,
)
from cotbuild.schemas.training import Precision
from cotbuild.student.evaluation.metrics import compute_metrics
from cotbuild.student.evaluation.proportions import count_proportion
from tests.student.evaluation.test_metrics import result

SCORES = (
    CorpusScore(
        metric="chrf2",
        signature="nrefs:1|case:mixed",
        num_questions=4,
        value=54.32,
        low=40.0,
        high=61.25,
    ),
)
UNGRADED = compute_metrics(
    [result(None, correct=None, correct_normalised=None, correct_free=None)],
    label_first=True,
)


def evaluation(metrics: StudentMetrics) -> Evaluation:
    inputs = EvaluationInputs(
        student="local:0",
        dataset="tiny",
        split="test",
        variant="post_cot@1",
        rows="0123456789abcdef01234567",
        num_questions=4,
        layout="0",
        rationale_tokens=0,
        version=3,
    )
    return Evaluation(
        metric=PROSE_SCORES,
        evaluated=inputs,
        student=metrics,
        untrained=None,
        untrained_student=None,
        majority=None,
        chance=None,
        versions={},
    )


def test_prose_has_scores_with_their_signatures() -> None:
    metrics = UNGRADED.model_copy(update={"scores": SCORES})
    lines = list(evaluation_lines(evaluation(metrics), Path("out")))
    columns = " ".join(lines[1].split())
    assert columns == "chrF2 95 % cut answer tok/q no answer forced tokens/q q/s"
    assert lines[2].split()[:3] == ["student", "54.3", "40.0-61.2"]
    assert lines[3:] == [
        "chrF2: nrefs:1|case:mixed",
        "out  questions 0123456789abcdef",
    ]


def test_without_targets_nothing_is_graded() -> None:
    lines = list(evaluation_lines(evaluation(UNGRADED), Path("out")))
    assert lines[1].split()[0] == "accuracy"
    assert lines[-2].startswith("no target is published")


@pytest.mark.parametrize(
    ("precision", "line"),
    [
        (Precision.FLOAT32, "tiny/test: 4 questions, post_cot@1"),
        (Precision.BFLOAT16, "tiny/test: 4 questions, post_cot@1, in bfloat16"),
    ],
)
def test_another_precision_than_float32_is_named(
    precision: Precision, line: str
) -> None:
    found = evaluation(UNGRADED)
    inputs = found.evaluated.model_copy(update={"precision": precision})
    lines = evaluation_lines(
        found.model_copy(update={"evaluated": inputs}), Path("out")
    )
    assert next(lines) == line


def part(tag: str, value: str | None, num_values: int = 1) -> SliceMetrics:
    return SliceMetrics(
        tag=tag,
        value=value,
        num_values=num_values,
        num_questions=2,
        accuracy=count_proportion(1, 2),
        macro_f1=None,
        scores=SCORES if tag == "direction" else (),
    )


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        (
            [part("subject", "a\u202eb"), part("subject", "c")],
            [
                "by subject questions accuracy 95 %",
                "a\\u202eb 2 50.0% 9.5-90.5",
                "c 2 50.0% 9.5-90.5",
            ],
        ),
        (
            [part("direction", "eng-deu")],
            [
                "by direction questions accuracy 95 % chrF2 95 %",
                "eng-deu 2 50.0% 9.5-90.5 54.3 40.0-61.2",
            ],
        ),
        (
            [part("document", "d1"), part("document", None, 122)],
            ["by document: 123 values, in evaluation.json"],
        ),
    ],
)
def test_lines_by_tag(slices: list[SliceMetrics], expected: list[str]) -> None:
    metrics = UNGRADED.model_copy(update={"slices": tuple(slices)})
    found = [" ".join(line.split()) for line in slice_lines(metrics)]
    assert found == expected

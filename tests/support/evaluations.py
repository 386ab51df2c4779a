"""Folders of evaluations with results of our own making; no student is run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cotbuild.builder.evaluation.results import ResultsFile, write_evaluation
from cotbuild.schemas.evaluation import (
    FORCED_CHOICE,
    STUDENT,
    Classification,
    ClassResult,
    Estimate,
    Evaluation,
    EvaluationInputs,
    MajorityBaseline,
    OptionResult,
    Proportion,
    QuestionResult,
    SliceMetrics,
    StudentMetrics,
    wilson_interval,
)
from cotbuild.schemas.question import QuestionKind

TARGET = "B"
ESTIMATE = Estimate(value=0.5, low=0.25, high=0.75)


def result(number: int, choice: str | None, **changes: Any) -> QuestionResult:
    """The result of a question with options A and B, whose target is B."""
    is_correct = choice == TARGET
    fields: dict[str, Any] = {
        "question_id": f"q{number}",
        "kind": QuestionKind.CHOICE,
        "target": TARGET,
        "options": tuple(_option(name) for name in "AB"),
        "choice": choice,
        "choice_normalised": choice,
        "rationale": f"Because of {number}.",
        "forced": False,
        "said": f" {choice}",
        "answer": choice,
        "correct": is_correct,
        "correct_normalised": is_correct,
        "correct_free": is_correct,
        "rationale_tokens": 3,
        "answer_tokens": 1,
        "seconds": 0.0,
        "seen": number == 0,
    }
    return QuestionResult(**(fields | changes))


def _option(name: str) -> OptionResult:
    return OptionResult(
        name=name,
        log_prob=-1.0,
        label_log_prob=-1.0,
        tokens=1,
        chars=1,
        correct=name == TARGET,
    )


def share(count: int, of: int) -> Proportion:
    """A proportion with its interval."""
    low, high = wilson_interval(count, of)
    return Proportion(count=count, of=of, share=count / of, low=low, high=high)


def write_results(
    folder: Path,
    results: Sequence[QuestionResult],
    *,
    rows: str = "0" * 64,
    **changes: Any,
) -> Path:
    """Write an evaluation with these results; return its folder.

    `changes` are of what was evaluated.
    """
    folder.mkdir(parents=True)
    inputs = EvaluationInputs(
        student="tiny <b>@0",
        dataset="questions",
        split="test",
        variant="post_cot@1",
        rows=rows,
        num_questions=len(results),
        layout="1" * 64,
        rationale_tokens=0,
        version=1,
    ).model_copy(update=changes)
    ResultsFile(folder, STUDENT, inputs).collect(
        lambda _: enumerate(results), lambda *_: None
    )
    write_evaluation(folder, _evaluation(inputs, results))
    return folder


def _evaluation(
    inputs: EvaluationInputs, results: Sequence[QuestionResult]
) -> Evaluation:
    graded = [one for one in results if one.correct is not None]
    accuracy = (
        share(sum(bool(one.correct) for one in graded), len(graded)) if graded else None
    )
    classes = tuple(
        ClassResult(
            label=label,
            text=text,
            support=1,
            answered=1,
            precision=ESTIMATE,
            recall=None,
            f1=ESTIMATE,
        )
        for label, text in (("A", "a <i>river</i>"), ("B", "the sea"))
    )
    metrics = StudentMetrics(
        accuracy=accuracy,
        normalised=accuracy,
        free=accuracy,
        unseen=None,
        forced=None,
        parse_failures=None,
        seen=1,
        tokens_per_question=4.0,
        rationale_tokens_per_question=3.0,
        seconds=1.0,
        questions_per_s=1.0,
        classification=Classification(
            macro_f1=ESTIMATE, classes=classes, confusion=((1, 0, 0), (0, 1, 0))
        ),
        slices=(
            SliceMetrics(
                tag="subject",
                value="<script>",
                num_values=1,
                num_questions=len(results),
                accuracy=accuracy,
                macro_f1=ESTIMATE,
            ),
        ),
    )
    return Evaluation(
        metric=FORCED_CHOICE,
        evaluated=inputs,
        student=metrics,
        untrained=None,
        untrained_student=None,
        majority=MajorityBaseline(target=TARGET, accuracy=share(1, 2)),
        chance=0.5,
        versions={},
    )

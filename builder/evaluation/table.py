"""An evaluation as lines of a terminal. Pure."""

from collections.abc import Iterator
from pathlib import Path

from cotbuild.builder.evaluation.class_table import class_lines
from cotbuild.builder.evaluation.columns import (
    align,
    format_estimate,
    format_estimate_interval,
    format_percent,
    format_percent_interval,
)
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.evaluation import Evaluation, StudentMetrics

NAME = ("",)
ACCURACY = ("accuracy", "95 %")
CLASSES = ("macro-F1", "95 %", "free F1")
OTHERS = ("normalised", "free", "no answer", "forced", "tokens/q", "q/s")
COLUMNS = (*NAME, *ACCURACY, *OTHERS)
"""Columns for questions that do not share their options; `CLASSES` follow accuracy."""


def evaluation_lines(evaluation: Evaluation, folder: Path) -> Iterator[str]:
    """Yield what was evaluated, the table, its metrics and the folder of the files."""
    inputs, metrics = evaluation.evaluated, evaluation.student
    questions = pluralize(inputs.num_questions, "question")
    given = ", given the teacher's own rationales" if inputs.teacher_chains else ""
    yield f"{inputs.dataset}/{inputs.split}: {questions}, {inputs.variant}{given}"
    yield from align(list(_table_rows(evaluation)))
    yield f"accuracy: {evaluation.metric}"
    if metrics.normalised:
        yield f"normalised: {evaluation.normalisation}"
    if evaluation.untrained is not None:
        yield _overlap_line(metrics)
    if metrics.accuracy is None:
        yield (
            "no target is published for these questions, so nothing is graded; the "
            "answers are in the file"
        )
    yield from class_lines(metrics)
    yield f"{folder}  fingerprint {inputs.rows[:16]}"


def _table_rows(evaluation: Evaluation) -> Iterator[tuple[str, ...]]:
    columns: tuple[str, ...] = COLUMNS
    if evaluation.student.classification is not None:
        columns = (*NAME, *ACCURACY, *CLASSES, *OTHERS)
    yield columns
    yield _student_row("student", evaluation.student)
    if evaluation.untrained is not None:
        yield _student_row("untrained", evaluation.untrained)
    if evaluation.majority is not None:
        accuracy = evaluation.majority.accuracy
        name = f"majority ({evaluation.majority.target:.12})"
        cells = (name, format_percent(accuracy), format_percent_interval(accuracy))
        yield _pad_row(cells, len(columns))
    if evaluation.chance is not None:
        yield _pad_row(("chance", f"{evaluation.chance:.1%}"), len(columns))


def _student_row(name: str, metrics: StudentMetrics) -> tuple[str, ...]:
    return (
        name,
        format_percent(metrics.accuracy),
        format_percent_interval(metrics.accuracy),
        *_class_cells(metrics),
        format_percent(metrics.normalised),
        format_percent(metrics.free),
        format_percent(metrics.parse_failures),
        format_percent(metrics.forced),
        f"{metrics.tokens_per_question:.1f}",
        f"{metrics.questions_per_s:.1f}",
    )


def _class_cells(metrics: StudentMetrics) -> tuple[str, ...]:
    """Return the cells of the columns `CLASSES`; none where questions share no options."""
    found, free = metrics.classification, metrics.free_classification
    if found is None or free is None:
        return ()
    return (
        format_estimate(found.macro_f1),
        format_estimate_interval(found.macro_f1),
        format_estimate(free.macro_f1),
    )


def _pad_row(cells: tuple[str, ...], length: int) -> tuple[str, ...]:
    return (*cells, *[""] * (length - len(cells)))


def _overlap_line(metrics: StudentMetrics) -> str:
    """Return how many of the questions the student was trained on."""
    if not metrics.seen:
        return "none of these questions is in the training rows"
    unseen = (
        f"{format_percent(metrics.unseen)} ({format_percent_interval(metrics.unseen)})"
    )
    seen = pluralize(metrics.seen, "question")
    return f"{seen} of these in the training rows; accuracy on the others {unseen}"

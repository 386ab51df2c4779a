"""An evaluation as lines of a terminal. Pure."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from cotbuild.builder.evaluation.class_table import class_lines
from cotbuild.builder.evaluation.columns import (
    align,
    format_percent,
    format_percent_interval,
)
from cotbuild.builder.evaluation.metric_columns import (
    SCORE_NAMES,
    MetricColumn,
    metric_columns,
)
from cotbuild.builder.evaluation.slice_table import slice_lines
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.evaluation import NO_METRIC, Evaluation, StudentMetrics
from cotbuild.schemas.training import Precision


def evaluation_lines(evaluation: Evaluation, folder: Path) -> Iterator[str]:
    """Yield what was evaluated, the table, its metrics and the folder of the files."""
    inputs, metrics = evaluation.evaluated, evaluation.student
    questions = pluralize(inputs.num_questions, "question")
    given = ", given the teacher's own rationales" if inputs.teacher_chains else ""
    if inputs.rationales_by is not None:
        given = ", given the rationales of another student"
    given += "".join(
        f", asked with {source}" if source else f", without {name}"
        for name, source in inputs.mapping.items()
    )
    if inputs.precision is not Precision.FLOAT32:
        given += f", in {inputs.precision.value}"
    yield f"{inputs.dataset}/{inputs.split}: {questions}, {inputs.variant}{given}"
    yield from align(list(_table_rows(evaluation)))
    if metrics.scores:
        yield from _signature_lines(metrics)
    if metrics.accuracy is not None or not metrics.scores:
        yield f"accuracy: {evaluation.metric}"
    if metrics.normalised:
        yield f"normalised: {evaluation.normalisation}"
    if evaluation.untrained is not None:
        yield _overlap_line(metrics)
    is_graded = metrics.accuracy is not None or bool(metrics.scores)
    if not is_graded and evaluation.metric != NO_METRIC:
        yield (
            "no target is published for these questions, so nothing is graded; the "
            "answers are in the file"
        )
    yield from class_lines(metrics)
    yield from slice_lines(metrics)
    yield f"{folder}  questions {inputs.rows[:16]}"


def _table_rows(evaluation: Evaluation) -> Iterator[tuple[str, ...]]:
    columns = list(metric_columns(evaluation.student))
    yield ("", *(column.head for column in columns))
    yield _student_row("student", evaluation.student, columns)
    if evaluation.untrained is not None:
        yield _student_row("untrained", evaluation.untrained, columns)
    if evaluation.majority is not None:
        accuracy = evaluation.majority.accuracy
        name = f"majority ({evaluation.majority.target:.12})"
        cells = (name, format_percent(accuracy), format_percent_interval(accuracy))
        yield _pad_row(cells, 1 + len(columns))
    if evaluation.chance is not None:
        yield _pad_row(("chance", f"{evaluation.chance:.1%}"), 1 + len(columns))


def _student_row(
    name: str, metrics: StudentMetrics, columns: Iterable[MetricColumn]
) -> tuple[str, ...]:
    return (name, *(column.cell(metrics) for column in columns))


def _pad_row(cells: tuple[str, ...], length: int) -> tuple[str, ...]:
    return (*cells, *[""] * (length - len(cells)))


def _signature_lines(metrics: StudentMetrics) -> Iterator[str]:
    """Yield the metrics of prose, each with all that its scores depend on."""
    for score in metrics.scores:
        yield f"{SCORE_NAMES.get(score.metric, score.metric)}: {score.signature}"


def _overlap_line(metrics: StudentMetrics) -> str:
    """Return how many of the questions the student was trained on."""
    if not metrics.seen:
        return "none of these questions is in the training rows"
    seen = f"{pluralize(metrics.seen, 'question')} of these in the training rows"
    if metrics.unseen is None:
        return seen
    share = format_percent(metrics.unseen)
    interval = format_percent_interval(metrics.unseen)
    return f"{seen}; accuracy on the others {share} ({interval})"

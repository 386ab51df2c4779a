"""An evaluation as lines of a terminal. Pure."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from cotbuild.builder.ui import pluralize
from cotbuild.schemas.evaluation import Evaluation, Proportion, StudentMetrics

COLUMNS = (
    "",
    "accuracy",
    "95 %",
    "normalised",
    "free",
    "no answer",
    "forced",
    "tokens/q",
    "q/s",
)


def evaluation_lines(evaluation: Evaluation, folder: Path) -> Iterator[str]:
    """Yield what was evaluated, the table, its metrics and the folder of the files."""
    inputs, metrics = evaluation.evaluated, evaluation.student
    questions = pluralize(inputs.num_questions, "question")
    given = ", given the teacher's own rationales" if inputs.teacher_chains else ""
    yield f"{inputs.dataset}/{inputs.split}: {questions}, {inputs.variant}{given}"
    yield from _align(list(_table_rows(evaluation)))
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
    yield f"{folder}  fingerprint {inputs.rows[:16]}"


def _table_rows(evaluation: Evaluation) -> Iterator[tuple[str, ...]]:
    yield COLUMNS
    yield _student_row("student", evaluation.student)
    if evaluation.untrained is not None:
        yield _student_row("untrained", evaluation.untrained)
    if evaluation.majority is not None:
        accuracy = evaluation.majority.accuracy
        name = f"majority ({evaluation.majority.target:.12})"
        yield _pad_row(name, _percent(accuracy), _interval(accuracy))
    if evaluation.chance is not None:
        yield _pad_row("chance", f"{evaluation.chance:.1%}")


def _student_row(name: str, metrics: StudentMetrics) -> tuple[str, ...]:
    return (
        name,
        _percent(metrics.accuracy),
        _interval(metrics.accuracy),
        _percent(metrics.normalised),
        _percent(metrics.free),
        _percent(metrics.parse_failures),
        _percent(metrics.forced),
        f"{metrics.tokens_per_question:.1f}",
        f"{metrics.questions_per_s:.1f}",
    )


def _pad_row(*cells: str) -> tuple[str, ...]:
    return (*cells, *[""] * (len(COLUMNS) - len(cells)))


def _percent(proportion: Proportion | None) -> str:
    return "-" if proportion is None else f"{proportion.share:.1%}"


def _interval(proportion: Proportion | None) -> str:
    if proportion is None:
        return "-"
    return f"{100 * proportion.low:.1f}-{100 * proportion.high:.1f}"


def _align(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield the rows with the first column left-aligned and the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *values in rows:
        cells = [name.ljust(widths[0])]
        for value, width in zip(values, widths[1:], strict=True):
            cells.append(value.rjust(width))
        yield "  ".join(cells).rstrip()


def _overlap_line(metrics: StudentMetrics) -> str:
    """Return how many of the questions the student was trained on."""
    if not metrics.seen:
        return "none of these questions is in the training rows"
    unseen = f"{_percent(metrics.unseen)} ({_interval(metrics.unseen)})"
    seen = pluralize(metrics.seen, "question")
    return f"{seen} of these in the training rows; accuracy on the others {unseen}"

"""An evaluation as lines for people. Pure."""

from collections.abc import Iterator
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


def evaluation_lines(evaluation: Evaluation, out: Path) -> Iterator[str]:
    """The table, what it is about, where it stands."""
    what, figures = evaluation.evaluated, evaluation.student
    given = ", given the teacher's own rationales" if what.teacher_chains else ""
    yield f"{what.dataset}/{what.split}: {pluralize(what.num_questions, 'question')}, {what.variant}{given}"
    yield from _aligned(_table(evaluation))
    yield f"accuracy: {evaluation.metric}"
    if figures.normalised:
        yield f"normalised: {evaluation.normalisation}"
    if evaluation.untrained is not None:
        yield _seen(figures)
    if figures.accuracy is None:
        yield "no target is published of these questions: nothing is correct or wrong; the choices stand in the file"
    yield f"{out}  fingerprint {what.rows[:16]}"


def _table(evaluation: Evaluation) -> Iterator[tuple[str, ...]]:
    yield COLUMNS
    yield _row("student", evaluation.student)
    if evaluation.untrained is not None:
        yield _row("untrained", evaluation.untrained)
    if evaluation.majority is not None:
        of = evaluation.majority.accuracy
        yield (
            f"majority ({evaluation.majority.target:.12})",
            _percent(of),
            _interval(of),
            *[""] * 6,
        )
    if evaluation.chance is not None:
        yield ("chance", f"{evaluation.chance:.1%}", *[""] * 7)


def _row(name: str, of: StudentMetrics) -> tuple[str, ...]:
    shares = (
        _percent(of.normalised),
        _percent(of.free),
        _percent(of.parse_failures),
        _percent(of.forced),
    )
    rates = (f"{of.tokens_per_question:.1f}", f"{of.questions_per_s:.1f}")
    return (name, _percent(of.accuracy), _interval(of.accuracy), *shares, *rates)


def _percent(share: Proportion | None) -> str:
    return "-" if share is None else f"{share.share:.1%}"


def _interval(share: Proportion | None) -> str:
    return "-" if share is None else f"{100 * share.low:.1f}-{100 * share.high:.1f}"


def _aligned(rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    table = list(rows)
    widths = [max(len(row[i]) for row in table) for i in range(len(COLUMNS))]
    for first, *others in table:
        cells = [
            first.ljust(widths[0]),
            *(
                cell.rjust(width)
                for cell, width in zip(others, widths[1:], strict=True)
            ),
        ]
        yield "  ".join(cells).rstrip()


def _seen(figures: StudentMetrics) -> str:
    if not figures.seen:
        return "of these questions none stands in the rows trained on"
    without = f"; accuracy on the others {_percent(figures.unseen)} ({_interval(figures.unseen)})"
    return f"{pluralize(figures.seen, 'question')} of these were trained on{without}"

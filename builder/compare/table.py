"""A comparison of two students as lines of a terminal and as rows of a file. Pure."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cotbuild.builder.compare.answers import GradedAnswer, StudentAnswers, Writer
from cotbuild.builder.compare.compare import ChangedQuestion, MetricComparison
from cotbuild.builder.compare.match import MatchedQuestions
from cotbuild.builder.evaluation.columns import MISSING, align, format_name
from cotbuild.builder.study.report.csv_text import Row, format_csv
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.evaluation import EvaluationInputs
from cotbuild.schemas.record import short_repr

NOTE = (
    "These are two trained students: another seed of either moves it too. To compare "
    "recipes, train several seeds of each with `cotbuild study`."
)
_OWN_INPUTS = frozenset({"student", "rows", "layout", "num_questions"})
"""Inputs that follow from the student, the variant and the questions."""
_COLUMNS = (
    "question_id", "target", "metric", "a_answer", "a_correct", "b_answer", "b_correct",
)  # fmt: skip


class StudentComparison(NamedTuple):
    """All that is shown of a comparison."""

    a: StudentAnswers
    b: StudentAnswers
    matched: MatchedQuestions
    by_metric: Sequence[MetricComparison]


def comparison_lines(found: StudentComparison) -> Iterator[str]:
    """Yield what was compared, on which questions, and a table with a line a metric."""
    yield f"A  {found.a.place}"
    yield f"B  {found.b.place}"
    yield from _question_lines(found.matched)
    yield from _input_lines(found.a, found.b)
    yield from align([_HEAD, *(_metric_row(one) for one in found.by_metric)])
    for one in found.by_metric:
        if one.num_ungraded:
            ungraded = pluralize(one.num_ungraded, "question")
            yield f"{one.metric}: {ungraded} not graded in both, left out"
    left_out = dict.fromkeys((*found.a.left_out, *found.b.left_out))
    if left_out:
        names = ", ".join(format_name(name) for name in left_out)
        yield f"not compared, since they do not grade an answer as right or wrong: {names}"
    yield NOTE


def _question_lines(matched: MatchedQuestions) -> Iterator[str]:
    questions = pluralize(len(matched.pairs), "question")
    if not matched.num_left_out:
        yield f"{questions}, the same in both"
    else:
        yield (
            f"{questions} in both; left out: {len(matched.only_a)} of A alone, "
            f"{len(matched.only_b)} of B alone, {len(matched.changed)} with another target or "
            "row"
        )
    if not matched.is_same_writer:
        yield "targets are written in different forms, so they were not compared"
        yield (
            "log-likelihoods of options include the token that ends the label in "
            "evaluations of cotbuild, and do not in lm-evaluation-harness"
        )


def _input_lines(a: StudentAnswers, b: StudentAnswers) -> Iterator[str]:
    """Yield a line for each input of two evaluations that differs.

    Samples of lm-evaluation-harness record none of them.
    """
    for side, answers in (("A", a), ("B", b)):
        if answers.writer is Writer.COTBUILD and answers.evaluated is None:
            yield f"{side} does not record what was evaluated, such as the precision"
    if a.evaluated is None or b.evaluated is None:
        return
    for name in EvaluationInputs.model_fields:
        of_a, of_b = getattr(a.evaluated, name), getattr(b.evaluated, name)
        if name not in _OWN_INPUTS and of_a != of_b:
            shown = (f"{short_repr(of_a)} in A", f"{short_repr(of_b)} in B")
            yield f"evaluated with another {name}: {', '.join(shown)}"


_HEAD = ("", "A", "B", "A - B", "95 %", "only A right", "only B right", "McNemar p")


def _metric_row(one: MetricComparison) -> tuple[str, ...]:
    result = one.result
    low, high = result.interval_95
    return (
        format_name(one.metric),
        f"{one.accuracy_a:.1f}%",
        f"{one.accuracy_b:.1f}%",
        f"{result.difference:+.1f}",
        f"{low:+.1f} to {high:+.1f}",
        str(result.only_a),
        str(result.only_b),
        f"{result.p:.3g}",
    )


def changed_lines(
    metric: str, changes: Sequence[ChangedQuestion], limit: int
) -> Iterator[str]:
    """Yield a count, and the first `limit` questions that one student alone got right."""
    decided = [change for change in changes if change.is_decided]
    others = len(changes) - len(decided)
    shown = decided[:limit]
    is_cut = 0 < len(shown) < len(decided)
    first = f", the first {len(shown)}" if is_cut else ""
    line = f"by {format_name(metric)}, one alone is right on "
    line += f"{pluralize(len(decided), 'question')}{first}"
    if others:
        line += f"; {others} more with different answers"
    yield line
    if shown:
        yield from align(
            [("question", "target", "right", "A", "B"), *map(_cells, shown)]
        )


def _cells(change: ChangedQuestion) -> tuple[str, ...]:
    return (
        format_name(change.name),
        MISSING if change.target is None else format_name(change.target),
        "A" if change.a.correct else "B",
        _show_answer(change.a),
        _show_answer(change.b),
    )


def _show_answer(graded: GradedAnswer) -> str:
    return MISSING if graded.answer is None else format_name(graded.answer)


def changes_csv(metric: str, changes: Iterable[ChangedQuestion]) -> str:
    """Return all changed questions as CSV."""
    return format_csv(_COLUMNS, (_row(metric, change) for change in changes))


def changes_jsonl(metric: str, changes: Iterable[ChangedQuestion]) -> str:
    """Return all changed questions as JSON Lines."""
    rows = (_row(metric, change) for change in changes)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _row(metric: str, change: ChangedQuestion) -> Row:
    return {
        "question_id": change.name,
        "target": change.target,
        "metric": metric,
        "a_answer": change.a.answer,
        "a_correct": change.a.correct,
        "b_answer": change.b.answer,
        "b_correct": change.b.correct,
    }

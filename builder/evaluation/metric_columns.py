"""The columns of metrics that an evaluation has: accuracy, classes, scores, and others.

Pure.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from cotbuild.builder.evaluation.columns import (
    MISSING,
    format_estimate,
    format_estimate_interval,
    format_percent,
    format_percent_interval,
)
from cotbuild.schemas.evaluation import (
    Classification,
    CorpusScore,
    Estimate,
    StudentMetrics,
)

SCORE_NAMES = {"chrf2": "chrF2", "bleu": "BLEU", "rouge_l": "ROUGE-L"}
"""Metrics of prose as their papers write them."""


class MetricColumn(NamedTuple):
    """A column of the table of students."""

    head: str
    cell: Callable[[StudentMetrics], str]


ACCURACY = (
    MetricColumn("accuracy", lambda one: format_percent(one.accuracy)),
    MetricColumn("95 %", lambda one: format_percent_interval(one.accuracy)),
)
CLASSES = (
    MetricColumn(
        "macro-F1", lambda one: format_estimate(_macro_f1(one.classification))
    ),
    MetricColumn(
        "95 %", lambda one: format_estimate_interval(_macro_f1(one.classification))
    ),
    MetricColumn(
        "free F1", lambda one: format_estimate(_macro_f1(one.free_classification))
    ),
)
GRADED = (
    MetricColumn("normalised", lambda one: format_percent(one.normalised)),
    MetricColumn("free", lambda one: format_percent(one.free)),
)
PROSE = (
    MetricColumn("cut", lambda one: format_percent(one.cut)),
    MetricColumn("answer tok/q", lambda one: f"{_answer_tokens(one):.1f}"),
)
OTHERS = (
    MetricColumn("no answer", lambda one: format_percent(one.parse_failures)),
    MetricColumn("forced", lambda one: format_percent(one.forced)),
    MetricColumn("tokens/q", lambda one: f"{one.tokens_per_question:.1f}"),
    MetricColumn("q/s", lambda one: f"{one.questions_per_s:.1f}"),
)


def metric_columns(metrics: StudentMetrics) -> Iterator[MetricColumn]:
    """Yield the columns that the metrics of a student have values for.

    Questions in prose have scores and no accuracy.
    """
    is_graded = metrics.accuracy is not None or not metrics.scores
    if is_graded:
        yield from ACCURACY
    if metrics.classification is not None:
        yield from CLASSES
    for position, score in enumerate(metrics.scores):
        yield from _score_columns(position, score.metric)
    if is_graded:
        yield from GRADED
    if metrics.scores:
        yield from PROSE
    yield from OTHERS


def _answer_tokens(metrics: StudentMetrics) -> float:
    """Return the tokens generated per question for the answer alone."""
    return metrics.tokens_per_question - metrics.rationale_tokens_per_question


def _macro_f1(found: Classification | None) -> Estimate | None:
    return found.macro_f1 if found is not None else None


def _score_columns(position: int, metric: str) -> Iterator[MetricColumn]:
    name = SCORE_NAMES.get(metric, metric)
    yield MetricColumn(name, lambda one: format_score(one.scores, position))
    yield MetricColumn("95 %", lambda one: format_score_interval(one.scores, position))


def format_score(scores: Sequence[CorpusScore], position: int) -> str:
    """Return `54.3`, the score at a position."""
    return f"{scores[position].value:.1f}" if position < len(scores) else MISSING


def format_score_interval(scores: Sequence[CorpusScore], position: int) -> str:
    """Return `51.0-57.4`, the interval of the score at a position."""
    if position >= len(scores):
        return MISSING
    return f"{scores[position].low:.1f}-{scores[position].high:.1f}"

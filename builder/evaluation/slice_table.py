"""The metrics of each value of a tag as lines of a terminal. Pure."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from cotbuild.builder.evaluation.columns import (
    align,
    format_estimate,
    format_name,
    format_percent,
    format_percent_interval,
)
from cotbuild.builder.evaluation.metric_columns import (
    SCORE_NAMES,
    format_score,
    format_score_interval,
)
from cotbuild.schemas.evaluation import SliceMetrics, StudentMetrics


def slice_lines(metrics: StudentMetrics) -> Iterator[str]:
    """Yield a table for each tag; one line for a tag with more values than are listed."""
    for tag, group in groupby(metrics.slices, key=lambda one: one.tag):
        slices = list(group)
        others = slices[-1]
        if others.value is None:
            num_values = len(slices) - 1 + others.num_values
            yield f"by {tag}: {num_values} values, in evaluation.json"
        else:
            yield from align(list(_slice_rows(tag, slices)))


def _slice_rows(tag: str, slices: Sequence[SliceMetrics]) -> Iterator[tuple[str, ...]]:
    with_accuracy = any(one.accuracy for one in slices)
    with_classes = any(one.macro_f1 for one in slices)
    scores = max((one.scores for one in slices), key=len)
    header = [f"by {tag}", "questions"]
    if with_accuracy:
        header += ["accuracy", "95 %"]
    if with_classes:
        header.append("macro-F1")
    for score in scores:
        header += [SCORE_NAMES.get(score.metric, score.metric), "95 %"]
    yield tuple(header)
    for one in slices:
        cells = [format_name(one.value or ""), str(one.num_questions)]
        if with_accuracy:
            cells.append(format_percent(one.accuracy))
            cells.append(format_percent_interval(one.accuracy))
        if with_classes:
            cells.append(format_estimate(one.macro_f1))
        for position in range(len(scores)):
            cells.append(format_score(one.scores, position))
            cells.append(format_score_interval(one.scores, position))
        yield tuple(cells)

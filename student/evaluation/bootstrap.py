"""Bootstrap over questions, of metrics that depend on sums over questions. Pure.

Most metrics are functions of sums: accuracy of a count, F1 of three, BLEU and chrF of
matched n-grams. So a resample of the questions needs no more than the sums of the
drawn questions, and a thousand resamples are one product of matrices.

Dimensions: Q questions, K statistics of a question, R resamples.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cotbuild.schemas.evaluation import Estimate

Floats = NDArray[np.float64]

RESAMPLES = 1000
"""Resamples of an interval. Ends of a 95 % interval then rest on 25 values a side."""
SEED = 0
"""Equal numbers of questions are resampled alike, so two students are paired."""
_MAX_DRAWN = 4_000_000
"""Numbers held at once: resamples × questions."""


class Interval(NamedTuple):
    """The 95 % percentile interval of each of K metrics, over resamples."""

    low_K: Floats
    high_K: Floats


def resample_sums(statistics_QK: Floats, resamples: int = RESAMPLES) -> Floats:
    """Return the sums of the statistics in each resample of the questions, (R, K).

    A resample draws as many questions as there are, with replacement. There must be at
    least one question.
    """
    parts = [
        counts_RQ @ statistics_QK
        for counts_RQ in _draw_counts(len(statistics_QK), resamples)
    ]
    return np.concatenate(parts)


def _draw_counts(num_questions: int, resamples: int) -> Iterator[Floats]:
    """Yield how often each question is drawn, (resamples, Q), for some at a time."""
    generator = np.random.default_rng(SEED)
    at_once = max(1, _MAX_DRAWN // num_questions)
    for start in range(0, resamples, at_once):
        size = (min(at_once, resamples - start), num_questions)
        drawn_RQ = generator.integers(num_questions, size=size)
        counts = [np.bincount(drawn_Q, minlength=num_questions) for drawn_Q in drawn_RQ]
        yield np.array(counts, dtype=np.float64)


def percentile_interval(values_RK: Floats) -> Interval:
    """Return the 95 % percentile interval of each metric.

    Resamples in which a metric is undefined (nan) are left out. Where it is undefined
    in all of them, both ends are nan.
    """
    ends = [_column_interval(values_R) for values_R in values_RK.T]
    low_K, high_K = np.array(ends, dtype=np.float64).reshape(-1, 2).T
    return Interval(low_K, high_K)


def _column_interval(values_R: Floats) -> tuple[float, float]:
    defined = values_R[~np.isnan(values_R)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)


def make_estimates(value_K: Floats, resampled_RK: Floats) -> list[Estimate | None]:
    """Combine the value of each metric with its interval; None where it is undefined."""
    low_K, high_K = percentile_interval(resampled_RK)
    estimates: list[Estimate | None] = []
    for value, low, high in zip(value_K, low_K, high_K, strict=True):
        if np.isnan(value):
            estimates.append(None)
            continue
        # A metric that hardly any resample defines may have no interval.
        ends = (value, value) if np.isnan(low) else (low, high)
        estimates.append(
            Estimate(value=float(value), low=float(ends[0]), high=float(ends[1]))
        )
    return estimates

"""The error of a mean over seeds and questions, with every part counted once. Pure.

The values are a table of S seeds and Q questions: of one variant, or of a weighted sum
of variants whose seeds are paired, such as A minus B. A value is the sum of a part of
its seed, a part of its question, and an error of that seed on that question. The
variance of the mean of all values is then

    σ²_seed / S + σ²_question / Q + σ²_error / (S × Q),

which the mean squares of a two-way analysis of variance estimate (Searle, Casella and
McCulloch 1992, section 4.3; with both factors random, as in Cameron, Gelbach and Miller
2011). The variance of the seeds' means over S holds the error too, and so does that of
the questions' means over Q: their sum, the error of studies of format version 1, counts
it twice, and the error is subtracted once here.

An estimate of a part can fall below 0, where it counts as 0. The degrees of freedom are
Satterthwaite's (1946), over the mean squares that the estimate is then made of. Below
`MIN_SEEDS` seeds there are too few to tell the parts apart: the error is not
subtracted, and a report says how far such tests are off.

**What was measured** (tests/bench/study_simulation.py): with variances as in the first
study, 800 and 3,000 questions, seeds' part shared by the variants or not, a test at 5 %
of no true difference rejects in 3.1-5.8 % of studies with 5 seeds, 3.4-5.2 % with 8 and
3.7-5.1 % with 12. With 2 seeds it is 1.8-12.4 %, with 3 1.3-7.3 %, with 4 1.1-6.0 %.
By the error of version 1 it is 1.1-5.3 % with 5 seeds, and 1.1-4.7 % with 12.
docs/studies/statistics.md has the tables.

Dimensions: S seeds, Q questions, R resamples of the questions.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MIN_SEEDS = 5
"""Seeds from which the error of single answers is subtracted."""

FEW_SEEDS = (
    f"With fewer than {MIN_SEEDS} seeds, error and degrees of freedom are poorly known. In "
    "simulations, tests at 5 % rejected in up to 12 % of studies without any difference "
    "with 2 seeds, 7 % with 3 and 6 % with 4, and tests at 0.5 %, as at an early look, "
    "in up to 7, 3 and 1.4 %."
)
"""What tests with so few seeds are worth; docs/studies/statistics.md has the table."""


class TwoWayVariance(NamedTuple):
    """The parts of the variance of a mean over seeds and questions.

    They are mean squares over S × Q, in the square of the values' unit.
    """

    of_seeds: float
    """Expected: σ²_seed / S + σ²_error / (S × Q)."""
    of_questions: float
    """Expected: σ²_question / Q + σ²_error / (S × Q)."""
    of_error: float
    """Expected: σ²_error / (S × Q)."""
    num_seeds: int
    num_questions: int


class StandardError(NamedTuple):
    """The standard error of a mean over seeds and questions."""

    error: float
    df: float
    """Degrees of freedom."""
    is_wide: bool
    """Whether there were too few seeds to subtract the error of single answers."""


def table_variance(values_SQ: Floats) -> TwoWayVariance:
    """Return the parts of the variance of the mean of a table.

    It must have at least two seeds and two questions.
    """
    num_seeds, num_questions = values_SQ.shape
    mean = values_SQ.mean()
    seed_S = values_SQ.mean(axis=1) - mean
    question_Q = values_SQ.mean(axis=0) - mean
    error_SQ = values_SQ - mean - seed_S[:, None] - question_Q
    error_df = (num_seeds - 1) * (num_questions - 1)
    return TwoWayVariance(
        of_seeds=float((seed_S**2).sum() / (num_seeds - 1) / num_seeds),
        of_questions=float((question_Q**2).sum() / (num_questions - 1) / num_questions),
        of_error=float((error_SQ**2).sum() / error_df / error_SQ.size),
        num_seeds=num_seeds,
        num_questions=num_questions,
    )


def resampled_variance(
    value_S: Floats, resampled_SR: Floats, num_questions: int
) -> TwoWayVariance:
    """Return the parts of the variance of a mean over seeds of any metric.

    `value_S` is the metric of each seed, `resampled_SR` the same on resamples of the
    questions, which are the same for every seed. So this is a bootstrap over seeds and
    questions; for the seeds, over which a mean is taken, it is known in closed form.
    For a metric that is a mean over questions it is `table_variance`, but for the
    chance of the resamples. There must be at least two seeds.

    A resample varies by σ²_question / Q + σ²_error / Q for one seed, and by the second
    over S for the mean of the seeds, which tells the two apart.
    """
    num_seeds = len(value_S)
    # A bootstrap of Q questions varies too little, by (Q - 1) / Q.
    scale = num_questions / (num_questions - 1)
    of_one_seed = scale * float(resampled_SR.var(axis=1, ddof=1).mean())
    of_mean = scale * float(resampled_SR.mean(axis=0).var(ddof=1))
    return TwoWayVariance(
        of_seeds=float(value_S.var(ddof=1)) / num_seeds,
        of_questions=of_mean,
        of_error=(of_one_seed - of_mean) / (num_seeds - 1),
        num_seeds=num_seeds,
        num_questions=num_questions,
    )


def standard_error(variance: TwoWayVariance) -> StandardError:
    """Return the standard error of the mean; see the module for how."""
    error, df = combine_parts(
        np.array(variance.of_seeds),
        np.array(variance.of_questions),
        np.array(variance.of_error),
        variance.num_seeds,
        variance.num_questions,
    )
    is_wide = variance.num_seeds < MIN_SEEDS
    return StandardError(float(error), float(df), is_wide)


def combine_parts(
    of_seeds: Floats,
    of_questions: Floats,
    of_error: Floats,
    num_seeds: int,
    num_questions: int,
) -> tuple[Floats, Floats]:
    """Return standard errors and their degrees of freedom, an entry for each study.

    The parts are those of `TwoWayVariance`, as arrays of one shape.
    """
    has_seed_part = of_seeds > of_error
    has_question_part = of_questions > of_error
    is_subtracted = has_seed_part & has_question_part
    if num_seeds < MIN_SEEDS:
        has_seed_part = has_question_part = np.ones_like(is_subtracted)
        is_subtracted = np.zeros_like(is_subtracted)
    # Where a part is 0, its mean square is an estimate of the error alone. The error
    # cancels out of the variance, or is all that is left of it.
    has_neither = ~has_seed_part & ~has_question_part
    sign = np.where(is_subtracted, -1.0, np.where(has_neither, 1.0, 0.0))
    variance = (
        np.where(has_seed_part, of_seeds, 0.0)
        + np.where(has_question_part, of_questions, 0.0)
        + sign * of_error
    )
    # Satterthwaite: the sum of the squares of the terms, each over its own degrees.
    seeds_df, questions_df = num_seeds - 1, num_questions - 1
    squares = (
        np.where(has_seed_part, of_seeds, 0.0) ** 2 / seeds_df
        + np.where(has_question_part, of_questions, 0.0) ** 2 / questions_df
        + (sign * of_error) ** 2 / (seeds_df * questions_df)
    )
    df = np.full_like(variance, float(questions_df))
    np.divide(variance**2, squares, out=df, where=squares > 0)
    return np.sqrt(variance), df

"""Comparing two recipes by a metric that is no mean over questions, such as macro-F1.

Pure. The standard error is that of `builder.study.statistics`: a variance of seeds and
one of questions are added. For a mean, the second is known in closed form. Here it is
the variance of a bootstrap over questions: every student is scored on the same
resamples, so that two recipes are compared on the same questions.

Dimensions: S seeds, R resamples.
"""

from typing import NamedTuple

import numpy as np

from cotbuild.builder.study.statistics import (
    Floats,
    check_seeds,
    combine_variances,
    interval_of,
    make_comparison,
)
from cotbuild.schemas.study.results import Comparison, RecipeAccuracy


class RecipeSamples(NamedTuple):
    """A metric of one recipe, as fractions of 1."""

    value_S: Floats
    """On the questions."""
    resampled_SR: Floats
    """On each resample of the questions."""
    num_questions: int


def compare_samples(a: RecipeSamples, b: RecipeSamples, *, paired: bool) -> Comparison:
    """Compare recipe A with recipe B on the same questions; see the module for how.

    `paired` as for `statistics.compare`. Raises DataError if a recipe has one seed, or
    the numbers of paired seeds differ.
    """
    check_seeds(len(a.value_S), len(b.value_S), paired)
    difference = float(a.value_S.mean() - b.value_S.mean())
    seeds = [a.value_S - b.value_S] if paired else [a.value_S, b.value_S]
    error, df = combine_variances(
        [(one.var(ddof=1) / len(one), len(one) - 1) for one in seeds],
        question_variance(a, b),
        a.num_questions,
    )
    return make_comparison(
        (len(a.value_S), len(b.value_S)), a.num_questions, paired, difference, error, df
    )


def score_samples(samples: RecipeSamples) -> RecipeAccuracy:
    """Return the metric of each seed, their mean and its 95 % interval, percent."""
    value_S = samples.value_S
    mean, interval = float(value_S.mean()), None
    if len(value_S) > 1:
        error, df = combine_variances(
            [(value_S.var(ddof=1) / len(value_S), len(value_S) - 1)],
            question_variance(samples),
            samples.num_questions,
        )
        low, high = interval_of(mean, error, df, 0.95)
        interval = (max(low, 0.0), min(high, 100.0))
    return RecipeAccuracy(
        per_seed=tuple(100 * float(value) for value in value_S),
        mean=100 * mean,
        interval_95=interval,
    )


def question_variance(a: RecipeSamples, b: RecipeSamples | None = None) -> float:
    """Return the variance over questions of the mean over seeds, of A or of A minus B.

    A bootstrap of Q questions is too small by (Q - 1) / Q.
    """
    values_R = a.resampled_SR.mean(axis=0)
    if b is not None:
        values_R = values_R - b.resampled_SR.mean(axis=0)
    num_questions = a.num_questions
    return float(np.var(values_R, ddof=1)) * num_questions / (num_questions - 1)

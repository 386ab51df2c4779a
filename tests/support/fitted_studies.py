"""Simulated studies whose answers vary as those of the first study do.

A student answers a question right where a normal value is above a threshold: the sum of
a part of the question, of the seed, and of the answer itself, each correlated between
the variants. The correlations are chosen so that the answers, right or wrong, have the
variance components of `builder.study.first_study`, and the truth is known.

Dimensions: N studies, V variants, S seeds, Q questions.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from cotbuild.builder.study.components import VarianceComponents
from cotbuild.builder.study.two_way import Floats

Singles = NDArray[np.float32]

ACCURACY = 0.35
"""Of a variant without any gain, about that of the first study."""


class FittedWorld(NamedTuple):
    """How students answer; covariances of the normal values between variants."""

    question_VV: Floats
    seed_VV: Floats
    answer_VV: Floats
    threshold_V: Floats


def fit_world(
    components: VarianceComponents, gain_V: Sequence[float], seed_VV: Floats
) -> FittedWorld:
    """Return a world with these components and gains, in points.

    `seed_VV`, in points², takes the place of the components' own part of the seeds.
    """
    number = len(gain_V)
    both_VV = components.question_VV + components.error_VV
    question_VV, total_VV = np.eye(number), np.eye(number)
    for row in range(number):
        question_VV[row, row] = _correlation(components.question_VV[row, row])
        for column in range(row):
            question = _correlation(components.question_VV[row, column])
            total = _correlation(both_VV[row, column])
            question_VV[row, column] = question_VV[column, row] = question
            total_VV[row, column] = total_VV[column, row] = total
    # A shift of the normal value moves the accuracy by the density at the threshold.
    slope = 100 * stats.norm.pdf(special.ndtri(ACCURACY))
    seed_normal_VV = seed_VV / slope**2
    spread_V = np.sqrt(1 + np.diag(seed_normal_VV))
    accuracy_V = ACCURACY + np.array(gain_V) / 100
    return FittedWorld(
        question_VV=question_VV,
        seed_VV=seed_normal_VV,
        answer_VV=total_VV - question_VV,
        threshold_V=-special.ndtri(accuracy_V) * spread_V,
    )


def draw_answers(
    world: FittedWorld, rng: np.random.Generator, num_seeds: int, num_questions: int
) -> Floats:
    """Return the answers of one study, (V, S, Q): 100 for a right one, else 0."""
    question_VQ = _draw(world.question_VV, rng, (num_questions,))
    seed_VS = _draw(world.seed_VV, rng, (num_seeds,))
    value_VSQ = _draw(world.answer_VV, rng, (num_seeds, num_questions))
    value_VSQ += question_VQ[:, None]
    value_VSQ += seed_VS[:, :, None]
    is_right_VSQ = value_VSQ > world.threshold_V[:, None, None]
    return 100.0 * is_right_VSQ.astype(np.float64)


def _draw(
    covariance_VV: Floats, rng: np.random.Generator, shape: tuple[int, ...]
) -> Singles:
    """Return normal values (V, ...) with a covariance between variants."""
    values_V, vectors_VV = np.linalg.eigh(covariance_VV)
    root_VV = vectors_VV * np.sqrt(np.maximum(values_V, 0.0))
    drawn = rng.standard_normal((len(covariance_VV), *shape), dtype=np.float32)
    mixed: Singles = np.tensordot(root_VV.astype(np.float32), drawn, axes=1)
    return mixed


def _correlation(covariance: float) -> float:
    """Return the correlation of normal values whose signs have a covariance, points²."""
    threshold = special.ndtri(ACCURACY)

    def excess(correlation: float) -> float:
        both = stats.multivariate_normal.cdf(
            [threshold, threshold], cov=[[1, correlation], [correlation, 1]]
        )
        return float(both) - ACCURACY**2 - covariance / 1e4

    return float(optimize.brentq(excess, -0.99, 0.999))

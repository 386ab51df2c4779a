"""Simulated studies in which the truth is known.

A student answers a question right with probability sigmoid(level + its difficulty + its
run): difficulties and runs are normal. Runs of one recipe differ in accuracy by 1.7
points (sd); `run_share` of that variance moves all questions together, the rest is
chance at each question. `own` is the share of difficulty's variance that is a recipe's
own, so that two recipes of equal accuracy still differ on single questions. Paired runs
correlate by 0, the hardest case, or by 0.5.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from cotbuild.builder.study.statistics import compare, equivalent
from cotbuild.schemas.study.results import Comparison

RUN_SD, ACCURACY = 0.017, 0.35
SPREAD_Z = special.ndtri((np.arange(2001) + 0.5) / 2001)
Correct = NDArray[np.bool_]


class World(NamedTuple):
    """How students answer; sds on the scale of logits."""

    questions: int
    difficulty_sd: float
    run_sd: float
    own: float
    run_correlation: float

    def level(self, accuracy: float) -> float:
        """The intercept at which students are right so often, over all questions and
        runs.
        """
        return _level(accuracy, float(np.hypot(self.difficulty_sd, self.run_sd)))


def _level(accuracy: float, sd: float) -> float:
    return float(
        optimize.brentq(
            lambda level: special.expit(level + sd * SPREAD_Z).mean() - accuracy,
            -200,
            200,
        )
    )


def world(
    questions: int, run_share: float, own: float, run_correlation: float
) -> World:
    """The world whose runs have sd RUN_SD in accuracy, `run_share` of the variance in
    all questions together.
    """

    def chance(sd: float) -> float:
        """Mean of p(1 - p): the variance of one answer, given question and run."""
        right = special.expit(_level(ACCURACY, sd) + sd * SPREAD_Z)
        return float((right * (1 - right)).mean())

    wanted = RUN_SD**2 * (1 - run_share) * questions
    sd = float(optimize.brentq(lambda sd: chance(sd) - wanted, 0.01, 100))
    return World(
        questions, sd, RUN_SD * run_share**0.5 / chance(sd), own, run_correlation
    )


def draw(
    world: World, rng: np.random.Generator, studies: int, seeds: int, effect: float
) -> tuple[Correct, Correct]:
    """Recipes A and B, each (studies, seeds, questions); A is better by `effect`, a
    fraction.
    """
    shared_N1Q, run_NS1 = (
        rng.standard_normal((studies, 1, world.questions)),
        rng.standard_normal((studies, seeds, 1)),
    )

    def recipe(accuracy: float) -> Correct:
        own = rng.standard_normal(shared_N1Q.shape)
        question = np.sqrt(1 - world.own) * shared_N1Q + np.sqrt(world.own) * own
        alike = world.run_correlation
        run = np.sqrt(alike) * run_NS1 + np.sqrt(1 - alike) * rng.standard_normal(
            run_NS1.shape
        )
        logits = (
            world.level(accuracy) + world.difficulty_sd * question + world.run_sd * run
        )
        right: Correct = rng.random(logits.shape) < special.expit(logits)
        return right

    return recipe(ACCURACY + effect), recipe(ACCURACY)


def compare_all(a_NSQ: Correct, b_NSQ: Correct, paired: bool) -> list[Comparison]:
    """`compare` on each study."""
    return [compare(a, b, paired=paired) for a, b in zip(a_NSQ, b_NSQ, strict=True)]


def percentile_rejects(
    a_NSQ: Correct,
    b_NSQ: Correct,
    paired: bool,
    rng: np.random.Generator,
    *,
    fewer: int = 0,
    resamples: int = 500,
) -> float:
    """Share of studies whose 95 % percentile interval leaves 0 out; all studies share
    the draws of questions.
    """
    studies, seeds, questions = a_NSQ.shape
    questions_BQ = rng.multinomial(
        questions, np.full(questions, 1 / questions), resamples
    ).astype(np.float32)

    def weights() -> NDArray[np.int64]:
        return rng.multinomial(
            seeds - fewer, np.full(seeds, 1 / seeds), (studies, resamples)
        ).swapaxes(1, 2)

    for_a = weights()
    means_a = (a_NSQ.astype(np.float32) @ questions_BQ.T * for_a).sum(1)
    means_b = (
        b_NSQ.astype(np.float32) @ questions_BQ.T * (for_a if paired else weights())
    ).sum(1)
    low, high = np.quantile(means_a - means_b, [0.025, 0.975], axis=1)
    return float(((low > 0) | (high < 0)).mean())


def mcnemar_rejects(a_NSQ: Correct, b_NSQ: Correct) -> tuple[float, float]:
    """Share of studies in which McNemar's exact test rejects: all seeds pooled; at
    least one seed.
    """
    only_a, only_b = (a_NSQ & ~b_NSQ).sum(2), (b_NSQ & ~a_NSQ).sum(2)

    def p(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.minimum(
            1, 2 * stats.binom.cdf(np.minimum(one, other), one + other, 0.5)
        )
        return found

    return float((p(only_a.sum(1), only_b.sum(1)) <= 0.05).mean()), float(
        (p(only_a, only_b).min(1) <= 0.05).mean()
    )


def rejects(found: list[Comparison]) -> float:
    """Share that finds a difference."""
    return float(np.mean([one.p <= 0.05 for one in found]))


def covers(found: list[Comparison], points: float) -> float:
    """Share of 95 % intervals that hold the truth."""
    return float(
        np.mean([one.interval_95[0] <= points <= one.interval_95[1] for one in found])
    )


def found_equivalent(found: list[Comparison]) -> float:
    """Share found equivalent within the margin."""
    return float(np.mean([equivalent(one) for one in found]))

"""The evidence for a claim at its looks, from estimates of its contrasts. Pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from cotbuild.builder.study.claim_tests import LEVEL, ClaimTests, ContrastTest
from cotbuild.builder.study.decisions import ClaimEvidence
from cotbuild.builder.study.looks import look_p_value, normal_scores
from cotbuild.builder.study.two_way import Floats, StandardError

ROUNDING = 1e-9
"""Points. An estimate that is no farther below its bar counts as being on it."""


class ContrastEstimate(NamedTuple):
    """A weighted sum of variants' means, as estimated at a look, points."""

    estimate: float
    standard: StandardError
    num_seeds: int
    num_questions: int


def weigh_claim(
    tests: ClaimTests,
    p_value_of: Callable[[ContrastTest], Floats],
    above_bar_of: Callable[[ContrastTest], Floats],
) -> ClaimEvidence:
    """Combine the one-sided p-values of a claim's tests, and judge assay sensitivity.

    Both functions return an entry for each study: `p_value_of` the p-value of a test
    after the looks so far, `above_bar_of` how far its estimate at the last of these
    looks is above the bar, points; NaN if that is unknown.
    """
    sides = 2 if tests.is_two_sided else 1
    shown = np.max([p_value_of(test) for test in tests.shown], axis=0)
    against = np.min([p_value_of(test) for test in tests.against], axis=0)
    # Any of the opposites contradicts the claim, so they are corrected (Bonferroni).
    sides_against = sides * len(tests.against)
    is_sensitive = np.ones_like(shown, dtype=bool)
    if tests.must_fail:
        is_below = [above_bar_of(test) < -ROUNDING for test in tests.must_fail]
        is_sensitive &= np.any(is_below, axis=0)
    for test in tests.must_hold:
        is_sensitive &= 2 * p_value_of(test) <= LEVEL
    return ClaimEvidence(
        p=np.minimum(sides * shown, 1.0),
        p_against=np.minimum(sides_against * against, 1.0),
        is_sensitive=is_sensitive,
    )


def contrast_p_value(
    test: ContrastTest,
    at_looks: Sequence[ContrastEstimate],
    fractions: Sequence[float],
) -> float:
    """Return the one-sided p-value of a test after the looks so far; 1 before the first.

    `fractions` are the shares of all seeds at the planned looks.
    """
    if not at_looks:
        return 1.0
    zs = normal_scores(
        np.array([one.estimate - test.bar for one in at_looks]),
        np.array([one.standard.error for one in at_looks]),
        np.array([one.standard.df for one in at_looks]),
    )
    return look_p_value([float(z) for z in zs], fractions)

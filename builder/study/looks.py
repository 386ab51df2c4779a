"""Looking at a study more than once: O'Brien-Fleming bounds (1979). Pure.

A study may decide its claims at several looks that were planned beforehand. At a look
with a share t of all seeds, a claim is decided where z ≥ c / √t: strict early, and at
the last look nearly as without looks. With no effect, z × √t at the looks are the
values at times t of a Brownian motion on [0, 1]. So

    the p-value is P(the motion is, at a planned look, as large as the largest z × √t seen),

the smallest level at which the claim is decided by now. It counts the looks that are
still to come, so it can only fall from look to look: what was decided stays decided
(Jennison and Turnbull 1984, repeated p-values). Corrections for several claims, such
as Holm's, apply to it as to any p-value.

The questions are the same at every look, so the looks of a study are more alike than
those of the motion, whose information grows with the seeds alone. That makes the
p-value too large rather than too small.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy import optimize, special

from cotbuild.builder.study.two_way import Floats

NODES = 200
"""Points of the integration (Gauss-Legendre): bounds of up to 20 looks agree with
published tables to all their digits."""
_REACH = 9.0
"""Standard deviations of the motion that the integration covers."""


def look_fractions(looks: Sequence[int]) -> tuple[float, ...]:
    """Return the share of all seeds that each look has; `looks` must rise."""
    return tuple(look / looks[-1] for look in looks)


def look_p_value(zs: Sequence[float], fractions: Sequence[float]) -> float:
    """Return the one-sided p-value after the looks so far.

    `zs` are the standard normal statistics at the first looks, at least one;
    `fractions` the shares of the information at all planned looks, up to 1.
    """
    largest = max(z * fraction**0.5 for z, fraction in zip(zs, fractions, strict=False))
    return crossing_probability(largest, fractions)


def crossing_probability(bound: float, fractions: Sequence[float]) -> float:
    """Return the probability that a Brownian motion reaches a bound at a look.

    It is computed look by look: the density of the motion that was below the bound at
    all looks so far (Armitage, McPherson and Rowe 1969).
    """
    if np.isinf(bound):
        return float(bound < 0)
    first = fractions[0] ** 0.5
    crossed = float(special.ndtr(-bound / first))
    nodes, weights = _quadrature()
    low = min(bound, 0.0) - _REACH
    points = low + (bound - low) * (nodes + 1) / 2
    weights = weights * (bound - low) / 2
    density = _normal_density(points, first)
    for previous, fraction in pairwise(fractions):
        step = (fraction - previous) ** 0.5
        mass = weights * density
        crossed += float(mass @ special.ndtr(-(bound - points) / step))
        density = mass @ _normal_density(points - points[:, None], step)
    return min(crossed, 1.0)


def look_p_values(z_NK: Floats, fractions: Sequence[float]) -> Floats:
    """Return `look_p_value` of N studies after the same K looks.

    It is interpolated between bounds 0.1 apart, to three digits.
    """
    used = np.sqrt(np.array(fractions[: z_NK.shape[-1]]))
    largest = (z_NK * used).max(axis=-1)
    bounds, logs = _crossing_table(tuple(fractions))
    p_values: Floats = np.exp(np.interp(largest, bounds, logs))
    return p_values


@lru_cache
def _crossing_table(fractions: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Return bounds and the logarithms of the probabilities that they are reached."""
    bounds: Floats = np.arange(-6.0, 9.0, 0.1, dtype=np.float64)
    found = [crossing_probability(float(bound), fractions) for bound in bounds]
    return bounds, np.log(np.array(found))


def look_bounds(level: float, fractions: Sequence[float]) -> tuple[float, ...]:
    """Return the one-sided p-value that decides at each look, taken by itself."""

    def excess(bound: float) -> float:
        return crossing_probability(bound, fractions) - level

    bound = float(optimize.brentq(excess, 0.0, 10.0, xtol=1e-10))
    return tuple(float(special.ndtr(-bound / fraction**0.5)) for fraction in fractions)


@lru_cache
def _quadrature() -> tuple[Floats, Floats]:
    """Return nodes between -1 and 1, and their weights."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return nodes, weights


def _normal_density(values: Floats, sd: float) -> Floats:
    density: Floats = np.exp(-0.5 * (values / sd) ** 2) / (sd * (2 * np.pi) ** 0.5)
    return density


def normal_scores(above_bar: Floats, error: Floats, df: Floats) -> Floats:
    """Return the z of estimates that lie so far above a bar, by Student's t.

    z has the same one-sided p-value as the estimate. Without any error it is infinite,
    and 0 for an estimate on the bar.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(above_bar) / error
        tail = special.stdtr(df, -np.where(above_bar == 0, 0.0, t))
        scores: Floats = -np.sign(above_bar) * special.ndtri(tail)
    return np.where(above_bar == 0, 0.0, scores)

"""Looks: against published tables, and a simulated motion."""

import numpy as np
import pytest
from scipy import stats

from cotbuild.builder.study.looks import (
    crossing_probability,
    look_bounds,
    look_fractions,
    look_p_value,
    look_p_values,
    normal_scores,
)


@pytest.mark.parametrize(
    ("num_looks", "constant"),
    # Jennison and Turnbull 2000, table 2.3: O'Brien-Fleming, 5 % two-sided.
    [
        (1, 1.960),
        (2, 1.977),
        (3, 2.004),
        (4, 2.024),
        (5, 2.040),
        (10, 2.087),
        (20, 2.126),
    ],
)
def test_bounds_are_those_of_the_tables(num_looks: int, constant: float) -> None:
    bounds = look_bounds(0.025, look_fractions(range(1, num_looks + 1)))
    found = [
        float(stats.norm.isf(bound)) * (look / num_looks) ** 0.5
        for look, bound in enumerate(bounds, start=1)
    ]
    assert found == pytest.approx([constant] * num_looks, abs=0.0006)


def test_looks_at_6_and_12_seeds() -> None:
    bounds = look_bounds(0.025, look_fractions((6, 12)))
    assert [round(2 * bound, 4) for bound in bounds] == [0.0052, 0.048]


def test_unequal_looks_agree_with_a_simulated_motion() -> None:
    fractions = look_fractions((3, 5, 12))
    rng = np.random.default_rng(0)
    steps = np.sqrt(np.diff([0, *fractions]))
    motion_NK = (rng.standard_normal((200_000, 3)) * steps).cumsum(axis=1)
    for bound in (-0.5, 0.7, 1.7):
        share = (motion_NK.max(axis=1) >= bound).mean()
        assert crossing_probability(bound, fractions) == pytest.approx(share, abs=0.004)


def test_a_p_value_can_only_fall_and_decides_at_the_bounds() -> None:
    fractions = (0.5, 1.0)
    first = look_p_value([2.5], fractions)
    assert look_p_value([2.5, -3.0], fractions) == first
    assert look_p_value([2.5, 3.0], fractions) < first
    for position, bound in enumerate(look_bounds(0.01, fractions)):
        zs = [0.0] * position + [float(stats.norm.isf(bound))]
        assert look_p_value(zs, fractions) == pytest.approx(0.01)


def test_with_one_look_it_is_the_usual_p_value() -> None:
    for z in (-2.0, 0.0, 1.3, 4.0):
        assert look_p_value([z], (1.0,)) == pytest.approx(float(stats.norm.sf(z)))
    assert look_p_value([float("inf")], (0.5, 1.0)) == 0.0
    assert look_p_value([float("-inf")], (1.0,)) == 1.0


def test_many_studies_are_weighed_as_one() -> None:
    z_NK = np.random.default_rng(1).normal(1, 2, (20, 2))
    single = [look_p_value(list(z_K), (0.4, 1.0)) for z_K in z_NK]
    assert look_p_values(z_NK, (0.4, 1.0)) == pytest.approx(single, rel=0.01)


def test_scores_have_the_p_value_of_students_t() -> None:
    above = np.array([2.0, -2.0, 0.0, 1.0, 0.0])
    error = np.array([1.0, 1.0, 1.0, 0.0, 0.0])
    found = normal_scores(above, error, np.full(5, 4.0))
    assert stats.norm.sf(found[:2]) == pytest.approx(stats.t(4).sf([2.0, -2.0]))
    assert list(found[2:]) == [0.0, float("inf"), 0.0]

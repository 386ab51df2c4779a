"""The two-way error: against a table worked out by hand, and its parts by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.study.statistics import compare
from cotbuild.builder.study.two_way import (
    TwoWayVariance,
    resampled_variance,
    standard_error,
    table_variance,
)
from cotbuild.student.evaluation.bootstrap import resample_sums


def test_mean_squares_of_a_small_table() -> None:
    """Seed means 1 and 3, question means 1, 2 and 3; the rest is ±1/2 and 0."""
    found = table_variance(np.array([[0.5, 1.0, 1.5], [1.5, 3.0, 4.5]]))
    # Mean squares: 3 × 2 / 1, 2 × 2 / 2, and 4 × 1/4 / 2.
    assert found == pytest.approx((6 / 6, 2 / 6, 0.5 / 6, 2, 3))


@pytest.mark.parametrize(
    ("parts", "variance", "df"),
    [
        # Both parts: the error is subtracted once.
        ((3.0, 2.0, 1.0), 4.0, 16 / (9 / 7 + 4 / 99 + 1 / 693)),
        # No part of the seeds: the questions' mean square is all.
        ((0.5, 2.0, 1.0), 2.0, 99.0),
        ((3.0, 0.5, 1.0), 3.0, 7.0),
        # Neither: the error alone.
        ((0.5, 0.5, 1.0), 1.0, 693.0),
        ((0.0, 0.0, 0.0), 0.0, 99.0),
    ],
)
def test_parts_below_0_count_as_0(
    parts: tuple[float, float, float], variance: float, df: float
) -> None:
    found = standard_error(TwoWayVariance(*parts, num_seeds=8, num_questions=100))
    assert found.error**2 == pytest.approx(variance)
    assert found.df == pytest.approx(df)
    assert not found.is_wide


@given(st.integers(0, 10**6), st.integers(2, 4), st.integers(2, 30))
def test_below_five_seeds_it_is_the_error_of_version_1(
    seed: int, num_seeds: int, num_questions: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 2, (2, num_seeds, num_questions)).astype(float)
    found = standard_error(table_variance(a - b))
    old = compare(a, b, paired=True)
    assert found.is_wide
    assert 100 * found.error == pytest.approx(old.standard_error, abs=1e-9)
    if found.error > 0:
        assert found.df == pytest.approx(old.df)


@given(st.integers(0, 10**6), st.integers(5, 9), st.integers(2, 30))
def test_it_is_never_larger_than_that_of_version_1(
    seed: int, num_seeds: int, num_questions: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 2, (2, num_seeds, num_questions)).astype(float)
    parts = table_variance(a - b)
    old = compare(a, b, paired=True)
    largest = max((old.standard_error / 100) ** 2, parts.of_error)
    assert standard_error(parts).error ** 2 <= largest + 1e-9


def test_by_resamples_a_mean_has_the_parts_of_its_table() -> None:
    rng = np.random.default_rng(1)
    values_SQ = (
        rng.normal(0, 0.02, (6, 1))
        + rng.normal(0, 0.3, (1, 400))
        + rng.normal(0, 0.4, (6, 400))
    )
    resampled_SR = np.array(
        [resample_sums(row_Q[:, None])[:, 0] / 400 for row_Q in values_SQ]
    )
    found = resampled_variance(values_SQ.mean(axis=1), resampled_SR, 400)
    exact = table_variance(values_SQ)
    assert found.of_seeds == pytest.approx(exact.of_seeds)
    assert found.of_questions == pytest.approx(exact.of_questions, rel=0.1)
    assert found.of_error == pytest.approx(exact.of_error, rel=0.1)
    assert standard_error(found).error == pytest.approx(
        standard_error(exact).error, rel=0.1
    )

"""Resampled sums, and the intervals made of them."""

import math

import numpy as np
import pytest

from cotbuild.student.evaluation import bootstrap
from cotbuild.student.evaluation.bootstrap import (
    Floats,
    make_estimates,
    percentile_interval,
    resample_sums,
)


def statistics(seed: int) -> Floats:
    return np.random.default_rng(seed).random((50, 1))


def test_a_resample_draws_as_many_questions_as_there_are() -> None:
    sums = resample_sums(np.ones((7, 2)))
    assert sums.shape == (bootstrap.RESAMPLES, 2)
    assert (sums == 7).all()


def test_resamples_of_equally_many_questions_are_paired() -> None:
    a, b = statistics(1), statistics(2)
    difference = resample_sums(a) - resample_sums(b)
    assert difference == pytest.approx(resample_sums(a - b))


def test_resamples_do_not_depend_on_how_many_are_held_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.floor(1000 * statistics(3))
    whole = resample_sums(values)
    monkeypatch.setattr(bootstrap, "_MAX_DRAWN", 130)
    assert (resample_sums(values) == whole).all()


def test_the_spread_is_that_of_the_mean() -> None:
    values = np.random.default_rng(2).random(400)
    means = resample_sums(values[:, None])[:, 0] / 400
    assert means.std() == pytest.approx(values.std() / 20, rel=0.1)


def test_undefined_resamples_are_left_out_of_the_interval() -> None:
    nan = math.nan
    values = np.array([[1.0, nan], [nan, nan], [3.0, nan]])
    low, high = percentile_interval(values)
    assert (low[0], high[0]) == pytest.approx((1.05, 2.95))
    assert np.isnan([low[1], high[1]]).all()
    known, unknown = make_estimates(np.array([2.0, 5.0]), values)
    assert known is not None
    assert unknown is not None
    assert (known.value, unknown.low, unknown.high) == (2.0, 5.0, 5.0)
    assert make_estimates(np.array([nan, nan]), values) == [None, None]

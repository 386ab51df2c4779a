"""How fast a run goes and when it may be done: honest about what is not known."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.events.rate import BUCKET_S, MIN_ETA_BUCKETS, RunRate


def steady(seconds: int, chains_per_s: int) -> RunRate:
    rate = RunRate(0.0)
    for second in range(seconds):
        rate.add(float(second), 10 * chains_per_s, chains_per_s)
    return rate


def test_tokens_are_those_of_the_last_minute() -> None:
    rate = RunRate(0.0)
    for second in range(300):
        rate.add(float(second), 1000 if second < 200 else 10, 1)
    assert rate.tokens_per_s(299.9) == pytest.approx(10, rel=0.1)
    assert RunRate(0.0).tokens_per_s(0.5) is None


@pytest.mark.parametrize("seconds", [1, int(MIN_ETA_BUCKETS * BUCKET_S) - 1])
def test_there_is_no_eta_before_there_is_enough(seconds: int) -> None:
    assert steady(seconds, 100).eta_s(float(seconds), 100) is None


def test_a_run_without_a_finished_chain_has_no_eta() -> None:
    assert steady(60, 0).eta_s(60.0, 100) is None


def test_the_eta_of_a_steady_run_is_narrow_and_around_the_truth() -> None:
    low, high = steady(300, 10).eta_s(300.0, 1000) or (0.0, 0.0)
    assert low < 100 < high
    assert high - low < 10


def test_the_more_the_rate_spreads_the_wider_is_the_eta() -> None:
    draw, spread = random.Random(1), RunRate(0.0)
    for second in range(300):
        spread.add(float(second), 0, 100 if draw.random() < 0.1 else 0)
    low, high = spread.eta_s(300.0, 1000) or (0.0, 0.0)
    steady_low, steady_high = steady(300, 10).eta_s(300.0, 1000) or (0.0, 0.0)
    assert high - low > 2 * (steady_high - steady_low)


@given(
    st.lists(st.tuples(st.floats(0, 40), st.integers(0, 9), st.integers(0, 5))),
    st.integers(0, 100),
)
def test_whatever_comes_the_bounds_are_in_order(
    steps: list[tuple[float, int, int]], left: int
) -> None:
    rate, now_s = RunRate(0.0), 0.0
    for wait_s, tokens, chains in steps:
        now_s += wait_s
        rate.add(now_s, tokens, chains)
        eta_s = rate.eta_s(now_s, left)
        assert eta_s is None or 0 <= eta_s[0] <= eta_s[1]
        assert (rate.tokens_per_s(now_s) or 0.0) >= 0

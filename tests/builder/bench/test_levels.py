"""From timed answers to a knee, over made-up servers whose knee is known."""

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.bench.levels import (
    Level,
    Sample,
    find_knee,
    is_past_knee,
    num_output_tokens,
    num_requests,
    percentile,
    still_rises,
    summarize,
)
from cotbuild.builder.bench.report import (
    LeftOut,
    Shortfall,
    Target,
    advice_lines,
    format_left_out,
    format_level,
)


def simulate(slots: int, concurrency: int, service_s: float = 1.0) -> list[Sample]:
    """Return the samples of a level at a server with so many slots and a queue."""
    free_s = [0.0] * slots
    ready_s = [0.0] * concurrency
    samples = []
    for _ in range(num_requests(concurrency)):
        sent_s = heapq.heappop(ready_s)
        begun_s = max(sent_s, heapq.heappop(free_s))
        ended_s = begun_s + service_s
        heapq.heappush(free_s, ended_s)
        heapq.heappush(ready_s, ended_s)
        samples.append(Sample(sent_s, ended_s, tokens=100))
    return samples


@pytest.mark.parametrize("slots", [1, 2, 8, 16, 64])
def test_the_knee_is_the_servers_slots(slots: int) -> None:
    levels: list[Level] = []
    concurrency = 1
    while not is_past_knee(levels):
        samples = simulate(slots, concurrency)
        levels.append(summarize(concurrency, samples, 0))
        concurrency *= 2
    knee = find_knee(levels)
    assert knee is not None
    assert knee.concurrency == slots
    assert knee.requests_per_s == pytest.approx(slots)
    assert knee.tokens_per_s == pytest.approx(100 * slots)
    assert levels[-1].concurrency <= max(4 * slots, 4)


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.01, 10))
def test_a_rate_is_neither_that_of_warming_up_nor_of_finishing(
    slots: int, concurrency: int, service_s: float
) -> None:
    level = summarize(concurrency, simulate(slots, concurrency, service_s), 0)
    busy = min(slots, concurrency)
    # A round may be cut where slots and concurrency do not divide each other.
    assert level.requests_per_s * service_s == pytest.approx(busy, rel=0.5)
    assert level.p50_s is not None
    assert level.p50_s >= service_s * 0.999


def level(
    concurrency: int, rate: float, *, failed: int = 0, tokens: bool = True
) -> Level:
    return Level(
        concurrency, 100, failed, 0, 1.0, rate / 10, rate if tokens else None, 1.0, 2.0
    )


@pytest.mark.parametrize(
    ("rates", "knee", "past", "rises"),
    [
        ([], None, False, False),
        ([10], 1, False, True),
        ([10, 20, 40], 4, False, True),
        ([10, 20, 20], 2, False, False),
        ([10, 20, 20, 20], 2, True, False),
        ([10, 20, 21, 20.5], 2, False, False),
        ([10, 20, 30, 31], 4, False, False),
        ([10, 9, 8], 1, True, False),
        ([0, 0, 0], None, False, False),
    ],
)
def test_rates_and_their_knee(
    rates: list[float], knee: int | None, past: bool, rises: bool
) -> None:
    levels = [level(1 << number, rate) for number, rate in enumerate(rates)]
    found = find_knee(levels)
    assert (None if found is None else found.concurrency) == knee
    assert is_past_knee(levels) == past
    assert still_rises(levels) == rises


def test_a_level_with_failures_recommends_nothing() -> None:
    levels = [level(1, 10), level(2, 20), level(4, 100, failed=51)]
    assert is_past_knee(levels)
    assert not still_rises(levels)
    knee = find_knee(levels)
    assert knee is not None
    assert knee.concurrency == 2


def test_a_level_cut_short_counts_all_it_has() -> None:
    samples = [Sample(0.0, 2.0, 10), Sample(0.0, 4.0, has_failed=True)]
    cut = summarize(8, samples, 3)
    assert (cut.num_requests, cut.num_failed, cut.num_retried) == (2, 1, 3)
    assert cut.requests_per_s == pytest.approx(1 / 4)
    assert cut.tokens_per_s == pytest.approx(10 / 4)
    nothing = summarize(8, [], 0)
    assert (nothing.rate, nothing.p50_s, nothing.is_usable) == (0.0, None, False)


def test_a_server_that_counts_no_tokens_is_compared_by_requests() -> None:
    samples = [Sample(float(n), n + 1.0) for n in range(12)]
    measured = summarize(1, samples, 0)
    assert measured.tokens_per_s is None
    assert measured.rate == measured.requests_per_s == pytest.approx(1.0)
    assert format_level(measured).split()[2] == "-"


@pytest.mark.parametrize(
    ("concurrency", "max_tokens", "mean_tokens", "expected"),
    [(1, 100, 100, 1200), (1, 100, 10, 110 + 100), (256, 1000, 50.5, 64_640 + 256_000)],
)
def test_tokens_that_a_level_may_take(
    concurrency: int, max_tokens: int, mean_tokens: float, expected: int
) -> None:
    assert num_output_tokens(concurrency, max_tokens, mean_tokens) == expected


@pytest.mark.parametrize(
    ("values", "frac", "expected"),
    [
        ([], 0.5, None),
        ([7], 0.99, 7),
        ([1, 2], 0.5, 1),
        ([1, 2, 3], 0.5, 2),
        (list(range(1, 101)), 0.99, 99),
    ],
)
def test_percentiles(values: list[float], frac: float, expected: float | None) -> None:
    assert percentile(values, frac) == expected


ENDPOINT = Target(("--teacher", "m", "--endpoint", "http://h/v1"), 1)
MANAGED = Target(("--teacher", "m"), 2, max_num_seqs=256)


@pytest.mark.parametrize(
    ("rates", "target", "lines"),
    [
        ([], ENDPOINT, ["no level had enough answers to suggest anything"]),
        (
            [500, 1000, 1010, 1020], ENDPOINT,
            ["best: 1,020 tokens/s with 8 in flight; 2 reach 98% of that",
             "more only wait longer: p50 1.00 s with 2 in flight, 1.00 s with 8",
             "use: cotbuild generate --teacher m --endpoint http://h/v1 --window 2"],
        ),
        (
            [50, 100], ENDPOINT,
            ["best: 100 tokens/s with 2 in flight",
             "the rate still rose at 2, the most that was tried; to measure on: --max-concurrency 4",
             "use: cotbuild generate --teacher m --endpoint http://h/v1 --window 2"],
        ),
        (
            [50, 100, 99, 98], MANAGED,
            ["best: 100 tokens/s with 2 in flight",
             "more only wait longer: p50 1.00 s with 2 in flight, 1.00 s with 8",
             "use: cotbuild generate --teacher m --set teacher.server.max_num_seqs=1"],
        ),
        (
            [0.0] * 8 + [5, 10], MANAGED,
            ["best: 10.0 tokens/s with 512 in flight",
             "the rate still rose at 512, the most that was tried; to measure on: --max-concurrency 1024 "
             "--set teacher.server.max_num_seqs=512",
             "use: cotbuild generate --teacher m"],
        ),
    ],
)  # fmt: skip
def test_the_suggestion_is_a_command_and_says_why(
    rates: list[float], target: Target, lines: list[str]
) -> None:
    levels = [level(1 << number, rate) for number, rate in enumerate(rates)]
    assert advice_lines(levels, target) == lines


def test_a_level_that_was_left_out_is_named_with_its_limits() -> None:
    requests = Shortfall("--max-requests", 2000, 3072)
    tokens = Shortfall("--max-output-tokens", 500_000, 640_000)
    left_out = LeftOut(256, (requests, tokens))
    assert left_out.reason == "--max-requests 2000 and --max-output-tokens 500000"
    assert format_left_out(left_out) == (
        "left out: 256 in flight; to measure it: --max-requests 3072 "
        "--max-output-tokens 640000"
    )
    lines = advice_lines([level(1, 50), level(2, 100)], ENDPOINT, left_out)
    assert lines[1] == "the rate still rose at 2, the most that was tried"

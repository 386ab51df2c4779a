"""How full servers were: measured until the last request was sent, and the line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.teachers.http.server_use import (
    MIN_MEASURED_S,
    ServerUse,
    describe_use,
)
from cotbuild.builder.teachers.http.wire import ServerLoad, parse_load


def load(running: int, queries: float = 0, hits: float = 0) -> ServerLoad:
    return ServerLoad(0.0, running, 0.0, queries, hits)


def watch(use: ServerUse, polls: list[tuple[int, bool]], step_s: float = 3.0) -> None:
    """Poll after every `step_s` seconds: requests running, and whether one was sent."""
    use.record(load(0), 0.0)
    for number, (running, is_sending) in enumerate(polls, start=1):
        if is_sending:
            use.note_sent(step_s * number - 1.0)
        use.record(load(running), step_s * number)


@pytest.mark.parametrize(
    ("polls", "measured_s", "half_empty_s"),
    [
        ([(8, True)] * 4, 12, 0),
        ([(8, True), (3, True), (4, True)], 9, 3),
        # A client that sends nothing for a while, and later goes on, left it empty.
        ([(8, True), (0, False), (0, False), (8, True)], 12, 6),
        # The tail: nothing was sent any more.
        ([(8, True), (8, True), (3, False), (1, False)], 6, 0),
        ([], 0, 0),
    ],
)
def test_what_is_measured(
    polls: list[tuple[int, bool]], measured_s: float, half_empty_s: float
) -> None:
    use = ServerUse(8)
    watch(use, polls)
    assert (use.measured_s, use.half_empty_s) == (measured_s, half_empty_s)


@pytest.mark.parametrize(
    ("waiting", "half_empty_s"),
    [
        (0.0, 0),  # counted before the step that has begun with the others
        (5.0, 3),  # the others wait, for want of KV cache
    ],
)
def test_requests_that_are_not_counted_yet_are_running(
    waiting: float, half_empty_s: float
) -> None:
    use = ServerUse(8)
    use.record(load(8), 0.0, 8)
    use.note_sent(2.0)
    use.record(ServerLoad(0.0, 2, waiting), 3.0, 7)
    assert (use.measured_s, use.half_empty_s) == (3, half_empty_s)


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans())))
def test_no_more_is_half_empty_than_is_measured(polls: list[tuple[int, bool]]) -> None:
    for use in (ServerUse(8), ServerUse()):
        watch(use, polls)
        assert 0 <= use.half_empty_s <= use.measured_s <= 3.0 * len(polls)


def test_a_server_of_unknown_size_is_taken_to_hold_what_it_held() -> None:
    use = ServerUse()
    watch(use, [(2, True), (6, True), (3, True)])
    assert (use.slots, use.half_empty_s) == (6, 3)


def test_a_pause_does_not_count() -> None:
    use = ServerUse(8)
    watch(use, [(8, True)])
    use.pause()
    use.note_sent(1000.0)
    use.record(load(8), 1001.0)
    assert use.measured_s == 3


def test_the_prefix_cache_counts_from_the_first_poll_and_over_restarts() -> None:
    use = ServerUse(8)
    for queries, hits in ((1000, 900), (1100, 950), (10, 0), (30, 15)):
        use.record(load(8, queries, hits), 0.0)
    assert (use.prefix_queries, use.prefix_hits) == (120, 65)


def test_the_line() -> None:
    first, second = ServerUse(8), ServerUse(8)
    watch(first, [(8, True), (3, True)])
    assert describe_use([first]) is None
    assert first.measured_s < MIN_MEASURED_S
    watch(second, [(8, True), (8, True)])
    line = "fewer than half of 16 requests ran in 25.0% of the time until the last was sent"
    assert describe_use([first, second]) == line
    for queries, hits in ((0, 0), (200, 50)):
        second.record(load(8, queries, hits), 6.0)
    cached = "25.0% of the prompt tokens were in the prefix cache"
    assert describe_use(iter([first, second])) == f"{line}; {cached}"


def test_the_prefix_cache_is_read_from_the_metrics_of_all_engines() -> None:
    raw = b"""# HELP vllm:prefix_cache_queries_total x
vllm:prefix_cache_queries_total{engine="0"} 100.0
vllm:prefix_cache_queries_total{engine="1"} 20.0
vllm:prefix_cache_hits_total{engine="0"} 6e1
vllm:num_requests_running{engine="0"} 3.0
vllm:generation_tokens_total{engine="0"} 7.0
"""
    found = parse_load(raw)
    assert found == ServerLoad(7.0, 3.0, 0.0, 120.0, 60.0)

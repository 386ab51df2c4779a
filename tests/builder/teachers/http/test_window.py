"""The control law of an endpoint's window: its bounds, its cuts, its recovery, and what
the server's queue does.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.teachers.http.window import RequestWindow


def test_begins_at_the_maximum() -> None:
    assert RequestWindow(128).size == 128


@pytest.mark.parametrize(
    ("events", "size"),
    [
        ([(0, 1)], 64),
        ([(0, 1), (0, 1), (0.9, 2)], 64),  # all sent before the cut: one round trip
        ([(0, 1), (1, 2)], 32),
        ([(0, 1), (1, 2), (1.5, 2.5), (2, 3)], 16),
        ([(float(n), n + 0.5) for n in range(20)], 1),
    ],
)
def test_halves_once_a_round_trip(events: list[tuple[float, float]], size: int) -> None:
    window = RequestWindow(128)
    for sent_s, now_s in events:
        window.record_pushback(sent_s, now_s)
    assert window.size == size


def test_grows_by_one_for_a_window_of_successes() -> None:
    window = RequestWindow(128)
    window.record_pushback(0, 1)
    for expected in (65, 66, 67):
        for _ in range(
            expected
        ):  # one more than the window was: its size rises while it is filled
            window.record_success()
        assert window.size == expected


@pytest.mark.parametrize(
    ("looks", "size"),
    [
        ([(64, 64)], 128),  # seen once, it may be a burst
        ([(64, 64)] * 2, 116),
        ([(64, 64)] * 40, 80),
        ([(100, 25)] * 40, 128),  # a short queue keeps the server busy
        ([(64, 64), (64, 0)] * 40, 128),
        ([(0, 128)] * 90, 1),
        ([(128, 900)] * 40, 128),  # others' requests: not ours to answer for
    ],
)
def test_follows_a_lasting_queue_to_what_runs_and_some(
    looks: list[tuple[float, float]], size: int
) -> None:
    window = RequestWindow(128)
    for running, waiting in looks:
        window.record_load(running, waiting)
    assert window.size == size


def test_does_not_grow_while_requests_wait_there() -> None:
    window = RequestWindow(128)
    window.record_pushback(0, 1)
    window.record_load(10, 54)
    for _ in range(1000):
        window.record_success()
    assert window.size == 64
    window.record_load(64, 0)
    for _ in range(1000):
        window.record_success()
    assert window.size > 70


def test_settles_at_a_servers_capacity() -> None:
    """A server that runs 40 of ours at once, seen through its metrics, and never idles."""
    window = RequestWindow(256)
    for _ in range(100):
        running = min(window.size, 40)
        window.record_load(running, window.size - running)
        for _ in range(running):
            window.record_success()
    assert 40 < window.size <= 52


EVENTS = st.one_of(
    st.just(("succeeded", 0.0, 0.0)),
    st.tuples(st.just("record_pushback"), st.floats(0, 100), st.floats(0, 100)),
    st.tuples(st.just("record_load"), st.floats(0, 1e6), st.floats(0, 1e6)),
)


@given(st.integers(1, 1000), st.lists(EVENTS, max_size=200))
def test_stays_in_its_bounds_and_recovers(
    maximum: int, events: list[tuple[str, float, float]]
) -> None:
    window = RequestWindow(maximum)
    for name, one, other in events:
        window.record_success() if name == "succeeded" else getattr(window, name)(
            one, other
        )
        assert 1 <= window.size <= maximum
    window.record_load(window.size, 0)
    for _ in range(window.size, maximum + 1):
        for _ in range(window.size + 1):
            window.record_success()
    assert window.size == maximum

"""Which teacher runs next, where one at a time does."""

import pytest

from cotbuild.builder.service.teachers.admission import (
    OVERTAKE_S,
    Decision,
    Wanted,
    choose_to_stop,
    decide,
)

NOW_S = 10_000.0


def wanted(text: str) -> list[Wanted]:
    """`b5 c3`: a job waits for teacher b since 5 s, one for c since 3 s."""
    return [Wanted(word[0], NOW_S - float(word[1:])) for word in text.split()]


@pytest.mark.parametrize(
    ("job", "running", "waiting", "limit", "decision"),
    [
        ("a0", {}, "a0", 1, Decision.START),
        ("a0", {"a": 2}, "a0", 1, Decision.JOIN),
        ("b0", {"a": 2}, "b0", 1, Decision.WAIT),
        ("b0", {"a": 0}, "b0", 1, Decision.WAIT),
        ("b0", {"a": 2}, "b0", 2, Decision.START),
        # The one that has waited for longest is started first.
        ("b3", {}, "b3 c5", 1, Decision.WAIT),
        ("c5", {}, "b3 c5", 1, Decision.START),
        # Another job of the same teacher has waited for longer.
        ("b1", {}, "b1 b9 c5", 1, Decision.WAIT),
        ("b9", {}, "b1 b9 c5", 1, Decision.START),
        # A running teacher accepts jobs, but not for ever while another one waits.
        ("a0", {"a": 1}, "a0 b5", 1, Decision.JOIN),
        ("a0", {"a": 1}, f"a0 b{OVERTAKE_S + 1}", 1, Decision.WAIT),
        ("a0", {"a": 1}, f"a{OVERTAKE_S + 1}", 1, Decision.JOIN),
    ],
)
def test_decide(
    job: str, running: dict[str, int], waiting: str, limit: int, decision: Decision
) -> None:
    [one] = wanted(job)
    assert decide(one, running, wanted(waiting), limit, NOW_S) is decision


@pytest.mark.parametrize(
    ("running", "stopping", "waiting", "limit", "stopped"),
    [
        ({"a": 0}, [], "", 1, []),
        ({"a": 0}, [], "b1", 1, ["a"]),
        ({"a": 0}, ["a"], "b1", 1, []),
        ({"a": 1}, [], "b1", 1, []),
        ({"a": 0}, [], "a1 b1", 1, []),
        ({"a": 0, "b": 0}, [], "c1", 2, ["a"]),
        ({"a": 0, "b": 0}, [], "c1 d1", 2, ["a", "b"]),
        ({"a": 0}, [], "b1", 2, []),
    ],
)
def test_choose_to_stop(
    running: dict[str, int],
    stopping: list[str],
    waiting: str,
    limit: int,
    stopped: list[str],
) -> None:
    assert choose_to_stop(running, stopping, wanted(waiting), limit) == stopped

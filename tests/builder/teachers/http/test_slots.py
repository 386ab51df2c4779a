"""Which endpoint receives a request, and in which order requests get slots."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.slots import (
    MAX_WAIT_S,
    PooledEndpoint,
    SlotScheduler,
    choose_endpoint,
)
from cotbuild.builder.teachers.http.window import RequestWindow
from cotbuild.builder.teachers.http.wire import RetryableFailure
from cotbuild.schemas.completion import Completion, FailureKind


def endpoint(
    taken: int = 0, window: int = 4, *, out: bool = False, paused_until_s: float = 0.0
) -> PooledEndpoint:
    client = EndpointClient("http://127.0.0.1:1/v1", "m")
    return PooledEndpoint(
        client,
        RequestWindow(window),
        out=out,
        in_flight=taken,
        paused_until_s=paused_until_s,
    )


@pytest.mark.parametrize(
    ("endpoints", "tried", "chosen"),
    [
        ([endpoint()], set(), 0),
        ([endpoint(4)], set(), None),
        ([endpoint(), endpoint()], set(), 0),
        ([endpoint(1), endpoint()], set(), 1),
        ([endpoint(10, 100), endpoint(1, 4)], set(), 0),  # relative to its window it has less
        ([endpoint(), endpoint(3)], {0}, 1),
        ([endpoint(), endpoint(4)], {0}, None),  # the other one is full: wait for it
        ([endpoint(), endpoint(out=True)], {0}, 0),
        ([endpoint(), endpoint(paused_until_s=9)], {0}, 0),
        ([endpoint(), endpoint()], {0, 1}, 0),
        ([endpoint(out=True), endpoint(paused_until_s=9)], set(), None),
        ([endpoint(paused_until_s=1)], set(), 0),
    ],
)  # fmt: skip
def test_choose(
    endpoints: list[PooledEndpoint], tried: set[int], chosen: int | None
) -> None:
    choice = choose_endpoint(endpoints, {endpoints[i] for i in tried}, 1.0)
    assert choice is (None if chosen is None else endpoints[chosen])


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(1, 5), st.booleans()),
        min_size=1,
        max_size=5,
    ),
    st.data(),
)
def test_never_more_than_a_window_and_never_one_that_is_out(
    facts: list[tuple[int, int, bool]], data: st.DataObject
) -> None:
    endpoints = [endpoint(taken, window, out=out) for taken, window, out in facts]
    tried = {one for one in endpoints if data.draw(st.booleans())}
    choice = choose_endpoint(endpoints, tried, 1.0)
    usable = [
        one for one in endpoints if not one.out and one.in_flight < one.window.size
    ]
    assert (
        choice in usable if choice else not [one for one in usable if one not in tried]
    )


def test_turns_come_in_the_order_of_asking_and_a_cancelled_one_is_passed_on() -> None:
    async def main() -> list[int]:
        one = endpoint(window=1)
        slots = SlotScheduler([one])
        order: list[int] = []

        async def worker(number: int) -> None:
            taken = await slots.acquire(set())
            order.append(number)
            await asyncio.sleep(0)
            slots.release(taken)

        workers = [asyncio.create_task(worker(number)) for number in range(6)]
        await asyncio.sleep(0)
        workers[2].cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        assert one.in_flight == 0
        return order

    assert asyncio.run(main(), debug=True) == [0, 1, 3, 4, 5]


def test_one_that_waits_for_another_endpoint_is_passed_by() -> None:
    async def main() -> None:
        one, other = endpoint(window=1), endpoint(1, window=1)
        slots = SlotScheduler([one, other])
        waiting = asyncio.create_task(slots.acquire({one}))
        await asyncio.sleep(0)
        assert await slots.acquire(set()) is one
        slots.release(other)
        assert await waiting is other

    asyncio.run(main(), debug=True)


def test_a_slot_that_was_given_to_a_cancelled_one_is_given_back() -> None:
    async def main() -> None:
        one = endpoint(window=1)
        slots = SlotScheduler([one])
        first = await slots.acquire(set())
        second, third = (asyncio.create_task(slots.acquire(set())) for _ in range(2))
        await asyncio.sleep(0)
        slots.release(first)  # the second has it now, and does not know yet
        second.cancel()
        assert await third is one
        assert one.in_flight == 1

    asyncio.run(main(), debug=True)


def test_a_fault_reaches_those_who_wait_and_those_who_come() -> None:
    async def main() -> None:
        slots = SlotScheduler([endpoint(window=1)])
        await slots.acquire(set())
        waiting = asyncio.create_task(slots.acquire(set()))
        await asyncio.sleep(0)
        slots.fail(RuntimeError("over"))
        for taking in (waiting, slots.acquire(set())):
            with pytest.raises(RuntimeError, match="over"):
                await taking

    asyncio.run(main(), debug=True)


DONE = Completion(request_key="k", text="t", finish_reason="stop")


@pytest.mark.parametrize(
    ("outcome", "alive", "losses", "size", "paused_until_s"),
    [
        (DONE, True, 0, 8, 0),
        (RetryableFailure(FailureKind.UNAVAILABLE, "HTTP 500"), True, 0, 8, 0),
        (
            RetryableFailure(
                FailureKind.UNAVAILABLE, "HTTP 429", after_s=3.0, pushed_back=True
            ),
            True,
            0,
            4,
            13,
        ),
        (
            RetryableFailure(
                FailureKind.UNAVAILABLE, "HTTP 503", after_s=3.0, gateway_error=True
            ),
            False,
            3,
            8,
            13,
        ),
        (
            RetryableFailure(FailureKind.UNAVAILABLE, "refused", lost=True),
            False,
            3,
            8,
            0,
        ),
        (
            RetryableFailure(
                FailureKind.BAD_BODY, "broken off", lost=True, pushed_back=True
            ),
            False,
            3,
            4,
            0,
        ),
    ],
)
def test_what_an_attempt_says_of_an_endpoint(
    outcome: Completion | RetryableFailure,
    alive: bool,
    losses: int,
    size: int,
    paused_until_s: float,
) -> None:
    one = endpoint(window=8)
    one.losses = 2
    assert one.record_outcome(outcome, sent_s=5.0, now_s=10.0) is alive
    assert (one.losses, one.window.size, one.paused_until_s) == (
        losses,
        size,
        paused_until_s,
    )
    assert one.last_progress_s == (10.0 if alive else 0.0)


def test_looks_come_at_growing_distances() -> None:
    one = endpoint()
    waits = []
    for one.failed_checks in range(1, 10):
        waits.append(one.wait_s)
    assert waits == [1, 2, 4, 8, 16, 32, MAX_WAIT_S, MAX_WAIT_S, MAX_WAIT_S]

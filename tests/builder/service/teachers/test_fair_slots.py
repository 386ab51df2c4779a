"""Slots are shared fairly among owners, then jobs, and none stays free for nothing."""

import asyncio
from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.service.teachers.fair_slots import FairSlots, Ticket
from cotbuild.builder.service.teachers.slot_gate import SlotGate


def grant_all(slots: FairSlots) -> list[Ticket]:
    return list(iter(slots.grant, None))


def enqueue(slots: FairSlots, text: str) -> None:
    """`a1 a1 b1`: a request of owner a's job a1, another one, one of b's job b1."""
    for job in text.split():
        slots.enqueue(job[0], job)


@pytest.mark.parametrize(
    ("waiting", "capacity", "granted"),
    [
        ("a1 a1 a1", 2, "a1 a1"),
        ("a1 a1 a1 b1", 2, "a1 b1"),
        ("a1 a1 a1 a1 b1 b1", 4, "a1 b1 a1 b1"),
        # One owner's jobs share what the owner has.
        ("a1 a1 a1 a2 a2 b1 b1 b1 b1", 4, "a1 b1 a2 b1"),
        # What one owner leaves free, the others use.
        ("a1 b1 b1 b1 b1", 4, "a1 b1 b1 b1"),
        ("c1 b1 a1", 3, "a1 b1 c1"),
    ],
)
def test_who_is_granted_a_slot(waiting: str, capacity: int, granted: str) -> None:
    slots = FairSlots(capacity)
    enqueue(slots, waiting)
    assert [ticket.job for ticket in grant_all(slots)] == granted.split()


def test_requests_of_a_job_keep_their_order() -> None:
    slots = FairSlots(1)
    tickets = [slots.enqueue("a", "a1") for _ in range(3)]
    order = []
    while (ticket := slots.grant()) is not None:
        order.append(ticket)
        slots.release(ticket)
    assert order == tickets


def test_weights() -> None:
    slots = FairSlots(6, weights={"a": 2.0})
    enqueue(slots, "a1 " * 9 + "b1 " * 9)
    assert Counter(ticket.owner for ticket in grant_all(slots)) == {"a": 4, "b": 2}


def test_a_job_belongs_to_one_owner() -> None:
    slots = FairSlots(1)
    slots.enqueue("a", "x")
    with pytest.raises(ValueError, match="'x' is of 'a'"):
        slots.enqueue("b", "x")


def test_a_job_is_forgotten_only_once_it_has_no_request() -> None:
    slots = FairSlots(1)
    ticket = slots.enqueue("a", "x")
    slots.forget("x")
    assert slots.load_of("x") == (0, 1)
    slots.release(ticket)
    slots.forget("x")
    slots.enqueue("b", "x")


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("enqueue"), st.sampled_from(["a1", "a2", "b1", "c1", "c2"])),
        st.tuples(st.just("release"), st.integers(0, 20)),
        st.tuples(st.just("drop"), st.integers(0, 20)),
    ),
    max_size=80,
)


@given(capacity=st.integers(1, 6), events=EVENTS)
def test_whatever_happens_no_slot_is_free_while_a_request_waits(
    capacity: int, events: list[tuple[str, str | int]]
) -> None:
    slots = FairSlots(capacity)
    waiting: list[Ticket] = []
    held: list[Ticket] = []
    for event, what in events:
        if event == "enqueue":
            job = str(what)
            waiting.append(slots.enqueue(job[0], job))
        elif event == "release" and held:
            slots.release(held.pop(int(what) % len(held)))
        elif event == "drop" and waiting:
            slots.release(waiting.pop(int(what) % len(waiting)))
        for ticket in grant_all(slots):
            assert ticket in waiting, "a slot for a request that was dropped"
            waiting.remove(ticket)
            held.append(ticket)
        assert len(held) == slots.in_flight <= capacity
        assert len(waiting) == slots.queued
        assert len(held) == capacity or not waiting
        by_job = Counter(ticket.job for ticket in held)
        assert all(slots.load_of(job)[0] == num for job, num in by_job.items())


@given(
    capacity=st.integers(1, 8),
    jobs=st.dictionaries(
        st.sampled_from(["a1", "a2", "a3", "b1", "b2", "c1", "d1"]),
        st.integers(1, 30),
        min_size=1,
    ),
)
def test_owners_with_work_hold_equal_shares_and_none_starves(
    capacity: int, jobs: dict[str, int]
) -> None:
    """Each request that ends is followed by another one of its job."""
    slots = FairSlots(capacity)
    for job, num_requests in jobs.items():
        for _ in range(num_requests + 2 * capacity):
            slots.enqueue(job[0], job)
    owners = {job[0] for job in jobs}
    held = grant_all(slots)
    waited: Counter[str] = Counter()
    for turn in range(60):
        ended = held.pop((turn * 7) % len(held))
        slots.enqueue(ended.owner, ended.job)
        slots.release(ended)
        [granted] = grant_all(slots)
        held.append(granted)
        shares = Counter(ticket.owner for ticket in held)
        for owner in owners:
            # Waits while it has nothing in flight: each other owner goes first once.
            waited[owner] = 0 if shares[owner] else waited[owner] + 1
            assert waited[owner] <= len(owners)
        spread = [shares[owner] for owner in owners]
        assert max(spread) - min(spread) <= 1


def test_a_cancelled_request_gives_its_slot_to_the_next() -> None:
    async def main() -> list[str]:
        gate = SlotGate(FairSlots(1))
        gate.open(1)
        order: list[str] = []
        leave = asyncio.Event()

        async def work(name: str) -> None:
            async with gate.slot("a", "a1"):
                order.append(name)
                await leave.wait()

        first, second, third = (asyncio.create_task(work(n)) for n in "123")
        await asyncio.sleep(0)
        second.cancel()
        leave.set()
        await asyncio.gather(first, second, third, return_exceptions=True)
        await gate.close()
        assert gate.slots.in_flight == gate.slots.queued == 0
        return order

    assert asyncio.run(main()) == ["1", "3"]


def test_a_gate_grants_nothing_before_it_is_open_and_after_it_is_closed() -> None:
    async def main() -> None:
        gate = SlotGate(FairSlots(1))
        passed: deque[str] = deque()

        async def work(name: str) -> None:
            async with gate.slot("a", "a1"):
                passed.append(name)

        task = asyncio.create_task(work("1"))
        await asyncio.sleep(0)
        assert not passed
        gate.open(1)
        await task
        await gate.close()
        late = asyncio.create_task(work("2"))
        await asyncio.sleep(0)
        assert list(passed) == ["1"]
        gate.open(2)
        await late

    asyncio.run(main())

"""Leases: any interleaving of any workers, under any clocks."""

import gc
import random
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cotbuild.builder.generate.workers.board import Board
from cotbuild.builder.generate.workers.leases import (
    LEASE_S,
    RENEW_S,
    SECOND_AFTER,
    HeldUnit,
    UnitLeases,
)
from cotbuild.builder.generate.workers.status import PlanWatch
from cotbuild.schemas.work import (
    JournalStart,
    Lease,
    WorkCounts,
    WorkPlan,
)
from tests.support.memory_blobs import MemoryBlobs
from tests.support.work_plans import plan_of

ONE = WorkCounts(requests=1, chains=1)


class Time:
    """Seconds since 1970, which tests move."""

    now = 1_000_000.0

    def shifted(self, skew_s: float) -> Callable[[], float]:
        """A clock that is ahead of it."""
        return lambda: self.now + skew_s


class Worker:
    """A worker of a model: what it holds, by its own belief."""

    def __init__(
        self, blobs: MemoryBlobs, plan: WorkPlan, name: str, clock: Callable[[], float]
    ) -> None:
        self.clock = clock
        self.leases = UnitLeases(
            Board(blobs, clock), plan, name, rng=random.Random(name)
        )
        self.journal = JournalStart(name=f"{name}.journal", start=0)
        self.held: list[HeldUnit] = []

    def take(self) -> None:
        """Lease a unit, or help with one."""
        held = self.leases.take(self.journal) or self.leases.take_second(self.journal)
        if held is not None:
            self.held.append(held)

    def renew(self) -> None:
        """Renew every lease; forget what is lost."""
        self.held = [held for held in self.held if self.leases.renew(held, ONE)]

    def finish(self) -> None:
        """Finish the oldest unit."""
        if self.held:
            self.leases.finish(self.held.pop(0), ONE)

    def release(self) -> None:
        """Give the newest unit back."""
        if self.held:
            self.leases.release(self.held.pop())

    def crash(self) -> None:
        """Forget all, as a killed process does."""
        self.held = []

    def valid(self, *, is_second: bool) -> set[str]:
        """The units that it holds a lease on, by its own clock."""
        return {
            held.unit
            for held in self.held
            if held.is_second == is_second and held.lease.expires_at > self.clock()
        }


ACTIONS = ["take", "renew", "finish", "release", "crash"]
steps = st.lists(
    st.tuples(
        st.integers(0, 3), st.sampled_from(ACTIONS), st.sampled_from([0.0, 5.0, 40.0])
    ),
    max_size=60,
)
skews = st.lists(st.sampled_from([0.0, -600.0, 600.0, 45.0]), min_size=4, max_size=4)


def check_nothing(workers: list[Worker]) -> None:
    """Check nothing."""
    del workers


def play(
    num_units: int,
    skews_s: list[float],
    moves: list[tuple[int, str, float]],
    check: Callable[[list[Worker]], None],
) -> tuple[MemoryBlobs, WorkPlan, Time, list[Worker]]:
    time, plan = Time(), plan_of(num_units)
    blobs = MemoryBlobs(time.shifted(0))
    workers = [
        Worker(blobs, plan, f"w{number}", time.shifted(skew_s))
        for number, skew_s in enumerate(skews_s)
    ]
    for number, action, wait_s in moves:
        getattr(workers[number], action)()
        check(workers)
        time.now += wait_s
    return blobs, plan, time, workers


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 5), steps)
def test_one_worker_holds_a_unit_where_clocks_agree(
    num_units: int, moves: list[tuple[int, str, float]]
) -> None:
    """One lease and one second lease at most, in any interleaving."""

    def check(workers: list[Worker]) -> None:
        for is_second in (False, True):
            held = [unit for one in workers for unit in one.valid(is_second=is_second)]
            open_units = [
                unit for unit in held if not workers[0].leases.view.state(unit).is_done
            ]
            assert len(open_units) == len(set(open_units))

    play(num_units, [0.0] * 4, moves, check)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 5), skews, steps)
def test_no_unit_is_lost_whatever_the_clocks(
    num_units: int, skews_s: list[float], moves: list[tuple[int, str, float]]
) -> None:
    """Once the others are silent, one more worker finishes every unit."""
    blobs, plan, time, _ = play(num_units, skews_s, moves, check_nothing)
    last = Worker(blobs, plan, "last", time.shifted(0))
    for _ in range(100):
        last.take()
        last.renew()
        last.finish()
        if last.leases.is_finished():
            break
        time.now += RENEW_S
    assert last.leases.is_finished()
    status = PlanWatch(Board(blobs, time.shifted(0)), plan).status()
    assert status.is_finished
    assert status.leases == ()


def two_workers(num_units: int) -> tuple[Time, MemoryBlobs, WorkPlan, Worker, Worker]:
    time, plan = Time(), plan_of(num_units)
    blobs = MemoryBlobs(time.shifted(0))
    first, second = (Worker(blobs, plan, name, time.shifted(0)) for name in "ab")
    return time, blobs, plan, first, second


def test_a_worker_that_finds_a_newer_number_has_lost_the_unit() -> None:
    time, _, _, slow, quick = two_workers(1)
    slow.take()
    time.now += LEASE_S + 1
    quick.take()
    assert [held.lease.number for held in quick.held] == [2]
    slow.renew()
    assert slow.held == []
    quick.renew()
    assert [held.lease.number for held in quick.held] == [3]


def test_a_unit_that_is_taken_over_names_the_journals_of_its_former_holders() -> None:
    time, _, _, lost, next_one = two_workers(1)
    lost.take()
    lost.renew()
    time.now += LEASE_S + 1
    next_one.take()
    [held] = next_one.held
    assert [place.name for place in held.lease.journals] == ["a.journal", "b.journal"]
    assert held.before == ONE


def test_a_unit_that_was_given_back_is_taken_at_once() -> None:
    _, _, _, giver, taker = two_workers(1)
    giver.take()
    giver.release()
    taker.take()
    assert [held.lease.number for held in taker.held] == [2]


def test_the_driver_gives_back_what_a_dead_worker_held() -> None:
    time, blobs, plan, dead, taker = two_workers(3)
    dead.take()
    dead.take()
    watch = PlanWatch(Board(blobs, time.shifted(0)), plan)
    assert watch.status().workers == ("a",)
    assert watch.release("a") == 2
    assert watch.status().leases == ()
    for _ in range(3):
        taker.take()
    assert len(taker.held) == 3


def test_a_second_lease_is_for_a_unit_that_takes_long_and_for_one_worker() -> None:
    time, blobs, plan, slow, helper = two_workers(1)
    slow.take()
    helper.take()
    assert helper.held == []
    for _ in range(SECOND_AFTER):
        time.now += RENEW_S
        slow.renew()
    helper.take()
    [held] = helper.held
    assert held.is_second
    assert [lease.worker for lease in held.others] == ["a"]
    third = Worker(blobs, plan, "c", time.shifted(0))
    third.take()
    assert third.held == []
    slow.renew()
    assert [lease.worker for lease in slow.held[0].others] == ["b"]
    helper.finish()
    slow.renew()
    assert slow.held == []


def test_a_unit_that_was_taken_over_again_and_again_is_not_slow() -> None:
    time, _, _, holder, helper = two_workers(1)
    for _ in range(SECOND_AFTER):
        holder.take()
        holder.release()
        time.now += LEASE_S
    holder.take()
    [held] = holder.held
    assert held.lease.number > SECOND_AFTER
    helper.take()
    assert helper.held == []


def test_who_takes_over_a_unit_reads_the_journal_of_its_helper() -> None:
    time, blobs, plan, slow, helper = two_workers(1)
    slow.take()
    for _ in range(SECOND_AFTER):
        time.now += RENEW_S
        slow.renew()
    helper.take()
    slow.release()
    third = Worker(blobs, plan, "c", time.shifted(0))
    third.take()
    [held] = third.held
    assert not held.is_second
    assert [lease.worker for lease in held.others] == ["b"]


def test_a_number_that_was_deleted_gives_nobody_the_unit() -> None:
    """A worker whose list is older creates it again, and finds the newer ones."""
    _, blobs, _, holder, late = two_workers(1)
    late.leases.view.refresh_all()
    holder.take()
    for _ in range(3):
        holder.renew()
    late.take()
    assert late.held == []
    holder.renew()
    assert [held.lease.number for held in holder.held] == [5]
    files = [blob.path.rpartition("/")[2] for blob in blobs.list("")]
    assert files == ["000004.json", "000005.json"]


def test_a_view_keeps_no_lease_that_was_replaced() -> None:
    time, blobs, plan, worker, _ = two_workers(1)
    worker.take()
    watch = PlanWatch(Board(blobs, time.shifted(0)), plan)
    before = count_leases()
    for _ in range(50):
        time.now += RENEW_S
        worker.renew()
        assert watch.status().workers == ("a",)
    assert count_leases() - before < 10


def count_leases() -> int:
    """Count the leases that this process has in memory."""
    gc.collect()
    # Not isinstance, which has some objects of other libraries import more of them.
    return sum(type(found) is Lease for found in gc.get_objects())


def test_a_unit_that_was_done_since_the_last_list_is_not_leased() -> None:
    _, blobs, _, quick, late = two_workers(1)
    late.leases.view.refresh_all()
    quick.take()
    quick.finish()
    late.take()
    assert late.held == []
    assert late.leases.is_finished()
    assert [blob.path.rpartition("/")[2] for blob in blobs.list("")] == ["done.json"]


def test_the_state_of_a_finished_group_is_not_listed_again() -> None:
    time, blobs, plan, worker, _ = two_workers(150)
    for _ in range(100):
        worker.take()
        worker.finish()
    watch = PlanWatch(Board(blobs, time.shifted(0)), plan)
    assert watch.status().num_done == 100
    before = blobs.calls["list"]
    assert watch.status().counts == WorkCounts(requests=100, chains=100)
    assert blobs.calls["list"] == before + 1


def test_renewals_leave_two_files_of_a_lease() -> None:
    time, blobs, _, worker, _ = two_workers(1)
    worker.take()
    for _ in range(20):
        time.now += RENEW_S
        worker.renew()
    files: list[Any] = list(blobs.list(""))
    assert [file.path.rpartition("/")[2] for file in files] == [
        "000020.json",
        "000021.json",
    ]

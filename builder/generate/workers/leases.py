"""Leases of one worker on the units of a plan.

A lease keeps others from asking the same requests, and no more than that: an answer
counts whoever has asked for it. It is a file that is only ever created. Its number
fences: a worker that finds a newer one than its own has lost the unit.

Times are those of each machine's clock. If they differ, units are asked twice.
"""

import random
from dataclasses import dataclass

from cotbuild.builder.generate.workers.board import Board, LeaseFile, UnitState
from cotbuild.builder.generate.workers.view import VIEW_S, PlanView
from cotbuild.schemas.work import (
    MAX_HOLDERS,
    JournalStart,
    Lease,
    UnitDone,
    WorkCounts,
    WorkPlan,
)

LEASE_S = 60.0
"""Seconds after which a unit whose worker is silent goes to another one."""
RENEW_S = 15.0
"""Seconds between two renewals of a lease."""
SECOND_AFTER = 3
"""Renewals after which a unit takes long: it gets a second lease, once no unit is free."""
MAX_LISTS = 8
"""Groups that are listed in one search for a unit: a thousand idle workers that each
listed every group would keep a store from all else.
"""
OLDEST = 16
"""A second lease is taken on one of so many units that take longest: those who look for
one at the same time should not all try the same.
"""


@dataclass
class HeldUnit:
    """A unit that a worker has a lease on."""

    unit: str
    lease: Lease
    """As it was last renewed."""
    is_second: bool
    before: WorkCounts
    """What former holders did in it."""
    others: tuple[Lease, ...] = ()
    """The newest lease of the other kind: of a worker who works on it too, or did."""


class UnitLeases:
    """Takes, renews and gives back leases on the units of a plan. Blocks.

    For one thread at a time.

    Args:
        board: The board.
        plan: The plan.
        worker: The name of the worker.
        lease_s: Seconds that a lease lasts.
        renew_s: Seconds between two renewals.
        second_after: Renewals in whose time a unit should be done; one that is not gets
            a second lease.
        rng: Chooses among units that are as good, so that workers try different ones.
    """

    def __init__(
        self,
        board: Board,
        plan: WorkPlan,
        worker: str,
        *,
        lease_s: float = LEASE_S,
        renew_s: float = RENEW_S,
        second_after: int = SECOND_AFTER,
        rng: random.Random | None = None,
    ) -> None:
        self._board = board
        self._plan = plan
        self._worker = worker
        self._lease_s = lease_s
        self._second_after = second_after
        self._slow_s = second_after * renew_s
        self._rng = random.Random() if rng is None else rng
        self._held: set[str] = set()
        self._next_group = ""
        self.view = PlanView(board, plan, lease_s)

    def take(self, journal: JournalStart) -> HeldUnit | None:
        """Lease a unit that nobody works on; None where there is none.

        Looks first where this worker took its last one, in plan order, and for units
        that no worker has had.

        Args:
            journal: The journal of this worker, as far as it is written.
        """
        num_listed = 0
        for group in self._groups():
            if num_listed == MAX_LISTS:
                self._next_group = group  # where the next call goes on
                return None
            num_listed += self.view.refresh(group, VIEW_S)
            units = [u for u in self.view.open_units(group) if self._is_free(u)]
            self._rng.shuffle(units)
            units.sort(key=lambda unit: self.view.state(unit).first is not None)
            for unit in units:
                held = self._take_first(unit, journal)
                if held is not None:
                    self._next_group = group
                    return held
        return None

    def take_second(self, journal: JournalStart) -> HeldUnit | None:
        """Take a second lease on a unit that another worker is long about.

        Of the units that nobody helps with yet, one of those that take longest, by what
        `take` has seen. Returns None where there is none.
        """
        slow = [unit for unit in self._open_units() if self._may_be_slow(unit)]
        slow.sort(key=self._age, reverse=True)
        while slow:
            oldest, slow = slow[:OLDEST], slow[OLDEST:]
            self._rng.shuffle(oldest)
            for unit in oldest:
                if not self._is_slow(unit):
                    continue
                held = self._take_second(unit, journal)
                if held is not None:
                    return held
        return None

    def renew(self, held: HeldUnit, counts: WorkCounts) -> bool:
        """Renew a lease: create the next number.

        Returns False where somebody else has that number, or has finished the unit:
        then nothing more is to be asked for it.
        """
        plan, unit, number = self._plan.name, held.unit, held.lease.number
        state = self._board.read_state(plan, unit)
        self.view.note_state(unit, state)
        mine = state.newest_of(is_second=held.is_second)
        is_newest = mine is not None and mine.number == number
        if state.is_done or not is_newest:
            self._held.discard(unit)
            return False
        now = self._board.clock()
        renewed = held.lease.model_copy(
            update={
                "number": number + 1,
                "expires_at": now + self._lease_s,
                "counts": held.before.plus(counts),
            }
        )
        if not self._create(unit, renewed, is_second=held.is_second):
            self._held.discard(unit)
            return False
        held.lease = renewed
        if number > 1:
            self._board.delete_lease(plan, unit, number - 1, is_second=held.is_second)
        self._note_other(held, state)
        return True

    def finish(self, held: HeldUnit, counts: WorkCounts) -> None:
        """Note that every chain of a unit was asked to its end."""
        self._held.discard(held.unit)
        total = held.before.plus(counts)
        for other in held.others:
            total = total.plus(other.counts)
        done = UnitDone(
            worker=self._worker, finished_at=self._board.clock(), counts=total
        )
        self._board.finish_unit(self._plan.name, held.unit, done)
        self.view.note_done(held.unit)

    def release(self, held: HeldUnit) -> None:
        """Give a unit back."""
        self._held.discard(held.unit)
        self._board.release_lease(
            self._plan.name, held.unit, held.lease.number, is_second=held.is_second
        )

    def is_finished(self) -> bool:
        """Whether every unit of the plan is done."""
        for group in self.view.open_groups:
            self.view.refresh(group)
            if not self.view.is_done(group):
                return False
        return True

    # -- choosing ----------------------------------------------------------------------

    def _groups(self) -> list[str]:
        """The open groups, from that of the last unit on."""
        groups = self.view.open_groups
        later = [group for group in groups if group >= self._next_group]
        return later + [group for group in groups if group < self._next_group]

    def _open_units(self) -> list[str]:
        return [
            unit
            for group in self.view.open_groups
            for unit in self.view.open_units(group)
            if unit not in self._held and not self.view.state(unit).is_done
        ]

    def _is_free(self, unit: str) -> bool:
        state = self.view.state(unit)
        is_taken = unit in self._held or state.is_done or self.view.is_live(state.first)
        return not is_taken

    def _may_be_slow(self, unit: str) -> bool:
        """Whether a unit that nobody helps with may take long, by the list alone."""
        state = self.view.state(unit)
        if state.first is None or state.first.number <= self._second_after:
            return False
        return self.view.is_live(state.first) and not self.view.is_live(state.second)

    def _is_slow(self, unit: str) -> bool:
        """Whether the holder of a unit has had it for long.

        The number of its lease does not tell: former holders have counted it up too.
        """
        first = self.view.state(unit).first
        lease = None if first is None else self.view.read_lease(first)
        if lease is None:
            return False
        return self._board.clock() - lease.leased_at >= self._slow_s

    def _age(self, unit: str) -> int:
        """Leases and renewals so far, which a list shows without reading any."""
        first = self.view.state(unit).first
        return 0 if first is None else first.number

    # -- taking ------------------------------------------------------------------------

    def _take_first(self, unit: str, journal: JournalStart) -> HeldUnit | None:
        return self._take(unit, self.view.state(unit).first, journal, is_second=False)

    def _take_second(self, unit: str, journal: JournalStart) -> HeldUnit | None:
        return self._take(unit, self.view.state(unit).second, journal, is_second=True)

    def _take(
        self,
        unit: str,
        before: LeaseFile | None,
        journal: JournalStart,
        *,
        is_second: bool,
    ) -> HeldUnit | None:
        """Create the lease that follows `before`; None where another worker did."""
        number = 1 if before is None else before.number + 1
        former = None if before is None else self.view.read_lease(before)
        journals = (() if former is None else former.journals) + (journal,)
        now = self._board.clock()
        lease = Lease(
            worker=self._worker,
            number=number,
            leased_at=now,
            expires_at=now + self._lease_s,
            journals=journals[-MAX_HOLDERS:],
            counts=WorkCounts() if former is None else former.counts,
        )
        is_created = self._create(unit, lease, is_second=is_second)
        self.view.note_taken(unit, number, is_second=is_second)
        if not is_created:
            return None
        # The list may have been older: the unit is done and its leases are deleted, or
        # this number was, once it had been renewed.
        state = self._board.read_state(self._plan.name, unit)
        newest = state.newest_of(is_second=is_second)
        is_newest = newest is not None and newest.number == number
        if state.is_done or not is_newest:
            self._board.delete_lease(self._plan.name, unit, number, is_second=is_second)
            self.view.note_state(unit, state)
            return None
        self._held.add(unit)
        held = HeldUnit(unit, lease, is_second, lease.counts)
        self._note_other(held, state)
        return held

    def _note_other(self, held: HeldUnit, state: UnitState) -> None:
        """Note the lease of the other kind on a unit, held by now or not."""
        other = state.newest_of(is_second=not held.is_second)
        lease = None if other is None else self._board.read_lease(other)
        held.others = () if lease is None else (lease,)

    def _create(self, unit: str, lease: Lease, *, is_second: bool) -> bool:
        return self._board.create_lease(
            self._plan.name, unit, lease, is_second=is_second
        )

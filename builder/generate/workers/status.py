"""How far the workers of a plan are, as the driver shows it."""

from typing import NamedTuple

from cotbuild.builder.generate.workers.board import Board, LeaseFile
from cotbuild.builder.generate.workers.leases import LEASE_S
from cotbuild.builder.generate.workers.view import PlanView
from cotbuild.schemas.work import WorkCounts, WorkPlan


class LiveLease(NamedTuple):
    """A lease that is held."""

    unit: str
    worker: str


class PlanStatus(NamedTuple):
    """How far a plan is."""

    num_done: int
    num_units: int
    counts: WorkCounts
    """What was done in all units, as of the newest renewals."""
    leases: tuple[LiveLease, ...]

    @property
    def workers(self) -> tuple[str, ...]:
        """The workers that hold a lease, sorted."""
        return tuple(sorted({lease.worker for lease in self.leases}))

    @property
    def is_finished(self) -> bool:
        """Whether every unit is done."""
        return self.num_done == self.num_units


class PlanWatch:
    """Looks at the leases of a plan again and again. Blocks; for one thread.

    Units that are done are read once. Raises StoreError where the board cannot be read.
    """

    def __init__(self, board: Board, plan: WorkPlan, lease_s: float = LEASE_S) -> None:
        self._board = board
        self._plan = plan
        self._view = PlanView(board, plan, lease_s)
        self._done: set[str] = set()
        self._done_counts = WorkCounts()

    def status(self) -> PlanStatus:
        """Return how far the plan is."""
        groups = self._view.open_groups
        self._view.refresh_all()
        total, leases = WorkCounts(), list[LiveLease]()
        for unit in (unit for group in groups for unit in self._view.units[group]):
            state = self._view.state(unit)
            if state.is_done:
                self._note_done(unit)
                continue
            for file in state.newest:
                lease = self._view.read_lease(file)
                if lease is None:
                    continue
                total = total.plus(lease.counts)
                if self._view.is_live(file):
                    leases.append(LiveLease(unit, lease.worker))
        total = total.plus(self._done_counts)
        return PlanStatus(len(self._done), len(self._plan.units), total, tuple(leases))

    def release(self, worker: str) -> int:
        """Give back the leases of a worker that has ended; return how many it had."""
        self._view.refresh_all()
        num_released = 0
        for group in self._view.open_groups:
            for unit in self._view.units[group]:
                state = self._view.state(unit)
                for file, is_second in ((state.first, False), (state.second, True)):
                    if file is not None and self._is_held_by(file, worker):
                        self._board.release_lease(
                            self._plan.name, unit, file.number, is_second=is_second
                        )
                        num_released += 1
        return num_released

    def _is_held_by(self, file: LeaseFile, worker: str) -> bool:
        if file.is_released:
            return False
        lease = self._view.read_lease(file)
        return lease is not None and lease.worker == worker

    def _note_done(self, unit: str) -> None:
        if unit in self._done:
            return
        self._done.add(unit)
        done = self._board.read_done(self._plan.name, unit)
        if done is not None:
            self._done_counts = self._done_counts.plus(done.counts)

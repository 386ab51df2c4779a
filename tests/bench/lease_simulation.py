"""What leases cost and how long the last units take, with a thousand workers.

    python tests/bench/lease_simulation.py [--workers 1000] [--units 20000] [--seed 0]

An event simulation under a clock of its own: the leases, lists and second leases are
those of `builder/generate/workers`, on a store in memory that counts its calls. Workers
are a model: each asks at a rate of its own, drawn from a lognormal distribution, some
are ten times as slow, and some die. Of one unit, two workers ask from both ends; each
learns at its renewals how far the other one is. Prints a table in Markdown.
"""

import argparse
import gc
import heapq
import itertools
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / ".ns"))

from cotbuild.builder.generate.workers.board import Board
from cotbuild.builder.generate.workers.leases import (
    RENEW_S,
    SECOND_AFTER,
    HeldUnit,
    UnitLeases,
)
from cotbuild.builder.generate.workers.timing import FIRST_POLL_S, GROWTH, MAX_POLL_S
from cotbuild.schemas.work import (
    MAX_UNIT,
    JournalStart,
    WorkCounts,
    WorkPlan,
)
from tests.support.memory_blobs import MemoryBlobs
from tests.support.work_plans import plan_of

MEDIAN_RATE, SIGMA = 30.0, 0.5
"""Chains a second of a worker: about 12,000 tokens/s at 400 tokens."""
SLOW_FRAC, SLOW_FACTOR = 0.02, 10.0
DEAD_FRAC = 0.01
"""Share of the workers that die, at a time drawn from the expected length of the run."""
NO_SECOND = 1_000_000


@dataclass
class Model:
    """A worker that asks at a steady rate."""

    name: str
    rate: float
    dies_at: float
    leases: UnitLeases
    journal: JournalStart
    held: HeldUnit | None = None
    done: float = 0.0
    """Chains that it asked of its unit, as of `since`."""
    since: float = 0.0
    ends_at: float = 0.0
    poll_s: float = FIRST_POLL_S
    turn: int = 0
    """Counts its units, so that events of an earlier one are known."""


@dataclass
class Figures:
    """What came of a run."""

    wall_s: float = 0.0
    first_idle_s: float | None = None
    asked: float = 0.0
    second_leases: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    peak_calls_per_s: float = 0.0


class Simulation:
    """Runs a plan of units by a team of workers to its end."""

    def __init__(
        self, num_workers: int, num_units: int, seed: int, second_after: int
    ) -> None:
        self.now = 0.0
        self._rng = random.Random(seed)
        self._num_units = num_units
        self._blobs = MemoryBlobs(lambda: self.now)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._progress: dict[str, dict[str, float]] = {}  # of each open unit, by worker
        self._num_done = 0
        self.figures = Figures()
        plan, board = plan_of(num_units, MAX_UNIT), Board(self._blobs, lambda: self.now)
        expected_s = num_units * MAX_UNIT / (num_workers * MEDIAN_RATE)
        self._workers = [
            self._make_worker(number, board, plan, expected_s, second_after)
            for number in range(num_workers)
        ]

    def _make_worker(
        self,
        number: int,
        board: Board,
        plan: WorkPlan,
        expected_s: float,
        second_after: int,
    ) -> Model:
        name, rng = f"w{number}", self._rng
        rate = MEDIAN_RATE * rng.lognormvariate(0.0, SIGMA)
        if rng.random() < SLOW_FRAC:
            rate /= SLOW_FACTOR
        dies_at = rng.uniform(0, expected_s) if rng.random() < DEAD_FRAC else 1e18
        leases = UnitLeases(
            board,
            plan,
            name,
            second_after=second_after,
            rng=random.Random(rng.random()),
        )
        journal = JournalStart(name=f"{name}.journal", start=0)
        return Model(name, rate, dies_at, leases, journal)

    def run(self) -> Figures:
        """Run to the last unit."""
        for worker in self._workers:
            self._at(self._rng.uniform(0, 60), self._seek_of(worker))
        calls_before, counted_at = 0, 0.0
        while self._num_done < self._num_units:
            self.now, _, act = heapq.heappop(self._events)
            act()
            if self.now - counted_at >= 10:
                calls = sum(self._blobs.calls.values()) - self._blobs.calls["pages"]
                rate = (calls - calls_before) / (self.now - counted_at)
                peak = self.figures.peak_calls_per_s
                self.figures.peak_calls_per_s = max(peak, rate)
                calls_before, counted_at = calls, self.now
        self.figures.wall_s = self.now
        self.figures.calls = dict(self._blobs.calls)
        return self.figures

    def _at(self, time: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._order), act))

    def _seek_of(self, worker: Model) -> Callable[[], None]:
        return lambda: self._seek(worker)

    def _seek(self, worker: Model) -> None:
        """Lease a unit, or help with one, or look again later."""
        if self.now >= worker.dies_at:
            return
        held = worker.leases.take(worker.journal)
        if held is None:
            if self.figures.first_idle_s is None:
                self.figures.first_idle_s = self.now
            held = worker.leases.take_second(worker.journal)
            self.figures.second_leases += held is not None
        if held is None:
            self._at(self.now + worker.poll_s, self._seek_of(worker))
            worker.poll_s = min(worker.poll_s * GROWTH, MAX_POLL_S)
            return
        worker.held, worker.done, worker.since = held, 0.0, self.now
        worker.poll_s = FIRST_POLL_S
        worker.turn += 1
        of_unit = self._progress.setdefault(held.unit, {})
        of_unit[worker.name] = 0.0
        self._expect_end(worker)
        self._at(self.now + RENEW_S, self._renewal_of(worker, worker.turn))

    def _advance(self, worker: Model) -> None:
        """Count what it asked since it was last looked at."""
        assert worker.held is not None
        asked = worker.rate * (min(self.now, worker.dies_at) - worker.since)
        worker.done += asked
        self.figures.asked += asked
        worker.since = self.now
        self._progress[worker.held.unit][worker.name] = worker.done

    def _expect_end(self, worker: Model) -> None:
        """Plan its end, by what it knows of the others at the unit."""
        assert worker.held is not None
        of_others = sum(
            done
            for name, done in self._progress[worker.held.unit].items()
            if name != worker.name
        )
        left = max(MAX_UNIT - worker.done - of_others, 0.0)
        worker.ends_at = self.now + left / worker.rate
        turn, ends_at = worker.turn, worker.ends_at

        def end() -> None:
            if worker.turn == turn and worker.ends_at == ends_at:
                self._end(worker)

        self._at(ends_at, end)

    def _end(self, worker: Model) -> None:
        held = worker.held
        if held is None or self.now >= worker.dies_at:
            return
        self._advance(worker)
        view = worker.leases.view
        if view.board.read_done(view.plan.name, held.unit) is None:
            self._num_done += 1
        worker.leases.finish(held, WorkCounts(chains=round(worker.done)))
        worker.held = None
        self._seek(worker)

    def _renewal_of(self, worker: Model, turn: int) -> Callable[[], None]:
        def renew() -> None:
            if worker.turn != turn or worker.held is None or self.now >= worker.dies_at:
                return
            self._advance(worker)
            counts = WorkCounts(chains=round(worker.done))
            if worker.leases.renew(worker.held, counts):
                self._expect_end(worker)
                self._at(self.now + RENEW_S, self._renewal_of(worker, turn))
                return
            worker.held = None
            self._seek(worker)

        return renew


def table(num_workers: int, num_units: int, seed: int) -> Iterator[str]:
    """Yield the lines of the table."""
    yield (
        "| second leases | wall s | tail s | asked twice | second leases taken | "
        "creates/s | reads/s | lists/s | deletes/s | calls/s at the peak |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for name, second_after in (("no", NO_SECOND), ("yes", SECOND_AFTER)):
        found = Simulation(num_workers, num_units, seed, second_after).run()
        tail_s = found.wall_s - (found.first_idle_s or found.wall_s)
        repeated = found.asked / (num_units * MAX_UNIT) - 1
        rates = [
            f"{found.calls.get(call, 0) / found.wall_s:.0f}"
            for call in ("create", "read", "list", "delete")
        ]
        cells = [
            name,
            f"{found.wall_s:.0f}",
            f"{tail_s:.0f}",
            f"{repeated:.2%}",
            str(found.second_leases),
            *rates,
            f"{found.peak_calls_per_s:.0f}",
        ]
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    gc.disable()  # a thousand views of a plan are many objects, and none is a circle
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1_000)
    parser.add_argument("--units", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for line in table(args.workers, args.units, args.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()

"""What a worker does on one plan: tasks that ask, and one that keeps the leases."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from cotbuild.builder.generate.ask import ChainAsker, run_tasks
from cotbuild.builder.generate.budget import SpendingGate
from cotbuild.builder.generate.chain_progress import ProgressMeter
from cotbuild.builder.generate.chains import Chain, ChainRules
from cotbuild.builder.generate.drain import Drain
from cotbuild.builder.generate.follow import AnswerLookup
from cotbuild.builder.generate.workers.board import Board
from cotbuild.builder.generate.workers.leases import HeldUnit, UnitLeases
from cotbuild.builder.generate.workers.sink import JournalSink, OtherJournal
from cotbuild.builder.generate.workers.timing import Poll
from cotbuild.builder.generate.workers.unit_work import UnitWork
from cotbuild.builder.storage.journal import Journal
from cotbuild.builder.teachers.base import Teacher
from cotbuild.builder.teachers.early_stop import EarlyStop
from cotbuild.builder.ui import ChainProgress, Ui
from cotbuild.schemas.completion import Answer, Completion, Failure
from cotbuild.schemas.errors import CotbuildError, StoreError
from cotbuild.schemas.work import JournalStart, Lease, WorkCounts, WorkPlan

T = TypeVar("T")

READ_OTHERS_S = 2.0
"""Seconds between two looks at the journals of those who work on the same units."""


class PlanWork:
    """The work of one worker on one plan.

    As many tasks as the teacher's window take chains from one stream that goes on from
    unit to unit. The board is used in threads, so that the loop never waits for it.
    """

    def __init__(
        self,
        board: Board,
        sink: JournalSink,
        plan: WorkPlan,
        rules: ChainRules,
        teacher: Teacher,
        journal: Journal,
        stored: AnswerLookup,
        worker: str,
        ui: Ui,
        drain: Drain,
        *,
        lease_s: float,
        renew_s: float,
        second_after: int,
    ) -> None:
        self._board = board
        self._sink = sink
        self._plan = plan
        self._rules = rules
        self._teacher = teacher
        self._journal = journal
        self._stored = stored
        self._ui = ui
        self._drain = drain
        self._renew_s = renew_s
        self._leases = UnitLeases(
            board,
            plan,
            worker,
            lease_s=lease_s,
            renew_s=renew_s,
            second_after=second_after,
        )
        self._board_lock = asyncio.Lock()  # UnitLeases is for one thread at a time
        self._gate = SpendingGate(drain=drain)
        self._early_stop = EarlyStop(plan.num_answered)
        self._meter = ProgressMeter(rules.grading)
        self._has_completion = False
        self._show: Callable[[ChainProgress], None] = _show_nothing
        # Units with chains to begin or under way.
        self._units: dict[str, UnitWork] = {}
        self._current: UnitWork | None = None
        self._leasing: asyncio.Task[UnitWork | None] | None = None
        self._marking: set[asyncio.Task[None]] = set()  # units that are being marked
        self._feed_lock = asyncio.Lock()
        self._is_closed = self._has_ended = False
        self._ended_counts = WorkCounts()
        self.num_units = 0
        """Units that this worker finished."""

    @property
    def counts(self) -> WorkCounts:
        """What was done so far."""
        total = self._ended_counts
        for unit in self._units.values():
            total = total.plus(unit.tally.counts)
        return total

    async def run(self) -> None:
        """Ask until every unit is done, or the worker is to stop.

        Raises what the teacher raises, and StoreError; leases are given back first.
        """
        keeper = asyncio.create_task(self._keep_leases())
        try:
            await self._read_signals()
            with self._ui.asking(self._plan.num_open) as self._show:
                await self._ask_while_kept(keeper)
            if self._may_finish_journal():
                self._journal.finish()
        finally:
            keeper.cancel()
            under_way = [*self._marking, *([self._leasing] if self._leasing else [])]
            # So that what a thread leases by now is given back too.
            await asyncio.gather(*under_way, return_exceptions=True)
            self._release_all()

    async def _ask_while_kept(self, keeper: "asyncio.Task[None]") -> None:
        """Ask until every task has ended; raise what ends the keeper of the leases."""
        asking = asyncio.create_task(run_tasks(self._ask_chains, self._teacher.window))
        try:
            await asyncio.wait({asking, keeper}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                keeper.result()  # it never returns
            await asking
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    def _may_finish_journal(self) -> bool:
        """Whether the requests that failed here were not the fault of the server.

        A completion shows that it works. Without one they are left to the next run,
        unless nobody else has asked: then this is the end of a run as of one process.
        """
        was_alone = self.num_units == len(self._plan.units)
        return self._has_completion or (self._gate.stopped is None and was_alone)

    async def _ask_chains(self) -> None:
        """Ask one chain after another, from unit to unit."""
        while (taken := await self._next_chain()) is not None:
            unit, chain = taken
            await self._ask(unit, chain)
            if unit.is_finished:
                await self._finish(unit)
            if self._gate.stopped is not None:
                return

    async def _ask(self, unit: UnitWork, chain: Chain) -> None:
        """Ask a chain to its end, unless another worker does meanwhile."""
        task = asyncio.current_task()
        assert task is not None
        unit.begin(task, chain)
        try:
            chain = await self._finish_chain(unit, chain, task)
        finally:
            unit.end(task)
        if chain.open_step is not None:
            unit.has_stopped = True

    async def _finish_chain(
        self, unit: UnitWork, chain: Chain, task: "asyncio.Task[Any]"
    ) -> Chain:
        assert unit.asker is not None
        while True:
            try:
                return await unit.asker.finish(chain)
            except asyncio.CancelledError:
                if not unit.was_cancelled(task) or task.uncancel() > 0:
                    raise
            # The unit is lost or done, or another worker has the answer.
            if unit.is_dropped:
                return chain
            chain = unit.follow_on(chain)
            if chain.open_step is None:
                return chain

    # -- the stream of chains ----------------------------------------------------------

    async def _next_chain(self) -> tuple[UnitWork, Chain] | None:
        """Return the next chain and its unit; None where there is no more to do."""
        while not self._has_ended:
            unit = self._current
            if unit is not None and (chain := unit.next_chain()) is not None:
                self._prefetch_before_end(unit)
                return unit, chain
            async with self._feed_lock:
                if unit is not self._current:
                    continue  # another task went on to the next unit
                if unit is not None and unit.is_finished:
                    await self._finish(unit)
                self._current = await self._next_unit()
                self._has_ended = self._current is None
        return None

    def _prefetch_before_end(self, unit: UnitWork) -> None:
        """Lease the next unit while the last chains of this one begin."""
        if unit.num_left <= self._teacher.window:
            self._begin_leasing(self._lease_unit)

    async def _next_unit(self) -> UnitWork | None:
        """Return the next unit, waiting for one as long as any is open."""
        poll = Poll(self._drain)
        while not (self._drain.is_requested or self._is_closed):
            self._forget_vain_leasing()
            for lease in (self._lease_unit, self._lease_second):
                # Not ended with this task: its lease has to be known to be given back.
                unit = await asyncio.shield(self._begin_leasing(lease))
                self._leasing = None
                if unit is not None:
                    return unit
            if await self._use_board(self._leases.is_finished):
                return None
            await self._read_signals()
            await poll.wait()
        return None

    def _begin_leasing(
        self, lease: Callable[[], Coroutine[Any, Any, UnitWork | None]]
    ) -> "asyncio.Task[UnitWork | None]":
        """Begin to lease a unit, unless that is under way."""
        if self._leasing is None:
            self._leasing = asyncio.create_task(lease())
        return self._leasing

    def _forget_vain_leasing(self) -> None:
        """Forget a task that found no unit: by now one may be free."""
        task = self._leasing
        if task is None or not task.done() or task.cancelled() or task.exception():
            return
        if task.result() is None:
            self._leasing = None

    async def _lease_unit(self) -> UnitWork | None:
        """Lease a unit that nobody works on."""
        held = await self._use_board(lambda: self._leases.take(self._journal_start()))
        return None if held is None else await self._open_unit(held)

    async def _lease_second(self) -> UnitWork | None:
        """Take a second lease on a unit that takes long."""
        held = await self._use_board(
            lambda: self._leases.take_second(self._journal_start())
        )
        return None if held is None else await self._open_unit(held)

    async def _open_unit(self, held: HeldUnit) -> UnitWork:
        """Read a leased unit, and what others have received for it."""
        try:
            unit = await self._read_unit(held)
        except Exception:
            with suppress(StoreError):
                await self._use_board(lambda: self._leases.release(held))
            raise
        self._units[held.unit] = unit
        return unit

    async def _read_unit(self, held: HeldUnit) -> UnitWork:
        plan, name = self._plan.name, held.unit
        lines = await asyncio.to_thread(self._board.read_unit, plan, name)
        where = self._board.where(f"{plan}/units/{name}.jsonl.gz")
        unit = UnitWork(held, lines, self._rules, self._stored, where)
        unit.asker = ChainAsker(
            self._teacher,
            self._rules,
            unit.find,
            self._journal,
            lambda chain, answer: self._note_step(unit, chain, answer),
            self._gate,
        )
        # This worker's own is among them if it has held the unit before.
        former = held.lease.journals[:-1]
        await self._read_journals(unit, (*former, *_journals_of(held.others)))
        return unit

    def _journal_start(self) -> JournalStart:
        return JournalStart(name=self._journal.name, start=self._journal.num_bytes)

    # -- what was done -----------------------------------------------------------------

    def _note_step(self, unit: UnitWork, chain: Chain, answer: Answer | None) -> None:
        progress = self._meter.measure(
            chain, answer, self._gate.in_flight, self._teacher.servers()
        )
        unit.tally.add(progress, failed=isinstance(answer, Failure))
        self._show(progress)
        self._has_completion |= isinstance(answer, Completion)
        if answer is not None:
            self._early_stop.record(answer)

    async def _finish(self, unit: UnitWork) -> None:
        """Mark a unit as done, once its answers are where the driver finds them."""
        marking = self._begin_marking(unit)
        if marking is not None:
            # Not ended with this task: the unit is neither open nor done meanwhile.
            await asyncio.shield(marking)

    def _begin_marking(self, unit: UnitWork) -> "asyncio.Task[None] | None":
        """Begin to mark a unit as done; return None where that was begun before."""
        if unit.is_ending or unit.held.unit not in self._units:
            return None
        unit.is_ending = True
        marking = asyncio.create_task(self._mark_done(unit))
        self._marking.add(marking)
        marking.add_done_callback(self._marking.discard)
        return marking

    async def _mark_done(self, unit: UnitWork) -> None:
        """Mark a unit as done; its lease is renewed meanwhile, as a store may be slow."""
        if self._has_completion:
            # Its rejections are final: the same settings also brought a completion.
            self._journal.finish()
        counts = unit.tally.counts
        try:
            await asyncio.to_thread(self._sink.sync, self._journal)
            await self._use_board(lambda: self._leases.finish(unit.held, counts))
        except BaseException:
            unit.is_ending = False  # it is given back, or marked at the next renewal
            raise
        self._close_unit(unit)
        self.num_units += 1

    def _close_unit(self, unit: UnitWork) -> None:
        """Count a unit as ended, unless it already was."""
        if self._units.pop(unit.held.unit, None) is not None:
            self._ended_counts = self._ended_counts.plus(unit.tally.counts)

    def _release_all(self) -> None:
        """Give back every unit that is not done. Blocks, for a moment at the end."""
        for unit in list(self._units.values()):
            self._close_unit(unit)
            if not unit.is_dropped:
                try:
                    self._leases.release(unit.held)
                except StoreError as fault:
                    self._ui.say(str(fault))

    # -- leases ------------------------------------------------------------------------

    async def _keep_leases(self) -> None:
        """Renew the leases, and look at what others do, until cancelled.

        Where the board cannot be used the work goes on: the worst that may come of it
        is that requests are made twice.
        """
        pause_s = min(READ_OTHERS_S, self._renew_s)
        renewed_s = time.monotonic()
        while True:
            await asyncio.sleep(pause_s)
            is_due = time.monotonic() - renewed_s >= self._renew_s
            if is_due:
                renewed_s = time.monotonic()
            try:
                if is_due:
                    await self._read_signals()
                for unit in list(self._units.values()):
                    if is_due:
                        await self._renew(unit)
                    await self._read_helpers(unit)
            except CotbuildError as fault:
                self._ui.say(f"{fault} Trying again.")

    async def _read_signals(self) -> None:
        signals = await asyncio.to_thread(self._board.signals, self._plan.name)
        if "drain" in signals:
            self._drain.request()
        if "closed" in signals:
            self._is_closed = True
            for unit in list(self._units.values()):
                self._drop(unit)

    async def _renew(self, unit: UnitWork) -> None:
        counts = unit.tally.counts
        is_held = await self._use_board(lambda: self._leases.renew(unit.held, counts))
        if unit.held.unit not in self._units:
            return  # it was finished meanwhile
        if not is_held:
            self._drop(unit)

    def _drop(self, unit: UnitWork) -> None:
        unit.drop()
        self._close_unit(unit)

    async def _read_helpers(self, unit: UnitWork) -> None:
        """Read what the other holder of a unit has received, and ask that no more."""
        places = _journals_of(unit.held.others)
        others = tuple(place for place in places if place.name != self._journal.name)
        if not others or unit.is_ending or unit.is_dropped:
            return
        await self._read_journals(unit, others)
        if unit.is_finished and (marking := self._begin_marking(unit)) is not None:
            # Not awaited: the leases of other units have to be renewed meanwhile.
            marking.add_done_callback(self._say_fault)

    def _say_fault(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._ui.say(str(fault))

    async def _read_journals(
        self, unit: UnitWork, places: tuple[JournalStart, ...]
    ) -> None:
        """Read what was added to journals since the last call, for one unit."""
        for place in places:
            journal = unit.journals.get(place.name)
            if journal is None:
                journal = self._sink.open_other(
                    self._plan.generation, place.name, place.start
                )
                unit.journals[place.name] = journal
            keys = await asyncio.to_thread(self._read_journal, place.name, journal)
            unit.drop_chains(keys)

    def _read_journal(self, name: str, journal: OtherJournal) -> set[bytes]:
        if name != self._journal.name:
            self._sink.refresh_other(self._plan.generation, name)
        return journal.read_on()

    async def _use_board(self, use: Callable[[], T]) -> T:
        """Use the leases in a thread, one use at a time."""
        async with self._board_lock:
            return await asyncio.to_thread(use)


def _journals_of(leases: Iterable[Lease]) -> tuple[JournalStart, ...]:
    return tuple(place for lease in leases for place in lease.journals)


def _show_nothing(progress: ChainProgress) -> None:
    del progress

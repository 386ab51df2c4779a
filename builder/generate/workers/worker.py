"""A worker: leases units of a plan and asks their chains, one stream over all units."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from cotbuild.builder.event_loop import run_async
from cotbuild.builder.generate.chains import ChainRules
from cotbuild.builder.generate.drain import Drain
from cotbuild.builder.generate.follow import AnswerLookup, extend_chain, start_chain
from cotbuild.builder.generate.workers.board import Board
from cotbuild.builder.generate.workers.leases import LEASE_S, RENEW_S, SECOND_AFTER
from cotbuild.builder.generate.workers.plan_work import PlanWork
from cotbuild.builder.generate.workers.rules import load_rules
from cotbuild.builder.generate.workers.sink import JournalSink
from cotbuild.builder.generate.workers.timing import Poll
from cotbuild.builder.generate.workers.view import PlanView
from cotbuild.builder.storage.usage import GPUS, STARTING_S
from cotbuild.builder.teachers import open_teacher
from cotbuild.builder.teachers.base import Teacher
from cotbuild.builder.ui import Ui
from cotbuild.schemas.completion import Answer
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.event import Phase
from cotbuild.schemas.teacher_config import TeacherConfig
from cotbuild.schemas.work import WorkCounts, WorkerState, WorkPlan

WAIT_S = 60.0
"""Seconds that a worker waits for a plan, or for the next one."""


@dataclass(frozen=True)
class WorkerOptions:
    """How a worker works."""

    name: str
    """Its name, which no other worker of the build has."""
    endpoints: tuple[str, ...] = ()
    """Servers to ask in place of those of the plan."""
    window: int | None = None
    """Requests in flight; None for that of the plan."""
    lease_s: float = LEASE_S
    renew_s: float = RENEW_S
    second_after: int = SECOND_AFTER
    """Renewals in whose time a unit should be done: idle workers help with the others."""
    wait_s: float = WAIT_S
    """How long it waits for a plan, and for the next one with its server running."""


class WorkerResult(NamedTuple):
    """What a worker did."""

    counts: WorkCounts
    num_units: int
    """Units that it finished."""
    reason: Literal["done", "drained", "no_plan"]
    """Why it ended: no unit is left, it was to stop, or there was no plan."""


def run_worker(
    board: Board, sink: JournalSink, options: WorkerOptions, ui: Ui, drain: Drain
) -> WorkerResult:
    """Ask units of the build's plan until none is left, or `drain` is requested.

    Where every unit is done it waits for `options.wait_s` for a further plan. Raises
    TeacherError where the teacher cannot go on, StoreError where board or journal
    cannot be used, ConfigError where another version of cotbuild made the plan; its
    units are given back first, and every answer is in its journal.
    """
    return run_async(_Session(board, sink, options, ui, drain).run())


class _Session:
    """One run of a worker, over one plan or several."""

    def __init__(
        self,
        board: Board,
        sink: JournalSink,
        options: WorkerOptions,
        ui: Ui,
        drain: Drain,
    ) -> None:
        self._board = board
        self._sink = sink
        self._options = options
        self._ui = ui
        self._drain = drain
        self._counts = WorkCounts()
        self._num_units = 0
        self._work: PlanWork | None = None
        self._started_at = board.clock()
        self._is_ending = asyncio.Event()

    async def run(self) -> WorkerResult:
        """Work on plan after plan."""
        presence = asyncio.create_task(self._show_presence())
        try:
            plan = await self._await_plan(None)
            if plan is None and not self._drain.is_requested:
                return WorkerResult(self._counts, 0, "no_plan")
            while plan is not None:
                plan = await self._ask_teacher_of(plan)
        finally:
            self._is_ending.set()
            await presence
            with suppress(StoreError):
                self._board.remove_worker(self._options.name)
        is_drained = self._drain.is_requested
        return WorkerResult(
            self._counts, self._num_units, "drained" if is_drained else "done"
        )

    async def _ask_teacher_of(self, plan: WorkPlan) -> WorkPlan | None:
        """Open the teacher of a plan, and work on it and those that follow.

        Returns a plan that has another teacher; None where none is left.
        """
        config = self._teacher_config(plan)
        rules = load_rules(plan, self._board.where(f"{plan.name}/plan.json"))
        self._ui.phase(Phase.STARTING_TEACHER)
        opened_s = time.monotonic()
        following: WorkPlan | None = plan
        async with open_teacher(
            config,
            plan.teacher,
            self._sink.folder,
            self._ui.say,
            media=self._sink.media,
            max_images=plan.max_images,
        ) as teacher:
            await self._check(teacher, plan, rules)
            header = self._journal_header(teacher, opened_s)
            while following is not None and self._has_same_teacher(plan, following):
                await self._work_on(teacher, following, header)
                if self._drain.is_requested:
                    return None
                following = await self._await_plan(following)
        return following

    async def _work_on(
        self, teacher: Teacher, plan: WorkPlan, header: dict[str, Any]
    ) -> None:
        rules = load_rules(plan, self._board.where(f"{plan.name}/plan.json"))
        header = header | {"plan": plan.name}
        self._ui.phase(Phase.ASKING)
        with ExitStack() as stack:
            # In a thread: it reads every journal, and presence is to be shown meanwhile.
            stored = await asyncio.to_thread(
                stack.enter_context, self._stored_answers(plan, rules)
            )
            journal = stack.enter_context(
                self._sink.create_journal(plan.generation, header)
            )
            self._work = PlanWork(
                self._board,
                self._sink,
                plan,
                rules,
                teacher,
                journal,
                stored,
                self._options.name,
                self._ui,
                self._drain,
                lease_s=self._options.lease_s,
                renew_s=self._options.renew_s,
                second_after=self._options.second_after,
            )
            try:
                await self._work.run()
            finally:
                self._counts = self._counts.plus(self._work.counts)
                self._num_units += self._work.num_units
                self._work = None

    @contextmanager
    def _stored_answers(
        self, plan: WorkPlan, rules: ChainRules
    ) -> Iterator[AnswerLookup]:
        """Give a lookup of the answers from before; only later steps may have one."""
        if not rules.allow_follow_ups:
            yield _no_answer
            return
        with self._sink.stored_answers(plan.generation) as lookup:
            yield lookup

    # -- the teacher -------------------------------------------------------------------

    def _teacher_config(self, plan: WorkPlan) -> TeacherConfig:
        config, options = plan.config.teacher, self._options
        if options.endpoints:
            config = config.model_copy(update={"endpoints": options.endpoints})
        if options.window is not None:
            config = config.model_copy(update={"window": options.window})
        return config

    def _has_same_teacher(self, plan: WorkPlan, other: WorkPlan) -> bool:
        is_same = plan.config.teacher == other.config.teacher
        return (
            is_same
            and plan.teacher == other.teacher
            and other.max_images <= plan.max_images
        )

    async def _check(self, teacher: Teacher, plan: WorkPlan, rules: ChainRules) -> None:
        longest = plan.longest
        if longest is None:
            return
        chain = start_chain(rules, longest.question, longest.sample_index)
        for answer in longest.answers:
            chain = extend_chain(rules, chain, answer)
        if chain.open_step is None:
            return
        warning = await teacher.check(chain.open_step.request)
        if warning:
            self._ui.say(f"question {longest.question.id!r}: {warning}")

    def _journal_header(self, teacher: Teacher, opened_s: float) -> dict[str, Any]:
        header: dict[str, Any] = {
            "teacher": teacher.provenance(),
            "worker": self._options.name,
        }
        servers = teacher.servers()
        if servers is not None and servers.gpus:
            starting_s = round(time.monotonic() - opened_s, 3)
            header |= {GPUS: servers.gpus, STARTING_S: starting_s}
        return header

    # -- waiting -----------------------------------------------------------------------

    async def _await_plan(self, before: WorkPlan | None) -> WorkPlan | None:
        """Return a plan that comes after `before`; None where none does in time."""
        poll = Poll(self._drain)
        deadline_s = time.monotonic() + self._options.wait_s
        while not self._drain.is_requested:
            plan = await asyncio.to_thread(self._find_plan, before)
            if plan is not None:
                return plan
            if before is not None and await asyncio.to_thread(self._is_closed):
                return None
            if time.monotonic() >= deadline_s:
                return None
            await poll.wait()
        return None

    def _is_closed(self) -> bool:
        """Whether the newest plan is closed: its driver has all that it needs.

        That is not always the last plan of this worker: the signals of older plans are
        deleted with them.
        """
        name = self._board.find_plan_name()
        return name is not None and "closed" in self._board.signals(name)

    def _find_plan(self, before: WorkPlan | None) -> WorkPlan | None:
        """Return the newest plan, if it has a unit that is not done."""
        name = self._board.find_plan_name()
        is_known = before is not None and before.name == name
        if name is None or is_known or "closed" in self._board.signals(name):
            return None
        plan = self._board.read_plan(name)
        view = PlanView(self._board, plan, self._options.lease_s)
        view.refresh_all()
        return None if view.is_finished else plan

    async def _show_presence(self) -> None:
        """Write the heartbeat of this worker to the board, until it ends."""
        while not self._is_ending.is_set():
            counts = self._counts
            if self._work is not None:
                counts = counts.plus(self._work.counts)
            state = WorkerState(
                worker=self._options.name,
                started_at=self._started_at,
                expires_at=self._board.clock() + self._options.lease_s,
                counts=counts,
            )
            try:
                await asyncio.to_thread(self._board.note_worker, state)
            except StoreError as fault:
                self._ui.say(str(fault))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_ending.wait(), self._options.renew_s)


def _no_answer(request_key: str) -> Answer | None:
    del request_key
    return None

"""The second pass of a run: make the open requests of a plan."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cotbuild.builder.event_loop import run_async
from cotbuild.builder.generate.accounts import describe_spending
from cotbuild.builder.generate.ask import ask_all
from cotbuild.builder.generate.budget import (
    RunLimits,
    SpendingGate,
    make_account,
)
from cotbuild.builder.generate.chain_progress import ProgressMeter
from cotbuild.builder.generate.chains import Chain, ChainRules
from cotbuild.builder.generate.follow import AnswerLookup
from cotbuild.builder.generate.known_answers import known_answers
from cotbuild.builder.generate.plan import RequestPlan, make_plan, open_chains
from cotbuild.builder.generate.sending_order import expect_as_before, order_for_sending
from cotbuild.builder.media import MediaStore
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.storage.journal import Journal
from cotbuild.builder.storage.usage import (
    GPUS,
    STARTING_S,
    JournalUsage,
    read_usage,
)
from cotbuild.builder.teachers import open_teacher
from cotbuild.builder.teachers.base import Servers, Teacher
from cotbuild.builder.teachers.early_stop import EarlyStop
from cotbuild.builder.ui import Ui, pluralize
from cotbuild.schemas.budget import Account
from cotbuild.schemas.completion import Answer, Completion
from cotbuild.schemas.errors import PausedError
from cotbuild.schemas.event import Phase
from cotbuild.schemas.teacher_config import TeacherConfig

ACCOUNT_EVERY_S = 10.0
"""Seconds between two accounts of a run that is asking."""


@dataclass(frozen=True)
class AskedTeacher:
    """Whom a run asks, and where the answers go."""

    config: TeacherConfig
    identity: str
    store: AnswerStore
    media: MediaStore


class Asking:
    """Makes the open requests of a plan, within the limits of the run.

    Args:
        teacher: Whom to ask.
        rules: The rules of the chains.
        chains: Returns every chain in plan order, as far as a lookup has answers.
        plan: The plan of these chains.
        limits: The budget, and the wish to drain.
        ui: Receives phases, progress and accounts.
    """

    def __init__(
        self,
        teacher: AskedTeacher,
        rules: ChainRules,
        chains: Callable[[AnswerLookup], Iterator[Chain]],
        plan: RequestPlan,
        limits: RunLimits,
        ui: Ui,
    ) -> None:
        self._teacher = teacher
        self._rules = rules
        self._chains = chains
        self._plan = plan
        self._budget = limits.budget
        self._ui = ui
        self._spent_before = read_usage(teacher.store.all_journals)
        self._gate = SpendingGate(
            limits.budget,
            self._spent_before,
            rules.config.sampling.max_tokens,
            limits.drain,
        )
        self._early_stop = EarlyStop(plan.num_chains - plan.num_open_chains)
        self._num_asked = self._num_done = 0
        self._has_completion = False
        self._accounted_s = 0.0
        self._journal: Path | None = None
        self.account = self._make_account(self._spent_before)
        """What the build has spent by the end of `run`."""

    def run(self, lookup: AnswerLookup) -> int:
        """Make the requests; return how many were made.

        Starts no server where nothing is open, or nothing may be asked. Raises
        PausedError where the run stopped before its end, and what a teacher raises.
        """
        first = self._plan.first
        try:
            if first is not None and self._gate.check(first):
                run_async(self._ask(lookup))
        finally:
            # By the journals, as the next run reads them.
            journals = [] if self._journal is None else [self._journal]
            usage = self._spent_before.plus(read_usage(journals))
            self.account = self._make_account(usage)
            self._ui.account(self.account)
        if self._gate.stopped is not None:
            raise PausedError(self._pause_message(), self._gate.stopped)
        return self._num_asked

    def _make_account(self, usage: JournalUsage) -> Account:
        return make_account(usage, self._budget.prices, self._plan.reused)

    async def _ask(self, lookup: AnswerLookup) -> None:
        job, plan = self._teacher, self._plan
        self._ui.phase(Phase.STARTING_TEACHER)
        opened_s = time.monotonic()
        async with open_teacher(
            job.config,
            job.identity,
            job.store.root,
            self._ui.say,
            media=job.media,
            max_images=plan.max_images,
        ) as teacher:
            longest = plan.longest
            warning = await teacher.check(longest) if longest is not None else None
            if warning:
                self._ui.say(f"question {plan.longest_id!r}: {warning}")
            self._ui.phase(Phase.ASKING)
            gpus = self._num_gpus(teacher.servers())
            starting_s = round(time.monotonic() - opened_s, 3)
            header: dict[str, Any] = {"teacher": teacher.provenance()}
            if gpus:
                header |= {GPUS: gpus, STARTING_S: starting_s}
            with job.store.create_journal(header) as journal:
                self._journal = journal.path
                self._gate.start(gpus, starting_s)
                await self._ask_chains(teacher, journal, lookup)
                if self._gate.stopped is None or self._has_completion:
                    # What a drained run saw rejected is final where the same settings
                    # also brought a completion.
                    journal.finish()

    def _num_gpus(self, servers: Servers | None) -> int:
        if self._budget.gpus is not None:
            return self._budget.gpus
        return 0 if servers is None else servers.gpus

    async def _ask_chains(
        self, teacher: Teacher, journal: Journal, lookup: AnswerLookup
    ) -> None:
        plan, rules = self._plan, self._rules
        with self._ui.asking(plan.num_open) as show:
            meter = ProgressMeter(rules.grading)

            def on_step(chain: Chain, answer: Answer | None) -> None:
                self._count(chain, answer)
                servers = teacher.servers()
                show(meter.measure(chain, answer, self._gate.in_flight, servers))
                self._report_account()
                if answer is not None:
                    self._early_stop.record(answer)

            planned = plan.take_held() or self._chains(lookup)
            with self._in_sending_order(open_chains(planned, plan.repeats)) as chains:
                await ask_all(
                    teacher, rules, chains, lookup, journal, on_step, self._gate
                )
            if not plan.repeats:
                return
            # Two questions that differ in their target alone share the first request of
            # their chains. One of the chains was left out, and goes on from the answer
            # that the other one received.
            while self._gate.stopped is None:
                with known_answers(
                    self._teacher.store.read_index(), retry=False
                ) as known:
                    rest = make_plan(self._chains(known))
                    if not rest.num_open:
                        return
                    chains = open_chains(self._chains(known), rest.repeats)
                    await ask_all(
                        teacher, rules, chains, known, journal, on_step, self._gate
                    )

    @contextmanager
    def _in_sending_order(self, chains: Iterator[Chain]) -> Iterator[Iterator[Chain]]:
        """Give the chains in the order in which to send their requests.

        With a budget, which may end the run, that is the order of the plan: what is
        answered is then its beginning.
        """
        if self._budget.has_limit:
            yield chains
            return
        previous = self._teacher.store.read_previous_index()
        if not previous.journals:
            yield order_for_sending(chains)
            return
        with known_answers(previous, retry=False) as earlier:
            yield order_for_sending(chains, expect_as_before(earlier))

    def _count(self, chain: Chain, answer: Answer | None) -> None:
        """Count a step."""
        self._num_asked += answer is not None
        self._num_done += chain.finished is not None
        self._has_completion |= isinstance(answer, Completion)

    def _report_account(self) -> None:
        now_s = time.monotonic()
        if now_s - self._accounted_s >= ACCOUNT_EVERY_S:
            self._accounted_s = now_s
            self._ui.account(self._make_account(self._gate.spent))

    def _pause_message(self) -> str:
        """Return what stopped the run, what was spent and what is left."""
        num_left = max(self._plan.num_open_chains - self._num_done, 0)
        left = f"{num_left} of {pluralize(self._plan.num_chains, 'rationale')} left"
        if self._gate.stopped == "drained":
            return f"drained; {left}"
        return f"budget: {describe_spending(self.account, self._budget)}; {left}"

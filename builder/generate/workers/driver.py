"""The second pass of a run with workers: publish what is open and watch until it is done.

The driver holds nothing that a build needs. What is open is on the board, what was
answered is in the journals: if the driver is killed, workers go on, and the same command
continues with them.
"""

import math
import time
from collections.abc import Callable, Iterator

from cotbuild.builder.generate.accounts import describe_spending
from cotbuild.builder.generate.asking import ACCOUNT_EVERY_S, AskedTeacher
from cotbuild.builder.generate.budget import RunLimits, SpendingGate, make_account
from cotbuild.builder.generate.chains import Chain, ChainRules
from cotbuild.builder.generate.follow import AnswerLookup
from cotbuild.builder.generate.known_answers import known_answers
from cotbuild.builder.generate.plan import RequestPlan, make_plan, open_chains
from cotbuild.builder.generate.worker_options import WorkersOptions
from cotbuild.builder.generate.workers.board import Board
from cotbuild.builder.generate.workers.places import (
    local_environments,
    secret_environments,
)
from cotbuild.builder.generate.workers.progress import WorkProgress
from cotbuild.builder.generate.workers.rules import asking_code
from cotbuild.builder.generate.workers.status import PlanWatch
from cotbuild.builder.generate.workers.team import WorkerTeam
from cotbuild.builder.generate.workers.units import choose_unit_size, publish_plan
from cotbuild.builder.launchers.base import Launcher
from cotbuild.builder.launchers.local import LocalLauncher
from cotbuild.builder.storage.usage import JournalUsage, UsageCounter
from cotbuild.builder.ui import Ui, format_duration, pluralize
from cotbuild.schemas.attempts import AttemptsEntry
from cotbuild.schemas.budget import Account
from cotbuild.schemas.errors import PausedError, PauseReason, StoreError
from cotbuild.schemas.event import Phase
from cotbuild.schemas.work import WorkPlan

POLL_S = 0.25
"""Seconds between two looks at a board in a folder."""
STORE_POLL_S = 2.0
"""The same for an object store, each of whose requests takes time and money."""
COUNT_EVERY_S = 1.0
"""Seconds between two counts of the journals of a run with a budget."""
JOINED_EVERY_S = 5.0
"""Seconds between two lists of the workers that are there."""
END_S = 60.0
"""How long the end of the workers is waited for before they are stopped."""
WAIT_S = 600
"""How long a worker that was started here waits for more, as while its driver plans."""

Chains = Callable[[AnswerLookup], Iterator[Chain]]


class WorkersDriver:
    """Has workers make the open requests of a plan, within the limits of the run.

    Args:
        teacher: Whom they ask.
        rules: The rules of the chains.
        chains: Returns every chain in plan order, as far as a lookup has answers.
        plan: The plan of these chains.
        inputs: Digest of the inputs of the build.
        attempts: What is evaluated, in mode reflect.
        may_continue: Whether workers may go on with the open plan of an earlier run.
        limits: The budget, and the wish to drain.
        options: The workers.
        ui: Receives phases, progress and accounts.
    """

    def __init__(
        self,
        teacher: AskedTeacher,
        rules: ChainRules,
        chains: Chains,
        plan: RequestPlan,
        *,
        inputs: str,
        attempts: AttemptsEntry | None,
        may_continue: bool,
        limits: RunLimits,
        options: WorkersOptions,
        ui: Ui,
    ) -> None:
        self._teacher = teacher
        self._rules = rules
        self._chains = chains
        self._plan = plan
        self._inputs = inputs
        self._attempts = attempts
        self._may_continue = may_continue
        self._limits = limits
        self._options = options
        self._ui = ui
        self._build_dir = teacher.store.root.parent
        self._shared = options.shared_store(self._build_dir)
        self._board = Board(self._shared.board)
        self._poll_s = POLL_S if options.store is None else STORE_POLL_S
        self._counter = UsageCounter()
        self._counted_s = 0.0
        self._spent_before = self._count_usage()
        self._spent = self._spent_before
        self._accounted_s = 0.0

    @property
    def account(self) -> Account:
        """What the build has spent."""
        budget = self._limits.budget
        return make_account(self._spent, budget.prices, self._plan.reused)

    def run(self, lookup: AnswerLookup) -> int:
        """Have the requests made; return how many were.

        Starts no worker where nothing is open, or nothing may be asked. Raises
        PausedError where the run stopped before its end, and what the last worker said
        that cannot go on.
        """
        current = find_open_plan(self._board)
        if self._plan.first is None and current is None:
            return 0
        launcher = self._make_launcher()
        try:
            self._run(launcher, lookup, current)
        finally:
            launcher.stop()
            self._spent = self._count_usage()
            self._ui.account(self.account)
        return self._spent.requests - self._spent_before.requests

    def _run(
        self, launcher: Launcher, lookup: AnswerLookup, current: WorkPlan | None
    ) -> None:
        team = self._make_team(launcher)
        team.notice()  # those that ended while no run watched
        plan = self._continue_or_cut(current, lookup)
        while plan is not None:
            self._watch(plan, team)
            current = plan
            plan = self._plan_again(plan)
        if current is not None:
            self._board.send(current.name, "closed")
            self._end(team)
            delete_old_work(self._board, current)

    def _make_launcher(self) -> Launcher:
        make = self._options.make_launcher
        if make is None:
            return LocalLauncher(self._build_dir)
        return make(self._shared.place, self._rules.config)

    def _make_team(self, launcher: Launcher) -> WorkerTeam:
        config, number = self._teacher.config, self._options.number
        if self._options.make_launcher is None:
            identity = self._teacher.identity
            environments = local_environments(config, identity, number, self._ui.say)
        else:
            environments = secret_environments(config, number)
        arguments = ("worker", self._shared.place, "--wait", str(WAIT_S))
        return WorkerTeam(
            launcher, arguments, environments, self._release, self._ui.say
        )

    def _release(self, worker: str) -> None:
        """Give back the units of a worker that is known to be gone."""
        plan = find_open_plan(self._board)
        if plan is not None:
            PlanWatch(self._board, plan).release(worker)

    # -- plans -------------------------------------------------------------------------

    def _continue_or_cut(
        self, current: WorkPlan | None, lookup: AnswerLookup
    ) -> WorkPlan | None:
        """Return the open plan if workers are at work on it, or else a new one.

        None where no request is open.
        """
        if self._plan.first is None:
            return None
        if current is not None and self._is_same(current):
            status = PlanWatch(self._board, current).status()
            workers = status.workers
            if workers and "drain" not in self._board.signals(current.name):
                self._ui.say(f"workers are at work: {', '.join(workers)}")
                return current
            # They may have finished since this run planned: it does not know their
            # answers yet, and would ask for them again.
            if status.is_finished:
                return current
        return self._cut(self._plan, lookup)

    def _is_same(self, plan: WorkPlan) -> bool:
        """Whether a plan is about what this run asks for, of the same teacher."""
        teacher = self._rules.config.teacher
        wanted = (self._inputs, asking_code(), self._generation, teacher)
        found = (plan.inputs, plan.code, plan.generation, plan.config.teacher)
        return self._may_continue and found == wanted

    @property
    def _generation(self) -> str:
        store = self._teacher.store
        if not store.generations:
            store.start_generation()
        return store.generations[-1].name

    def _cut(self, plan: RequestPlan, lookup: AnswerLookup) -> WorkPlan:
        """Publish the open chains of a plan, as many as the budget allows requests.

        Raises PausedError where it allows none.
        """
        self._spent = self._count_usage()
        reason = self._find_limit()
        if reason is not None:
            raise self._paused(reason, plan.num_open_chains)
        chains = open_chains(self._chains(lookup), plan.repeats)
        max_requests = self._limits.budget.max_requests
        # Requests in other processes cannot be stopped at a number.
        max_chains = (
            None if max_requests is None else max_requests - self._spent.requests
        )
        previous = find_open_plan(self._board)
        work = publish_plan(
            self._board,
            self._rules,
            plan,
            chains,
            inputs=self._inputs,
            generation=self._generation,
            num_workers=self._options.number or None,
            max_chains=max_chains,
            attempts=self._attempts,
        )
        # Only now: a worker at the end of its plan stays if it finds a newer one.
        if previous is not None and previous.name != work.name:
            self._board.send(previous.name, "closed")
        return work

    def _plan_again(self, work: WorkPlan) -> WorkPlan | None:
        """Publish what is still open; return None where nothing is.

        Two questions that differ in their target alone share the first request of their
        chains. One of the chains was left out, and goes on from the answer that the
        other one received. Requests that failed are left to the next run, unless a
        budget kept chains out of the plan.
        """
        self._shared.bring_answers()
        num_chains = sum(unit.num_chains for unit in work.units)
        was_limited = num_chains < work.num_open
        index = self._teacher.store.read_index()
        with known_answers(index, retry=was_limited) as known:
            rest = make_plan(self._chains(known))
            return self._cut(rest, known) if rest.first is not None else None

    # -- watching ----------------------------------------------------------------------

    def _watch(self, work: WorkPlan, team: WorkerTeam) -> None:
        """Return once every unit of a plan is done, or the budget is spent.

        Raises PausedError where the run was asked to drain or no worker is left, and
        what the last worker said that cannot go on.
        """
        self._ui.phase(Phase.ASKING)
        if not self._options.number:
            self._ui.say(f"waiting for workers: cotbuild worker {self._shared.place}")
        watch = PlanWatch(self._board, work)
        presence = _Presence(self._board, team, self._options.max_idle_s)
        num_chains = sum(unit.num_chains for unit in work.units)
        with self._ui.asking(num_chains) as show:
            progress = WorkProgress(num_chains, show)
            while True:
                team.notice()
                status = watch.status()
                num_workers = presence.look()
                progress.update(status.counts, num_workers)
                self._report_account()
                if status.is_finished:
                    return
                reason = self._find_limit()
                if reason is not None:
                    self._drain(work, team, watch)
                    if reason == "budget":
                        return  # planning again tells what is left
                    raise self._paused(reason, num_chains - progress.num_finished)
                every_s = (
                    COUNT_EVERY_S if self._options.store is None else ACCOUNT_EVERY_S
                )
                self._count_at_most_every(every_s)
                if num_started := team.fill(self._counter.answered_workers):
                    logs = self._teacher.store.logs
                    workers = pluralize(num_started, "worker")
                    self._ui.say(f"{workers} started; they write their logs to {logs}")
                elif not num_workers and not team.is_pausing:
                    team.raise_failure()
                    if presence.is_over:
                        left = num_chains - progress.num_finished
                        raise self._paused("no_workers", left)
                time.sleep(self._poll_s)

    def _drain(self, work: WorkPlan, team: WorkerTeam, watch: PlanWatch) -> None:
        """Have every worker finish what is under way and give back its units."""
        self._board.send(work.name, "drain")
        team.drain()
        while team.running or watch.status().leases:
            team.notice()
            time.sleep(self._poll_s)
        self._board.send(work.name, "closed")

    def _end(self, team: WorkerTeam) -> None:
        """Wait for the workers that were started here: they seal their journals."""
        team.drain()
        deadline_s = time.monotonic() + END_S
        while team.running and time.monotonic() < deadline_s:
            team.notice()
            time.sleep(self._poll_s)

    # -- limits ------------------------------------------------------------------------

    def _find_limit(self) -> PauseReason | None:
        """Return why no further request may be made; None if one may."""
        budget, first = self._limits.budget, self._plan.first
        if budget.has_limit:
            self._count_at_most_every(COUNT_EVERY_S)
        max_tokens = self._rules.config.sampling.max_tokens
        gate = SpendingGate(budget, self._spent, max_tokens, self._limits.drain)
        if first is not None:
            gate.check(first)
        return gate.stopped

    def _report_account(self) -> None:
        if time.monotonic() - self._accounted_s >= ACCOUNT_EVERY_S:
            self._accounted_s = time.monotonic()
            self._count_at_most_every(COUNT_EVERY_S)
            self._ui.account(self.account)

    def _count_at_most_every(self, seconds: float) -> None:
        if time.monotonic() - self._counted_s >= seconds:
            self._spent = self._count_usage()

    def _count_usage(self) -> JournalUsage:
        """Count all journals, as far as their answers are on this machine."""
        self._counted_s = time.monotonic()
        self._shared.bring_answers()
        return self._counter.read(self._teacher.store.all_journals)

    def _paused(self, reason: PauseReason, num_left: int) -> PausedError:
        """Return the error that says what stopped the run, and what is left."""
        total = pluralize(self._plan.num_chains, "rationale")
        left = f"{max(num_left, 0)} of {total} left"
        if reason == "drained":
            return PausedError(f"drained; {left}", reason)
        if reason == "no_workers":
            idle = format_duration(self._options.max_idle_s)
            return PausedError(f"no worker for {idle}; {left}", reason)
        spent = describe_spending(self.account, self._limits.budget)
        return PausedError(f"budget: {spent}; {left}", reason)


class _Presence:
    """The workers that are there, whoever started them."""

    def __init__(self, board: Board, team: WorkerTeam, max_idle_s: float) -> None:
        self._board = board
        self._team = team
        self._max_idle_s = max_idle_s
        self._joined: set[str] = set()
        self._looked_s: float | None = None
        self._seen_s = time.monotonic()

    def look(self) -> int:
        """Return how many there are."""
        now_s = time.monotonic()
        if self._looked_s is None or now_s - self._looked_s >= JOINED_EVERY_S:
            self._looked_s = now_s
            self._joined = {state.worker for state in self._board.live_workers()}
        workers = {*self._team.running, *(self._joined - self._team.ended)}
        if workers:
            self._seen_s = now_s
        return len(workers)

    @property
    def is_over(self) -> bool:
        """Whether there has been no worker for too long."""
        return time.monotonic() - self._seen_s >= self._max_idle_s


def find_open_plan(board: Board) -> WorkPlan | None:
    """Return the newest plan of a build unless it is closed."""
    name = board.find_plan_name()
    if name is None or "closed" in board.signals(name):
        return None
    return board.read_plan(name)


def delete_old_work(board: Board, finished: WorkPlan) -> None:
    """Delete the plans before a finished one, and its units: nobody needs them."""
    board.delete_silent_workers()
    for blob in list(board.blobs.list("")):
        plan, _, rest = blob.path.partition("/")
        is_older = plan.startswith("plan-") and plan < finished.name
        if is_older or (plan == finished.name and rest.startswith("units/")):
            board.blobs.delete(blob.path)


def describe_units(num_open: int, number: int) -> str:
    """Return how many units the open requests would be cut into, and for whom."""
    size = choose_unit_size(num_open, number or None)
    units = pluralize(math.ceil(num_open / size), "unit")
    workers = pluralize(number, "worker") if number else "workers that join"
    return f"workers: {units} of at most {size} chains, for {workers}"


def refuse_workers(board: Board, place: str) -> None:
    """Raise StoreError while workers are at work on a build; close its plan if not.

    For runs without workers, which would ask the same requests. `place` names the build
    in the message.
    """
    plan = find_open_plan(board)
    if plan is None:
        return
    workers = PlanWatch(board, plan).status().workers
    if workers:
        raise StoreError(
            f"{place}: workers are at work on it: {', '.join(workers)}. Wait until "
            "they end, or pass --workers 0 to watch them and finish the build."
        )
    board.send(plan.name, "closed")

"""A unit that a worker asks: its chains that are left, and those under way."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Any

from cotbuild.builder.generate.ask import ChainAsker
from cotbuild.builder.generate.chains import Chain, ChainRules
from cotbuild.builder.generate.follow import AnswerLookup, extend_chain, start_chain
from cotbuild.builder.generate.workers.leases import HeldUnit
from cotbuild.builder.generate.workers.sink import OtherJournal
from cotbuild.builder.storage.keys import key_bytes
from cotbuild.builder.ui import ChainProgress
from cotbuild.schemas.completion import Answer
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.json_text import JsonFault, parse_record_json
from cotbuild.schemas.work import UnitChain, WorkCounts


class WorkTally:
    """Counts what a worker does, step by step."""

    def __init__(self) -> None:
        self._requests = self._failures = self._chains = 0
        self._prompt_tokens = self._completion_tokens = 0
        self._verdicts: Counter[str] = Counter()

    def add(self, progress: ChainProgress, *, failed: bool) -> None:
        """Count a step: what it adds to progress, and whether its request failed."""
        self._requests += progress.requests
        self._failures += failed
        self._chains += progress.ends_chain
        self._prompt_tokens += progress.prompt_tokens
        self._completion_tokens += progress.completion_tokens
        if progress.verdict is not None:
            self._verdicts[progress.verdict.value] += 1

    @property
    def counts(self) -> WorkCounts:
        """What was counted so far."""
        return WorkCounts(
            requests=self._requests,
            failures=self._failures,
            chains=self._chains,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            verdicts=dict(sorted(self._verdicts.items())),
        )


class UnitWork:
    """The chains of a unit that a worker has a lease on.

    For one event loop. A second lease is worked on from the end of the unit, so that
    both workers meet.

    Args:
        held: The lease.
        lines: The lines of the unit.
        rules: The rules of its chains.
        stored: Gives answers from before the plan.
        where: What names the unit in errors.
    """

    def __init__(
        self,
        held: HeldUnit,
        lines: Sequence[bytes],
        rules: ChainRules,
        stored: AnswerLookup,
        where: str,
    ) -> None:
        self.held = held
        self.tally = WorkTally()
        self.asker: ChainAsker | None = None
        """Asks its chains; set by the worker."""
        self.journals: dict[str, OtherJournal] = {}
        """Those of other workers that are read for it, by name."""
        self.is_ending = False
        """Whether it is being marked as done."""
        self.is_dropped = False
        """Whether it was lost or finished by somebody else."""
        self.has_stopped = False
        """Whether a chain was left before its end, since nothing more may be asked."""
        self._rules = rules
        self._stored = stored
        self._where = where
        ordered = reversed(lines) if held.is_second else iter(lines)
        self._left = deque(ordered)
        self._under_way: dict[asyncio.Task[Any], Chain] = {}
        self._cancelled: set[asyncio.Task[Any]] = set()

    @property
    def num_left(self) -> int:
        """Chains that were not begun."""
        return len(self._left)

    @property
    def is_finished(self) -> bool:
        """Whether every chain was asked to its end, by whomever."""
        is_empty = not self._left and not self._under_way
        return is_empty and not self.has_stopped and not self.is_dropped

    def find(self, request_key: str) -> Answer | None:
        """Return an answer that others have received, or that was stored before."""
        for journal in self.journals.values():
            if (answer := journal.find(request_key)) is not None:
                return answer
        return self._stored(request_key)

    def next_chain(self) -> Chain | None:
        """Return the next chain that nobody has finished; None where none is left.

        Raises StoreError if its line is damaged.
        """
        while self._left:
            chain = self._follow(self._read_line(self._left.popleft()))
            if chain.open_step is not None:
                return chain
        return None

    def begin(self, task: "asyncio.Task[Any]", chain: Chain) -> None:
        """Note that a task asks a chain."""
        self._under_way[task] = chain

    def end(self, task: "asyncio.Task[Any]") -> None:
        """Note that a task asks its chain no longer."""
        self._under_way.pop(task, None)

    def was_cancelled(self, task: "asyncio.Task[Any]") -> bool:
        """Whether a task was cancelled here, since it was last asked about it."""
        was_cancelled = task in self._cancelled
        self._cancelled.discard(task)
        return was_cancelled

    def drop(self) -> None:
        """Ask nothing more, and cancel what is under way."""
        self.is_dropped = True
        self._left.clear()
        for task in self._under_way:
            self._cancel(task)

    def drop_chains(self, keys: Iterable[bytes]) -> None:
        """Cancel the requests under way whose keys (16 bytes) others have answers to."""
        answered = set(keys)
        for task, chain in self._under_way.items():
            step = chain.open_step
            if step is not None and key_bytes(step.request.request_key) in answered:
                self._cancel(task)

    def _cancel(self, task: "asyncio.Task[Any]") -> None:
        if task not in self._cancelled:
            self._cancelled.add(task)
            task.cancel()

    def follow_on(self, chain: Chain) -> Chain:
        """Return a chain with the answers that others have received since."""
        while (step := chain.open_step) is not None:
            answer = self.find(step.request.request_key)
            if answer is None:
                break
            chain = extend_chain(self._rules, chain, answer)
        return chain

    def _read_line(self, line: bytes) -> UnitChain:
        try:
            value = parse_record_json(line)
        except JsonFault as fault:
            raise StoreError(f"{self._where}: a line is not JSON: {fault}.") from fault
        if not isinstance(value, dict):
            raise StoreError(f"{self._where}: a line is not a JSON object.")
        return UnitChain.parse(value, self._where, StoreError)

    def _follow(self, entry: UnitChain) -> Chain:
        chain = start_chain(self._rules, entry.question, entry.sample_index)
        for answer in entry.answers:
            step = chain.open_step
            if step is None or step.request.request_key != answer.request_key:
                raise StoreError(
                    f"{self._where}: an answer of question {entry.question.id!r} is to "
                    "another request. Delete the folder of this plan, and run the "
                    "command of the build again."
                )
            chain = extend_chain(self._rules, chain, answer)
        return self.follow_on(chain)

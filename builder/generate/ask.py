"""A sliding window of requests over the whole plan.

Each answer is in the journal before it counts.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol

from cotbuild.builder.generate.budget import SpendingGate
from cotbuild.builder.generate.chains import (
    Chain,
    ChainRules,
)
from cotbuild.builder.generate.follow import (
    AnswerLookup,
    extend_chain,
)
from cotbuild.builder.teachers.base import Teacher
from cotbuild.schemas.completion import Answer, Request
from cotbuild.schemas.errors import CotbuildError

OnStep = Callable[[Chain, Answer | None], None]
"""Called with a chain whose step was answered, and with the answer; None where that was
stored already.
"""


class AnswerLog(Protocol):
    """Where answers are written, such as a `Journal`."""

    def append(self, answer: Answer) -> None:
        """Write an answer. Raises StoreError."""


class ChainAsker:
    """Requests the open steps of chains, one after another in each chain.

    Args:
        teacher: Whom to ask.
        rules: The rules of the chains.
        lookup: Gives stored answers by request_key: a later step may have one.
        journal: Where each answer is written before it counts.
        on_step: See OnStep.
        gate: Admits requests.
    """

    def __init__(
        self,
        teacher: Teacher,
        rules: ChainRules,
        lookup: AnswerLookup,
        journal: AnswerLog,
        on_step: OnStep,
        gate: SpendingGate,
    ) -> None:
        self._teacher = teacher
        self._rules = rules
        self._lookup = lookup
        self._journal = journal
        self._on_step = on_step
        self._gate = gate

    async def finish(self, chain: Chain) -> Chain:
        """Return the chain at its end, or as far as the gate admits requests.

        Raises what the teacher and `on_step` raise, and StoreError where an answer
        cannot be written.
        """
        first = chain.open_step
        while (step := chain.open_step) is not None:
            # The first step has no stored answer, or the chain would not be open.
            answer = None if step is first else self._lookup(step.request.request_key)
            is_stored = answer is not None
            if answer is None:
                answer = await self._ask(step.request)
            if answer is None:
                break
            chain = extend_chain(self._rules, chain, answer)
            self._on_step(chain, None if is_stored else answer)
        return chain

    async def _ask(self, request: Request) -> Answer | None:
        reservation = await self._gate.admit(request)
        if reservation is None:
            return None
        answer = None
        try:
            answer = await self._teacher.ask(request)
            self._journal.append(answer)
        finally:
            self._gate.settle(reservation, answer)
        return answer


async def ask_all(
    teacher: Teacher,
    rules: ChainRules,
    chains: Iterator[Chain],
    lookup: AnswerLookup,
    journal: AnswerLog,
    on_step: OnStep,
    gate: SpendingGate | None = None,
) -> None:
    """Request the open steps of every chain, `teacher.window` chains at a time.

    `chains` is read as slots come free, so it may be endless. `lookup` gives stored
    answers by request_key: a later step of a chain may have one. Once `gate` admits no
    request, those under way are awaited, and the chains stay as far as they are. Raises
    what `teacher` and `on_step` raise, and StoreError where an answer cannot be written;
    the answers before that are in the journal.
    """
    gate = SpendingGate() if gate is None else gate
    asker = ChainAsker(teacher, rules, lookup, journal, on_step, gate)

    async def work() -> None:
        for chain in chains:
            await asker.finish(chain)
            if gate.stopped is not None:
                return

    await run_tasks(work, teacher.window)


async def run_tasks(work: Callable[[], Coroutine[Any, Any, None]], count: int) -> None:
    """Run `work` in `count` tasks at once, until all have ended.

    The first error ends the others and is raised, not as part of a group.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(work())
    except BaseExceptionGroup as errors:
        raise _first_error(errors) from None


def _first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that says most: a CotbuildError if there is one."""
    ours, others = errors.split(CotbuildError)
    error: BaseException = ours or others or errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

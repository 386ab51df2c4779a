"""One window of requests that slides over the whole plan; each answer is in the journal
before it counts.
"""

import asyncio
from collections.abc import Callable, Iterator

from cotbuild.builder.generate.chains import Chain, Lookup, advance
from cotbuild.builder.storage.journal import Journal
from cotbuild.builder.teachers.base import Teacher
from cotbuild.schemas.completion import Answer
from cotbuild.schemas.errors import CotbuildError

OnStep = Callable[[Chain, Answer | None], None]
"""Called with a chain that has gone a step on, and with the answer, None where that was
known already.
"""


async def ask_all(
    teacher: Teacher,
    chains: Iterator[Chain],
    lookup: Lookup,
    journal: Journal,
    on_step: OnStep,
) -> None:
    """Finish every chain, `teacher.window` at a time. `chains` is drawn from as slots
    come free, so it may be endless.

    `lookup` knows what was answered before by request_key: a later step of a chain may
    be there already. Raises what `teacher` and `on_step` raise, and StoreError where an
    answer cannot be kept; what was answered before stands in the journal.
    """

    async def follow(chain: Chain) -> None:
        first = chain.open
        while (step := chain.open) is not None:
            # The first one is open, or the chain would not be here.
            answer = None if step is first else lookup(step.request.request_key)
            asked = answer is None
            if answer is None:
                answer = await teacher.ask(step.request)
                journal.append(answer)
            chain = advance(chain, answer)
            on_step(chain, answer if asked else None)

    async def worker() -> None:
        for chain in chains:
            await follow(chain)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(teacher.window):
                group.create_task(worker())
    except BaseExceptionGroup as faults:
        raise _first(faults) from None


def _first(faults: BaseExceptionGroup[BaseException]) -> BaseException:
    """The fault that says most: one of ours if there is one."""
    ours, others = faults.split(CotbuildError)
    fault: BaseException = ours or others or faults
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return fault

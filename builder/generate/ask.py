"""A sliding window of requests over the whole plan.

Each answer is in the journal before it counts.
"""

import asyncio
from collections.abc import Callable, Iterator

from cotbuild.builder.generate.chains import (
    Chain,
    ChainRules,
)
from cotbuild.builder.generate.follow import (
    AnswerLookup,
    extend_chain,
)
from cotbuild.builder.storage.journal import Journal
from cotbuild.builder.teachers.base import Teacher
from cotbuild.schemas.completion import Answer
from cotbuild.schemas.errors import CotbuildError

OnStep = Callable[[Chain, Answer | None], None]
"""Called with a chain whose step was answered, and with the answer; None where that was
stored already.
"""


async def ask_all(
    teacher: Teacher,
    rules: ChainRules,
    chains: Iterator[Chain],
    lookup: AnswerLookup,
    journal: Journal,
    on_step: OnStep,
) -> None:
    """Request the open steps of every chain, `teacher.window` chains at a time.

    `chains` is read as slots come free, so it may be endless. `lookup` gives stored
    answers by request_key: a later step of a chain may have one. Raises what `teacher`
    and `on_step` raise, and StoreError where an answer cannot be written; the answers
    before that are in the journal.
    """

    async def finish(chain: Chain) -> None:
        first = chain.open_step
        while (step := chain.open_step) is not None:
            # The first step has no stored answer, or the chain would not be open.
            answer = None if step is first else lookup(step.request.request_key)
            is_stored = answer is not None
            if answer is None:
                answer = await teacher.ask(step.request)
                journal.append(answer)
            chain = extend_chain(rules, chain, answer)
            on_step(chain, None if is_stored else answer)

    async def work() -> None:
        for chain in chains:
            await finish(chain)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(teacher.window):
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

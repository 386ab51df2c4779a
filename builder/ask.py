"""One window of requests that slides over the whole plan; each answer is in the journal before it counts."""

import asyncio
from collections.abc import Callable, Iterator

from cotbuild.builder.journal import Journal
from cotbuild.builder.plan import Chain, Lookup, Mode
from cotbuild.builder.teachers.base import Teacher
from cotbuild.schemas.completion import Answer, Completion, Failure, Request
from cotbuild.schemas.errors import CotbuildError
from cotbuild.schemas.question import Question

OnAnswer = Callable[[Question, Answer], None]


async def ask_all(
    teacher: Teacher, mode: Mode, chains: Iterator[Chain], lookup: Lookup, journal: Journal, on_answer: OnAnswer
) -> None:
    """Finish every chain, `teacher.window` at a time. `chains` is drawn from as slots come free, so it may be endless.

    `lookup` knows what was answered before by request_key: a later step of a chain may be there already. Raises what
    `teacher` and `on_answer` raise, and StoreError where an answer cannot be kept; what was answered before stands in
    the journal.
    """

    async def follow(chain: Chain) -> None:
        answers = [a for a in chain.answers if isinstance(a, Completion)]
        request: Request | None = chain.request
        while request is not None:
            # The first one is open, or the chain would not be here.
            answer = lookup(request.request_key) if request is not chain.request else None
            if answer is None:
                answer = await teacher.ask(request)
                journal.append(answer)
                on_answer(chain.question, answer)
            if isinstance(answer, Failure):
                return
            answers.append(answer)
            request = mode.next_request(chain.question, chain.sample_index, answers)

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

"""What every teacher must do, whatever it is: `Contract` is inherited by one test class
a teacher.

A new teacher joins with a class that overrides `teacher`; see test_contract.py. A slow
one marks its class.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from cotbuild.builder.teachers.base import Teacher
from cotbuild.schemas.completion import Answer, Completion, Message, Request, Sampling

WINDOW = 16


def request(number: int, max_tokens: int = 32) -> Request:
    """One of as many different requests as are wanted."""
    text = f"Question: Where does plate {number} go after washing?\nOptions:\n(A) cupboard\n(B) floor"
    return Request(
        messages=(Message(role="user", content=text),),
        teacher="contract",
        sampling=Sampling(max_tokens=max_tokens),
        seed=number,
    )


async def ask_all(teacher: Teacher, requests: list[Request]) -> list[Answer]:
    """All answers, in order, with at most `teacher.window` requests in flight."""
    gate = asyncio.Semaphore(teacher.window)

    async def ask(one: Request) -> Answer:
        async with gate:
            return await teacher.ask(one)

    tasks = [asyncio.create_task(ask(one)) for one in requests]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:  # where one has raised
            task.cancel()


Open = Callable[[], AbstractAsyncContextManager[Teacher]]


class Contract:
    """The tests; `teacher` opens an entered one of that window that answers every
    request in the end.
    """

    window = WINDOW
    num_requests = 3 * WINDOW

    @asynccontextmanager
    async def teacher(self) -> AsyncIterator[Teacher]:
        """Override."""
        raise NotImplementedError
        yield

    def test_every_request_gets_its_own_completion(self) -> None:
        asyncio.run(self._every_request_gets_its_own_completion())

    async def _every_request_gets_its_own_completion(self) -> None:
        requests = [request(i) for i in range(self.num_requests)]
        async with self.teacher() as teacher:
            answers = await ask_all(teacher, requests)
        assert [a.request_key for a in answers] == [r.request_key for r in requests]
        assert [a for a in answers if not isinstance(a, Completion)] == []
        assert all(isinstance(a, Completion) and a.text for a in answers)

    def test_states_its_window_and_what_it_is(self) -> None:
        asyncio.run(self._states_its_window_and_what_it_is())

    async def _states_its_window_and_what_it_is(self) -> None:
        async with self.teacher() as teacher:
            assert teacher.window == self.window
            kind = teacher.provenance()["kind"]
            assert isinstance(kind, str)
            assert kind

    def test_check_passes_a_short_request(self) -> None:
        asyncio.run(self._check_passes_a_short_request())

    async def _check_passes_a_short_request(self) -> None:
        async with self.teacher() as teacher:
            assert await teacher.check(request(0)) is None

    def test_can_be_asked_again_after_a_cancel(self) -> None:
        asyncio.run(self._can_be_asked_again_after_a_cancel(), debug=True)

    async def _can_be_asked_again_after_a_cancel(self) -> None:
        async with self.teacher() as teacher:
            tasks = [
                asyncio.create_task(teacher.ask(request(i)))
                for i in range(teacher.window)
            ]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(
                isinstance(o, asyncio.CancelledError | Completion) for o in outcomes
            )
            assert isinstance(await teacher.ask(request(0)), Completion)
        assert asyncio.all_tasks() == {asyncio.current_task()}  # nothing of it lives on

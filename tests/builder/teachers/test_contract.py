"""The contract for each teacher.

Managed vLLM runs it in test_managed.py, marked slow.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cotbuild.builder.teachers.base import Teacher
from cotbuild.builder.teachers.scripted import ScriptedTeacher
from cotbuild.schemas.teacher_config import ScriptedConfig
from tests.support.asking import pool
from tests.support.http_teacher import serve
from tests.support.teacher_contract import WINDOW, Contract, ask_all, request


class TestScripted(Contract):
    @asynccontextmanager
    async def teacher(self) -> AsyncIterator[Teacher]:
        async with ScriptedTeacher(ScriptedConfig(), WINDOW) as teacher:
            yield teacher


class TestEndpoint(Contract):
    @asynccontextmanager
    async def teacher(self) -> AsyncIterator[Teacher]:
        with serve() as server:
            async with pool(server.url, window=WINDOW, max_attempts=1) as teacher:
                yield teacher


FAULTS = (
    "http_429",
    "http_500",
    "http_503",
    "http_408",
    "reset",
    "half_body",
    "bad_json",
    "no_choices",
)


class TestFaultyEndpoint(Contract):
    """Every second request meets one of the passing faults, once."""

    @asynccontextmanager
    async def teacher(self) -> AsyncIterator[Teacher]:
        faults = {name: 0.5 / len(FAULTS) for name in FAULTS}
        with serve(faults=faults, latency_s=0.01) as server:
            async with pool(server.url, window=WINDOW, max_attempts=3) as teacher:
                yield teacher


class TestThreeEndpoints(Contract):
    """One is faulty, one has little room."""

    window = 15

    @asynccontextmanager
    async def teacher(self) -> AsyncIterator[Teacher]:
        faults = {name: 0.5 / len(FAULTS) for name in FAULTS}
        with (
            serve(faults=faults, latency_s=0.01) as one,
            serve(latency_s=0.01, at_most=2) as two,
            serve() as three,
        ):
            async with pool(
                one.url, two.url, three.url, window=5, max_attempts=9
            ) as teacher:
                yield teacher


def test_window_is_used_in_full_and_never_exceeded() -> None:
    async def peak() -> int:
        with serve(latency_s=0.02) as server:
            async with pool(server.url, window=WINDOW, max_attempts=1) as teacher:
                await ask_all(teacher, [request(i) for i in range(10 * WINDOW)])
            return int(server.stats()["peak"])

    assert asyncio.run(peak()) == WINDOW

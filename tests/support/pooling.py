"""Asking a pool of real servers: three in other processes, and what came of it."""

import asyncio
import time
from typing import Any

from cotbuild.builder.teachers.http.request_body import build_request_body
from cotbuild.schemas.completion import Answer, Completion
from tests.support.asking import pool
from tests.support.http_teacher import Server, key_of
from tests.support.teacher_contract import ask_all, request


class Run:
    """What came of asking a pool."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.said: list[str] = []
        self.wall_s = 0.0

    @property
    def texts(self) -> list[str]:
        return [
            answer.text for answer in self.answers if isinstance(answer, Completion)
        ]


def run(servers: list[Server], num: int, *, check: bool = False, **options: Any) -> Run:
    """Ask `num` requests, as many at once as the pool takes."""
    done = Run()

    async def main() -> None:
        async with pool(
            *(server.url for server in servers), say=done.said.append, **options
        ) as teacher:
            if check:
                await teacher.check(request(0))
            started_s = time.monotonic()
            done.answers = await ask_all(teacher, [request(i) for i in range(num)])
            done.wall_s = time.monotonic() - started_s

    asyncio.run(main(), debug=True)
    return done


def key(number: int) -> str:
    return key_of(build_request_body(request(number), "fake"))


def asked(servers: list[Server]) -> list[int]:
    return [server.stats()["requests"] for server in servers]


def assert_true_answers(done: Run, servers: list[Server], num: int) -> None:
    """Every request has one answer, and it is a text that a server wrote for just this
    request.
    """
    assert len(done.texts) == num
    wrote = {(entry[0], entry[1]) for server in servers for entry in server.get("/log")}
    for number, answer in enumerate(done.answers):
        assert isinstance(answer, Completion)
        assert answer.request_key == request(number).request_key
        assert (key(number), answer.text.split()[0]) in wrote

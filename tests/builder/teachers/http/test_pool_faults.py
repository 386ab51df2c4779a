"""Faults that a pool meets: what is asked elsewhere, what ends the run, what is nobody
else's.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.teachers import open_teacher, teacher_identity
from cotbuild.builder.teachers.http.pool import EndpointPool
from cotbuild.schemas.completion import Completion, Failure
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.teacher_config import TeacherConfig
from tests.support.asking import pool
from tests.support.http_teacher import Server, free_port
from tests.support.pooling import asked, assert_true_answers, run
from tests.support.teacher_contract import ask_all, request

PASSING = (
    "http_429",
    "http_408",
    "http_500",
    "http_503",
    "reset",
    "half_body",
    "bad_json",
    "no_choices",
    "abort",
)


@pytest.mark.parametrize("fault", [*PASSING, "hang"])
def test_what_one_of_two_spoils_the_other_answers(
    servers: list[Server], fault: str
) -> None:
    servers[0].reset(nonce=True, name="spoils", faults={fault: 1}, times=0)
    done = run(servers[:2], 24, max_attempts=2, window=12, stall_s=0.5)
    assert_true_answers(done, servers, 24)
    # Where it hung it is looked at once more; what is lost on a connection that was used
    # before is sent once more.
    assert max(servers[0].counts().values(), default=1) <= 1 + (
        fault in ("hang", "reset")
    )
    assert sum(asked(servers)) <= 48 + 24 * (fault == "reset") + 3


@pytest.mark.parametrize("fault", ["http_400", "http_413", "http_422"])
def test_a_requests_own_fault_is_not_taken_elsewhere(
    servers: list[Server], fault: str
) -> None:
    for server in servers[:2]:
        server.reset(faults={fault: 1}, times=0)
    done = run(servers[:2], 20)
    assert [type(answer) for answer in done.answers] == [Failure] * 20
    assert sum(asked(servers)) == 20


@pytest.mark.parametrize("per_connection", [1, 2, 5])
def test_a_connection_that_the_server_had_closed_costs_nothing(
    servers: list[Server], per_connection: int
) -> None:
    servers[0].reset(nonce=True, per_connection=per_connection)
    done = run(servers[:1], 40, max_attempts=1, window=4)
    servers[0].set(per_connection=0)
    assert_true_answers(done, servers[:1], 40)
    assert done.said == []
    assert servers[0].stats()["repeated"] == 0


def test_an_answer_that_never_ends_does_not_hold_the_run(servers: list[Server]) -> None:
    servers[0].reset(latency_s=3600, metrics=True, token_rate=1e6)
    done = run(servers[:1], 1, max_attempts=1, stall_s=0.5)
    [failure] = done.answers
    assert isinstance(failure, Failure)
    assert failure.message == "no answer and no new token for 0.5 s"


def test_an_answer_has_a_time_limit_and_is_not_asked_again(
    servers: list[Server],
) -> None:
    servers[0].reset(latency_s=3600, metrics=True)
    done = run(servers[:1], 1, max_attempts=5, max_answer_s=0.3)
    [failure] = done.answers
    assert isinstance(failure, Failure)
    assert failure.message == "no whole answer within 0.3 s (teacher.max_answer_s)"
    assert servers[0].stats()["requests"] == 1


def test_another_model_midway_at_one_of_several_stops(servers: list[Server]) -> None:
    servers[1].reset(answers_as="fake-1", latency_s=0.01)

    async def main() -> None:
        async with pool(servers[0].url, servers[1].url) as teacher:
            await ask_all(teacher, [request(i) for i in range(32)])
            await asyncio.to_thread(servers[1].set, answers_as="fake-2")
            await ask_all(teacher, [request(i) for i in range(32, 64)])

    with pytest.raises(
        TeacherError,
        match=rf"{servers[1].url}/chat/completions: answered as 'fake-2', before as",
    ):
        asyncio.run(main())


def test_a_request_goes_elsewhere_first(servers: list[Server]) -> None:
    """Two of three always fail; each request meets each of them at most once."""
    for server in servers[:2]:
        server.reset(faults={"http_500": 1}, times=0)
    done = run(servers, 60, max_attempts=3, window=30)
    assert len(done.texts) == 60
    assert all(max(server.counts().values()) == 1 for server in servers)


def test_a_request_that_every_endpoint_spoils_fails_after_max_attempts(
    servers: list[Server],
) -> None:
    for server in servers:
        server.reset(faults={"bad_json": 1}, times=0)
    done = run(servers, 1, max_attempts=5)
    assert isinstance(done.answers[0], Failure)
    assert sum(asked(servers)) == 5


def test_other_weights_at_one_endpoint_are_an_error(
    servers: list[Server], tmp_path: Path
) -> None:
    servers[2].reset(token_salt="other")
    config = TeacherConfig(
        model="fake", endpoints=tuple(server.url for server in servers)
    )
    identity = teacher_identity(config, tmp_path)

    async def main() -> None:
        async with open_teacher(config, identity, tmp_path, print) as teacher:
            await teacher.check(request(0))

    with pytest.raises(TeacherError, match=rf"{servers[2].url}: its tokenizer is"):
        asyncio.run(main())


def test_identity_is_that_of_the_first_in_reach(
    servers: list[Server], tmp_path: Path
) -> None:
    def identity(*urls: str) -> str:
        return teacher_identity(TeacherConfig(model="fake", endpoints=urls), tmp_path)

    nowhere = Server(free_port(), 0).url
    assert identity(nowhere, servers[0].url) == identity(servers[0].url)
    with pytest.raises(TeacherError, match="Start the server, or correct"):
        identity(nowhere, nowhere)


def test_provenance_names_each(servers: list[Server]) -> None:
    async def main() -> dict[str, Any]:
        async with pool(servers[0].url, Server(free_port(), 0).url) as teacher:
            return teacher.provenance()

    facts = asyncio.run(main())
    assert (facts["kind"], facts["model"]) == ("endpoint", "fake")
    assert facts["endpoints"][0] == {"url": servers[0].url, "engine_version": "fake-1"}
    assert facts["endpoints"][1]["engine_version"] is None


def test_nothing_lives_on(servers: list[Server]) -> None:
    async def main() -> None:
        servers[0].reset(hang_after=0)
        teacher: EndpointPool
        async with pool(*(server.url for server in servers), stall_s=0.5) as teacher:
            tasks = [
                asyncio.create_task(teacher.ask(request(i))) for i in range(60)
            ]  # more than there are slots
            await asyncio.sleep(0.6)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(await teacher.ask(request(0)), Completion)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main(), debug=True)

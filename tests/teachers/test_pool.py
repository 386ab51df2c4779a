"""A pool of endpoints against real servers in other processes: who is asked, who is taken out, and how it ends."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.teachers import open_teacher, teacher_identity
from cotbuild.builder.teachers.pool import EndpointPool
from cotbuild.builder.teachers.wire import wire
from cotbuild.schemas.completion import Answer, Completion, Failure
from cotbuild.schemas.config import TeacherConfig
from cotbuild.schemas.errors import TeacherError
from tests.http_teacher import Server, free_port, key_of, serve
from tests.teachers.asking import pool
from tests.teachers.contract import ask_all, request


@pytest.fixture(scope="module")
def three() -> Iterator[list[Server]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serve()) for _ in range(3)]


@pytest.fixture
def servers(three: list[Server]) -> list[Server]:
    """Three with a blank memory and all dials at their defaults, but for a nonce."""
    for server in three:
        server.reset(nonce=True)
    return three


class Run:
    """What came of asking a pool."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.said: list[str] = []
        self.wall_s = 0.0

    @property
    def texts(self) -> list[str]:
        return [answer.text for answer in self.answers if isinstance(answer, Completion)]


def run(servers: list[Server], num: int, *, check: bool = False, **options: Any) -> Run:
    """Ask `num` requests, as many at once as the pool takes."""
    done = Run()

    async def main() -> None:
        async with pool(*(server.url for server in servers), say=done.said.append, **options) as teacher:
            if check:
                await teacher.check(request(0))
            started_s = time.monotonic()
            done.answers = await ask_all(teacher, [request(i) for i in range(num)])
            done.wall_s = time.monotonic() - started_s

    asyncio.run(main(), debug=True)
    return done


def key(number: int) -> str:
    return key_of(wire(request(number), "fake"))


def asked(servers: list[Server]) -> list[int]:
    return [server.stats()["requests"] for server in servers]


def assert_true_answers(done: Run, servers: list[Server], num: int) -> None:
    """Every request has one answer, and it is a text that a server wrote for just this request."""
    assert len(done.texts) == num
    wrote = {(entry[0], entry[1]) for server in servers for entry in server.get("/log")}
    for number, answer in enumerate(done.answers):
        assert isinstance(answer, Completion)
        assert answer.request_key == request(number).request_key
        assert (key(number), answer.text.split()[0]) in wrote


# -- balance -----------------------------------------------------------------------------------------------------------


def test_equal_servers_get_equal_shares(servers: list[Server]) -> None:
    for server in servers:
        server.reset(latency_s=0.1)
    done = run(servers, 120)
    assert len(done.texts) == 120
    assert all(32 <= share <= 48 for share in asked(servers))
    assert all(server.stats()["peak"] == 8 for server in servers)
    assert done.said == []


def test_a_slow_server_gets_what_it_can_do(servers: list[Server]) -> None:
    servers[0].reset(latency_s=0.4)
    for server in servers[1:]:
        server.reset(latency_s=0.02)
    run(servers, 300)
    slow, *fast = asked(servers)
    assert slow <= 40
    assert min(fast) >= 110


def test_the_window_is_that_of_all() -> None:
    teacher = pool("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1", window=7)
    assert teacher.window == 14


# -- push-back ---------------------------------------------------------------------------------------------------------


def test_429_halves_the_window_and_pauses_the_endpoint_alone(servers: list[Server]) -> None:
    servers[0].reset(nonce=True, faults={"http_429": 1}, times=0, retry_after="30")
    done = run(servers, 200)
    assert_true_answers(done, servers, 200)
    assert asked(servers)[0] <= 8  # its window once, then none for 30 s
    assert done.wall_s < 10
    assert done.said == []


def test_a_server_that_takes_three_at_a_time_is_not_asked_for_eight_for_long(servers: list[Server]) -> None:
    """With a 429 to all that is too much the window settles where there are few."""
    servers[0].reset(latency_s=0.02, at_most=3)
    done = run(servers[:1], 300, window=32, max_attempts=50)
    assert len(done.texts) == 300
    assert asked(servers)[0] < 300 * 1.6


def test_the_window_follows_vllms_queue(servers: list[Server]) -> None:
    async def main() -> int:
        async with pool(servers[0].url, window=64, stall_s=0.8) as teacher:  # a look every 0.2 s
            asking = asyncio.create_task(ask_all(teacher, [request(i) for i in range(300)]))
            await asyncio.sleep(1.8)
            in_flight: int = (await asyncio.to_thread(servers[0].stats))["in_flight"]
            assert all(isinstance(answer, Completion) for answer in await asking)
            return in_flight

    servers[0].reset(latency_s=0.03, slots=4, metrics=True)
    assert 4 <= asyncio.run(main()) <= 24  # of 64; it settles at 5 or 6


# -- the dead ----------------------------------------------------------------------------------------------------------


def test_a_server_that_dies_midway_is_taken_out_and_comes_back(servers: list[Server]) -> None:
    with ExitStack() as stack:
        mortal = stack.enter_context(serve(nonce=True, latency_s=0.05))
        for server in servers[:2]:
            server.reset(nonce=True, latency_s=0.05)
        said: list[str] = []

        async def main() -> list[Answer]:
            urls = [mortal.url, *(server.url for server in servers[:2])]
            async with pool(*urls, say=said.append) as teacher:
                asking = asyncio.create_task(ask_all(teacher, [request(i) for i in range(400)]))
                await asyncio.sleep(0.3)
                os.kill(mortal.pid, signal.SIGKILL)
                while not said:
                    await asyncio.sleep(0.05)
                again = stack.enter_context(serve(port=mortal.port, nonce=True))
                answers = await asking
                while len(said) < 2:  # its back-off may outlast the questions
                    await asyncio.sleep(0.05)
                assert isinstance(await teacher.ask(request(1000)), Completion)
                assert again.stats()["requests"] <= 400
                return answers

        answers = asyncio.run(main())
    assert [type(answer) for answer in answers] == [Completion] * 400
    assert len(said) == 2
    assert said[0].startswith(f"{mortal.url}: taken out: ")
    assert said[1] == f"{mortal.url}: back"


def test_an_endpoint_out_of_reach_at_the_start_is_told_and_left_out(servers: list[Server]) -> None:
    nowhere = Server(free_port(), 0)
    done = run([nowhere, *servers[:2]], 50, check=True)
    assert len(done.texts) == 50
    assert len(done.said) == 1
    assert done.said[0].startswith(f"{nowhere.url}: taken out: {nowhere.url}/models: ClientConnectorError")


@pytest.mark.parametrize("count", [1, 2])
def test_none_within_reach_at_the_start_is_an_error(count: int) -> None:
    nowhere = [Server(free_port(), 0) for _ in range(count)]
    with pytest.raises(TeacherError, match=r"Expected a running server") as caught:
        run(nowhere, 1, check=True)
    assert all(server.url in str(caught.value) for server in nowhere)


def test_a_model_that_one_of_several_lacks_is_an_error(servers: list[Server]) -> None:
    servers[1].reset(models=["other"])
    with pytest.raises(TeacherError, match=rf"{servers[1].url}: does not serve 'fake'\. It serves 'other'"):
        run(servers, 1, check=True)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_by_one_of_several_stops_at_once(servers: list[Server], status: int) -> None:
    servers[1].reset(faults={f"http_{status}": 1})
    with pytest.raises(TeacherError, match=rf"{servers[1].url}/chat/completions: HTTP {status}: "):
        run(servers, 50)
    assert servers[1].stats()["requests"] <= 8


def test_a_proxy_without_a_server_behind_it_is_taken_out(servers: list[Server]) -> None:
    servers[0].reset(faults={"http_502": 1}, times=0)
    done = run(servers, 400, max_attempts=3)
    assert len(done.texts) == 400
    assert asked(servers)[0] < 60


# -- the hung ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dials", [{"hang_after": 0}, {"hang_after": 10}, {"mute": True}, {"hang_after": 5, "metrics": True}]
)
def test_a_hung_server_is_taken_out_and_its_requests_asked_elsewhere(
    servers: list[Server], dials: dict[str, Any]
) -> None:
    servers[0].reset(nonce=True, **dials)
    done = run(servers, 100, stall_s=1.0)
    assert_true_answers(done, servers, 100)
    assert 1 < done.wall_s < 5
    assert len(done.said) == 1
    assert "taken out: no answer and no new token for 1 s (teacher.stall_s), requests under way: " in done.said[0]
    counts = Counter[str]()
    for server in servers:
        counts.update({entry[0] for entry in server.get("/log")})
    assert set(counts.values()) == {1}  # no request was completed at two servers


def test_a_server_that_woke_up_is_back(servers: list[Server]) -> None:
    said: list[str] = []

    async def main() -> None:
        async with pool(servers[0].url, servers[1].url, say=said.append, stall_s=0.5) as teacher:
            servers[0].reset(hang_after=0)
            await ask_all(teacher, [request(i) for i in range(20)])
            await asyncio.to_thread(servers[0].reset)
            while len(said) < 2:
                await ask_all(teacher, [request(i) for i in range(20)])
        assert servers[0].stats()["requests"] > 0

    asyncio.run(main())
    assert said[1] == f"{servers[0].url}: back"


def test_slow_is_not_hung_while_tokens_rise(servers: list[Server]) -> None:
    servers[0].reset(latency_s=2.5, metrics=True)
    done = run(servers[:1], 8, stall_s=0.8)
    assert len(done.texts) == 8
    assert asked(servers)[:1] == [8]
    assert done.said == []


@pytest.mark.parametrize("dials", [{"hang_after": 0}, {"hang_after": 10}, {"mute": True}])
def test_a_single_hung_endpoint_ends_the_run_in_bounded_time(servers: list[Server], dials: dict[str, Any]) -> None:
    servers[0].reset(**dials)
    started_s = time.monotonic()
    with pytest.raises(TeacherError) as caught:
        run(servers[:1], 50, stall_s=0.5, max_attempts=6)
    assert 1.5 <= time.monotonic() - started_s < 5
    line = str(caught.value)
    assert line.startswith("teacher: no endpoint has answered for ")
    assert servers[0].url in line
    assert "raise teacher.stall_s" in line
    assert "\n" not in line


def test_all_dead_ends_the_run_with_the_last_words_of_each() -> None:
    with serve(latency_s=0.05) as one, serve(latency_s=0.05) as two:

        async def main() -> None:
            async with pool(one.url, two.url, stall_s=0.5, max_attempts=20) as teacher:
                asking = asyncio.create_task(ask_all(teacher, [request(i) for i in range(1000)]))
                await asyncio.sleep(0.2)
                for server in (one, two):
                    os.kill(server.pid, signal.SIGKILL)
                await asking

        with pytest.raises(TeacherError, match="no endpoint has answered for") as caught:
            asyncio.run(main())
    for server in (one, two):
        assert f"{server.url}: " in str(caught.value)
        assert "ClientConnectorError" in str(caught.value)


# -- faults ------------------------------------------------------------------------------------------------------------


PASSING = (
    "http_429",
    "http_408",
    "http_500",
    "http_503",
    "reset",
    "half_body",
    "bad_json",
    "no_choices",
    "null_finish",
    "abort",
)


@pytest.mark.parametrize("fault", [*PASSING, "hang"])
def test_what_one_of_two_spoils_the_other_answers(servers: list[Server], fault: str) -> None:
    servers[0].reset(nonce=True, name="spoils", faults={fault: 1}, times=0)
    done = run(servers[:2], 24, max_attempts=2, window=12, stall_s=0.5)
    assert_true_answers(done, servers, 24)
    assert max(servers[0].counts().values(), default=1) <= 1 + (
        fault == "hang"
    )  # where it hung it is looked at once more
    assert sum(asked(servers)) <= 48 + 3


@pytest.mark.parametrize("fault", ["http_400", "http_413", "http_422", "content_filter"])
def test_a_requests_own_fault_is_not_taken_elsewhere(servers: list[Server], fault: str) -> None:
    for server in servers[:2]:
        server.reset(faults={fault: 1}, times=0)
    done = run(servers[:2], 20)
    assert [type(answer) for answer in done.answers] == [Failure] * 20
    assert sum(asked(servers)) == 20


def test_another_model_midway_at_one_of_several_stops(servers: list[Server]) -> None:
    servers[1].reset(answers_as="fake-1", latency_s=0.01)

    async def main() -> None:
        async with pool(servers[0].url, servers[1].url) as teacher:
            await ask_all(teacher, [request(i) for i in range(32)])
            await asyncio.to_thread(servers[1].set, answers_as="fake-2")
            await ask_all(teacher, [request(i) for i in range(32, 64)])

    with pytest.raises(TeacherError, match=rf"{servers[1].url}/chat/completions: answered as 'fake-2', before as"):
        asyncio.run(main())


def test_a_request_goes_elsewhere_first(servers: list[Server]) -> None:
    """Two of three always fail; each request meets each of them at most once."""
    for server in servers[:2]:
        server.reset(faults={"http_500": 1}, times=0)
    done = run(servers, 60, max_attempts=3, window=30)
    assert len(done.texts) == 60
    assert all(max(server.counts().values()) == 1 for server in servers)


def test_a_request_that_every_endpoint_spoils_fails_after_max_attempts(servers: list[Server]) -> None:
    for server in servers:
        server.reset(faults={"bad_json": 1}, times=0)
    done = run(servers, 1, max_attempts=5)
    assert isinstance(done.answers[0], Failure)
    assert sum(asked(servers)) == 5


def test_other_weights_at_one_endpoint_are_an_error(servers: list[Server], tmp_path: Path) -> None:
    servers[2].reset(token_salt="other")
    config = TeacherConfig(model="fake", endpoints=tuple(server.url for server in servers))
    identity = teacher_identity(config, tmp_path)

    async def main() -> None:
        async with open_teacher(config, identity, tmp_path, print) as teacher:
            await teacher.check(request(0))

    with pytest.raises(TeacherError, match=rf"{servers[2].url}: its tokenizer is"):
        asyncio.run(main())


def test_identity_is_that_of_the_first_in_reach(servers: list[Server], tmp_path: Path) -> None:
    def identity(*urls: str) -> str:
        return teacher_identity(TeacherConfig(model="fake", endpoints=urls), tmp_path)

    nowhere = Server(free_port(), 0).url
    assert identity(nowhere, servers[0].url) == identity(servers[0].url)
    with pytest.raises(TeacherError, match="Expected a running server"):
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
            tasks = [asyncio.create_task(teacher.ask(request(i))) for i in range(60)]  # more than there are slots
            await asyncio.sleep(0.6)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(await teacher.ask(request(0)), Completion)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main(), debug=True)

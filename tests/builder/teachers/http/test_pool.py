"""A pool of endpoints against real servers in other processes: who is asked, who is
taken out, and how it ends.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pytest

from cotbuild.schemas.completion import Answer, Completion
from cotbuild.schemas.errors import TeacherError
from tests.support.asking import pool
from tests.support.http_teacher import Server, free_port, serve
from tests.support.pooling import asked, assert_true_answers, run
from tests.support.teacher_contract import ask_all, request
from tests.support.waiting import until

# -- balance -----------------------------------------------------------------------------------------------------------


def test_equal_servers_get_equal_shares(servers: list[Server]) -> None:
    for server in servers:
        server.reset(latency_s=0.3)
    done = run(servers, 120)
    assert len(done.texts) == 120
    # 40 each where the machine treats their processes alike.
    assert all(share >= 20 for share in asked(servers))
    assert all(server.stats()["peak"] == 8 for server in servers)
    assert done.said == []


def test_a_slow_server_gets_what_it_can_do(servers: list[Server]) -> None:
    # So that a machine which is slow itself does not make the others as slow.
    servers[0].reset(latency_s=2.0)
    for server in servers[1:]:
        server.reset(latency_s=0.02)
    run(servers, 300)
    slow, *fast = asked(servers)
    assert slow < min(fast) / 2


def test_the_window_is_that_of_all() -> None:
    teacher = pool("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1", window=7)
    assert teacher.window == 14


# -- push-back ---------------------------------------------------------------------------------------------------------


def test_429_halves_the_window_and_pauses_the_endpoint_alone(
    servers: list[Server],
) -> None:
    servers[0].reset(nonce=True, faults={"http_429": 1}, times=0, retry_after="200")
    done = run(servers, 200)
    assert_true_answers(done, servers, 200)
    assert asked(servers)[0] <= 8  # its window once, then none for 200 s
    assert done.wall_s < 150  # not the 200 s of Retry-After
    assert done.said == []


def test_a_server_that_takes_three_at_a_time_is_not_asked_for_eight_for_long(
    servers: list[Server],
) -> None:
    """With a 429 to all that is too much the window settles where there are few."""
    servers[0].reset(latency_s=0.02, at_most=3)
    done = run(servers[:1], 300, window=32, max_attempts=50)
    assert len(done.texts) == 300
    # 1.6 times as many on a quiet machine; a window that stayed at 32 asks 10 times.
    assert asked(servers)[0] < 300 * 4


def test_the_window_follows_vllms_queue(servers: list[Server]) -> None:
    async def main() -> int:
        async with pool(
            servers[0].url, window=64, stall_s=0.8
        ) as teacher:  # a look every 0.2 s
            asking = asyncio.create_task(
                ask_all(teacher, [request(i) for i in range(300)])
            )
            in_flight: list[int] = []
            while not asking.done():
                stats = await asyncio.to_thread(servers[0].stats)
                if stats["requests"] < 270:  # later there are too few left to fill it
                    in_flight.append(stats["in_flight"])
            assert all(isinstance(answer, Completion) for answer in await asking)
            return min(in_flight[in_flight.index(max(in_flight)) :])

    servers[0].reset(latency_s=0.03, slots=4, metrics=True)
    assert asyncio.run(main()) <= 24  # of 64; it settles at 5 or 6


# -- the dead ----------------------------------------------------------------------------------------------------------


def test_a_server_that_dies_midway_is_taken_out_and_comes_back(
    servers: list[Server],
) -> None:
    with ExitStack() as stack:
        mortal = stack.enter_context(serve(nonce=True, latency_s=0.05))
        for server in servers[:2]:
            server.reset(nonce=True, latency_s=0.05)
        said: list[str] = []

        async def main() -> list[Answer]:
            urls = [mortal.url, *(server.url for server in servers[:2])]
            async with pool(*urls, say=said.append) as teacher:
                asking = asyncio.create_task(
                    ask_all(teacher, [request(i) for i in range(400)])
                )
                await until(lambda: mortal.stats()["requests"] >= 10)
                os.kill(mortal.pid, signal.SIGKILL)
                await until(lambda: said)
                again = stack.enter_context(serve(port=mortal.port, nonce=True))
                answers = await asking
                await until(lambda: len(said) >= 2)  # it may outlast the questions
                assert isinstance(await teacher.ask(request(1000)), Completion)
                assert again.stats()["requests"] <= 400
                return answers

        answers = asyncio.run(main())
    assert [type(answer) for answer in answers] == [Completion] * 400
    assert len(said) == 2
    assert said[0].startswith(f"{mortal.url}: taken out: ")
    assert said[1] == f"{mortal.url}: back"


def test_an_endpoint_out_of_reach_at_the_start_is_told_and_left_out(
    servers: list[Server],
) -> None:
    nowhere = Server(free_port(), 0)
    done = run([nowhere, *servers[:2]], 50, check=True)
    assert len(done.texts) == 50
    assert len(done.said) == 1
    assert done.said[0].startswith(
        f"{nowhere.url}: taken out: {nowhere.url}/models: ClientConnectorError"
    )


@pytest.mark.parametrize("count", [1, 2])
def test_none_within_reach_at_the_start_is_an_error(count: int) -> None:
    nowhere = [Server(free_port(), 0) for _ in range(count)]
    with pytest.raises(TeacherError, match=r"Start the server, or correct") as caught:
        run(nowhere, 1, check=True)
    assert all(server.url in str(caught.value) for server in nowhere)


def test_a_model_that_one_of_several_lacks_is_an_error(servers: list[Server]) -> None:
    servers[1].reset(models=["other"])
    with pytest.raises(
        TeacherError,
        match=rf"{servers[1].url}: does not serve 'fake'\. It serves 'other'",
    ):
        run(servers, 1, check=True)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_by_one_of_several_stops_at_once(
    servers: list[Server], status: int
) -> None:
    servers[1].reset(faults={f"http_{status}": 1})
    with pytest.raises(
        TeacherError, match=rf"{servers[1].url}/chat/completions: HTTP {status}: "
    ):
        run(servers, 50)
    assert servers[1].stats()["requests"] <= 8


def test_a_proxy_without_a_server_behind_it_is_taken_out(servers: list[Server]) -> None:
    servers[0].reset(faults={"http_502": 1}, times=0)
    done = run(servers, 400, max_attempts=3)
    assert len(done.texts) == 400
    assert asked(servers)[0] < 60


# -- the hung ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dials",
    [
        {"hang_after": 0},
        {"hang_after": 10},
        {"mute": True},
        {"hang_after": 5, "metrics": True},
    ],
)
def test_a_hung_server_is_taken_out_and_its_requests_asked_elsewhere(
    servers: list[Server], dials: dict[str, Any]
) -> None:
    servers[0].reset(nonce=True, **dials)
    done = run(servers, 100, stall_s=2.0)
    assert_true_answers(done, servers, 100)
    assert done.wall_s > 2
    assert len(done.said) == 1
    assert (
        "taken out: no answer and no new token for 2 s (teacher.stall_s), requests under way: "
        in done.said[0]
    )
    counts = Counter[str]()
    for server in servers:
        counts.update({entry[0] for entry in server.get("/log")})
    assert set(counts.values()) == {1}  # no request was completed at two servers


def test_a_server_that_woke_up_is_back(servers: list[Server]) -> None:
    said: list[str] = []

    async def main() -> None:
        async with pool(
            servers[0].url, servers[1].url, say=said.append, stall_s=1.5
        ) as teacher:
            servers[0].reset(hang_after=0)
            await ask_all(teacher, [request(i) for i in range(20)])
            await asyncio.to_thread(servers[0].reset)
            while f"{servers[0].url}: back" not in said:
                await ask_all(teacher, [request(i) for i in range(20)])
        assert servers[0].stats()["requests"] > 0

    asyncio.run(main())


def test_slow_is_not_hung_while_tokens_rise(servers: list[Server]) -> None:
    servers[0].reset(latency_s=5, metrics=True)
    done = run(servers[:1], 8, stall_s=2)
    assert len(done.texts) == 8
    assert asked(servers)[:1] == [8]
    assert done.said == []


def test_time_in_which_we_ourselves_did_not_run_is_nobodys_silence(
    servers: list[Server],
) -> None:
    said: list[str] = []

    async def main() -> list[Answer]:
        async with pool(servers[0].url, say=said.append, stall_s=3.0) as teacher:
            asking = asyncio.create_task(
                ask_all(teacher, [request(i) for i in range(8)])
            )
            await until(lambda: servers[0].stats()["in_flight"] == 8)
            # As on a machine that slept: no timer and no answer is seen meanwhile.
            time.sleep(5.0)
            return await asking

    servers[0].reset(latency_s=5.5)
    assert all(isinstance(answer, Completion) for answer in asyncio.run(main()))
    assert said == []


@pytest.mark.parametrize(
    "dials", [{"hang_after": 0}, {"hang_after": 10}, {"mute": True}]
)
def test_a_single_hung_endpoint_ends_the_run_in_bounded_time(
    servers: list[Server], dials: dict[str, Any]
) -> None:
    servers[0].reset(**dials)
    started_s = time.monotonic()
    with pytest.raises(TeacherError) as caught:
        run(servers[:1], 50, stall_s=0.5, max_attempts=6)
    assert time.monotonic() - started_s >= 1.5
    line = str(caught.value)
    assert line.startswith("teacher: no endpoint has answered for ")
    assert servers[0].url in line
    assert "raise teacher.stall_s" in line
    assert "\n" not in line


def test_all_dead_ends_the_run_with_the_last_words_of_each() -> None:
    with serve(latency_s=0.05) as one, serve(latency_s=0.05) as two:

        async def main() -> None:
            async with pool(one.url, two.url, stall_s=0.5, max_attempts=20) as teacher:
                asking = asyncio.create_task(
                    ask_all(teacher, [request(i) for i in range(1000)])
                )
                await until(lambda: one.stats()["requests"] and two.stats()["requests"])
                for server in (one, two):
                    os.kill(server.pid, signal.SIGKILL)
                await asking

        with pytest.raises(
            TeacherError, match="no endpoint has answered for"
        ) as caught:
            asyncio.run(main())
    for server in (one, two):
        assert f"{server.url}: " in str(caught.value)
        assert "ClientConnectorError" in str(caught.value)

"""The endpoint client against a real HTTP server in another process: every fault's
outcome, and Ctrl-C.
"""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.pool import EndpointPool
from cotbuild.builder.teachers.http.replies import CUT_BY_FILTER, FINISH_UNKNOWN
from cotbuild.builder.teachers.http.request_body import build_request_body
from cotbuild.builder.teachers.http.wire import RetryableFailure
from cotbuild.schemas.completion import Completion, Failure, FailureKind
from cotbuild.schemas.errors import TeacherError
from tests.support.asking import use, use_client
from tests.support.http_teacher import Server, free_port, key_of, serve
from tests.support.teacher_contract import ask_all, request
from tests.support.waiting import HANG_S, until, wait_until

PASSING_HTTP = ["http_429", "http_408", "http_500", "http_503"]
PASSING_BODY = ["reset", "half_body", "bad_json", "no_choices", "abort"]


@pytest.mark.parametrize("fault", PASSING_HTTP + PASSING_BODY)
def test_a_passing_fault_is_asked_again(server: Server, fault: str) -> None:
    server.reset(faults={fault: 1}, times=1)
    answer = use(server, lambda teacher: teacher.ask(request(0)))
    assert isinstance(answer, Completion)
    assert server.counts() == {key_of(build_request_body(request(0), "fake")): 2}


@pytest.mark.parametrize(
    ("fault", "kind", "words", "tries"),
    [
        ("http_400", "rejected", "HTTP 400: fault on a dial: http_400", 1),
        ("http_413", "rejected", "HTTP 413: fault on a dial: http_413", 1),
        ("http_422", "rejected", "HTTP 422: fault on a dial: http_422", 1),
        ("http_429", "unavailable", "HTTP 429: fault on a dial: http_429", 2),
        ("http_500", "unavailable", "HTTP 500: fault on a dial: http_500", 2),
        # Once more on a new connection, since the first was used before.
        ("reset", "unavailable", "ServerDisconnectedError", 3),
        ("half_body", "bad_body", "body broken off: ", 2),
        ("bad_json", "bad_body", "not a chat completion: Invalid JSON", 2),
        ("no_choices", "bad_body", "not a chat completion: choices is []", 2),
    ],
)
def test_a_lasting_fault_is_one_requests_failure(
    server: Server, fault: str, kind: str, words: str, tries: int
) -> None:
    server.reset(faults={fault: 1}, times=0)
    answer = use(server, lambda teacher: teacher.ask(request(0)))
    assert isinstance(answer, Failure)
    assert (answer.kind.value, answer.request_key) == (kind, request(0).request_key)
    assert words in answer.message
    assert server.stats()["requests"] == tries


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("http_401", r"HTTP 401: fault on a dial: http_401\. .* Set OPENAI_API_KEY"),
        ("http_403", r"HTTP 403: .* Set OPENAI_API_KEY"),
        ("http_402", r"HTTP 402: .* The account has no credit left"),
        ("http_404", r"HTTP 404: .* Check host, port and path of --endpoint"),
        ("http_307", r"HTTP 307: .* Redirects are not followed"),
    ],
)
def test_a_refusal_of_all_requests_stops_at_once(
    server: Server, fault: str, words: str
) -> None:
    server.reset(faults={fault: 1})
    with pytest.raises(TeacherError, match=words):
        use(server, lambda teacher: teacher.ask(request(0)))
    assert server.stats()["requests"] == 1


def test_another_model_midway_stops(server: Server) -> None:
    async def act(teacher: EndpointPool) -> None:
        await teacher.ask(request(0))
        server.set(answers_as="fake-v2")
        await teacher.ask(request(1))

    server.reset(answers_as="fake-2026-01-01")
    words = (
        r"answered as 'fake-v2', before as 'fake-2026-01-01'\. A run needs one model"
    )
    with pytest.raises(TeacherError, match=words):
        use(server, act)


def test_retry_after_is_honoured(server: Server) -> None:
    async def act(teacher: EndpointPool) -> float:
        started_s = asyncio.get_running_loop().time()
        assert isinstance(await teacher.ask(request(0)), Completion)
        return asyncio.get_running_loop().time() - started_s

    server.reset(faults={"http_429": 1}, retry_after="2")
    assert use(server, act) >= 2


@pytest.mark.parametrize(
    ("fault", "lost"),
    [("reset", True), ("half_body", True), ("http_503", False), ("bad_json", False)],
)
def test_one_attempt_says_whether_the_connection_was_lost(
    server: Server, fault: str, lost: bool
) -> None:
    server.reset(faults={fault: 1}, times=0)
    outcome = use_client(server, lambda client: client.attempt(request(0)))
    assert isinstance(outcome, RetryableFailure)
    assert outcome.lost is lost
    assert server.stats()["requests"] == (2 if fault == "reset" else 1)


def test_a_connection_that_breaks_may_mean_too_much_in_flight_and_a_refused_one_does_not(
    server: Server,
) -> None:
    server.reset(faults={"reset": 1}, times=0)
    for one, pushed_back in ((server, True), (Server(free_port(), 0), False)):
        outcome = use_client(one, lambda client: client.attempt(request(0)))
        assert isinstance(outcome, RetryableFailure)
        assert (outcome.lost, outcome.pushed_back) == (True, pushed_back)


def test_a_dead_server_is_a_failure_where_attempts_run_out_first() -> None:
    async def act(teacher: EndpointPool) -> None:
        os.kill(server.pid, signal.SIGKILL)
        answer = await teacher.ask(request(1))
        assert isinstance(answer, Failure)
        assert answer.kind is FailureKind.UNAVAILABLE

    with serve() as server:
        use(server, act)


def test_answers_are_verbatim_with_reasoning_and_counts(server: Server) -> None:
    server.reset(nonce=True, reasoning="reasoning_content", length=0)
    answer = use(server, lambda teacher: teacher.ask(request(0)))
    assert isinstance(answer, Completion)
    assert answer.text.startswith("noncea The answer is (")
    assert answer.reasoning
    assert answer.prompt_tokens == len(request(0).messages[0].text.split())
    assert answer.completion_tokens == len(answer.text.split())
    assert server.first_nonces() == {next(iter(server.counts())): "noncea"}


@pytest.mark.parametrize(
    ("fault", "note"),
    [("null_finish", FINISH_UNKNOWN), ("content_filter", CUT_BY_FILTER)],
)
def test_a_text_with_an_odd_end_is_kept_with_a_note(
    server: Server, fault: str, note: str
) -> None:
    server.reset(faults={fault: 1}, times=0)
    answer = use(server, lambda teacher: teacher.ask(request(0)))
    assert isinstance(answer, Completion)
    assert (answer.finish_reason, answer.notes) == (None, (note,))
    assert answer.text
    assert server.stats()["requests"] == 1


def test_a_cut_answer_says_so(server: Server) -> None:
    server.reset(length=1)
    answer = use(server, lambda teacher: teacher.ask(request(0)))
    assert isinstance(answer, Completion)
    assert answer.finish_reason == "length"


def test_connections_are_kept_alive(server: Server) -> None:
    use(server, lambda teacher: ask_all(teacher, [request(i) for i in range(80)]))
    assert (
        server.stats()["num_connections"] <= 8 + 2
    )  # the window, and this test's own looks


def test_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serve(uds=path) as server:
        assert use(server, lambda teacher: teacher.check(request(0)), uds=path) is None
        assert isinstance(
            use(server, lambda teacher: teacher.ask(request(0)), uds=path), Completion
        )


def test_a_closed_connection_of_a_unix_socket_costs_nothing(tmp_path: Path) -> None:
    """The managed teacher's case, which waits ten seconds after a real loss."""

    async def attempt_all(client: EndpointClient) -> list[object]:
        return [await client.attempt(request(i)) for i in range(4)]

    path = tmp_path / "s"
    with serve(uds=path, per_connection=1) as server:
        outcomes = use_client(server, attempt_all, uds=path)
    assert [type(outcome) for outcome in outcomes] == [Completion] * 4


# -- ends --------------------------------------------------------------------------------------------------------------


def test_a_hanging_request_can_be_cancelled(server: Server) -> None:
    async def act(teacher: EndpointPool) -> None:
        task = asyncio.create_task(teacher.ask(request(0)))
        await until(lambda: server.stats()["requests"])
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    server.reset(faults={"hang": 1})
    use(server, act)


CTRL_C = """
import asyncio, sys
from tests.support.asking import pool
from tests.support.teacher_contract import ask_all, request
async def main():
    async with pool(sys.argv[1]) as teacher:
        await ask_all(teacher, [request(i) for i in range(40)])
asyncio.run(main())
"""


def test_ctrl_c_leaves_no_warning(server: Server) -> None:
    root = Path(__file__).parents[4]
    env = os.environ | {
        "PYTHONPATH": f"{root}:{root / 'tests/.ns'}",
        "PYTHONASYNCIODEBUG": "1",
    }
    server.reset(faults={"hang": 1})
    command = [sys.executable, "-X", "dev", "-c", CTRL_C, server.url]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: server.stats()["requests"])
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=HANG_S)
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert "Unclosed" not in said
    assert "never retrieved" not in said
    assert "was destroyed" not in said


def test_use_before_entering_is_an_error() -> None:
    client = EndpointClient("http://127.0.0.1:1/v1", "m")
    with pytest.raises(TeacherError, match="used outside its"):
        asyncio.run(client.attempt(request(0)))

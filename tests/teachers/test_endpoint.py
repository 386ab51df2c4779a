"""The endpoint client against a real HTTP server in another process: every fault's outcome, looks, secrets, Ctrl-C."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cotbuild.builder.teachers.endpoint import EndpointTeacher
from cotbuild.builder.teachers.wire import Retry, wire
from cotbuild.schemas.completion import Completion, Failure, FailureKind, Request
from cotbuild.schemas.errors import ConfigError, TeacherError
from tests.http_teacher import Server, key_of, serve
from tests.teachers.contract import ask_all, request

T = TypeVar("T")
KEY = "sk-a-secret-of-the-user"


def use(server: Server, act: Callable[[EndpointTeacher], Awaitable[T]], **options: Any) -> T:
    """What `act` returns, with an entered teacher of this server."""

    async def run() -> T:
        settings: dict[str, Any] = {"model": "fake", "window": 8, "max_attempts": 2, "backoff_s": 0.02}
        async with EndpointTeacher(server.url, **(settings | options)) as teacher:
            return await act(teacher)

    return asyncio.run(run(), debug=True)


PASSING_HTTP = ["http_429", "http_408", "http_500", "http_503"]
PASSING_BODY = ["reset", "half_body", "bad_json", "no_choices", "null_finish", "abort"]


@pytest.mark.parametrize("fault", PASSING_HTTP + PASSING_BODY)
def test_a_passing_fault_is_asked_again(fault: str) -> None:
    with serve(faults={fault: 1}, times=1) as server:
        answer = use(server, lambda teacher: teacher.ask(request(0)))
        assert isinstance(answer, Completion)
        assert server.counts() == {key_of(wire(request(0), "fake")): 2}


@pytest.mark.parametrize(
    ("fault", "kind", "words", "tries"),
    [
        ("http_400", "rejected", "HTTP 400: fault on a dial: http_400", 1),
        ("http_413", "rejected", "HTTP 413: fault on a dial: http_413", 1),
        ("http_422", "rejected", "HTTP 422: fault on a dial: http_422", 1),
        ("content_filter", "rejected", "finish_reason is 'content_filter'", 1),
        ("http_429", "unavailable", "HTTP 429: fault on a dial: http_429", 2),
        ("http_500", "unavailable", "HTTP 500: fault on a dial: http_500", 2),
        ("reset", "unavailable", "ServerDisconnectedError", 2),
        ("half_body", "bad_body", "body broken off: ", 2),
        ("bad_json", "bad_body", "not a chat completion: record is ", 2),
        ("no_choices", "bad_body", "not a chat completion: choices is []", 2),
        ("null_finish", "bad_body", "finish_reason is None", 2),
    ],
)
def test_a_lasting_fault_is_one_requests_failure(fault: str, kind: str, words: str, tries: int) -> None:
    with serve(faults={fault: 1}, times=0) as server:
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
        ("http_404", r"HTTP 404: .* Give the URL that ends in /v1"),
        ("http_307", r"HTTP 307: .* Expected no redirect"),
    ],
)
def test_a_refusal_of_all_requests_stops_at_once(fault: str, words: str) -> None:
    with serve(faults={fault: 1}) as server:
        with pytest.raises(TeacherError, match=words):
            use(server, lambda teacher: teacher.ask(request(0)))
        assert server.stats()["requests"] == 1


def test_another_model_midway_stops() -> None:
    async def act(teacher: EndpointTeacher) -> None:
        await teacher.ask(request(0))
        server.set(answers_as="fake-v2")
        await teacher.ask(request(1))

    with (
        serve(answers_as="fake-2026-01-01") as server,
        pytest.raises(TeacherError, match=r"answered as 'fake-v2', before as 'fake-2026-01-01'\. Expected one model"),
    ):
        use(server, act)


def test_retry_after_is_honoured() -> None:
    async def act(teacher: EndpointTeacher) -> float:
        started_s = asyncio.get_running_loop().time()
        assert isinstance(await teacher.ask(request(0)), Completion)
        return asyncio.get_running_loop().time() - started_s

    with serve(faults={"http_429": 1}, retry_after="2") as server:
        assert use(server, act) >= 2


@pytest.mark.parametrize(
    ("fault", "lost"), [("reset", True), ("half_body", True), ("http_503", False), ("bad_json", False)]
)
def test_one_attempt_says_whether_the_connection_was_lost(fault: str, lost: bool) -> None:
    with serve(faults={fault: 1}, times=0) as server:
        outcome = use(server, lambda teacher: teacher.attempt(request(0)))
        assert isinstance(outcome, Retry)
        assert outcome.lost is lost
        assert server.stats()["requests"] == 1


def test_a_dead_server_is_a_lost_connection_and_then_a_failure() -> None:
    async def act(teacher: EndpointTeacher) -> None:
        assert isinstance(await teacher.ask(request(0)), Completion)
        os.kill(server.pid, signal.SIGKILL)
        outcome = await teacher.attempt(request(1))
        assert isinstance(outcome, Retry)
        assert outcome.lost
        answer = await teacher.ask(request(1))
        assert isinstance(answer, Failure)
        assert answer.kind is FailureKind.UNAVAILABLE

    with serve() as server:
        use(server, act)


def test_answers_are_verbatim_with_reasoning_and_counts() -> None:
    with serve(nonce=True, reasoning="reasoning_content", length=0) as server:
        answer = use(server, lambda teacher: teacher.ask(request(0)))
        assert isinstance(answer, Completion)
        assert answer.text.startswith("noncea The answer is (")
        assert answer.reasoning
        assert answer.prompt_tokens == len(request(0).messages[0].content.split())
        assert answer.completion_tokens == len(answer.text.split())
        assert server.first_nonces() == {next(iter(server.counts())): "noncea"}


def test_a_cut_answer_says_so() -> None:
    with serve(length=1) as server:
        answer = use(server, lambda teacher: teacher.ask(request(0)))
        assert isinstance(answer, Completion)
        assert answer.finish_reason == "length"


def test_connections_are_kept_alive() -> None:
    with serve() as server:
        use(server, lambda teacher: ask_all(teacher, [request(i) for i in range(80)]))
        before = server.stats()["num_connections"]
        assert before <= 8 + 2  # the window, and this test's own looks


def test_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serve(uds=path) as server:
        assert use(server, lambda teacher: teacher.check(request(0)), uds=path) is None
        assert isinstance(use(server, lambda teacher: teacher.ask(request(0)), uds=path), Completion)


# -- looking before asking ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dials", "max_tokens", "warning"),
    [
        ({}, 32, None),
        ({"max_model_len": 46}, 32, None),
        ({"max_model_len": 45}, 32, "the longest prompt of 14 tokens and 32 more do not fit the server's 45. Lower"),
        ({"max_model_len": None}, 100_000, None),
    ],
)
def test_check_says_what_will_not_fit(dials: dict[str, Any], max_tokens: int, warning: str | None) -> None:
    with serve(**dials) as server:
        said = use(server, lambda teacher: teacher.check(request(0, max_tokens)))
        assert said is None if warning is None else said is not None and said.startswith(warning)


def test_check_names_the_models_served() -> None:
    words = r"does not serve 'c'\. It serves 'a', 'b'\."
    with serve(models=["a", "b"]) as server, pytest.raises(TeacherError, match=words):
        use(server, lambda teacher: teacher.check(request(0)), model="c")


def test_check_of_a_url_without_v1() -> None:
    async def run() -> None:
        async with EndpointTeacher(server.root, "fake", window=1, max_attempts=1) as teacher:
            await teacher.check(request(0))

    with serve() as server, pytest.raises(TeacherError, match=r"/models: HTTP 404: no /models here\. .*ends in /v1"):
        asyncio.run(run())


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_check_of_nothing_there() -> None:
    async def run() -> None:
        url = f"http://127.0.0.1:{free_port()}/v1"
        async with EndpointTeacher(url, "fake", window=1, max_attempts=1) as teacher:
            await teacher.check(request(0))

    with pytest.raises(TeacherError, match=r"/v1/models: ClientConnectorError: .*Start it, or correct --endpoint"):
        asyncio.run(run())


def test_tokenize_digest_tells_tokenizers_apart() -> None:
    def digest_of(**dials: Any) -> str | None:
        with serve(**dials) as server:
            return use(server, lambda teacher: teacher.tokenize_digest())

    one = digest_of()
    assert one is not None
    assert one == digest_of(latency_s=0.01)
    assert one != digest_of(token_salt="another")
    assert digest_of(max_model_len=None) is None


def test_provenance_holds_url_and_version() -> None:
    async def act(teacher: EndpointTeacher) -> dict[str, Any]:
        return teacher.provenance()

    with serve() as server:
        expected = {"kind": "endpoint", "url": server.url, "model": "fake", "engine_version": "fake-1"}
        assert use(server, act) == expected


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_the_key_is_sent_and_never_shown() -> None:
    async def act(teacher: EndpointTeacher) -> str:
        assert isinstance(await teacher.ask(request(0)), Completion)
        return f"{teacher!r} {vars(teacher)['base']} {teacher.provenance()}"

    with serve(api_key=KEY) as server:
        assert KEY not in use(server, act, api_key=KEY)


def test_a_refused_key_quoted_by_the_server_is_not_repeated() -> None:
    with serve(api_key="another") as server, pytest.raises(TeacherError) as caught:
        use(server, lambda teacher: teacher.ask(request(0)), api_key=KEY)
    assert KEY not in str(caught.value)
    assert "refused: Bearer [key]" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:8000/v1", "Expected a URL such as http://host:8000/v1"),
        ("ftp://host/v1", "Expected a URL such as"),
        ("http:///v1", "Expected"),
        ("http://host:port/v1", "is not a URL"),
        ("", "Expected a URL such as"),
        ("http://user:secret-word@host/v1", "holds a user"),
        ("http://host/v1?key=secret-word", "a query"),
    ],
)
def test_base_urls_that_are_none(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        EndpointTeacher(url, "m", window=1, max_attempts=1)
    assert "secret-word" not in str(caught.value)


# -- ends --------------------------------------------------------------------------------------------------------------


def test_a_hanging_request_can_be_cancelled() -> None:
    async def act(teacher: EndpointTeacher) -> None:
        task = asyncio.create_task(teacher.ask(request(0)))
        await asyncio.sleep(0.2)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with serve(faults={"hang": 1}) as server:
        use(server, act)


CTRL_C = """
import asyncio, sys
from cotbuild.builder.teachers.endpoint import EndpointTeacher
from tests.teachers.contract import ask_all, request
async def main():
    async with EndpointTeacher(sys.argv[1], "fake", window=8, max_attempts=3) as teacher:
        asking = asyncio.create_task(ask_all(teacher, [request(i) for i in range(40)]))
        await asyncio.sleep(0.3)
        print("asking", flush=True)
        await asking
asyncio.run(main())
"""


def test_ctrl_c_leaves_no_warning() -> None:
    root = Path(__file__).parents[2]
    env = os.environ | {"PYTHONPATH": f"{root}:{root / 'tests/.ns'}", "PYTHONASYNCIODEBUG": "1"}
    with serve(faults={"hang": 1}) as server:
        command = [sys.executable, "-X", "dev", "-c", CTRL_C, server.url]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "asking\n"
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=20)
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert "Unclosed" not in said
    assert "never retrieved" not in said
    assert "was destroyed" not in said


def test_use_before_entering_is_an_error() -> None:
    teacher = EndpointTeacher("http://127.0.0.1:1/v1", "m", window=1, max_attempts=1)
    with pytest.raises(TeacherError, match="not entered"):
        asyncio.run(teacher.ask(Request.model_validate(request(0))))

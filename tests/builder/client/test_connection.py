"""HTTP to a service: what is repeated, what is not, and one line for every fault."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cotbuild.builder.client.connection import MAX_ATTEMPTS, Connection
from cotbuild.schemas.errors import ConfigError, CotbuildError, ServiceError
from tests.support.http_teacher import free_port
from tests.support.scripted_service import (
    Answer,
    ScriptedService,
    problem,
    reply,
    serve_scripted,
)

TOKEN = "cot_0123456789abcdef"


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with serve_scripted() as service:
        yield service


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def connection(service: ScriptedService, waits: list[float]) -> Iterator[Connection]:
    connection = Connection(service.url, TOKEN, sleep=waits.append)
    yield connection
    connection.close()


def test_the_token_is_sent_and_never_shown(
    service: ScriptedService, connection: Connection
) -> None:
    service.will("GET /v1/info", reply({"cotbuild": "1"}))
    assert connection.request("GET", "/v1/info").json() == {"cotbuild": "1"}
    assert service.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in repr(connection)


def test_the_token_of_the_environment_and_no_netrc(
    service: ScriptedService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    service.will("GET /v1/info", reply({}))
    monkeypatch.setenv("COTBUILD_TOKEN", "cot_env")
    for token, sent in ((None, "Bearer cot_env"), ("cot_given", "Bearer cot_given")):
        connection = Connection(service.url, token)
        connection.request("GET", "/v1/info")
        connection.close()
        assert service.asked[-1].headers["Authorization"] == sent
    monkeypatch.delenv("COTBUILD_TOKEN")
    connection = Connection(service.url)
    connection.request("GET", "/v1/info")
    connection.close()
    assert "Authorization" not in service.asked[-1].headers


@pytest.mark.parametrize("token", ["a b", "a\nb", "ä", "a\x00"])
def test_a_token_that_is_none_is_not_quoted(token: str) -> None:
    with pytest.raises(ConfigError) as error:
        Connection("http://h", token)
    assert token not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h:8787",
        "ftp://h",
        "http://",
        "http://h:x",
        "http://me:secret@h",
        "http://h/?a",
        "http://h/#a",
        "http://h\n",
        "http://hä",
        "file:///etc",
    ],
)
def test_an_address_that_is_none(url: str) -> None:
    if url.endswith("\n"):
        Connection(url).close()  # white space around it is no part of it
        return
    with pytest.raises(ConfigError, match="--server"):
        Connection(url)


def test_a_busy_service_is_asked_again_as_it_wants(
    service: ScriptedService, connection: Connection, waits: list[float]
) -> None:
    busy = reply({}, 503, Retry_After="7")
    service.will("GET /v1/info", busy, reply({}, 429), reply({"ok": True}))
    assert connection.request("GET", "/v1/info").json() == {"ok": True}
    assert len(waits) == 2
    assert waits[0] == 7.0
    service.will("GET /v1/info", problem(503, "Too busy.", "Try later."))
    with pytest.raises(ServiceError, match=r"Too busy\. Try later\."):
        connection.request("GET", "/v1/info")
    assert len(waits) == 2 + MAX_ATTEMPTS - 1


def test_what_may_not_be_sent_twice_is_sent_once(
    service: ScriptedService, connection: Connection, waits: list[float]
) -> None:
    service.will("POST /v1/jobs/x/cancel", problem(503, "Too busy."))
    with pytest.raises(ServiceError, match="Too busy"):
        connection.request("POST", "/v1/jobs/x/cancel", json_body={})
    service.will("POST /v1/jobs/x/cancel", Answer(200, b"{", cut=True))
    with pytest.raises(ServiceError, match="no answer"):
        connection.request("POST", "/v1/jobs/x/cancel", json_body={})
    assert len(service.asked) == 2
    assert waits == []


def test_an_answer_that_breaks_off_is_asked_for_again(
    service: ScriptedService, connection: Connection
) -> None:
    service.will("GET /v1/info", Answer(200, b'{"a"', cut=True), reply({"a": 1}))
    assert connection.request("GET", "/v1/info").json() == {"a": 1}


def test_nobody_listens(waits: list[float]) -> None:
    connection = Connection(f"http://127.0.0.1:{free_port()}", sleep=waits.append)
    with pytest.raises(ServiceError, match="Check that the service runs there"):
        connection.request("POST", "/v1/jobs", json_body={})
    connection.close()
    assert len(waits) == MAX_ATTEMPTS - 1


@pytest.mark.parametrize(
    ("answer", "kind", "line"),
    [
        (
            problem(422, "config is 1.", "Correct it."),
            ConfigError,
            "config is 1. Correct",
        ),
        (problem(413, "Too large."), ConfigError, "Too large."),
        (problem(404, "Job x was not found."), ServiceError, "Job x was not found."),
        (problem(409, "It is over."), ServiceError, "It is over."),
        (problem(403, "No.\x1b[2J\nline"), ServiceError, r"No.\u001b[2J\nline"),
        (problem(401, "Who?"), ServiceError, "Who? Set COTBUILD_TOKEN"),
        (Answer(401), ServiceError, "Set COTBUILD_TOKEN"),
        (Answer(500, b"<html>oops"), ServiceError, "answered 500 without a reason"),
        (reply([1], 500), ServiceError, "answered 500 without a reason"),
        (
            Answer(307, b"", {"Location": "http://evil.example/"}),
            ServiceError,
            "redirects to http://evil.example/, which is not followed",
        ),
        (Answer(200, b"<html>"), ServiceError, "the answer is no JSON"),
    ],
)
def test_every_fault_is_one_line(
    answer: Answer,
    kind: type[CotbuildError],
    line: str,
    service: ScriptedService,
    connection: Connection,
) -> None:
    service.will("POST /v1/x", answer)
    with pytest.raises(kind) as error:
        connection.request("POST", "/v1/x", json_body={}).json()
    assert type(error.value) is kind
    assert line in str(error.value)
    assert "\n" not in str(error.value)
    assert TOKEN not in str(error.value)

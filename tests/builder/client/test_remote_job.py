"""A job as its client sees it: events taken up again, states, what it may be asked."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cotbuild.builder.client import Client, RemoteJob
from cotbuild.schemas.budget import Budget
from cotbuild.schemas.errors import ConfigError, ServiceError
from cotbuild.schemas.event import PhaseEvent, ProgressEvent, SayEvent
from cotbuild.schemas.service.job import JobState, JobView
from tests.support.scripted_service import (
    JOB_ID,
    Answer,
    ScriptedService,
    job,
    problem,
    reply,
    serve_scripted,
    stream,
)

AT = "2026-01-01T10:00:00.000Z"
JOB = f"/v1/jobs/{JOB_ID}"
SAY = {"event": "say", "at": AT, "line": "plan: 3 requests", "new_field": 1}
PHASE = {"event": "phase", "at": AT, "phase": "asking"}
PROGRESS = {"event": "progress", "at": AT, "unit": "chains", "done": 1, "total": 3}
OTHER = {"event": "of_a_newer_version", "at": AT}


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with serve_scripted() as service:
        yield service


@pytest.fixture
def client(service: ScriptedService) -> Iterator[Client]:
    with Client(service.url, "cot_x", sleep=lambda _seconds: None) as client:
        yield client


@pytest.fixture
def remote(service: ScriptedService, client: Client) -> RemoteJob:
    service.will(f"GET {JOB}", reply(job()))
    return client.job(JOB_ID)


def test_events_go_on_where_a_stream_broke_off(
    service: ScriptedService, remote: RemoteJob
) -> None:
    service.will(
        f"GET {JOB}/events",
        stream(("snapshot", job("running")), ("say", SAY), ("phase", PHASE), cut=True),
        stream(("progress", PROGRESS), ("x", OTHER), ("state", job("succeeded"))),
    )
    updates = list(remote.updates())
    kinds = [
        update.state.value if isinstance(update, JobView) else type(update)
        for update in updates
    ]
    assert kinds == ["running", SayEvent, PhaseEvent, ProgressEvent, "succeeded"]
    first, second = service.asked[-2:]
    assert "Last-Event-ID" not in first.headers
    assert second.headers["Last-Event-ID"] == "3"
    assert remote.state is JobState.SUCCEEDED


def test_a_stream_that_ends_early_is_opened_again(
    service: ScriptedService, remote: RemoteJob
) -> None:
    service.will(
        f"GET {JOB}/events",
        stream(("snapshot", job("running"))),
        Answer(204, b""),
        stream(("state", job("paused", pause_reason="budget"))),
    )
    service.will(f"GET {JOB}", reply(job("running")))
    assert list(remote.events()) == []
    assert remote.state is JobState.PAUSED


def test_events_of_a_job_that_is_over_end(
    service: ScriptedService, remote: RemoteJob
) -> None:
    service.will(f"GET {JOB}/events", Answer(204, b""))
    service.will(f"GET {JOB}", reply(job("cancelled")))
    assert [update for update in remote.updates() if isinstance(update, JobView)]
    assert remote.is_at_rest


def test_a_service_that_is_gone_for_long(
    service: ScriptedService, remote: RemoteJob
) -> None:
    service.will(f"GET {JOB}/events", stream(cut=True))
    with pytest.raises(ServiceError, match="The job runs on; watch it again"):
        list(remote.events())


def test_a_refused_stream_is_an_error(
    service: ScriptedService, remote: RemoteJob
) -> None:
    service.will(f"GET {JOB}/events", problem(429, "Too many streams.", "Wait."))
    with pytest.raises(ServiceError, match=r"Too many streams\. Wait\."):
        list(remote.events())


def test_waiting_asks_until_it_is_over(
    service: ScriptedService, remote: RemoteJob
) -> None:
    service.will(f"GET {JOB}", reply(job("running")), reply(job("succeeded")))
    assert remote.wait() is remote
    assert service.requests()[-1] == f"GET {JOB}?wait=30"
    service.will(f"GET {JOB}", reply(job("failed", error="no such model")))
    remote.refresh()
    with pytest.raises(ServiceError, match=f"job {JOB_ID}: failed: no such model"):
        remote.wait()


def test_what_a_job_may_be_asked(service: ScriptedService, remote: RemoteJob) -> None:
    for action in ("cancel", "pause", "resume", "retry"):
        service.will(f"POST {JOB}/{action}", reply(job("running")))
    service.will(f"DELETE {JOB}", Answer(204, b""))
    remote.cancel("now")
    remote.pause()
    remote.resume(Budget(max_requests=5))
    remote.resume()
    remote.retry(failed=True)
    remote.delete()
    bodies = [json.loads(asked.body or b"null") for asked in service.asked[1:]]
    assert bodies[0] == {"mode": "now"}
    assert bodies[1] == {"mode": "drain"}
    assert bodies[2]["budget"]["max_requests"] == 5
    assert bodies[3:] == [{}, {"failed": True}, None]
    with pytest.raises(ValueError, match="later"):
        remote.cancel("later")


def test_logs_and_failures(service: ScriptedService, remote: RemoteJob) -> None:
    service.will(f"GET {JOB}/logs", Answer(200, "zeile ä\n".encode()))
    assert remote.logs() == "zeile ä\n"
    service.will(f"GET {JOB}/logs", problem(416, "behind the end"))
    assert remote.logs(100) == ""
    assert service.asked[-1].headers["Range"] == "bytes=100-"
    lines = b'{"request_key": "a", "code": "http_400"}\n\n{"request_key": "b"}\n'
    service.will(f"GET {JOB}/failures", Answer(200, lines))
    assert [failure["request_key"] for failure in remote.failures()] == ["a", "b"]


def test_an_answer_of_something_else(client: Client, service: ScriptedService) -> None:
    answers: list[Any] = [[], {"id": 1}, job("dancing")]
    for value in answers:
        service.will(f"GET {JOB}", reply(value))
        with pytest.raises(ServiceError):
            client.job(JOB_ID)
    for text in ("../x", "a/b", "", "é"):
        with pytest.raises(ConfigError, match="is no id of a job"):
            client.job(text)

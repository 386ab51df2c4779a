"""What a job says over HTTP: events as JSON and as a stream, and failures."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from cotbuild.builder.service.jobs.states import AttemptReport
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.schemas.completion import Completion, Failure, FailureKind
from cotbuild.schemas.event import Outcome
from tests.support.services import ServedService, served, upload

STREAM = {"accept": "text/event-stream"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedService]:
    with served(tmp_path_factory.mktemp("root")) as service:
        yield service


@pytest.fixture(scope="module")
def alice(service: ServedService) -> Iterator[httpx.Client]:
    with service.client("alice") as client:
        yield client


class Job(NamedTuple):
    """A job whose process is the test."""

    service: ServedService
    id: str
    attempt: int
    target: Path

    @property
    def url(self) -> str:
        return f"/v1/jobs/{self.id}"

    def say(self, *lines: str) -> None:
        """Append events."""
        folder = self.service.service.settings.jobs_folder / self.id
        folder.mkdir(exist_ok=True)
        with (folder / "events.jsonl").open("a") as file:
            for line in lines:
                event = {"event": "say", "at": "2026-01-01T00:00:00.000Z", "line": line}
                file.write(json.dumps(event) + "\n")

    def end(self) -> None:
        report = AttemptReport(outcome=Outcome.SUCCEEDED, exit_code=0)
        store = self.service.service.store
        assert store.end_attempt(self.id, self.attempt, report, 3) is not None


@pytest.fixture
def job(
    service: ServedService, alice: httpx.Client, request: pytest.FixtureRequest
) -> Job:
    sha256 = upload(alice, b'{"question": "1 + 1?", "answer": "2"}\n')
    name = re.sub(r"\W+", "-", request.node.name)[:90]
    body = {
        "kind": "generate",
        "target": name,
        "config": {
            "source": {"name": f"upload:{sha256}/q.jsonl", "kind": "number"},
            "teacher": {"model": "scripted"},
        },
    }
    response = alice.post("/v1/jobs", json=body)
    assert response.status_code == 201, response.text
    job_id = response.json()["id"]
    record = service.service.store.claim(job_id, "here", 3600)
    assert record is not None
    target = service.service.settings.target(name)
    return Job(service, job_id, record.attempt, target)


class Received(NamedTuple):
    """A server-sent event."""

    name: str
    id: int
    data: dict[str, Any]


def events_of(lines: Iterator[str]) -> Iterator[Received]:
    """The events of a stream, comments left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line and fields:
            yield Received(
                fields["event"], int(fields["id"]), json.loads(fields["data"])
            )
            fields = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value


def test_a_stream_begins_with_a_snapshot_and_ends_with_the_job(
    alice: httpx.Client, job: Job
) -> None:
    job.say("before")
    with alice.stream("GET", f"{job.url}/events", headers=STREAM) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["cache-control"] == "no-cache"
        events = events_of(response.iter_lines())
        snapshot = next(events)
        assert snapshot.name == "snapshot"
        assert snapshot.data["state"] == "running"
        assert snapshot.data["run"]["lines"] == ["before"]
        job.say("one", "two")
        said = [next(events), next(events)]
        assert [event.name for event in said] == ["say", "say"]
        assert [event.data["line"] for event in said] == ["one", "two"]
        job.end()
        (last,) = events
    assert (last.name, last.data["state"]) == ("state", "succeeded")


def test_a_stream_goes_on_behind_the_last_event(alice: httpx.Client, job: Job) -> None:
    job.say("one", "two", "three")
    job.end()
    url = f"{job.url}/events"
    with alice.stream("GET", url, headers=STREAM, params={"after": 0}) as response:
        first = list(events_of(response.iter_lines()))
    assert [event.data["line"] for event in first] == ["one", "two", "three"]
    known = STREAM | {"last-event-id": str(first[0].id)}
    with alice.stream("GET", url, headers=known) as response:
        rest = list(events_of(response.iter_lines()))
    assert rest == first[1:]
    nothing = alice.get(url, headers=STREAM | {"last-event-id": str(first[2].id)})
    assert (nothing.status_code, nothing.content) == (204, b"")


def test_events_are_read_page_by_page(alice: httpx.Client, job: Job) -> None:
    url = f"{job.url}/events"
    assert alice.get(url).json() == {"events": [], "next": 0, "is_final": False}
    job.say(*(str(number) for number in range(5)))
    lines: list[str] = []
    after = 0
    while not (page := alice.get(url, params={"after": after, "limit": 2}).json())[
        "is_final"
    ]:
        lines += [event["line"] for event in page["events"]]
        after = page["next"]
        if len(lines) == 5:
            job.end()
    assert lines == ["0", "1", "2", "3", "4"]
    assert page["events"] == []


@pytest.mark.parametrize("value", ["-1", "x", "9" * 20, "1.5"])
def test_an_offset_that_is_none_is_refused(
    alice: httpx.Client, job: Job, value: str
) -> None:
    assert alice.get(f"{job.url}/events", params={"after": value}).status_code == 422


def test_a_last_event_id_that_is_none_counts_as_absent(
    alice: httpx.Client, job: Job
) -> None:
    job.end()
    headers = STREAM | {"last-event-id": "x"}
    with alice.stream("GET", f"{job.url}/events", headers=headers) as response:
        (only,) = events_of(response.iter_lines())
    assert only.name == "snapshot"


def test_failures_are_those_without_an_answer(alice: httpx.Client, job: Job) -> None:
    url = f"{job.url}/failures"
    empty = alice.get(url)
    assert (empty.status_code, empty.text) == (200, "")
    assert empty.headers["content-type"] == "application/jsonl"
    keys = [str(number) * 64 for number in range(3)]
    with AnswerStore(job.target).create_journal({"format_version": 1}) as journal:
        for key in keys:
            journal.append(
                Failure(
                    request_key=key,
                    kind=FailureKind.UNAVAILABLE,
                    message="503: <b>busy</b> \x1b[31m",
                )
            )
        journal.append(Completion(request_key=keys[1], text="4", finish_reason="stop"))
    lines = [json.loads(line) for line in alice.get(url).text.splitlines()]
    assert [line["request_key"] for line in lines] == [keys[0], keys[2]]
    assert lines[0] == {
        "request_key": keys[0],
        "question_id": None,
        "code": "unavailable",
        "message": "503: <b>busy</b> \\u001b[31m",
        "is_final": False,
    }


def test_a_damaged_journal_is_named_without_the_path_of_the_root(
    alice: httpx.Client, job: Job
) -> None:
    with AnswerStore(job.target).create_journal({"format_version": 1}) as journal:
        for number in range(2):
            key = str(number) * 64
            answer = Completion(request_key=key, text="4", finish_reason="stop")
            journal.append(answer)
    damaged = journal.path.read_bytes().replace(b'"4"', b'"5"', 1)
    journal.path.write_bytes(damaged)
    job.end()
    refused = alice.get(f"{job.url}/failures")
    assert refused.status_code == 500
    detail = refused.json()["detail"]
    assert detail.startswith(f"{journal.path.relative_to(job.target.parent)}: damaged")
    page = alice.get(f"/jobs/{job.url.rpartition('/')[2]}?failures=true")
    assert page.status_code == 200
    assert f"{job.target.name}/.answers/" in page.text
    assert str(job.target.parent) not in page.text

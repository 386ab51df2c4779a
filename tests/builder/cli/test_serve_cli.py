"""`cotbuild serve` as a process: one address, one end, and what is refused before."""

import hashlib
import json
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cotbuild.builder.service.folders import make_service_folders
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.builder.service.tokens import TokenStore
from cotbuild.schemas.service.principal import Role
from cotbuild.schemas.service.tokens import NewToken
from tests.support.commands import PROGRAM, invoke
from tests.support.waiting import HANG_S, wait_until


def serve(root: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*PROGRAM, "serve", "--root", str(root), "--bind", "127.0.0.1:0", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def process(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    process = serve(tmp_path / "root", "--no-browser")
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def address(process: "subprocess.Popen[str]") -> httpx.URL:
    """The only line on standard output."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}\n", line), line
    return httpx.URL(line.strip())


def make_token(root: Path, name: str, role: Role = Role.RUNNER) -> str:
    settings = ServiceSettings(root=root)
    make_service_folders(settings)
    store = TokenStore(settings.tokens_file)
    return store.add(NewToken(name=name, role=role)).token


def test_it_ends_with_clients_connected(
    process: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    """SIGTERM ends streams and waits, and the process exits with 0."""
    url = address(process)
    token = make_token(tmp_path / "root", "alice")
    headers = {"authorization": f"Bearer {token}"}
    with httpx.Client(
        base_url=str(url.join("/")), headers=headers, timeout=HANG_S
    ) as client:
        data = b'{"question": "1 + 1?", "answer": "2"}\n'

        sha256 = hashlib.sha256(data).hexdigest()
        assert client.put(f"/v1/files/{sha256}", content=data).status_code == 201
        body = {
            "kind": "generate",
            "target": "mine",
            "config": {
                "source": {"name": f"upload:{sha256}/q.jsonl", "kind": "number"},
                "teacher": {"model": "scripted"},
            },
        }
        job = client.post("/v1/jobs", json=body).json()
        # Paused: nothing but the end of the server ends the stream.
        paused = client.post(f"/v1/jobs/{job['id']}/pause", json={"mode": "now"})
        assert paused.status_code == 200
        received: list[str] = []
        has_begun, has_ended = threading.Event(), threading.Event()

        def follow() -> None:
            stream = {"accept": "text/event-stream"}
            path = f"/v1/jobs/{job['id']}/events"
            with client.stream("GET", path, headers=stream) as response:
                for line in response.iter_lines():
                    received.append(line)
                    has_begun.set()
            has_ended.set()

        threads = [threading.Thread(target=follow) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert has_begun.wait(HANG_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_S) == 0
        for thread in threads:
            thread.join(HANG_S)
        assert has_ended.is_set()
    assert received[0] == "event: snapshot"
    assert not (tmp_path / "root" / ".service" / "server.json").exists()


@pytest.mark.slow
def test_one_server_holds_a_root(
    process: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    url = address(process)
    running = json.loads((tmp_path / "root/.service/server.json").read_text())
    assert running["pid"] == process.pid
    assert str(url).startswith(running["url"])
    assert "token" not in running
    second = serve(tmp_path / "root", "--no-browser")
    out, err = second.communicate(timeout=HANG_S)
    assert (second.returncode, out) == (1, ""), err
    assert re.fullmatch(r"error: [^\n]*\n", err), err
    process.send_signal(signal.SIGINT)
    assert process.wait(HANG_S) == 0


def test_other_machines_need_tokens_and_a_proxy(tmp_path: Path) -> None:
    words = ("serve", "--root", tmp_path, "--bind", "0.0.0.0:0", "--no-browser")
    refused = invoke(*words, code=2)
    assert "there are no tokens" in refused.stderr
    make_token(tmp_path, "ada", Role.ADMIN)
    refused = invoke(*words, code=2)
    assert "in the clear" in refused.stderr
    assert "--behind-proxy" in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("serve",), "--root is missing"),
        (("serve", "--root", "x", "--bind", "nonsense:x"), "is not HOST:PORT"),
        (("serve", "--root", "x", "--keep-teacher", "soon"), "is no time"),
        (("serve", "token", "add", "A b", "--role", "runner", "--root", "x"), "name"),
        (("serve", "token", "add", "a", "--role", "root", "--root", "x"), "role"),
        (("serve", "token", "remove", "nobody", "--root", "x"), "there is none"),
    ],
)
def test_a_wrong_option_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = invoke(*words, code=2)
    assert said in refused.stderr
    assert re.fullmatch(r"error: [^\n]*\n", refused.stderr), refused.stderr


def test_tokens_are_listed_without_themselves(tmp_path: Path) -> None:
    words = ("add", "alice", "--role", "runner", "--hub-token-env", "ALICE_HF")
    added = invoke("serve", "token", *words, "--root", tmp_path)
    assert re.fullmatch(r"cot_[\w-]{43}\n", added.stdout)
    listed = invoke("serve", "token", "list", "--root", tmp_path).stdout
    assert re.fullmatch(r"alice  runner  \S+  publishes with ALICE_HF\n", listed)
    invoke("serve", "token", "remove", "alice", "--root", tmp_path)
    assert invoke("serve", "token", "list", "--root", tmp_path).stdout == ""


@pytest.mark.slow
def test_a_job_runs_to_its_end(
    process: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    """Submitted, waited for, read and downloaded, all over HTTP."""

    url = address(process)
    token = make_token(tmp_path / "root", "alice")
    headers = {"authorization": f"Bearer {token}"}
    data = b'{"question": "1 + 1?", "answer": "2"}\n{"question": "2 + 2?", "answer": "4"}\n'
    sha256 = hashlib.sha256(data).hexdigest()
    with httpx.Client(
        base_url=str(url.join("/")), headers=headers, timeout=HANG_S
    ) as client:
        client.put(f"/v1/files/{sha256}", content=data)
        body = {
            "kind": "generate",
            "target": "mine",
            "config": {
                "source": {"name": f"upload:{sha256}/q.jsonl", "kind": "number"},
                "teacher": {"model": "scripted"},
            },
        }
        job = client.post("/v1/jobs", json=body).json()

        def is_over() -> bool:
            job.update(client.get(f"/v1/jobs/{job['id']}", params={"wait": 10}).json())
            return job["state"] in ("succeeded", "failed")

        wait_until(is_over)
        assert job["state"] == "succeeded", job["error"]
        assert job["run"]["finished"]["outcome"] == "succeeded"
        rows = client.get("/v1/builds/mine/rows").json()
        assert rows["num_rows"] == 2
        for file in client.get("/v1/builds/mine/files").json()["files"]:
            content = client.get(file["link"]).content
            assert file["sha256"] in (None, hashlib.sha256(content).hexdigest())
        said = client.get(f"/v1/jobs/{job['id']}/logs").text
        assert str(tmp_path) not in said
        # Figures of everybody's jobs are not for one who sees only their own.
        assert client.get("/metrics").status_code == 403
    process.send_signal(signal.SIGTERM)
    assert process.wait(HANG_S) == 0

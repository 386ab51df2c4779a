"""The client and the command line against a real service with real jobs."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import cotbuild
from cotbuild.schemas.budget import Budget
from cotbuild.schemas.errors import ConfigError, ServiceError
from cotbuild.schemas.event import FinishedEvent, SayEvent, StartedEvent
from cotbuild.schemas.service.job import JobState
from tests.support import http_teacher
from tests.support.commands import PROGRAM, start, write_questions
from tests.support.commands import cotbuild as run_cotbuild
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow
TEXTS = [f"Which is stone number {number}?" for number in range(6)]


class Serving:
    """`cotbuild serve` in a process of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.log = root.parent / "serve.log"
        self.process = start(
            *("serve", "--root", root, "--bind", "127.0.0.1:0", "--no-browser"),
            *("--allow-endpoint", "http://127.0.0.1:*", "--allow-repo", "alice/*"),
            log=self.log,
        )
        file = root / ".service" / "server.json"
        wait_until(
            lambda: self.process.poll() is not None or file.is_file(),
            lambda: self.log.read_text(),
        )
        assert self.process.poll() is None, self.log.read_text()
        self.url = json.loads(file.read_text())["url"]

    def token(self, name: str, role: str = "runner") -> str:
        """Make a token on the command line, as an administrator does."""
        made = run_cotbuild(
            *("serve", "token", "add", name, "--role", role, "--root", self.root)
        )
        return made.stdout.strip()

    def stop(self) -> None:
        """End the server; its jobs are over by then."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(240)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("service") / "root")
    yield serving
    serving.stop()


@pytest.fixture(scope="module")
def token(serving: Serving) -> str:
    return serving.token("ann")


@pytest.fixture
def client(serving: Serving, token: str) -> Iterator[cotbuild.Client]:
    with cotbuild.Client(serving.url, token) as client:
        yield client


def test_a_build_is_made_watched_and_downloaded(
    client: cotbuild.Client, serving: Serving, tmp_path: Path
) -> None:
    questions = write_questions(tmp_path / "odd, näme=1.jsonl", TEXTS)
    job = client.generate(questions, out="mine", teacher="scripted", samples=2)
    events = list(job.events())
    assert isinstance(events[0], StartedEvent)
    assert isinstance(events[-1], FinishedEvent)
    results = [
        event.line
        for event in events
        if isinstance(event, SayEvent) and event.is_result
    ]
    assert results[0].startswith("12 rationales = ")
    assert job.wait().state is JobState.SUCCEEDED
    assert str(serving.root) not in job.logs()
    assert list(job.failures()) == []

    build = job.build().download(tmp_path / "out")
    assert sum(1 for _ in build.rationales()) == 12
    assert build.verify()
    assert [one["name"] for one in client.builds()] == ["mine"]
    written = (serving.root / "mine" / "build.json").read_text()
    assert str(serving.root) not in written
    assert "odd_ näme_1.jsonl" in written

    again = client.generate(questions, out="mine", teacher="scripted", samples=2)
    assert again.id != job.id
    lines = [event.line for event in again.events() if isinstance(event, SayEvent)]
    assert "the build is up to date" in lines[0]


def test_a_budget_pauses_and_a_higher_one_goes_on(
    client: cotbuild.Client, tmp_path: Path
) -> None:
    questions = write_questions(tmp_path / "q.jsonl", TEXTS)
    with http_teacher.serve() as server:
        job = client.generate(
            questions,
            out="paid",
            teacher="fake",
            endpoint=server.url,
            budget=Budget(max_requests=2),
        )
        assert job.wait().state is JobState.PAUSED
        assert job.view.exit_code == 4
        assert sum(server.counts().values()) == 2
        job.resume(Budget(max_requests=100))
        assert job.wait().state is JobState.SUCCEEDED
        assert set(server.counts().values()) == {1}
        assert len(server.counts()) == len(TEXTS)


def test_the_command_line_ends_as_a_local_run(
    serving: Serving,
    token: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COTBUILD_TOKEN", token)
    monkeypatch.setenv("COTBUILD_SERVER", serving.url)
    questions = write_questions(tmp_path / "q.jsonl", TEXTS)
    words = ["generate", "--source", questions, "--teacher", "scripted", "--out"]
    local = run_cotbuild(*words, tmp_path / "local")
    remote = run_cotbuild(*words, "remote", "--server", serving.url)
    shown = [line for line in remote.stdout.splitlines() if "../../" not in line]
    expected = [line for line in local.stdout.splitlines() if str(tmp_path) not in line]
    assert shown == expected
    fails = [*words[:4], "scripted", "--set", "teacher.scripted.rejected_frac=1.0"]
    failed = run_cotbuild(*fails, "--out", "unscored", "--server", serving.url, code=3)
    assert "6 unscored" in failed.stdout
    listed = run_cotbuild("jobs", "list").stdout
    assert "unscored  ann" in listed
    (job_id,) = [line[:16] for line in listed.splitlines() if "unscored  ann" in line]
    failures = run_cotbuild("jobs", "failures", job_id).stdout.splitlines()
    assert len(failures) == 6

    run_cotbuild("variants", "remote", "--only", "label_only", "--server", serving.url)
    assert (serving.root / "remote" / "label_only").is_dir()
    plan = run_cotbuild(*words, "planned", "--server", serving.url, "--dry-run")
    assert "6 to send" in plan.stdout
    assert not (serving.root / "planned").exists()


def test_cancelled_from_the_command_line_while_it_is_watched(
    serving: Serving,
    token: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COTBUILD_TOKEN", token)
    monkeypatch.setenv("COTBUILD_SERVER", serving.url)
    questions = write_questions(tmp_path / "q.jsonl", TEXTS)
    detached = run_cotbuild(
        *("generate", "--source", questions, "--teacher", "scripted"),
        *("--set", "teacher.scripted.latency_s=600.0", "--out", "slow"),
        *("--server", serving.url, "--detach"),
    )
    job_id = detached.stdout.strip()
    watching = subprocess.Popen(
        [*PROGRAM, "jobs", "watch", job_id], stderr=subprocess.PIPE, text=True
    )
    with watching, cotbuild.Client(serving.url, token) as client:
        wait_until(lambda: client.job(job_id).view.run.phase is not None)
        run_cotbuild("jobs", "cancel", job_id, "--now")
        _, shown = watching.communicate(timeout=240)
    assert watching.returncode == 130
    assert shown.endswith(
        f"job {job_id} was cancelled; every answer received is kept\n"
    )


def test_what_is_refused_is_one_line(client: cotbuild.Client, serving: Serving) -> None:
    with pytest.raises(ConfigError, match="does not contact"):
        client.generate(
            "gsm8k", out="x", teacher="m", endpoint="http://169.254.169.254/v1"
        )
    with pytest.raises(ConfigError, match="reads no path"):
        client.generate("/nonexistent/q.jsonl", out="x", teacher="scripted")
    with pytest.raises(ServiceError, match="there is none"):
        client.job("0000000000000000")
    viewer = serving.token("eve", "viewer")
    with cotbuild.Client(serving.url, viewer) as eve:
        with pytest.raises(ServiceError):
            eve.generate("bundled", out="x", teacher="scripted")
        assert eve.info()["principal"]["role"] == "viewer"
    with (
        cotbuild.Client(serving.url, "cot_wrong") as stranger,
        pytest.raises(ServiceError, match="Set COTBUILD_TOKEN"),
    ):
        stranger.jobs()

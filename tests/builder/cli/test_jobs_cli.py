"""`cotbuild jobs`, and commands with --server: exact lines and exit codes."""

import hashlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import Result

from cotbuild.schemas.service.job import JobKind
from cotbuild.schemas.service.requests import PlanView, parse_request
from tests.support.commands import invoke, start, write_questions
from tests.support.requests import REQUESTS
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
from tests.support.waiting import wait_until

AT = "2026-01-01T10:00:00.000Z"
JOB = f"/v1/jobs/{JOB_ID}"
RUN = [
    ("snapshot", job("queued", waits_for="the teacher m")),
    ("snapshot", job("running")),
    ("say", {"event": "say", "at": AT, "line": "plan: 3 requests"}),
    (
        "progress",
        {
            "event": "progress",
            "at": AT,
            "unit": "chains",
            "done": 1,
            "total": 3,
            "verdicts": {"correct": 1, "incorrect": 0},
            "tokens_per_s": 12.3,
            "eta_s": [10.0, 65.0],
        },
    ),
    ("say", {"event": "say", "at": AT, "line": "3 rationales", "is_result": True}),
]
SHOWN = f"""\
job {JOB_ID}: queued, waits for the teacher m
plan: 3 requests
1/3 chains · correct 1 · 12 tok/s · 0:10 to 1:05 left
"""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedService]:
    with serve_scripted() as service:
        monkeypatch.setenv("COTBUILD_SERVER", service.url)
        service.will(f"GET {JOB}", reply(job()))
        yield service


def jobs(*words: object, code: int = 0) -> Result:
    return invoke("jobs", *words, code=code)


def test_no_service_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COTBUILD_SERVER", raising=False)
    assert jobs("list", code=2).output == (
        "error: no service. Pass --server http://HOST:8787, or set COTBUILD_SERVER.\n"
    )


def test_the_list_is_a_table(service: ScriptedService) -> None:
    listed = [
        job("running", run={"progress": RUN[3][1]}),
        job("queued", target="a-longer-name", waits_for="the folder mine"),
        job("failed", error="no such model\x1b[2J"),
        job("paused", pause_reason="budget", owner="bob"),
    ]
    service.will("GET /v1/jobs", reply({"jobs": listed, "next": None}))
    assert jobs("list", "--limit", "9").stdout == (
        "id                state    kind      target         owner  created           progress\n"
        f"{JOB_ID}  running  generate  mine           ann    2026-01-01 10:00  "
        "1/3 chains · correct 1 · 12 tok/s · 0:10 to 1:05 left\n"
        f"{JOB_ID}  queued   generate  a-longer-name  ann    2026-01-01 10:00  "
        "waits for the folder mine\n"
        f"{JOB_ID}  failed   generate  mine           ann    2026-01-01 10:00  "
        "no such model\\u001b[2J\n"
        f"{JOB_ID}  paused   generate  mine           bob    2026-01-01 10:00  budget\n"
    )
    service.will("GET /v1/jobs", reply({"jobs": [], "next": None}))
    assert jobs("list", "--state", "running").stdout == "no jobs\n"
    assert service.requests()[-1] == "GET /v1/jobs?state=running&limit=20"
    assert (
        "--state 'dancing': not known"
        in jobs("list", "--state", "dancing", code=2).output
    )


def test_one_job_is_shown(service: ScriptedService) -> None:
    account = {"requests": 3, "prompt_tokens": 10, "completion_tokens": 99, "cost": 0.5}
    view = job(
        "failed",
        attempt=2,
        error="no such model",
        exit_code=1,
        labels={"team": "blue"},
        run={"account": account},
    )
    service.will(f"GET {JOB}", reply(view))
    assert jobs("show", JOB_ID).stdout == (
        f"job {JOB_ID}: generate mine, failed\n"
        "owner           ann\n"
        f"created         {AT}\n"
        "attempt         2\n"
        "exit code       1\n"
        "error           no such model\n"
        "labels          team=blue\n"
        "spent           3 requests, 99 tokens generated, cost 0.5\n"
    )


@pytest.mark.parametrize(
    ("end", "code", "last"),
    [
        (job("succeeded", exit_code=0), 0, ""),
        (job("succeeded", exit_code=3, num_failed=1), 3, ""),
        (
            job("failed", exit_code=2, error="no template 'x'"),
            2,
            "error: no template 'x'\n",
        ),
        (job("failed"), 1, "error: the job failed; see its log\n"),
        (
            job("paused", pause_reason="budget", exit_code=4),
            4,
            f"job {JOB_ID} is paused: budget. To continue it: cotbuild jobs resume "
            f"{JOB_ID} --server URL\n",
        ),
        (
            job("cancelled", exit_code=130),
            130,
            f"job {JOB_ID} was cancelled; every answer received is kept\n",
        ),
    ],
)
def test_watching_shows_the_lines_and_ends_with_the_exit_code(
    end: dict[str, Any], code: int, last: str, service: ScriptedService
) -> None:
    service.will(f"GET {JOB}/events", stream(*RUN, ("state", end)))
    done = jobs("watch", JOB_ID, code=code)
    assert done.stdout == "3 rationales\n"
    assert done.stderr == SHOWN + last.replace("URL", service.url)


def test_ctrl_c_detaches_and_says_so(service: ScriptedService, tmp_path: Path) -> None:
    # The stream ends early again and again: the job never does.
    service.will(f"GET {JOB}/events", stream(*RUN))
    service.will(f"GET {JOB}", reply(job("running")))
    log = tmp_path / "log"
    process = start("jobs", "watch", JOB_ID, log=log)
    wait_until(lambda: "1/3 chains" in log.read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(240) == 130
    assert log.read_text().endswith(
        f"stopped watching; job {JOB_ID} runs on. To watch it: cotbuild jobs watch "
        f"{JOB_ID} --server {service.url}\n"
    )
    assert not [asked for asked in service.asked if asked.method != "GET"]


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        (["cancel"], "cancel", {"mode": "drain"}),
        (["cancel", "--now"], "cancel", {"mode": "now"}),
        (["pause"], "pause", {"mode": "drain"}),
        (["resume"], "resume", {}),
        (["retry"], "retry", {"failed": False}),
        (["retry", "--failed"], "retry", {"failed": True}),
    ],
)
def test_a_job_is_controlled(
    words: list[str], path: str, body: dict[str, Any], service: ScriptedService
) -> None:
    service.will(f"POST {JOB}/{path}", reply(job("running")))
    done = jobs(*words, JOB_ID)
    assert done.stdout == f"job {JOB_ID}: running\n"
    assert json.loads(service.asked[-1].body) == body
    service.will(f"POST {JOB}/{path}", problem(409, "It is over.", "Submit another."))
    refused = jobs(*words, JOB_ID, code=1)
    assert refused.output == f"error: {service.url}: It is over. Submit another.\n"


def test_a_budget_is_raised_beside_its_prices(service: ScriptedService) -> None:
    budget = {"max_cost": 1.0, "max_requests": 3, "prices": {"output": 2.0}}
    service.will(f"GET {JOB}", reply(job("paused", request={"budget": budget})))
    service.will(f"POST {JOB}/resume", reply(job("queued")))
    jobs("resume", JOB_ID, "--max-cost", "5")
    sent = json.loads(service.asked[-1].body)["budget"]
    assert (sent["max_cost"], sent["max_requests"]) == (5.0, 3)
    assert sent["prices"]["output"] == 2.0


def test_logs_and_failures_are_printed(service: ScriptedService) -> None:
    service.will(f"GET {JOB}/logs", Answer(200, b"one\n\x1b[2Jtwo\n"))
    assert jobs("logs", JOB_ID).stdout == "one\n\\u001b[2Jtwo\n"
    line = '{"request_key": "a", "code": "http_400", "message": "ä"}'
    service.will(f"GET {JOB}/failures", Answer(200, f"{line}\n".encode()))
    assert jobs("failures", JOB_ID).stdout == f"{line}\n"


def test_a_request_in_a_file_is_submitted(
    service: ScriptedService, tmp_path: Path
) -> None:
    questions = write_questions(tmp_path / "q.jsonl", ["Which?"])
    digest = hashlib.sha256(questions.read_bytes()).hexdigest()
    value = {
        "kind": "generate",
        "target": "mine",
        "config": {
            "source": {"name": str(questions)},
            "teacher": {"model": "scripted"},
        },
    }
    file = tmp_path / "request.yaml"
    file.write_text(yaml.safe_dump(value))
    service.will(f"HEAD /v1/files/{digest}", reply({}))
    service.will("POST /v1/jobs", reply(job(), 201))
    done = jobs("submit", file, "--detach")
    assert done.stdout == f"{JOB_ID}\n"
    request = parse_request(json.loads(service.asked[-1].body))
    assert request.kind == "generate"
    assert request.config.source.name == f"upload:{digest}/q.jsonl"
    file.write_text("kind: dance\n")
    assert "'dance' is none of" in jobs("submit", file, code=2).output


# -- commands with --server --------------------------------------------------------------


def run(service: ScriptedService, *words: object, code: int = 0) -> dict[str, Any]:
    """Run a command with --server and --detach, and return the request it submits."""
    service.will("POST /v1/jobs", reply(job(), 201))
    done = invoke(*words, "--server", service.url, "--detach", code=code)
    assert done.stdout == f"{JOB_ID}\n"
    sent: dict[str, Any] = json.loads(service.asked[-1].body)
    return sent


def test_generate_runs_there(service: ScriptedService, tmp_path: Path) -> None:
    questions = write_questions(tmp_path / "q.jsonl", ["Which?"])
    digest = hashlib.sha256(questions.read_bytes()).hexdigest()
    service.will(f"HEAD /v1/files/{digest}", reply({}, 404))
    service.will(f"PUT /v1/files/{digest}", reply({}, 201))
    sent = run(
        service,
        *("generate", "--source", questions, "--teacher", "m", "--samples", 2),
        *("--endpoint", "http://gpu:8000/v1", "--api-key-from", "TEAM_KEY"),
        *("--out", "mine", "--allow-unscored"),
    )
    assert sent["target"] == "mine"
    assert sent["config"]["source"]["name"] == f"upload:{digest}/q.jsonl"
    assert sent["config"]["samples"] == 2
    assert sent["api_key_from"] == "TEAM_KEY"
    assert sent["allow_unscored"] is True


def test_the_dry_run_is_the_plan(service: ScriptedService) -> None:
    plan = PlanView(
        kind=JobKind.GENERATE, target="mine", lines=("plan: 3", "{"), cost=0.5
    )
    service.will("POST /v1/plans", reply(plan.model_dump(mode="json")))
    words = ["generate", "--out", "mine", "--server", service.url, "--dry-run"]
    done = invoke(*words)
    assert done.stdout == "plan: 3\n{\n"
    failing = PlanView(kind=JobKind.GENERATE, target="mine", problems=("no questions",))
    service.will("POST /v1/plans", reply(failing.model_dump(mode="json")))
    assert invoke(*words, code=1).stderr == "error: no questions\n"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (
            ["generate", "--out", "builds/mine"],
            "--out 'builds/mine' is no name of a folder",
        ),
        (["generate", "--out", "mine", "--fresh"], "--server with --fresh"),
        (["variants", "/srv/mine"], "DIR '/srv/mine' is no name of a folder"),
        (["train", "b", "--variant", "v"], "--out '' is no name of a folder"),
        (["attribute", "run", "--out", "x"], "--server with --out"),
        (["publish", "mine", "file:/tmp/x"], "repo is 'file:/tmp/x'"),
    ],
)
def test_what_has_no_meaning_there(
    words: list[str], fault: str, service: ScriptedService
) -> None:
    done = invoke(*words, "--server", service.url, code=2)
    assert fault in done.output
    assert done.output.count("\n") == 1
    assert service.asked == []


def test_import_runs_there(service: ScriptedService, tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text('{"q": "Which?", "t": "It is B.", "a": "B"}\n')
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    service.will(f"HEAD /v1/files/{digest}", reply({}))
    sent = run(
        service,
        *("import", file, "--map", "text=t", "--map", "question=q"),
        *("--map", "target=a", "--out", "mine"),
    )
    imported = sent["config"]["imported"]
    assert imported["files"] == [f"upload:{digest}/texts.jsonl"]
    assert imported["recipe"]["columns"]["text"] == "t"


def test_variants_run_there(service: ScriptedService, tmp_path: Path) -> None:
    specs = tmp_path / "own.yaml"
    spec = {"name": "own", "about": "Own.", "placement": "post_cot"}
    specs.write_text(yaml.safe_dump({"variants": [spec]}))
    sent = run(
        service,
        *("variants", "mine", "--spec", specs, "--filter", "share=0.5", "--seed", 2),
        *("--file", "scores=target:run"),
    )
    assert [one["name"] for one in sent["specs"]] == ["own"]
    assert sent["selection"]["share"] == 0.5
    assert sent["files"] == {"scores": "target:run"}
    assert run(service, "variants", "mine", "--only", "post_cot,paper")["variants"] == [
        "post_cot",
        "paper",
    ]


def test_students_run_there(service: ScriptedService) -> None:
    sent = run(service, "train", "mine", "--variant", "post_cot", "--out", "run")
    assert (sent["build"], sent["target"]) == ("mine", "run")
    words = ["evaluate", "run", "--out", "results", "--map", "question=asr"]
    sent = run(service, *words, "--source", "mine", "--rationales-from", "writer")
    assert (sent["run"], sent["model"], sent["build"]) == ("run", None, "mine")
    assert sent["rationales_from"] == "writer"
    assert sent["mapping"] == {"question": "asr"}
    sent = run(service, "evaluate", "embedded", "--source", "gsm8k", "--out", "base")
    assert (sent["model"], sent["source"], sent["build"]) == ("embedded", "gsm8k", None)
    sent = run(service, "attribute", "run", "--source", "mine", "--steps", 4)
    assert (sent["target"], sent["build"], sent["steps"]) == ("run", "mine", 4)


def test_a_study_and_a_release_run_there(
    service: ScriptedService, tmp_path: Path
) -> None:
    folder = tmp_path / "first-study"
    folder.mkdir()
    study = {"format_version": 1, **REQUESTS[JobKind.STUDY]["study"]}
    (folder / "STUDY.yaml").write_text(yaml.safe_dump(study))
    sent = run(service, "study", folder / "STUDY.yaml")
    assert (sent["target"], sent["study"]["source"]) == ("first-study", "mine")
    sent = run(service, "study", folder / "STUDY.yaml", "--out", "other", "--keep")
    assert (sent["target"], sent["keep"]) == ("other", True)
    sent = run(service, "publish", "mine", "alice/mine", "--tag", "v1", "--private")
    assert (sent["repo"], sent["tag"], sent["private"]) == ("alice/mine", "v1", True)

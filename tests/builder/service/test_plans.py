"""Plans ask nothing, previews ask what the job would have asked, and once."""

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.service.commands import build_command
from cotbuild.builder.service.plans import plan_request, preview_request
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.schemas.errors import ConfigError, TeacherError
from cotbuild.schemas.service.job import JobKind
from cotbuild.schemas.service.requests import JobRequest, parse_request
from tests.support import http_teacher
from tests.support.commands import cotbuild, rows, write_questions
from tests.support.requests import REQUESTS

TEXTS = [f"Which is stone number {number}?" for number in range(12)]


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    settings = ServiceSettings(
        tmp_path / "root", allow_endpoints=("http://127.0.0.1:*",)
    )
    settings.files_folder.mkdir(parents=True)
    return settings


def upload(settings: ServiceSettings, path: Path) -> str:
    """Put a file where the server keeps uploads, and return a reference to it."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (settings.files_folder / digest).write_bytes(path.read_bytes())
    return f"upload:{digest}/{path.name}"


def generate(
    settings: ServiceSettings, tmp_path: Path, teacher: dict[str, Any], **fields: Any
) -> JobRequest:
    questions = write_questions(tmp_path / "questions.jsonl", TEXTS)
    config = {"source": {"name": upload(settings, questions)}, "teacher": teacher}
    return parse_request(
        {"kind": "generate", "target": "mine", "config": config, **fields}
    )


def test_a_plan_counts_and_asks_nothing(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    budget = {"max_requests": 5, "prices": {"output": 2.0}}
    request = generate(settings, tmp_path, {"model": "scripted"}, budget=budget)
    plan = plan_request(request, settings, "ann")
    assert plan.problems == ()
    assert (plan.questions, plan.to_send, plan.answered) == (12, 12, 0)
    assert plan.max_output_tokens is not None
    assert plan.cost == pytest.approx(plan.max_output_tokens * 2e-6)
    assert plan.first_request is not None
    assert TEXTS[0] in str(plan.first_request["messages"])
    assert any("12 questions" in line for line in plan.lines)
    assert any(line.startswith("cost of the open requests: ") for line in plan.lines)
    assert any(line.startswith("budget: ") for line in plan.lines)
    assert str(tmp_path) not in str(plan)
    assert not (settings.root / "mine").exists()


def test_a_plan_says_why_a_job_would_fail(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"neither": 1}\n')
    config = {
        "source": {"name": upload(settings, bad)},
        "teacher": {"model": "scripted"},
    }
    request = parse_request({"kind": "generate", "target": "mine", "config": config})
    plan = plan_request(request, settings, "ann")
    (problem,) = plan.problems
    assert problem.startswith("bad.jsonl")
    assert not plan.is_possible


def test_a_plan_that_takes_too_long_is_stopped(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    request = generate(settings, tmp_path, {"model": "scripted"})
    plan = plan_request(request, settings, "ann", timeout_s=0.001)
    (problem,) = plan.problems
    assert problem.startswith("the plan took longer than 0.001 s and was stopped")


def test_a_plan_of_variants_names_them(settings: ServiceSettings) -> None:
    value = {
        "kind": "variants",
        "target": "mine",
        "variants": ["post_cot", "label_only"],
    }
    plan = plan_request(parse_request(value), settings, "ann")
    assert plan.lines == (
        "2 variants: post_cot, label_only",
        "the build 'mine' is not there yet",
    )
    value["variants"] = ["nonsense"]
    (problem,) = plan_request(parse_request(value), settings, "ann").problems
    assert problem.startswith("variants has 'nonsense', which is not known")


@pytest.mark.slow
def test_the_plan_of_another_kind_is_its_dry_run(
    settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANN_HF_TOKEN", "hf_of_ann")
    (settings.root / "mine").mkdir()
    lists_repo = replace(
        settings, allow_repos=("alice/*",), hub_tokens={"ann": "ANN_HF_TOKEN"}
    )
    request = parse_request(REQUESTS[JobKind.PUBLISH])
    plan = plan_request(request, lists_repo, "ann")
    (problem,) = plan.problems
    assert problem.startswith("../../mine: no manifest.json")
    assert plan_request(request, settings, "ann").problems[0].startswith("repo is")


@pytest.mark.slow
def test_a_preview_asks_once_and_the_job_finds_it(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    with http_teacher.serve() as server:
        teacher = {"model": "fake", "endpoints": [f"http://127.0.0.1:{server.port}/v1"]}
        request = generate(settings, tmp_path, teacher)
        preview = preview_request(request, settings, "ann", num_rows=3)
        assert [row.question for row in preview.rows] == TEXTS[:3]
        assert all(row.completion for row in preview.rows)
        asked = server.counts()
        assert sum(asked.values()) == 3
        again = preview_request(request, settings, "ann", num_rows=3)
        assert again.rows == preview.rows
        assert server.counts() == asked
        assert not (settings.root / "mine" / "manifest.json").exists()
        plan = plan_request(request, settings, "ann")
        assert (plan.to_send, plan.answered) == (9, 3)
        run_job(request, settings)
        assert sum(server.counts().values()) == 12
        assert set(server.counts().values()) == {1}
    built = rows(settings.root / "mine")
    assert [row["completion"] for row in built][:3] == [
        row.completion for row in preview.rows
    ]


def run_job(request: JobRequest, settings: ServiceSettings) -> None:
    """Run the command of a job to its end, as the supervisor does."""
    folder = settings.jobs_folder / "0123456789abcdef"
    folder.mkdir(parents=True, exist_ok=True)
    command = build_command(request, settings, folder, owner="ann")
    done = subprocess.run(
        command.argv,
        env=dict(command.env),
        cwd=command.cwd,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_finished_build_outlives_a_preview_of_other_settings(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    request = generate(settings, tmp_path, {"model": "scripted"})
    questions = tmp_path / "questions.jsonl"
    out = settings.root / "mine"
    cotbuild("generate", "--source", questions, "--teacher", "scripted", "--out", out)
    before = (out / "manifest.json").read_bytes()
    other = generate(
        settings, tmp_path, {"model": "scripted", "scripted": {"length_frac": 1.0}}
    )
    preview = preview_request(other, settings, "ann", num_rows=2)
    assert [row.verdict.value for row in preview.rows] == ["truncated"] * 2
    assert (out / "manifest.json").read_bytes() == before
    assert plan_request(request, settings, "ann").to_send == 0


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"num_rows": 11}, "num_rows is 11"),
        ({"num_rows": 0}, "num_rows is 0"),
        ({"model": "embedded"}, "would have to be started"),
    ],
)
def test_what_is_not_previewed(
    change: dict[str, Any], fault: str, settings: ServiceSettings, tmp_path: Path
) -> None:
    model = change.pop("model", "scripted")
    request = generate(settings, tmp_path, {"model": model})
    with pytest.raises(ConfigError, match=fault):
        preview_request(request, settings, "ann", **change)


def test_other_kinds_have_no_rows_to_preview(settings: ServiceSettings) -> None:
    with pytest.raises(ConfigError, match="kind train has no rows"):
        preview_request(parse_request(REQUESTS[JobKind.TRAIN]), settings, "ann")


@pytest.mark.slow
def test_a_preview_that_takes_too_long_is_stopped(
    settings: ServiceSettings, tmp_path: Path
) -> None:
    teacher = {"model": "scripted", "scripted": {"latency_s": 600.0}}
    request = generate(settings, tmp_path, teacher)
    with pytest.raises(TeacherError, match="took longer than 3 s"):
        preview_request(request, settings, "ann", num_rows=1, timeout_s=3.0)

"""What a client sends: requests, uploads, submissions that are made once."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import cotbuild
from cotbuild.builder.client import Client
from cotbuild.builder.client.client import PLAN_TIMEOUT_S, PREVIEW_TIMEOUT_S
from cotbuild.builder.service.plans import PLAN_S, PREVIEW_S, STOP_S
from cotbuild.builder.service.preview_teacher import WAIT_S
from cotbuild.builder.service.service import PLANNING_WAIT_S
from cotbuild.schemas.budget import Budget
from cotbuild.schemas.errors import ConfigError, DataError, ServiceError
from cotbuild.schemas.service.job import JobKind
from cotbuild.schemas.service.requests import PlanView, PreviewView, parse_request
from tests.support.commands import cotbuild as run_cotbuild
from tests.support.commands import write_questions
from tests.support.requests import REQUESTS
from tests.support.scripted_service import (
    Answer,
    ScriptedService,
    job,
    problem,
    reply,
    serve_scripted,
)


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with serve_scripted() as service:
        yield service


@pytest.fixture
def client(service: ScriptedService) -> Iterator[Client]:
    with Client(service.url, "cot_x", sleep=lambda _seconds: None) as client:
        yield client


def test_it_is_a_public_name_that_shows_no_token(service: ScriptedService) -> None:
    with cotbuild.Client(service.url, "cot_secret") as client:
        assert isinstance(client, Client)
        assert repr(client) == f"Client({service.url!r})"


def test_a_submission_whose_answer_was_lost_is_made_once(
    service: ScriptedService, client: Client
) -> None:
    service.will(
        "POST /v1/jobs",
        Answer(201, b"{", cut=True),
        problem(503, "Restarting."),
        reply(job(), 200, Idempotent_Replayed="true"),
    )
    submitted = client.submit(REQUESTS[JobKind.GENERATE])
    assert submitted.state.value == "queued"
    keys = {asked.headers["Idempotency-Key"] for asked in service.asked}
    assert len(service.asked) == 3
    assert len(keys) == 1
    client.submit(REQUESTS[JobKind.GENERATE], key="mine")
    assert service.asked[-1].headers["Idempotency-Key"] == "mine"


def test_a_request_that_is_none_is_not_sent(
    service: ScriptedService, client: Client
) -> None:
    with pytest.raises(ConfigError, match=r"request: train\.build is 'a/b'"):
        client.submit({**REQUESTS[JobKind.TRAIN], "build": "a/b"})
    assert service.asked == []


def test_generate_uploads_the_files_that_it_names(
    service: ScriptedService, client: Client, tmp_path: Path
) -> None:
    questions = write_questions(tmp_path / "fragen, ä=1.jsonl", ["Which?"])
    template = tmp_path / "t.yaml"
    template.write_text("name: mine\n")
    digests = {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (questions, template)
    }
    service.will(f"HEAD /v1/files/{digests[questions]}", reply({}, 404))
    service.will(
        f"PUT /v1/files/{digests[questions]}", problem(503, "x"), reply({}, 201)
    )
    service.will(f"HEAD /v1/files/{digests[template]}", reply({}))
    service.will("POST /v1/jobs", reply(job(), 201))
    client.generate(
        questions,
        out="mine",
        teacher="m",
        endpoint="http://gpu:8000/v1",
        templates=[str(template), "choice_few_shot@1"],
        samples=2,
        budget=Budget(max_requests=3),
        api_key_from="TEAM_KEY",
    )
    uploads = [asked for asked in service.asked if asked.method == "PUT"]
    assert [asked.body for asked in uploads] == [questions.read_bytes()] * 2
    request = parse_request(json.loads(service.asked[-1].body))
    assert request.kind == "generate"
    assert request.target == "mine"
    assert request.api_key_from == "TEAM_KEY"
    assert request.budget == Budget(max_requests=3)
    assert request.config.samples == 2
    name = f"upload:{digests[questions]}/fragen_ ä_1.jsonl"
    assert request.config.source.name == name
    assert request.config.templates == (
        f"upload:{digests[template]}/t.yaml",
        "choice_few_shot@1",
    )


@pytest.mark.parametrize(
    ("source", "settings", "fault"),
    [
        ("{folder}", {}, "is a folder of this machine"),
        ("gsm8k", {"teacher": "{folder}"}, "is a folder of this machine"),
        ("gsm8k", {"images": "{folder}"}, "is a folder of this machine"),
        ("{folder}/none.jsonl", {"temperature": 3}, "temperature"),
    ],
)
def test_a_folder_is_not_uploaded(
    source: str,
    settings: dict[str, object],
    fault: str,
    client: Client,
    service: ScriptedService,
    tmp_path: Path,
) -> None:
    filled = {
        name: value.replace("{folder}", str(tmp_path))
        if isinstance(value, str)
        else value
        for name, value in settings.items()
    }
    with pytest.raises(ConfigError, match=fault):
        client.generate(source.replace("{folder}", str(tmp_path)), out="mine", **filled)  # type: ignore[arg-type]
    assert service.asked == []


def test_files_side_by_side_and_names_of_the_service(
    service: ScriptedService, client: Client, tmp_path: Path
) -> None:
    digests = []
    for name in ("q.txt", "a.txt"):
        (tmp_path / name).write_text(name)
        digests.append(hashlib.sha256(name.encode()).hexdigest())
        service.will(f"HEAD /v1/files/{digests[-1]}", reply({}))
    service.will("POST /v1/jobs", reply(job(), 201))
    parallel = f"question={tmp_path}/q.txt,target={tmp_path}/a.txt"
    sent = {
        parallel: f"question=upload:{digests[0]}/q.txt,target=upload:{digests[1]}/a.txt",
        "gsm8k": "gsm8k",
        "alice/questions": "alice/questions",
        "folder:data/q.jsonl": "folder:data/q.jsonl",
    }
    for source, name in sent.items():
        client.generate(source, out="mine", teacher="scripted")
        request = json.loads(service.asked[-1].body)
        assert request["config"]["source"]["name"] == name


def test_plans_and_previews(service: ScriptedService, client: Client) -> None:
    plan = PlanView(kind=JobKind.TRAIN, target="run", lines=("8 rows",))
    service.will("POST /v1/plans", reply(plan.model_dump(mode="json")))
    assert client.plan(REQUESTS[JobKind.TRAIN]) == plan
    preview = PreviewView(rows=(), lines=("x",))
    service.will("POST /v1/previews", reply(preview.model_dump(mode="json")))
    assert client.preview(REQUESTS[JobKind.GENERATE], 2) == preview
    assert json.loads(service.asked[-1].body)["num_rows"] == 2


def test_a_plan_is_waited_for_and_begun_once(
    service: ScriptedService, client: Client
) -> None:
    longest_plan_s = PLANNING_WAIT_S + PLAN_S + STOP_S
    assert longest_plan_s < PLAN_TIMEOUT_S
    assert WAIT_S + PLANNING_WAIT_S + PREVIEW_S + STOP_S < PREVIEW_TIMEOUT_S
    for path, send in (
        ("/v1/plans", lambda: client.plan(REQUESTS[JobKind.TRAIN])),
        ("/v1/previews", lambda: client.preview(REQUESTS[JobKind.GENERATE])),
    ):
        for lost in (reply({}, 504), Answer(200, b"{", cut=True)):
            service.will(f"POST {path}", lost)
            with pytest.raises(ServiceError):
                send()
    assert len(service.asked) == 4


def test_lists_come_in_pages(service: ScriptedService, client: Client) -> None:
    service.will(
        "GET /v1/jobs",
        reply({"jobs": [job(), job()], "next": "abc"}),
        reply({"jobs": [job("running")], "next": None}),
    )
    assert [one.state.value for one in client.jobs(state="queued", limit=5)] == [
        "queued",
        "queued",
        "running",
    ]
    assert service.requests() == [
        "GET /v1/jobs?state=queued&limit=5",
        "GET /v1/jobs?state=queued&limit=3&after=abc",
    ]
    service.will("GET /v1/builds", reply({"entries": [{"name": "a"}], "next": None}))
    assert client.builds() == [{"name": "a"}]
    service.will("GET /v1/builds", reply({"other": 1}))
    with pytest.raises(ServiceError, match="no list of entries"):
        client.builds()


# -- downloads -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "build"
    run_cotbuild("generate", "--teacher", "scripted", "--limit", 2, "--out", folder)
    return folder


def _list(service: ScriptedService, made: Path) -> dict[str, bytes]:
    """Have the service list and send the files of a build."""
    paths = [path for path in sorted(made.rglob("*")) if path.is_file()]
    names = {path.relative_to(made).as_posix(): path.read_bytes() for path in paths}
    files = {name: data for name, data in names.items() if not name.startswith(".")}
    entries = []
    for name, data in files.items():
        digest = hashlib.sha256(data).hexdigest()
        link = f"/v1/builds/mine/files/{name}"
        entries.append(
            {"path": name, "num_bytes": len(data), "sha256": digest, "link": link}
        )
        service.will(f"GET {link}", Answer(200, data, {"ETag": f'"{digest}"'}))
    service.will("GET /v1/builds/mine/files", reply({"files": entries}))
    return files


def test_a_download_is_a_build_and_repeating_it_sends_nothing(
    service: ScriptedService, client: Client, made: Path, tmp_path: Path
) -> None:
    files = _list(service, made)
    seen: list[tuple[int, int]] = []
    build = client.build("mine").download(
        tmp_path / "out", progress=lambda done, total: seen.append((done, total))
    )
    assert isinstance(build, cotbuild.Build)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in files} == files
    assert seen[-1] == (sum(map(len, files.values())),) * 2
    assert service.requests()[-1].endswith("/manifest.json")
    num_asked = len(service.asked)
    client.build("mine").download(tmp_path / "out")
    assert len(service.asked) == num_asked + 1


def test_a_download_that_broke_off_goes_on(
    service: ScriptedService, client: Client, made: Path, tmp_path: Path
) -> None:
    files = _list(service, made)
    name = next(name for name in files if name.endswith(".parquet"))
    data, link = files[name], f"/v1/builds/mine/files/{name}"
    digest = hashlib.sha256(data).hexdigest()
    rest = Answer(
        206, data[100:], {"ETag": f'"{digest}"', "Content-Range": "bytes 100-"}
    )
    service.will(f"GET {link}", Answer(200, data[:100], cut=True), rest)
    client.build("mine").download(tmp_path / "out")
    assert (tmp_path / "out" / name).read_bytes() == data
    (again,) = [asked for asked in service.asked if "Range" in asked.headers]
    assert again.headers["Range"] == "bytes=100-"
    assert again.headers["If-Range"] == f'"{digest}"'


def test_other_bytes_and_names_that_lead_away_are_refused(
    service: ScriptedService, client: Client, made: Path, tmp_path: Path
) -> None:
    files = _list(service, made)
    name = next(name for name in files if name.endswith(".parquet"))
    other = Answer(200, b"x" * len(files[name]))
    service.will(f"GET /v1/builds/mine/files/{name}", other)
    with pytest.raises(DataError, match="has SHA-256"):
        client.build("mine").download(tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()
    for path in ("../x", "/etc/x", ".bashrc", "a/../../x"):
        entry = {"path": path, "num_bytes": 1, "sha256": "0" * 64, "link": "/x"}
        service.will("GET /v1/builds/mine/files", reply({"files": [entry]}))
        with pytest.raises(DataError, match="unsafe file name"):
            client.build("mine").download(tmp_path / "away")

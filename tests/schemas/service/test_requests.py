"""Requests for jobs: what is refused before anything else looks at it."""

from typing import Any

import pytest
from pydantic import BaseModel

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.service.job import JobKind
from cotbuild.schemas.service.requests import (
    JOB_REQUEST,
    PlanView,
    PreviewView,
    parse_request,
    request_digest,
    request_kind,
)
from tests.support.requests import DIGEST, REQUESTS

CONFIG = {"source": {"name": "bundled"}, "teacher": {"model": "scripted"}}


@pytest.mark.parametrize("kind", list(JobKind))
def test_there_is_a_request_of_every_kind(kind: JobKind) -> None:
    value = REQUESTS[kind]
    request = parse_request(value)
    assert request_kind(request) is kind
    again = parse_request(request.model_dump(mode="json"))
    assert again == request
    assert request_digest(again) == request_digest(request)


def test_every_field_is_described() -> None:
    models: list[type[BaseModel]] = [PlanView, PreviewView]
    models += [type(parse_request(value)) for value in REQUESTS.values()]
    undescribed = [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if not field.description and name not in ("kind", "target", "build")
    ]
    assert undescribed == []


@pytest.mark.parametrize(
    ("kind", "change", "fault"),
    [
        ("generate", {"target": "../x"}, "target is '../x'"),
        ("generate", {"target": ".service"}, "target is '.service'"),
        ("generate", {"surprise": 1}, "there is no field 'generate.surprise'"),
        ("generate", {"priority": 101}, "priority is 101"),
        ("generate", {"api_key_from": "A=B"}, "api_key_from is 'A=B'"),
        ("generate", {"labels": {"Team": "x"}}, "labels"),
        ("import", {"config": CONFIG}, "config.imported is not set"),
        ("variants", {"files": {"scores": "/etc/passwd"}}, "Paths cannot be named"),
        ("publish", {"repo": "file:/tmp/x"}, "repo is 'file:/tmp/x'"),
        ("train", {"build": "a/b"}, "build is 'a/b'"),
        ("evaluate", {"model": "embedded"}, "name either run or model"),
        ("evaluate", {"run": None, "model": "m"}, "a model needs questions"),
        ("attribute", {"steps": 0}, "steps is 0"),
    ],
)
def test_one_line_says_which_field_is_wrong(
    kind: str, change: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ConfigError) as error:
        parse_request({**REQUESTS[JobKind(kind)], **change})
    assert fault in str(error.value)
    assert "\n" not in str(error.value)


def test_a_study_names_its_build_by_name() -> None:
    request = REQUESTS[JobKind.STUDY]
    for source in ("../other", "/srv/build", "alice/mine@v1"):
        with pytest.raises(ConfigError, match="expected the name of a build"):
            parse_request({**request, "study": {**request["study"], "source": source}})


def test_what_a_job_reads_beside_its_target() -> None:
    reads = {kind: parse_request(value).reads for kind, value in REQUESTS.items()}
    assert reads == {
        JobKind.GENERATE: (),
        JobKind.IMPORT: (),
        JobKind.VARIANTS: ("run",),
        JobKind.PUBLISH: (),
        JobKind.TRAIN: ("mine",),
        JobKind.EVALUATE: ("run", "writer"),
        JobKind.ATTRIBUTE: ("mine",),
        JobKind.STUDY: ("mine",),
    }
    attempts = {"mode": "reflect", "attempts": {"file": "target:tried"}}
    value = {**REQUESTS[JobKind.GENERATE], "config": {**CONFIG, **attempts}}
    assert parse_request(value).reads == ("tried",)
    assert DIGEST not in str(reads)


def test_the_schema_of_a_request_is_a_union_by_kind() -> None:
    schema = JOB_REQUEST.json_schema()
    assert set(schema["discriminator"]["mapping"]) == {kind.value for kind in JobKind}

"""The OpenAPI: complete, and true of what the service answers to anything."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cotbuild.schemas.service.principal import Principal, Role
from cotbuild.schemas.service.problem import PROBLEM_TYPE
from tests.support.services import ServedService, make_token, served, upload

BUILD = Path(__file__).parents[2] / "golden" / "builds" / "row_version_3"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedService]:
    root = tmp_path_factory.mktemp("root")
    with served(root) as service:
        service.service.owners.claim(Principal(name="ada", role=Role.ADMIN), "mine")
        shutil.copytree(BUILD, root / "mine")
        yield service


@pytest.fixture(scope="module")
def ada(service: ServedService) -> Iterator[httpx.Client]:
    with service.client("ada", Role.ADMIN) as client:
        yield client


@pytest.fixture(scope="module")
def document(ada: httpx.Client) -> dict[str, Any]:
    document: dict[str, Any] = ada.get("/openapi.json").json()
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_route_says_what_it_answers(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        responses = operation["responses"]
        assert any(status.startswith("2") for status in responses), name
        for status, response in responses.items():
            assert response["description"], f"{name} {status}"
            if status >= "400":
                assert list(response["content"]) == [PROBLEM_TYPE], f"{name} {status}"


def test_every_route_but_the_probes_wants_a_token(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {scheme["type"] for scheme in schemes.values()} == {"http", "apiKey"}
    for name, operation in operations(document):
        is_open = "security" not in operation
        assert is_open == (name in ("GET /healthz", "GET /readyz")), name


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    waiting: list[Any] = [document]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if isinstance(item.get("$ref"), str):
                name = item["$ref"].removeprefix("#/components/schemas/")
                assert name in document["components"]["schemas"], item["$ref"]
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def test_bodies_have_examples_that_fit(
    document: dict[str, Any], ada: httpx.Client
) -> None:
    for name, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            assert content["application/json"]["example"], name
    example = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]
    body = example["application/json"]["example"]
    sha256 = upload(ada, b'{"question": "1 + 1?", "answer": "2"}\n')
    body["config"]["source"]["name"] = f"upload:{sha256}/questions.jsonl"
    assert ada.post("/v1/jobs", json=body).status_code == 201


@pytest.mark.slow
def test_whatever_is_asked_is_answered_as_described(
    service: ServedService, document: dict[str, Any]
) -> None:
    """No fault, and no status, type or body that the OpenAPI does not name."""
    token = make_token(service.service, "fuzz", Role.ADMIN)
    headers = {"authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_dict(document)

    def check_all(operation: Any) -> None:
        @settings(
            max_examples=15,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            if "wait" in (case.query or {}):
                case.query["wait"] = 0
            if "name" in (case.path_parameters or {}) and "/builds/" in case.path:
                case.path_parameters["name"] = "mine"
            response = case.call(base_url=service.url, headers=headers)
            case.validate_response(response, checks=CHECKS)

        check()

    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        check_all(result.ok())

"""Lists of models as servers have them: only one that names its models decides."""

import json
from collections.abc import Iterable

import pytest

from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.served_models import parse_models
from cotbuild.schemas.errors import TeacherError
from tests.support.asking import use_raw
from tests.support.raw_server import response


def check(body: object, status: int = 200) -> str | None:
    """The warning of a check against a server with this answer to /models."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def respond(path: str) -> Iterable[bytes]:
        is_list = path == "/v1/models"
        return response(raw, status) if is_list else response(b"", 404)

    async def act(client: EndpointClient) -> str | None:
        assert await client.check(None) is None
        return client.model_warning

    return use_raw(respond, act)


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"id": "m", "max_model_len": "long"}]},
        [{"id": "m"}],
        ["m"],
        {"data": ["n", "m"]},
        {"models": [{"name": "m:latest", "model": "m:latest"}]},
        {"data": [None, 3, {"id": None}, {"id": "m"}]},
    ],
)
def test_a_list_that_names_the_model_confirms_it(body: object) -> None:
    assert check(body) is None


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 404, "HTTP 404"),
        (b"", 405, "HTTP 405"),
        (b"", 501, "HTTP 501"),
        (b"", 400, "HTTP 400"),
        (b"<html>a dashboard</html>", 200, "no list"),
        (b"", 200, "no list"),
        ({"data": None}, 200, "no list"),
        ({"data": []}, 200, "no list"),
        ({"data": "m"}, 200, "no list"),
        ({"data": [{"object": "model"}]}, 200, "no list"),
        ([{"id": "*"}], 200, "the wildcard in '*'"),
        ({"data": [{"id": "a"}, {"id": "m*"}]}, 200, "the wildcard in 'a', 'm*'"),
    ],
)
def test_without_a_list_requests_are_sent_with_a_warning(
    body: object, status: int, words: str
) -> None:
    warning = check(body, status=status)
    assert warning is not None
    assert f"/models: {words}, so it is not confirmed that 'm' is served." in warning


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"data": [{"id": "a"}, {"id": "b"}]}, 200, r"does not serve 'm'\. It serves 'a', 'b'"),
        ({"data": [{"id": "openai/*"}]}, 200, r"does not serve 'm'"),
        ([f"model-{i}" for i in range(500)], 200, r"'model-9' and 490 more\. Name one"),
        (b"", 401, "Access denied"),
        (b"", 503, "The server is not ready"),
        (b"", 301, "Redirects are not followed"),
    ],
)  # fmt: skip
def test_a_list_without_the_model_and_a_refusal_end_the_run(
    body: object, status: int, words: str
) -> None:
    with pytest.raises(TeacherError, match=words):
        check(body, status=status)


@pytest.mark.parametrize(
    ("pattern", "model", "fits"),
    [
        ("*", "", True),
        ("openai/*", "openai/gpt", True),
        ("openai/*", "azure/gpt", False),
        ("*/gpt*o", "openai/gpt-4o", True),
        ("*a*b*", "xbya", False),
        ("a*a", "a", False),
        ("[m]*", "m1", False),
    ],
)
def test_wildcards(pattern: str, model: str, fits: bool) -> None:
    models = parse_models(json.dumps([pattern]).encode())
    assert models is not None
    assert models.may_serve(model) is fits

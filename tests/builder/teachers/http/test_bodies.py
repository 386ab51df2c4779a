"""Bodies without end: each call reads up to its bound, and says which."""

from collections.abc import Iterable

import pytest

from cotbuild.builder.teachers.http.bodies import (
    MAX_COMPLETION_BYTES,
    MIB,
    completion_limit,
)
from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.wire import RetryableFailure
from cotbuild.schemas.completion import FailureKind
from cotbuild.schemas.errors import TeacherError
from tests.support.asking import use_raw
from tests.support.raw_server import compressed, endless, gigabytes, response
from tests.support.teacher_contract import request

LONG = {"endless": endless, "gigabytes": gigabytes, "compressed": compressed}


@pytest.mark.parametrize("kind", LONG)
def test_a_completion_is_read_up_to_its_bound(kind: str) -> None:
    outcome = use_raw(lambda _: LONG[kind](200), lambda one: one.attempt(request(0)))
    assert outcome == RetryableFailure(
        FailureKind.BAD_BODY, "the body is longer than 2.0 MiB"
    )


@pytest.mark.parametrize("kind", LONG)
def test_an_error_is_read_up_to_its_bound(kind: str) -> None:
    outcome = use_raw(lambda _: LONG[kind](500), lambda one: one.attempt(request(0)))
    assert isinstance(outcome, RetryableFailure)
    assert outcome.message == "HTTP 500: "


@pytest.mark.parametrize("path", ["/v1/models", "/tokenize", "/metrics", "/version"])
def test_every_other_call_names_its_bound(path: str) -> None:
    ordinary = response(b'{"data": [{"id": "m"}]}')

    def respond(asked: str) -> Iterable[bytes]:
        return endless() if asked == path else ordinary

    async def act(client: EndpointClient) -> None:
        await client.check(request(0))
        await client.fetch_load()

    if path == "/version":
        use_raw(respond, act)
        return
    with pytest.raises(
        TeacherError, match=rf"{path}: the body is longer than 16.0 MiB"
    ):
        use_raw(respond, act)


def test_headers_are_bounded() -> None:
    def respond(_: str) -> Iterable[bytes]:
        yield b"HTTP/1.1 200 X\r\n"
        while True:
            yield b"X: " + b"x" * 1000 + b"\r\n"

    outcome = use_raw(respond, lambda one: one.attempt(request(0)))
    assert isinstance(outcome, RetryableFailure)
    assert outcome.message.startswith("not HTTP: ")


@pytest.mark.parametrize("max_tokens", [1, 256, 4096, 131_072, 10**12])
def test_the_bound_of_a_completion_grows_with_max_tokens(max_tokens: int) -> None:
    limit = completion_limit(max_tokens)
    assert min(2 * MIB + 12 * max_tokens, MAX_COMPLETION_BYTES) <= limit
    assert limit <= MAX_COMPLETION_BYTES

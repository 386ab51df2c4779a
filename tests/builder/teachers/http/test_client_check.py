"""What the endpoint client does before the first request, and that it keeps secrets."""

import asyncio
from typing import Any

import pytest

from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.schemas.completion import Completion
from cotbuild.schemas.errors import ConfigError, TeacherError
from tests.support.asking import use_client
from tests.support.http_teacher import Server, free_port
from tests.support.teacher_contract import request

KEY = "sk-a-secret-of-the-user"


@pytest.mark.parametrize(
    ("dials", "max_tokens", "warning"),
    [
        ({}, 32, None),
        ({"max_model_len": 46}, 32, None),
        (
            {"max_model_len": 45},
            32,
            "the longest prompt of 14 tokens and 32 more do not fit the server's 45. Lower",
        ),
        ({"max_model_len": None}, 100_000, None),
    ],
)
def test_check_says_what_will_not_fit(
    server: Server, dials: dict[str, Any], max_tokens: int, warning: str | None
) -> None:
    server.reset(**dials)
    said = use_client(server, lambda client: client.check(request(0, max_tokens)))
    assert (
        said is None
        if warning is None
        else said is not None and said.startswith(warning)
    )


def test_check_names_the_models_served(server: Server) -> None:
    words = r"does not serve 'c'\. It serves 'a', 'b'\."
    server.reset(models=["a", "b"])
    with pytest.raises(TeacherError, match=words):
        use_client(server, lambda client: client.check(request(0)), model="c")


def test_a_url_without_v1_is_found_out_with_the_first_request(server: Server) -> None:
    async def run() -> None:
        async with EndpointClient(server.root, "fake") as client:
            assert await client.check(request(0)) is None
            assert client.model_warning is not None
            assert "/models: HTTP 404, so it is not confirmed" in client.model_warning
            await client.attempt(request(0))

    with pytest.raises(TeacherError, match=r"HTTP 404: .*ending in /v1"):
        asyncio.run(run())


def test_check_of_nothing_there() -> None:
    async def run() -> None:
        url = f"http://127.0.0.1:{free_port()}/v1"
        async with EndpointClient(url, "fake") as client:
            await client.check(request(0))

    with pytest.raises(
        TeacherError,
        match=r"/v1/models: ClientConnectorError: .*Start the server, or correct --endpoint",
    ):
        asyncio.run(run())


def test_tokenize_digest_tells_tokenizers_apart(server: Server) -> None:
    def digest_of(**dials: Any) -> str | None:
        server.reset(**dials)
        return use_client(server, lambda client: client.tokenize_digest())

    one = digest_of()
    assert one is not None
    assert one == digest_of(latency_s=0.01)
    assert one != digest_of(token_salt="another")
    assert digest_of(max_model_len=None) is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500, 501])
def test_a_server_without_tokenize_has_no_digest(server: Server, status: int) -> None:
    server.reset(tokenize_status=status)
    assert use_client(server, lambda client: client.tokenize_digest()) is None
    assert use_client(server, lambda client: client.check(request(0))) is None


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_not_ready_is_not_taken_for_one_without_tokenize(
    server: Server, status: int
) -> None:
    server.reset(tokenize_status=status)
    with pytest.raises(
        TeacherError,
        match=rf"/tokenize: HTTP {status}: .* The server is not ready\. Wait",
    ):
        use_client(server, lambda client: client.tokenize_digest())


def test_the_engines_version_is_known_once_entered(server: Server) -> None:
    async def act(client: EndpointClient) -> str | None:
        return client.version

    assert use_client(server, act) == "fake-1"


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_the_key_is_sent_and_never_shown(server: Server) -> None:
    async def act(client: EndpointClient) -> str:
        assert isinstance(await client.attempt(request(0)), Completion)
        return f"{client!r} {vars(client)['base']}"

    server.reset(api_key=KEY)
    assert KEY not in use_client(server, act, api_key=KEY)


@pytest.mark.parametrize(
    ("key", "sent"), [(f" {KEY}\n", KEY), (None, None), ("", None), (" ", None)]
)
def test_white_space_around_a_key_and_empty_keys_are_no_keys(
    server: Server, key: str | None, sent: str | None
) -> None:
    server.reset(api_key=sent)
    assert isinstance(
        use_client(server, lambda client: client.attempt(request(0)), api_key=key),
        Completion,
    )


@pytest.mark.parametrize("key", ["secret\r\nX: word", "sécret-word"])
def test_a_key_that_no_header_can_hold(key: str) -> None:
    with pytest.raises(
        ConfigError, match="OPENAI_API_KEY: contains control or non-ASCII"
    ) as caught:
        EndpointClient("http://host/v1", "m", api_key=key)
    assert "word" not in str(caught.value)


def test_a_refused_key_quoted_by_the_server_is_not_repeated(server: Server) -> None:
    server.reset(api_key="another")
    with pytest.raises(TeacherError) as caught:
        use_client(server, lambda client: client.attempt(request(0)), api_key=KEY)
    assert KEY not in str(caught.value)
    assert "refused: Bearer [key]" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:8000/v1", "Use one such as http://host:8000/v1"),
        ("ftp://host/v1", "Use one such as"),
        ("http:///v1", "Use one such as"),
        ("http://host:port/v1", "is not an HTTP URL"),
        ("http://user:secret-word", "is not an HTTP URL"),
        ("http://user:secret-word@host:port/v1", "is not an HTTP URL"),
        ("http://user:secret word@ho st/v1", "holds a user"),
        ("http//user:secret-word@host/v1", "is not an HTTP URL"),
        ("user:a/secret-word@host/v1", "is not an HTTP URL"),
        ("http://host:port/v1?key=secret-word", "is not an HTTP URL"),
        ("", "Use one such as"),
        ("http://user:secret-word@host/v1", "holds a user"),
        ("http://host/v1?key=secret-word", "a query"),
    ],
)
def test_base_urls_that_are_none(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        EndpointClient(url, "m")
    assert "secret-word" not in str(caught.value)

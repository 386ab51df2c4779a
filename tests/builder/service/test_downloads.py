"""Files as responses: ranges, ETags, and what closes them."""

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cotbuild.builder.service.downloads import (
    ByteRange,
    Download,
    RangeError,
    parse_range,
    send_file,
)
from cotbuild.builder.web.problems import ProblemResponder
from cotbuild.schemas.files import open_regular

CONTENT = bytes(range(256)) * 4096
"""1 MiB: more than one block."""
ETAG = "a" * 64


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-", ByteRange(0, 10)),
        ("bytes=3-5", ByteRange(3, 6)),
        ("bytes=9-9", ByteRange(9, 10)),
        ("bytes=4-99999999999", ByteRange(4, 10)),
        ("bytes=-4", ByteRange(6, 10)),
        ("bytes=-400", ByteRange(0, 10)),
        # Malformed, or several ranges: ignored, which RFC 9110 allows.
        ("bytes=-", None),
        ("bytes=5-3", None),
        ("bytes=0-1,4-5", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("bytes=0x1-2", None),
        ("bytes=١-٢", None),
        ("bytes=" + "9" * 40 + "-", None),
        ("", None),
    ],
)
def test_ranges(header: str | None, expected: ByteRange | None) -> None:
    assert parse_range(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(header: str) -> None:
    with pytest.raises(RangeError, match="10 bytes") as caught:
        parse_range(header, 10)
    assert caught.value.headers == {"content-range": "bytes */10"}


def test_no_range_of_an_empty_file_can_be_sent() -> None:
    with pytest.raises(RangeError):
        parse_range("bytes=0-", 0)


async def ask(path: Path, method: str = "GET", **headers: str) -> httpx.Response:
    """The response to a request for the file at `path`."""
    limiter = anyio.CapacityLimiter(1)
    opened = []

    async def answer(request: Request) -> Response:
        file = open_regular(path)
        opened.append(file)
        download = Download(file, "application/x-test", 'é;".bin', ETAG)
        return send_file(request, download, limiter)

    responder = ProblemResponder()
    app = Starlette(
        routes=[Route("/", answer, methods=["GET", "HEAD"])],
        exception_handlers={RangeError: responder.respond},
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        response = await client.request(
            method,
            "/",
            headers={name.replace("_", "-"): v for name, v in headers.items()},
        )
    assert all(file.closed for file in opened)
    return response


def fetch(path: Path, method: str = "GET", **headers: str) -> httpx.Response:
    async def run() -> httpx.Response:
        return await ask(path, method, **headers)

    return anyio.run(run)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("download") / "file.bin"
    path.write_bytes(CONTENT)
    return path


def test_a_whole_file(path: Path) -> None:
    response = fetch(path)
    assert response.status_code == 200
    assert response.content == CONTENT
    assert response.headers["etag"] == f'"{ETAG}"'
    assert response.headers["content-length"] == str(len(CONTENT))
    assert response.headers["accept-ranges"] == "bytes"
    disposition = response.headers["content-disposition"]
    assert disposition == "attachment; filename*=utf-8''%C3%A9%3B%22.bin"


def test_head_sends_no_byte(path: Path) -> None:
    response = fetch(path, "HEAD")
    assert response.content == b""
    assert response.headers["content-length"] == str(len(CONTENT))


def test_a_download_goes_on_where_it_stopped(path: Path) -> None:
    first = fetch(path, range="bytes=0-499999")
    rest = fetch(path, range="bytes=500000-", if_range=first.headers["etag"])
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.content + rest.content == CONTENT
    assert (
        rest.headers["content-range"]
        == f"bytes 500000-{len(CONTENT) - 1}/{len(CONTENT)}"
    )


def test_other_bytes_are_sent_as_a_whole(path: Path) -> None:
    response = fetch(path, range="bytes=10-20", if_range='"another"')
    assert (response.status_code, len(response.content)) == (200, len(CONTENT))


@pytest.mark.parametrize("known", [f'"{ETAG}"', f'W/"{ETAG}"', f'"x", "{ETAG}"', "*"])
def test_what_the_client_has_is_not_sent_again(path: Path, known: str) -> None:
    response = fetch(path, if_none_match=known)
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == f'"{ETAG}"'


def test_a_range_behind_the_end_is_a_problem(path: Path) -> None:
    response = fetch(path, range=f"bytes={len(CONTENT)}-")
    assert response.status_code == 416
    problem: dict[str, Any] = response.json()
    assert problem["code"] == "range_not_satisfiable"
    assert response.headers["content-range"] == f"bytes */{len(CONTENT)}"


def test_a_file_that_grows_ends_where_it_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"one\n")
    with open_regular(path) as file, path.open("ab") as more:
        scope = {"type": "http", "method": "GET", "headers": []}
        response = send_file(
            Request(scope), Download(file, "text/plain"), anyio.CapacityLimiter(1)
        )
        more.write(b"two\n")
        assert response.headers["content-length"] == "4"

"""What the outermost middleware refuses, and what every response carries."""

import socket
import time
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import StreamingResponse

from cotbuild.builder.web.access import Access
from cotbuild.builder.web.problems import ProblemError, ProblemResponder
from cotbuild.builder.web.protect import protect_app
from cotbuild.builder.web.security import (
    SECURITY_HEADERS,
    BodyLimit,
    SecurityRules,
    check_request,
)
from cotbuild.schemas.service.problem import PROBLEM_TYPE
from tests.support.web_servers import serving

OWN = "http://127.0.0.1:8000"
RULES = SecurityRules(
    max_body_bytes=1000, body_limits=(BodyLimit("PUT", "/v1/files/", 5000),)
)


def scope(method: str = "GET", path: str = "/", **headers: str) -> dict[str, object]:
    """Return a request as uvicorn hands it on; `_` in a header's name is `-`."""
    named = {"host": "127.0.0.1:8000"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [
            (name.encode(), value.encode("latin-1")) for name, value in named.items()
        ],
    }


ACCEPTED = {
    "plain": scope(),
    "no port": scope(host="localhost"),
    "the port of a tunnel": scope(host="localhost:9999"),
    "capitals": scope(host="LOCALHOST:8000"),
    "an absolute name": scope(host="localhost.:8000"),
    "IPv6": scope(host="[::1]:8000"),
    "a link from another site": scope(
        sec_fetch_site="cross-site", sec_fetch_mode="navigate"
    ),
    "a write of our page": scope("POST", sec_fetch_site="same-origin", origin=OWN),
    "a write without the newer header": scope("POST", origin=OWN, cookie="a=b"),
    "a write behind a proxy with TLS": scope("POST", origin="https://127.0.0.1:8000"),
    "a form sent again by a person": scope("POST", sec_fetch_site="none", cookie="a=b"),
    "a program": scope("POST", authorization="Bearer x"),
    "a program with cookies of its own": scope(
        "POST", authorization="Bearer x", cookie="a=b"
    ),
    "a body that just fits": scope("POST", content_length="1000"),
    "a large file": scope("PUT", "/v1/files/abc", content_length="5000"),
}
REFUSED = {
    "a name that resolves to us": (scope(host="evil.example:8000"), 421),
    "a name that begins like ours": (scope(host="localhost.evil.example"), 421),
    "a user before the name": (scope(host="localhost@evil.example"), 421),
    "no name": (scope(host=""), 400),
    "a port that is none": (scope(host="localhost:80x"), 400),
    "a port in other digits": (scope(host="localhost:٨٠".encode().decode("latin-1")), 400),
    "an open bracket": (scope(host="[::1"), 421),
    "a part loaded by another site": (
        scope(sec_fetch_site="cross-site", sec_fetch_mode="no-cors"),
        403,
    ),
    "a part loaded by another port": (
        scope(sec_fetch_site="same-site", sec_fetch_mode="cors"),
        403,
    ),
    "a write of another site": (scope("POST", sec_fetch_site="cross-site"), 403),
    "a write of another port": (scope("POST", sec_fetch_site="same-site"), 403),
    "a delete of another site": (scope("DELETE", sec_fetch_site="cross-site"), 403),
    "another origin": (scope("POST", origin="http://evil.example"), 403),
    "another port": (scope("POST", origin="http://127.0.0.1:8001"), 403),
    "a sandboxed frame": (scope("POST", origin="null"), 403),
    "an origin that is none": (scope("POST", origin="http://[::"), 403),
    "headers that disagree": (
        scope("POST", sec_fetch_site="same-origin", origin="http://evil.example"),
        403,
    ),
    "a cookie from nowhere": (scope("POST", cookie="a=b"), 403),
    "a large body": (scope("POST", content_length="1001"), 413),
    "a larger file": (scope("PUT", "/v1/files/abc", content_length="5001"), 413),
    "a file sent otherwise": (scope("POST", "/v1/files/abc", content_length="1001"), 413),
    "a length that is none": (scope("POST", content_length="-1"), 400),
    "a length of many digits": (scope("POST", content_length="0" * 30), 400),
    "a long address": (scope(path="/" + "a" * 9000), 414),
    "large headers": (scope(x_large="a" * 17000), 431),
}  # fmt: skip


@pytest.mark.parametrize("request_scope", ACCEPTED.values(), ids=ACCEPTED)
def test_a_request_of_a_person_or_a_program_passes(
    request_scope: dict[str, object],
) -> None:
    assert check_request(request_scope, RULES) > 0


@pytest.mark.parametrize(("request_scope", "status"), REFUSED.values(), ids=REFUSED)
def test_a_request_that_another_site_could_cause_is_refused(
    request_scope: dict[str, object], status: int
) -> None:
    with pytest.raises(ProblemError) as caught:
        check_request(request_scope, RULES)
    assert caught.value.status == status


def test_two_hosts_are_refused() -> None:
    twice = scope()
    headers = twice["headers"]
    assert isinstance(headers, list)
    headers.append((b"host", b"localhost"))
    with pytest.raises(ProblemError, match="Host"):
        check_request(twice, RULES)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    app = FastAPI()

    @app.post("/length")
    async def read_length(request: Request) -> int:
        return len(await request.body())

    @app.get("/fault")
    def fail() -> None:
        raise RuntimeError("the cause, which nobody outside sees")

    @app.get("/late-fault")
    def fail_late() -> StreamingResponse:
        def parts() -> Iterator[bytes]:
            yield b"x"
            raise RuntimeError("too late")

        return StreamingResponse(parts())

    access: Access[str] = Access("cotbuild_1", bearer=lambda token: token or None)
    protect_app(app, RULES, access, ProblemResponder())
    with serving(app) as server:
        yield server.url


PROGRAM = {"authorization": "Bearer me"}


@pytest.mark.parametrize("path", ["/", "/fault", "/length"])
def test_every_response_carries_the_headers(url: str, path: str) -> None:
    for headers in ({}, PROGRAM, PROGRAM | {"host": "evil.example"}):
        response = httpx.get(url + path, headers=headers)
        assert response.is_error
        carried = {name: response.headers.get(name) for name in SECURITY_HEADERS}
        assert carried == SECURITY_HEADERS
        assert response.headers["cache-control"] == "no-store"
        assert "server" not in response.headers
        assert response.headers["content-type"].startswith((PROBLEM_TYPE, "text/plain"))


def test_a_body_without_a_length_is_counted_while_it_is_read(url: str) -> None:
    def send(num_parts: int) -> httpx.Response:
        parts = (b"a" * 100 for _ in range(num_parts))
        return httpx.post(f"{url}/length", content=parts, headers=PROGRAM)

    assert send(10).json() == 1000
    refused = send(11)
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("site", ["cross-site", "same-origin"])
def test_a_refusal_arrives_though_the_body_comes_after_it(url: str, site: str) -> None:
    """A connection that is closed with a part of the body unread is reset."""
    host = url.removeprefix("http://")
    name, port = host.split(":")
    head = (
        f"POST /length HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Site: {site}\r\n"
        "Content-Length: 900\r\nConnection: close\r\n\r\n"
    )
    received = b""
    with socket.create_connection((name, int(port)), timeout=60) as connection:
        connection.sendall(head.encode())
        for _ in range(9):
            time.sleep(0.02)
            connection.sendall(b"a" * 100)
        while part := connection.recv(1 << 16):
            received += part
    assert received.split(b" ")[1] in (b"401", b"403")


def test_a_fault_tells_nothing_but_to_the_log(
    url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    response = httpx.get(f"{url}/fault", headers=PROGRAM)
    assert response.status_code == 500
    assert "cause" not in response.text
    assert response.json()["code"] == "internal_error"
    assert "RuntimeError: the cause" in capfd.readouterr().err


def test_a_response_that_breaks_off_ends_the_connection(
    url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{url}/late-fault", headers=PROGRAM)
    assert "too late" in capfd.readouterr().err

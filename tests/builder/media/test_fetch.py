"""Fetching: what comes, what is refused before a connection, what is bounded."""

import asyncio
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from cotbuild.builder.media.faults import NotFetched
from cotbuild.builder.media.fetch import fetch_pictures
from tests.support.picture_server import (
    HERE,
    PRIVATE,
    PictureServer,
    send_bytes,
    send_redirect,
    send_status,
    send_without_end,
)
from tests.support.pictures import draw_picture

PNG = draw_picture()


def fetch(
    server: PictureServer, *urls: str, timeout_s: float = 30.0
) -> dict[str, bytes | NotFetched]:
    found: dict[str, bytes | NotFetched] = {}
    asyncio.run(
        fetch_pictures(
            urls,
            found.__setitem__,
            server.network,
            timeout_s=timeout_s,
            retry_after_s=0.0,
        )
    )
    return found


def test_many_are_fetched_together(pictures: PictureServer) -> None:
    urls = [pictures.url(f"/{number}.png") for number in range(20)]
    pictures.routes = {f"/{number}.png": send_bytes(PNG) for number in range(19)}
    found = fetch(pictures, *urls)
    assert found.pop(urls[19]) == NotFetched("HTTP 404", is_final=True)
    assert set(found.values()) == {PNG}


def test_nothing_of_the_users_is_sent(
    pictures: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{PRIVATE}:9")
    pictures.routes = {
        "/a": send_redirect("/b"),
        "/b": send_bytes(PNG),
    }
    url = pictures.url("/a")
    assert fetch(pictures, url) == {url: PNG}
    assert pictures.headers.keys() == {
        *("Host", "User-Agent", "Accept", "Accept-Encoding"),
    }


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://inside.test/a", f"inside.test is at {PRIVATE}, no public address"),
        ("http://both.test/a", f"both.test is at {PRIVATE}, no public address"),
        (f"http://{PRIVATE}/a", f"{PRIVATE} is no public address"),
        ("http://10.0.0.1:8000/a", "10.0.0.1 is no public address"),
        ("http://127.1/a", "127.1 is no public address"),
        ("http://2130706434/a", "2130706434 is no public address"),
        ("http://[::1]/a", "::1 is no public address"),
        ("http://[::ffff:10.0.0.1]/a", "::ffff:a00:1 is no public address"),
        ("http://me:secret@pictures.test/a", "it holds a user name, and none is sent"),
    ],
)
def test_a_url_that_leads_inside_is_refused_before_a_connection(
    url: str, reason: str, pictures: PictureServer
) -> None:
    for start in (url, pictures.url("/to")):
        pictures.routes = {"/to": send_redirect(url)}
        outcome = fetch(pictures, start)[start]
        assert isinstance(outcome, NotFetched)
        assert outcome.is_final
        if start == url:
            assert outcome.reason == reason
    assert set(pictures.requests) == {"/to"}


def test_redirects_are_followed_three_times(pictures: PictureServer) -> None:
    pictures.routes = {
        f"/{number}": send_redirect(f"/{number + 1}") for number in range(4)
    } | {"/4": send_bytes(PNG)}
    near, far = pictures.url("/1"), pictures.url("/0")
    assert fetch(pictures, near, far) == {
        near: PNG,
        far: NotFetched("more than 3 redirects", is_final=True),
    }


def test_a_redirect_to_another_scheme_is_refused(pictures: PictureServer) -> None:
    pictures.routes = {"/a": send_redirect("file:///etc/passwd")}
    url = pictures.url("/a")
    outcome = fetch(pictures, url)[url]
    assert outcome == NotFetched(
        "'file:///etc/passwd' is no http(s) URL", is_final=True
    )


def test_a_body_without_end_is_cut(pictures: PictureServer) -> None:
    pictures.routes = {"/a": send_without_end(b"\0" * 65536)}
    url = pictures.url("/a")
    assert fetch(pictures, url)[url] == NotFetched(
        "more than 16,777,216 bytes", is_final=True
    )


def test_what_is_compressed_stays_so(pictures: PictureServer) -> None:
    pictures.routes = {"/a": send_bytes(b"\x1f\x8bxyz", Content_Encoding="gzip")}
    url = pictures.url("/a")
    assert fetch(pictures, url)[url] == b"\x1f\x8bxyz"


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_is_gone_is_asked_for_once(status: int, pictures: PictureServer) -> None:
    pictures.routes = {"/a": send_status(status)}
    url = pictures.url("/a")
    assert fetch(pictures, url)[url] == NotFetched(f"HTTP {status}", is_final=True)
    assert pictures.requests == ["/a"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_come_later_is_asked_for_twice(
    status: int, pictures: PictureServer
) -> None:
    pictures.routes = {"/a": send_status(status)}
    url = pictures.url("/a")
    assert fetch(pictures, url)[url] == NotFetched(f"HTTP {status}", is_final=False)
    assert pictures.requests == ["/a", "/a"]


def test_a_server_that_never_answers_is_given_up(pictures: PictureServer) -> None:
    over = threading.Event()

    def wait(handler: BaseHTTPRequestHandler) -> None:
        over.wait(30)
        handler.close_connection = True

    pictures.routes = {"/a": wait}
    url = pictures.url("/a")
    outcome = fetch(pictures, url, timeout_s=0.2)[url]
    over.set()
    assert outcome == NotFetched("no answer within 0.2 s", is_final=False)


def test_no_such_host_and_no_server_may_pass(pictures: PictureServer) -> None:
    nowhere, closed = "http://gone.test/a", f"http://{HERE}:9/a"
    found = fetch(pictures, nowhere, closed)
    assert found[nowhere] == NotFetched("Name or service not known", is_final=False)
    refused = found[closed]
    assert isinstance(refused, NotFetched)
    assert not refused.is_final
    assert "\n" not in refused.reason

"""One-time links, sessions in cookies and tokens, over a real server."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from cotbuild.builder.web.access import (
    Access,
    OneTimeTokens,
    Sessions,
    cookie_name,
)
from cotbuild.builder.web.problems import ProblemResponder
from cotbuild.builder.web.protect import protect_app
from cotbuild.builder.web.security import SecurityRules
from cotbuild.schemas.errors import StoreError
from tests.support.web_servers import serving


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_session_lasts_as_long_as_it_is_used() -> None:
    clock = Clock()
    sessions: Sessions[str] = Sessions(lifetime_s=10, now=clock)
    session_id = sessions.open("me")
    for _ in range(3):
        clock.now_s += 9
        assert sessions.get(session_id) == "me"
    clock.now_s += 10
    assert sessions.get(session_id) is None


def test_a_closed_session_is_over() -> None:
    sessions: Sessions[str] = Sessions()
    mine, other = sessions.open("me"), sessions.open("you")
    sessions.close_where(lambda value: value == "me")
    assert (sessions.get(mine), sessions.get(other)) == (None, "you")
    assert sessions.close(other) == "you"
    assert sessions.close(other) is None


def test_sessions_are_bounded() -> None:
    sessions: Sessions[int] = Sessions(max_sessions=3)
    used, *_ = [sessions.open(number) for number in range(3)]
    assert sessions.get(used) == 0
    newer = [sessions.open(number) for number in range(3, 5)]
    assert [sessions.get(session_id) for session_id in (used, *newer)] == [0, 3, 4]


def test_a_token_works_once_and_not_for_ever() -> None:
    clock = Clock()
    tokens: OneTimeTokens[str] = OneTimeTokens(lifetime_s=10, now=clock)
    token = tokens.issue("me")
    assert tokens.use("another") is None
    assert tokens.use(token) == "me"
    assert tokens.use(token) is None
    late = tokens.issue("me")
    clock.now_s += 10
    assert tokens.use(late) is None


@pytest.fixture
def access() -> Access[str]:
    known = {"key": "program"}
    return Access(cookie_name(1), bearer=known.get, public=("/static/", "/healthz"))


@pytest.fixture
def url(access: Access[str]) -> Iterator[str]:
    app = FastAPI()

    @app.get("/")
    @app.get("/static/x")
    @app.get("/healthz")
    @app.get("/healthz/more")
    def who(request: Request) -> str | None:
        return str(request.state.principal)

    protect_app(app, SecurityRules(), access, ProblemResponder())
    with serving(app) as server:
        yield server.url


@pytest.mark.parametrize(
    ("schemes", "is_secure"),
    [("https", True), ("https, http", True), ("http", False), ("", False)],
)
def test_a_cookie_is_for_https_alone_where_a_proxy_speaks_it(
    access: Access[str], url: str, schemes: str, is_secure: bool
) -> None:
    link = f"{url}/?token={access.tokens.issue('me')}"
    response = httpx.get(link, headers={"x-forwarded-proto": schemes})
    assert ("Secure" in response.headers["set-cookie"]) is is_secure


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (StoreError("/secret/tokens.json: not JSON."), "store_failed"),
        (RuntimeError("/secret"), "internal_error"),
    ],
)
def test_tokens_that_cannot_be_read_are_a_problem(
    access: Access[str], url: str, fault: Exception, code: str
) -> None:
    def find(_: str) -> str | None:
        raise fault

    access.bearer = find
    response = httpx.get(url, headers={"authorization": "Bearer key"})
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == code
    assert "secret" not in response.text


def test_a_link_works_once_and_leaves_a_cookie(access: Access[str], url: str) -> None:
    link = f"{url}/?token={access.tokens.issue('me')}&b=1"
    with httpx.Client() as browser:
        response = browser.get(link)
        assert (response.status_code, response.headers["location"]) == (303, "/?b=1")
        cookie = response.headers["set-cookie"]
        assert cookie.startswith("cotbuild_1=")
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert browser.get(url).json() == "me"
        # Opened again from the history.
        assert browser.get(link).headers["location"] == "/?b=1"
    refused = httpx.get(link)
    assert refused.status_code == 401
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize(
    "headers", [{"sec-purpose": "prefetch;prerender"}, {"purpose": "prefetch"}]
)
def test_a_browser_that_looks_ahead_does_not_use_the_link(
    access: Access[str], url: str, headers: dict[str, str]
) -> None:
    link = f"{url}/?token={access.tokens.issue('me')}"
    assert httpx.get(link, headers=headers).status_code == 503
    assert httpx.head(link).status_code == 401
    assert httpx.get(link).status_code == 303


def test_a_link_in_another_page_opens_the_page_without_a_redirect(
    access: Access[str], url: str
) -> None:
    link = f"{url}//evil.example/?token={access.tokens.issue('me')}"
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    response = httpx.get(link, headers=headers)
    assert response.status_code == 200
    assert response.headers["refresh"] == "0; url=/evil.example/"


def test_a_program_shows_its_token(url: str) -> None:
    def get(authorization: str) -> httpx.Response:
        return httpx.get(url, headers={"authorization": authorization})

    assert get("Bearer key").json() == "program"
    assert get("bearer  key").json() == "program"
    for other in ("Bearer other", "Basic key", "key", ""):
        refused = get(other)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"


def test_a_wrong_token_is_no_way_to_use_a_cookie(access: Access[str], url: str) -> None:
    cookies = {access.cookie: access.sessions.open("me")}
    with httpx.Client(cookies=cookies) as browser:
        assert browser.get(url).json() == "me"
        refused = browser.get(url, headers={"authorization": "Bearer other"})
        assert refused.status_code == 401


def test_only_public_paths_are_open(url: str) -> None:
    status = {
        path: httpx.get(url + path).status_code
        for path in ("/", "/static/x", "/static", "/healthz", "/healthz/more")
    }
    assert status == {
        "/": 401,
        "/static/x": 200,
        "/static": 401,
        "/healthz": 200,
        "/healthz/more": 401,
    }

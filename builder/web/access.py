"""Who may open the page: one-time links, sessions in cookies, tokens of programs.

The address that is printed at the start holds a token that works once. It is traded for
a cookie that scripts cannot read and that other sites cannot send. Cookies do not know
ports, so the name of the cookie does: two servers on one machine do not log each other
out.
"""

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cotbuild.builder.web.problems import ProblemError, ProblemResponder, wants_json
from cotbuild.schemas.errors import CotbuildError

TOKEN_PARAMETER: Final = "token"
TOKEN_BYTES: Final = 32
TOKEN_S: Final = 24 * 3600.0
"""How long a one-time token waits to be used, seconds."""
SESSION_S: Final = 7 * 24 * 3600.0
"""How long a session lasts after its newest request, seconds."""
MAX_SESSIONS: Final = 10_000

_LOG: Final = logging.getLogger("uvicorn.error")
T = TypeVar("T")


def cookie_name(port: int) -> str:
    """Return the name of the session's cookie of the server at a port."""
    return f"cotbuild_{port}"


@dataclass
class _Kept(Generic[T]):
    value: T
    until_s: float


class Sessions(Generic[T]):
    """Values by ids that cannot be guessed, in memory; they end when not used."""

    def __init__(
        self,
        lifetime_s: float = SESSION_S,
        max_sessions: int = MAX_SESSIONS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lifetime_s = lifetime_s
        self._max_sessions = max_sessions
        self._now = now
        self._kept: OrderedDict[str, _Kept[T]] = OrderedDict()
        """In the order in which they end."""
        self._lock = threading.Lock()

    def open(self, value: T) -> str:
        """Return the id of a new session. The oldest one ends where there are too many."""
        session_id = secrets.token_urlsafe(TOKEN_BYTES)
        with self._lock:
            self._forget_ended()
            if len(self._kept) >= self._max_sessions:
                self._kept.popitem(last=False)
            self._kept[session_id] = _Kept(value, self._now() + self._lifetime_s)
        return session_id

    def get(self, session_id: str) -> T | None:
        """Return the value of a session and prolong it; None if there is none."""
        with self._lock:
            self._forget_ended()
            kept = self._kept.get(session_id)
            if kept is None:
                return None
            kept.until_s = self._now() + self._lifetime_s
            self._kept.move_to_end(session_id)
            return kept.value

    def close(self, session_id: str) -> T | None:
        """End a session and return its value; None if there was none."""
        with self._lock:
            self._forget_ended()
            kept = self._kept.pop(session_id, None)
        return None if kept is None else kept.value

    def close_where(self, ends: Callable[[T], bool]) -> None:
        """End the sessions whose value `ends` accepts, such as those of a token."""
        with self._lock:
            ended = [key for key, kept in self._kept.items() if ends(kept.value)]
            for key in ended:
                del self._kept[key]

    def _forget_ended(self) -> None:
        now = self._now()
        while self._kept:
            oldest = next(iter(self._kept))
            if self._kept[oldest].until_s > now:
                return
            del self._kept[oldest]


class OneTimeTokens(Generic[T]):
    """Tokens that open one session each. Why one does not work stays unsaid."""

    def __init__(
        self, lifetime_s: float = TOKEN_S, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._kept: Sessions[T] = Sessions(lifetime_s, now=now)

    def issue(self, value: T) -> str:
        """Return a new token that stands for `value`."""
        return self._kept.open(value)

    def use(self, token: str) -> T | None:
        """Return what a token stands for, once; None for any other text."""
        return self._kept.close(token)


@dataclass
class Access(Generic[T]):
    """How requests to one server are told apart. `T` is who makes them."""

    cookie: str
    """Name of the session's cookie, by `cookie_name`."""
    sessions: Sessions[T] = field(default_factory=Sessions)
    tokens: OneTimeTokens[T] = field(default_factory=OneTimeTokens)
    bearer: Callable[[str], T | None] = lambda _: None
    """Returns who a token in `Authorization: Bearer` stands for."""
    public: tuple[str, ...] = ("/static/",)
    """Paths, or beginnings of paths that end in a slash, that anyone may read."""
    is_secure: bool = False
    """Whether browsers reach the server by HTTPS alone."""

    def identify(self, headers: Headers) -> T | None:
        """Return who makes a request; a token in `Authorization` goes first.

        Raises CotbuildError if tokens cannot be read.
        """
        if authorizations := headers.getlist("authorization"):
            # Of several, a proxy in front may have checked another one.
            scheme, _, token = authorizations[0].partition(" ")
            is_one = len(authorizations) == 1 and scheme.lower() == "bearer"
            return self.bearer(token.strip()) if is_one else None
        session_id = self.session_id(headers)
        return self.sessions.get(session_id) if session_id is not None else None

    def session_id(self, headers: Headers) -> str | None:
        """Return the id in the cookie; None without one."""
        return cookie_parser(headers.get("cookie", "")).get(self.cookie)

    def is_public(self, path: str) -> bool:
        """Return whether anyone may open a path."""
        return any(
            path.startswith(prefix) if prefix.endswith("/") else path == prefix
            for prefix in self.public
        )

    def open_session(self, request: Request, response: Response, value: T) -> None:
        """Start a session of `value` and put its cookie into `response`."""
        response.set_cookie(
            self.cookie,
            self.sessions.open(value),
            path="/",
            httponly=True,
            samesite="strict",
            secure=self._is_secure(request),
        )

    def close_session(self, request: Request, response: Response) -> None:
        """End the session of a request and delete its cookie."""
        if (session_id := self.session_id(request.headers)) is not None:
            self.sessions.close(session_id)
        response.delete_cookie(
            self.cookie,
            path="/",
            httponly=True,
            samesite="strict",
            secure=self._is_secure(request),
        )

    def _is_secure(self, request: Request) -> bool:
        """Return whether a browser sent a request by HTTPS, to a proxy in front."""
        # Whoever sends the header without a proxy restricts a cookie of its own alone.
        schemes = request.headers.get("x-forwarded-proto", "")
        return self.is_secure or schemes.partition(",")[0].strip() == "https"


class AccessMiddleware(Generic[T]):
    """Lets requests through whose maker is known, as `request.state.principal`.

    `GET /?token=…` with a one-time token opens a session.
    """

    def __init__(
        self, app: ASGIApp, access: Access[T], responder: ProblemResponder
    ) -> None:
        self.app = app
        self.access = access
        self.responder = responder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its maker, trade a token, or refuse."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        principal = None
        scope.setdefault("state", {})["principal"] = None  # for the page of a problem
        try:
            principal = self.access.identify(request.headers)
        except CotbuildError as fault:
            if not self.access.is_public(scope["path"]):
                refusal = self.responder.respond(request, cannot_identify(fault))
                await refusal(scope, receive, send)
                return
        scope["state"]["principal"] = principal
        if (response := self._trade_token(request, principal)) is not None:
            await response(scope, receive, send)
        elif principal is not None or self.access.is_public(scope["path"]):
            await self.app(scope, receive, send)
        else:
            response = self.responder.respond(request, _no_access(request))
            await response(scope, receive, send)

    def _trade_token(self, request: Request, principal: T | None) -> Response | None:
        """Return the response to the address with a one-time token; None for others.

        Whoever has a session already is only sent on, and the token stays unused.
        """
        if request.method != "GET" or TOKEN_PARAMETER not in request.query_params:
            return None
        if _is_prefetch(request.headers):
            return Response(status_code=503)
        target = _without_token(request)
        if principal is not None:
            return RedirectResponse(target, status_code=303)
        value = self.access.tokens.use(request.query_params[TOKEN_PARAMETER])
        if value is None:
            return None
        response = _send_on(request, target)
        self.access.open_session(request, response, value)
        return response


def cannot_identify(fault: CotbuildError) -> ProblemError:
    """Return the answer to who cannot be identified because of a fault.

    The fault, which may name folders, goes to the log.
    """
    _LOG.error("%s", fault)
    return ProblemError(
        500,
        "store_failed",
        "The server cannot read its tokens now.",
        hint="Its log says why.",
    )


def _no_access(request: Request) -> ProblemError:
    if "authorization" in request.headers:
        return ProblemError(
            401, "no_access", "The token in Authorization is not valid here."
        )
    if wants_json(request):
        return ProblemError(
            401,
            "no_access",
            "The request has no token.",
            hint="Send one as Authorization: Bearer TOKEN, or open the address that the "
            "server printed.",
        )
    return ProblemError(
        401,
        "no_access",
        "This page opens with the address that the server printed, which works once.",
        hint="Copy it from the terminal. If it was used, start the command again.",
    )


def _is_prefetch(headers: Headers) -> bool:
    """Return whether a browser loads the page before anyone asked for it."""
    purpose = headers.get("sec-purpose", "") + headers.get("purpose", "")
    return "prefetch" in purpose or "prerender" in purpose


def _without_token(request: Request) -> str:
    pairs = parse_qsl(request.url.query, keep_blank_values=True)
    kept = urlencode([pair for pair in pairs if pair[0] != TOKEN_PARAMETER])
    # Two slashes would begin a host.
    path = "/" + request.url.path.lstrip("/")
    return f"{path}?{kept}" if kept else path


def _send_on(request: Request, target: str) -> Response:
    """Redirect to `target`, so that a strict cookie is sent along.

    A link in another page, such as a terminal in the browser, starts a chain of
    redirects to which no strict cookie is added. From a page of ours, it is.
    """
    site = request.headers.get("sec-fetch-site")
    if site in ("cross-site", "same-site"):
        return Response(
            "Opening the page.\n",
            headers={"refresh": f"0; url={target}"},
            media_type="text/plain; charset=utf-8",
        )
    return RedirectResponse(target, status_code=303)

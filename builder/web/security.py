"""What every response of the page and the service carries, and what no request may do.

The middleware is the outermost one. It trusts nothing that a browser sends:

- The name in `Host` must be known, or a site whose name resolves to this machine could
  read the page (DNS rebinding). Any port is accepted, since tunnels change it.
- A write must come from our own pages: `Sec-Fetch-Site` and `Origin` are checked. With a
  cookie, one of them must be there. Requests with `Authorization` come from programs, to
  which no browser adds that header by itself.
- Other sites may link here, but not load anything from here.
- The sizes of address, headers and body are bounded before the body is read.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cotbuild.builder.web.problems import ProblemError, refuse

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Scripts and styles from files of ours alone: text of a model cannot become either."""
SECURITY_HEADERS: Final = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # With no-referrer, browsers send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
MIB: Final = 1 << 20
BODY_PART_S: Final = 60.0
"""Longest wait for the next part of a body, seconds."""
DISCARDED_BYTES: Final = 64 << 10
"""The most that is read of a body that nobody wants."""
DISCARD_S: Final = 2.0
"""The longest that it is waited for, seconds."""


@dataclass(frozen=True)
class BodyLimit:
    """The largest body of requests with this method whose path begins with `prefix`."""

    method: str
    prefix: str
    max_bytes: int


@dataclass(frozen=True)
class SecurityRules:
    """Which requests are refused before a route sees them."""

    hosts: frozenset[str] = LOOPBACK_HOSTS
    """Names that `Host` may have, in lower case and without a port."""
    max_body_bytes: int = MIB
    body_limits: tuple[BodyLimit, ...] = ()
    """Exceptions to `max_body_bytes`; the first that fits holds."""
    max_url_bytes: int = 8 << 10
    max_header_bytes: int = 16 << 10
    max_headers: int = 100

    def body_limit(self, method: str, path: str) -> int:
        """Return the largest body in bytes that a request may have."""
        for limit in self.body_limits:
            if limit.method == method and path.startswith(limit.prefix):
                return limit.max_bytes
        return self.max_body_bytes


class SecurityMiddleware:
    """Refuses requests by `SecurityRules`, and adds the headers to every response."""

    def __init__(self, app: ASGIApp, rules: SecurityRules) -> None:
        self.app = app
        self.rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the app, unless it is refused."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websockets

        body = _BoundedBody(scope, receive)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                await body.discard_rest()
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            body.max_bytes = check_request(scope, self.rules)
        except ProblemError as error:
            await refuse(error, scope, receive, send_with_headers)
            return
        await self.app(scope, body.receive, send_with_headers)


def check_request(scope: Scope, rules: SecurityRules) -> int:
    """Return the largest body in bytes that an HTTP request may send.

    Raises ProblemError if the request is refused.
    """
    _check_sizes(scope, rules)
    headers = Headers(scope=scope)
    host = _read_host(headers)
    if _name_of(host) not in rules.hosts:
        raise ProblemError(
            421,
            "unknown_host",
            f"Host is {host!r}, which this server does not answer for.",
            hint="Open the address that the server printed, or start it with the name.",
        )
    _check_site(scope, headers, host)
    max_bytes = rules.body_limit(scope["method"], scope["path"])
    lengths = headers.getlist("content-length")
    if lengths and "transfer-encoding" in headers:
        # RFC 9112, 6.3: a proxy may have counted by the other one.
        raise ProblemError(
            400, "bad_length", "The body has both a length and a transfer encoding."
        )
    _check_length(lengths, max_bytes)
    return max_bytes


def _check_sizes(scope: Scope, rules: SecurityRules) -> None:
    url_bytes = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    if url_bytes > rules.max_url_bytes:
        raise ProblemError(
            414,
            "address_too_long",
            f"The address has {url_bytes:,} bytes; {rules.max_url_bytes:,} are accepted.",
        )
    header_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
    if header_bytes > rules.max_header_bytes or len(scope["headers"]) > (
        rules.max_headers
    ):
        raise ProblemError(
            431,
            "headers_too_large",
            f"The headers have {header_bytes:,} bytes; {rules.max_header_bytes:,} are "
            "accepted.",
        )


def _read_host(headers: Headers) -> str:
    """Return the only `Host` header; raises ProblemError if it has no host's form."""
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _name_of(hosts[0]):
        raise ProblemError(
            400, "bad_host", "The request has no valid Host header.", hint=None
        )
    return hosts[0].lower()


def _name_of(host: str) -> str:
    """Return `host` in lower case without its port; an empty text if it is malformed."""
    host = host.lower()
    if host.startswith("["):
        name, bracket, rest = host.partition("]")
        name += bracket
    else:
        name, colon, port = host.partition(":")
        rest = colon + port
    is_port = not rest or (rest[0] == ":" and rest[1:].isascii() and rest[1:].isdigit())
    return name.removesuffix(".") if is_port else ""


def _check_site(scope: Scope, headers: Headers, host: str) -> None:
    """Raise ProblemError for what another site's page makes a browser send."""
    site = headers.get("sec-fetch-site")
    if scope["method"] in SAFE_METHODS:
        is_link = headers.get("sec-fetch-mode") in (None, "navigate")
        if site in ("cross-site", "same-site") and not is_link:
            raise _other_site("load parts of this one")
        return
    origin = headers.get("origin")
    if site is not None:
        # "none" is a person's own doing, such as a reload of the result of a form.
        if site not in ("same-origin", "none"):
            raise _other_site("write to this one")
    elif origin is None:
        if "cookie" in headers and "authorization" not in headers:
            raise _other_site("write to this one")
        return
    if origin is not None and urlsplit_host(origin) != host:
        raise _other_site("write to this one")


def urlsplit_host(origin: str) -> str | None:
    """Return `host[:port]` of an origin, as `Host` has it; None for `null` and others.

    The scheme is not compared: a proxy may speak HTTPS where we hear HTTP.
    """
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") else None


def _other_site(what: str) -> ProblemError:
    return ProblemError(
        403,
        "other_site",
        f"The request comes from another site, which may not {what}.",
        hint="Open the page itself. A program sends its token in Authorization.",
    )


def _check_length(lengths: Iterable[str], max_bytes: int) -> None:
    for length in lengths:
        is_number = length.isascii() and length.isdigit() and len(length) < 20
        if not is_number:
            raise ProblemError(400, "bad_length", "Content-Length is not a number.")
        if int(length) > max_bytes:
            raise too_large(max_bytes)


def too_large(max_bytes: int) -> ProblemError:
    """Return the refusal of a body that has more than `max_bytes`."""
    return ProblemError(
        413,
        "body_too_large",
        f"The body has more than the {max_bytes:,} bytes that are accepted here.",
    )


class _BoundedBody:
    """Receives a request, and ends it where its body is too large or stops coming."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.max_bytes = 0
        """The largest body that is accepted."""
        self._scope = scope
        self._receive = receive
        self._num_bytes = 0
        self._is_whole = False
        self._is_late = False

    async def receive(self) -> Message:
        """Return the next message; raises ProblemError in place of the rest."""
        if self._is_whole:  # what is still awaited is that the client goes away
            return await self._receive()
        try:
            async with asyncio.timeout(BODY_PART_S):
                message = await self._receive()
        except TimeoutError:
            self._is_late = True
            raise ProblemError(
                408, "body_incomplete", "The rest of the body did not come."
            ) from None
        self._count(message)
        if self._num_bytes > self.max_bytes:
            raise too_large(self.max_bytes)
        return message

    async def discard_rest(self) -> None:
        """Read what is left of a small body before its request is answered.

        The connection is closed after an answer that came before the end of the body.
        With a part of it unread that resets the connection, and the client may never
        see the answer: a refusal without a reason.
        """
        if self._is_late or not self._is_small_body():
            return
        end = self._num_bytes + DISCARDED_BYTES
        try:
            async with asyncio.timeout(DISCARD_S):
                while not self._is_whole and self._num_bytes <= end:
                    self._count(await self._receive())
        except TimeoutError:
            return

    def _is_small_body(self) -> bool:
        """Whether there may be a rest of a body, and it is worth reading."""
        if self._is_whole or self._scope["method"] in SAFE_METHODS:
            return False
        headers = Headers(scope=self._scope)
        if "expect" in headers:  # the client waits to be asked for the body
            return False
        length = headers.get("content-length", "0")
        is_number = length.isascii() and length.isdigit() and len(length) < 20
        return is_number and int(length) <= DISCARDED_BYTES

    def _count(self, message: Message) -> None:
        if message["type"] == "http.request":
            self._num_bytes += len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
        else:  # the client is gone
            self._is_whole = True

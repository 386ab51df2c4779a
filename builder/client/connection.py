"""HTTP to a service: bounded answers, careful repeats, errors of one line.

What may be repeated is repeated when the service cannot be reached or is restarted: a
GET, an upload by its digest, and a submission, which carries an Idempotency-Key that
is made once. Redirects are not followed, since a token would follow too.
"""

import os
import random
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from cotbuild.builder.retry_after import parse_retry_after
from cotbuild.builder.visible import escape_hidden
from cotbuild.schemas.errors import ConfigError, ServiceError
from cotbuild.schemas.json_text import JsonFault, parse_record_json

SERVER_VARIABLE, TOKEN_VARIABLE = "COTBUILD_SERVER", "COTBUILD_TOKEN"
MAX_JSON_BYTES = 64 << 20
"""Largest answer that is read at once."""
MAX_DETAIL_CHARS = 2_000
TIMEOUT_S = 60.0
"""Seconds without a byte after which an answer counts as lost. A service that waits on
request answers within 30 s."""
CONNECT_S = 10.0
MAX_ATTEMPTS = 6
MAX_WAIT_S = 20.0
_PASSING = frozenset({429, 502, 503, 504})
"""Statuses of a service that is busy, or restarted behind a proxy."""
_USAGE = frozenset({400, 413, 422})
"""Statuses of a request that is wrong in itself."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

Body = bytes | Callable[[], Iterable[bytes]]
"""What is sent; a function opens it anew for each attempt."""


class Sleeps(Protocol):
    """Waits between two attempts."""

    def __call__(self, seconds: float, /) -> None: ...


@dataclass
class _Backoff:
    """How long to wait before each further attempt."""

    sleep: Sleeps
    attempt: int = 1

    def wait(self, asked_s: float | None = None) -> bool:
        """Wait and return True, or False if there were enough attempts."""
        if self.attempt >= MAX_ATTEMPTS:
            return False
        longest_s = min(MAX_WAIT_S, 0.25 * 2**self.attempt)
        # Jitter, so that clients of a restarted service do not come back at once.
        self.sleep(asked_s if asked_s is not None else longest_s * random.random())
        self.attempt += 1
        return True


class _TokenAuth(httpx.Auth):
    """Sends the token, or nothing: never what a .netrc file holds."""

    def __init__(self, token: str | None) -> None:
        self._header = None if token is None else f"Bearer {token}"

    def auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header to a request."""
        if self._header is not None:
            request.headers["Authorization"] = self._header
        yield request


@dataclass(frozen=True)
class Reply:
    """An answer that was read whole."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    where: str = field(repr=False)

    def json(self) -> Any:
        """Return the content as JSON; raises ServiceError."""
        try:
            return parse_record_json(self.content)
        except JsonFault as fault:
            raise ServiceError(
                f"{self.where}: the answer is no JSON: {fault}. Check that --server is a "
                "cotbuild service."
            ) from fault


class Connection:
    """A service at a URL. A context manager; may be used by several threads.

    Args:
        url: Where it is, such as http://gpu-box:8787.
        token: Its token; None for the variable COTBUILD_TOKEN, if that is set.
        sleep: Waits between two attempts.

    Raises:
        ConfigError: The URL or the token cannot be used.
    """

    def __init__(
        self, url: str, token: str | None = None, *, sleep: Sleeps = time.sleep
    ) -> None:
        self.url = _check_url(url)
        self._sleep = sleep
        host = urlsplit(self.url).hostname or ""
        self._client = httpx.Client(
            auth=_TokenAuth(_check_token(token)),
            follow_redirects=False,
            # A proxy of the environment has no way to a service of this machine.
            trust_env=host not in _LOOPBACK,
            headers={"Accept": "application/json", "User-Agent": "cotbuild"},
        )

    def __repr__(self) -> str:
        return f"Connection({self.url!r})"

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        json_body: Any = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        repeats: bool | None = None,
        expected: Iterable[int] = (),
        timeout_s: float = TIMEOUT_S,
    ) -> Reply:
        """Make a request and read its answer.

        Args:
            method: The HTTP method.
            path: Path below the URL, each part quoted already.
            query: Parameters; those that are None are left out.
            json_body: What is sent as JSON; None for nothing.
            body: What is sent as bytes; None for nothing.
            headers: Further headers.
            repeats: Whether it may be sent again if no answer came; None: a GET or HEAD.
            expected: Statuses besides 2xx that are answers, not errors.
            timeout_s: Seconds without a byte after which the answer counts as lost.

        Raises ServiceError if the service cannot be reached or fails, ConfigError if it
        refuses what was asked.
        """
        is_safe = method in ("GET", "HEAD") if repeats is None else repeats
        backoff = _Backoff(self._sleep)
        while True:
            try:
                with self._send(
                    method, path, query, json_body, body, headers, timeout_s
                ) as answer:
                    status = answer.status_code
                    asked_s = parse_retry_after(
                        answer.headers.get("retry-after"), max_s=MAX_WAIT_S
                    )
                    if status in _PASSING and is_safe and backoff.wait(asked_s):
                        continue
                    reply = Reply(
                        status, answer.headers, _read(answer), f"{self.url}{path}"
                    )
            except httpx.TransportError as fault:
                was_sent = not isinstance(
                    fault, httpx.ConnectError | httpx.ConnectTimeout
                )
                if (is_safe or not was_sent) and backoff.wait():
                    continue
                raise self._unreachable(fault) from fault
            if reply.status < 300 or reply.status in set(expected):
                return reply
            raise self._explain(reply)

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[httpx.Response]:
        """Open an answer that is read piece by piece, without repeats.

        Raises httpx.TransportError if the service cannot be reached or the answer
        breaks off, and as `request` does for an error status.
        """
        with self._send("GET", path, query, None, None, headers) as answer:
            if answer.status_code >= 300:
                where = f"{self.url}{path}"
                reply = Reply(answer.status_code, answer.headers, _read(answer), where)
                raise self._explain(reply)
            yield answer

    def wait_to_repeat(self) -> Callable[[], bool]:
        """Return a function that waits before a further attempt, False after the last."""
        return _Backoff(self._sleep).wait

    @contextmanager
    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        json_body: Any,
        body: Body | None,
        headers: Mapping[str, str] | None,
        timeout_s: float = TIMEOUT_S,
    ) -> Iterator[httpx.Response]:
        content = body() if callable(body) else body
        params = {
            name: value for name, value in (query or {}).items() if value is not None
        }
        with self._client.stream(
            method,
            f"{self.url}{path}",
            params=params,
            json=json_body,
            content=content,
            headers=dict(headers or {}),
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_S),
        ) as answer:
            yield answer

    def _unreachable(self, fault: httpx.TransportError) -> ServiceError:
        reason = str(fault) or type(fault).__name__
        return ServiceError(
            f"{self.url}: no answer: {escape_hidden(reason)[:200]}. Check that the "
            "service runs there, and the address."
        )

    def _explain(self, reply: Reply) -> ConfigError | ServiceError:
        """Return the error for an answer that is one."""
        if 300 <= reply.status < 400:
            target = escape_hidden(reply.headers.get("location", "?"))[:200]
            return ServiceError(
                f"{self.url}: redirects to {target}, which is not followed. Pass the "
                "address of the service itself."
            )
        detail = _problem_text(reply)
        if reply.status == 401:
            return ServiceError(
                f"{self.url}: {detail or 'the token is missing or was refused.'} Set "
                f"{TOKEN_VARIABLE} to a token of the service."
            )
        if not detail:
            return ServiceError(
                f"{self.url}: answered {reply.status} without a reason. Check that it is "
                "a cotbuild service."
            )
        if reply.status in _USAGE:
            return ConfigError(detail)
        return ServiceError(f"{self.url}: {detail}", status=reply.status)


def _check_url(url: str) -> str:
    text = url.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        is_valid = parts.port is None or parts.port > 0
    except ValueError:
        is_valid = False
    has_more = is_valid and (parts.query or parts.fragment or "@" in parts.netloc)
    if not is_valid or has_more or parts.scheme not in ("http", "https"):
        raise ConfigError(
            f"--server {escape_hidden(url)[:200]!r} is no address of a service. Write it "
            "as http://HOST:8787."
        )
    if not parts.hostname or not text.isascii() or not text.isprintable():
        raise ConfigError(
            f"--server {escape_hidden(url)[:200]!r} has no host. Name one."
        )
    return text


def _check_token(token: str | None) -> str | None:
    given = token if token is not None else os.environ.get(TOKEN_VARIABLE)
    if not given:
        return None
    if not given.isascii() or not given.isprintable() or " " in given:
        # Its value is a secret, and is not quoted.
        raise ConfigError(
            f"the token holds characters that no token has. Set {TOKEN_VARIABLE} to the "
            "text that `cotbuild serve token add` printed."
        )
    return given


def _read(answer: httpx.Response) -> bytes:
    """Read an answer up to a bound; raises ServiceError behind it."""
    parts, size = [], 0
    for part in answer.iter_bytes():
        size += len(part)
        if size > MAX_JSON_BYTES:
            raise ServiceError(
                f"{answer.url.host}: an answer has more than {MAX_JSON_BYTES >> 20} MiB. "
                "Ask for less at a time."
            )
        parts.append(part)
    return b"".join(parts)


def _problem_text(reply: Reply) -> str:
    """Return the detail and the hint of a problem on one line; empty without any."""
    if "json" not in reply.headers.get("content-type", ""):
        return ""
    try:
        problem = parse_record_json(reply.content)
    except JsonFault:
        return ""
    if not isinstance(problem, Mapping):
        return ""
    parts = [problem.get("detail"), problem.get("hint")]
    texts = [part for part in parts if isinstance(part, str) and part]
    return escape_hidden(" ".join(texts))[:MAX_DETAIL_CHARS]

"""An endpoint's connections: base URL, key, proxy, sockets, and sending on them."""

import asyncio
import contextlib
import ipaddress
import re
import socket
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import aiohttp
from yarl import URL

from cotbuild.schemas.errors import ConfigError

CONNECT_TIMEOUT_S = 30.0
MAX_STALE_S = 15.0
"""An idle connection that was closed is found out at once. A request that is lost later
was being answered, and would be answered twice.
"""

_is_reused: ContextVar[bool] = ContextVar("is_reused")
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_QUERY = re.compile(r"[?#].*", re.DOTALL)
_ODD_PORT = re.compile(r"^((?:[a-z]+://)?+[^/:]*):(?!\d+(?:/|$)).*", re.DOTALL)


class Connections:
    """The connections to one endpoint, kept alive between requests.

    A server or a proxy may close an idle connection while a request goes out on it. Such
    a request is sent once more, on a new connection, and nobody hears of it.

    Args:
        base: The endpoint's base URL.
        api_key: Sent as a bearer token.
        uds: The Unix socket to connect through, if any.
        max_answer_s: Time limit of a request, in seconds; None for none.

    Needs a running event loop. Raises ConfigError if the environment names a proxy that
    cannot be used.
    """

    def __init__(
        self,
        base: URL,
        api_key: str | None,
        uds: Path | None,
        max_answer_s: float | None = None,
    ) -> None:
        headers = {"Content-Type": "application/json"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        settings: dict[str, Any] = {
            "timeout": aiohttp.ClientTimeout(
                total=max_answer_s, sock_connect=CONNECT_TIMEOUT_S
            ),
            "headers": headers,
            # Looked up once: trust_env does it in a thread for every request, and reads
            # .netrc too.
            "proxy": find_proxy(base) if uds is None else None,
        }
        self._kept_alive = _open_session(uds, force_close=False, **settings)
        self._single_use = _open_session(uds, force_close=True, **settings)

    async def send(
        self, method: str, url: URL, **options: Any
    ) -> aiohttp.ClientResponse:
        """Send a request; return its response, to be used with `async with`.

        Redirects are not followed. `options` are those of ClientSession.request. Raises
        aiohttp.ClientError or OSError.
        """
        _is_reused.set(False)
        options["allow_redirects"] = False
        sent_s = time.monotonic()
        try:
            return await self._kept_alive.request(method, url, **options)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as fault:
            was_idle = _is_reused.get() and time.monotonic() - sent_s < MAX_STALE_S
            if not was_idle or _began_reply(fault):
                raise
        # Not on another idle connection, which may be closed as well.
        return await self._single_use.request(method, url, **options)

    async def close(self) -> None:
        """Close all connections."""
        await self._kept_alive.close()
        await self._single_use.close()


class _ReuseNoting(aiohttp.BaseConnector):
    """Notes in `_is_reused` whether the current task got a connection that was used.

    aiohttp's tracing tells it too, but takes a fifth of the client's time.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._used: WeakSet[asyncio.BaseProtocol] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,
    ) -> Any:
        """Return a connection for a request, as BaseConnector does."""
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        if protocol is not None:
            _is_reused.set(protocol in self._used)
            self._used.add(protocol)
        return connection


class _TcpConnector(_ReuseNoting, aiohttp.TCPConnector):
    """A TCP connector that notes reuse."""


class _UnixConnector(_ReuseNoting, aiohttp.UnixConnector):
    """A connector to a Unix socket that notes reuse."""


def _began_reply(fault: Exception) -> bool:
    """Return whether a part of the response had come when the connection broke."""
    if not isinstance(fault, aiohttp.ServerDisconnectedError):
        return False
    return not isinstance(fault.message, str)


def _open_session(
    uds: Path | None, *, force_close: bool, **settings: Any
) -> aiohttp.ClientSession:
    """Open a session without a limit on the number of connections."""
    connector: aiohttp.BaseConnector
    if uds is None:
        connector = _TcpConnector(
            limit=0, socket_factory=open_socket, force_close=force_close
        )
    else:
        connector = _UnixConnector(path=str(uds), limit=0, force_close=force_close)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        **settings,
    )


# -- URLs and keys -------------------------------------------------------------


def parse_base_url(text: str) -> URL:
    """Parse a base URL and drop its final slash.

    Raises ConfigError, which shows no password, if it is not an HTTP URL or could
    contain a secret.
    """
    try:
        url = URL(text.rstrip("/"))
    except ValueError:  # its message may quote a password that stands for the port
        url = URL()
    if url.user or url.password or url.query_string or url.fragment:
        raise ConfigError(
            f"endpoint: {hide_secrets(text)!r} holds a user, a query or a fragment. It is "
            "published in provenance, so pass only scheme, host and path, and put a key "
            "in OPENAI_API_KEY."
        )
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(
            f"endpoint: {hide_secrets(text)!r} is not an HTTP URL. "
            "Use one such as http://host:8000/v1."
        )
    return url


def hide_secrets(url: str) -> str:
    """Return a URL, malformed or not, without what could be a user or a password.

    That is all before the last "@", a query, a fragment, and a port that is no number.
    """
    before, has_user, rest = url.rpartition("@")
    shown = _QUERY.sub("?…", rest)
    if has_user:
        scheme = _SCHEME.match(before)
        return f"{scheme[0] if scheme else ''}…@{shown}"
    return _ODD_PORT.sub(r"\1:…", shown)


def parse_key(text: str | None) -> str | None:
    """Return the API key without surrounding white space, or None if it is empty.

    Raises ConfigError if a header cannot hold it.
    """
    key = (text or "").strip()
    if not key.isascii() or not key.isprintable():
        raise ConfigError(
            "OPENAI_API_KEY: contains control or non-ASCII characters. "
            "Set it to the plain key."
        )
    return key or None


def find_proxy(url: URL) -> str | None:
    """Return the proxy that the environment sets for this URL, if any.

    That is http_proxy or https_proxy, or else all_proxy, unless no_proxy names the host.
    Loopback addresses never have one. Raises ConfigError if the proxy cannot be used.
    """
    host = url.host or ""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return None
    if host == "localhost" or proxy_bypass(host):
        return None
    proxies = getproxies()
    for scheme in (url.scheme, "all"):
        if proxies.get(scheme):
            return _parse_proxy(f"{scheme}_proxy", proxies[scheme])
    return None


def _parse_proxy(variable: str, text: str) -> str:
    """Return the URL of a proxy, which is http where it names no scheme, as for curl."""
    with_scheme = text if "://" in text else f"http://{text}"
    try:
        proxy = URL(with_scheme)
    except ValueError:  # its message may quote the password
        proxy = URL()
    if proxy.scheme not in ("http", "https") or not proxy.host:
        raise ConfigError(
            f"{variable}: {hide_secrets(text)!r} is not an HTTP proxy. Set it to one such "
            "as http://proxy:3128, or name the server's host in no_proxy."
        )
    return with_scheme


def open_socket(info: Any) -> socket.socket:
    """Open a TCP socket that notices within two minutes that its peer has vanished.

    Keep-alive does that; requests have no time limit. `info` is a tuple as
    socket.getaddrinfo returns it.
    """
    family, kind, proto, _, _ = info
    sock = socket.socket(family=family, type=kind, proto=proto)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
    for name, value in options:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return sock

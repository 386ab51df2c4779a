"""Opens an endpoint client's connections: base URL, session, proxy and sockets."""

import contextlib
import ipaddress
import socket
from pathlib import Path
from typing import Any
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from cotbuild.schemas.errors import ConfigError

CONNECT_TIMEOUT_S = 30.0


def open_session(
    base: URL, api_key: str | None, uds: Path | None
) -> aiohttp.ClientSession:
    """Open a session without limits on connections or on the time of a request.

    `uds` is the Unix socket to connect through, if any. Needs a running event loop.
    """
    headers = {"Content-Type": "application/json"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    connector: aiohttp.BaseConnector
    if uds is None:
        connector = aiohttp.TCPConnector(limit=0, socket_factory=open_socket)
    else:
        connector = aiohttp.UnixConnector(str(uds), limit=0)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        # Looked up once: trust_env does it in a thread for every request, and reads
        # .netrc too.
        proxy=find_proxy(base) if uds is None else None,
    )


def parse_base_url(text: str) -> URL:
    """Parse a base URL and drop its final slash.

    Raises ConfigError if it is not an HTTP URL or could contain a secret.
    """
    try:
        url = URL(text.rstrip("/"))
    except ValueError as fault:
        raise ConfigError(
            f"endpoint: {text!r} is not a URL: {fault}. "
            "Use one such as http://host:8000/v1."
        ) from fault
    if (
        url.user is not None
        or url.password is not None
        or url.query_string
        or url.fragment
    ):
        raise ConfigError(
            "endpoint: the URL holds a user, a query or a fragment. It is published in "
            "provenance, so pass only scheme, host and path, and put a key in "
            "OPENAI_API_KEY."
        )
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(
            f"endpoint: {text!r} is not an HTTP URL. "
            "Use one such as http://host:8000/v1."
        )
    return url


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

    Loopback addresses never have one.
    """
    host = url.host or ""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return None
    if host == "localhost" or proxy_bypass(host):
        return None
    return getproxies().get(url.scheme)


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

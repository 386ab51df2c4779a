"""How the endpoint client connects: its base URL, session, proxy and sockets."""

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
    """A session without a limit on connections or on the time of a request; needs a
    running event loop.
    """
    headers = {"Content-Type": "application/json"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, socket_factory=kept_alive)
        if uds is None
        else aiohttp.UnixConnector(str(uds), limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        # Looked up once: trust_env does it in a thread for every request, and reads
        # .netrc too.
        proxy=proxy_for(base) if uds is None else None,
    )


def parse_base_url(text: str) -> URL:
    """The URL without a final slash; raises ConfigError on what is none or could hold a
    secret.
    """
    try:
        url = URL(text.rstrip("/"))
    except ValueError as fault:
        raise ConfigError(
            f"endpoint: {text!r} is not a URL: {fault}. Use one such as http://host:8000/v1."
        ) from fault
    if (
        url.user is not None
        or url.password is not None
        or url.query_string
        or url.fragment
    ):
        raise ConfigError(
            "endpoint: the URL holds a user, a query or a fragment. It is "
            "published in provenance, so pass only scheme, host and path, and put a key in OPENAI_API_KEY."
        )
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(
            f"endpoint: {text!r} is not an HTTP URL. Use one such as http://host:8000/v1."
        )
    return url


def parse_key(text: str | None) -> str | None:
    """The API key without white space around it, None if empty; raises ConfigError on
    what no header can hold.
    """
    key = (text or "").strip()
    if not key.isascii() or not key.isprintable():
        raise ConfigError(
            "OPENAI_API_KEY: contains control or non-ASCII characters. Set it to the plain key."
        )
    return key or None


def proxy_for(url: URL) -> str | None:
    """The proxy the environment names for this URL; None: none, as always for this
    machine itself.
    """
    host = url.host or ""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return None
    return (
        None
        if host == "localhost" or proxy_bypass(host)
        else getproxies().get(url.scheme)
    )


def kept_alive(info: Any) -> socket.socket:
    """A TCP socket that notices within two minutes that its peer has vanished: requests
    have no time limit.
    """
    family, kind, proto, _, _ = info
    sock = socket.socket(family=family, type=kind, proto=proto)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", 60),
        ("TCP_KEEPINTVL", 15),
        ("TCP_KEEPCNT", 4),
    ):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return sock

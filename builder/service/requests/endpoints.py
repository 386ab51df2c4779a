"""Which servers the requests of a service may name as teachers.

A service runs inside a network that its users may not reach themselves, so nothing is
contacted but what whoever runs it has allowed. Patterns are compared part by part:
`https://*.example.org:8443/v1` allows every host directly below example.org at that
port and path, and `http://gpu-*:*` every port of the machines gpu-…, any path. A `*` in
a host stands for letters of one part, so that `gpu-*` is not `gpu-1.evil.example`; a
host of `*` alone is any. Redirects are not followed by the client of the teachers.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.record import short_repr

_PORTS = {"http": "80", "https": "443"}
MAX_URL_CHARS = 2_000


@dataclass(frozen=True)
class _Address:
    scheme: str
    host: str
    port: str
    path: str


def check_endpoint(url: str, allowed: Iterable[str], place: str) -> None:
    """Raise ConfigError unless a pattern allows the address of a teacher.

    `place` names the field that has it.
    """
    address = _parse(url)
    if address is None:
        raise ConfigError(
            f"{place} has {short_repr(url)}, which is no plain http(s) address. Write it "
            "as http://HOST:PORT/v1, without user, query or '..'."
        )
    if any(_allows(pattern, address) for pattern in allowed):
        return
    raise ConfigError(
        f"{place} has {short_repr(url)}, which this service does not contact. Use one "
        "that it allows, or ask who runs it for --allow-endpoint."
    )


def check_endpoint_pattern(pattern: str) -> str:
    """Return a pattern of --allow-endpoint; raises ConfigError if it is none."""
    if _parse(pattern, is_pattern=True) is None:
        raise ConfigError(
            f"--allow-endpoint {pattern!r} is no pattern of addresses. Write it as "
            "http://HOST:PORT, https://*.example.org or http://gpu-*:*/v1."
        )
    return pattern


def _allows(pattern: str, address: _Address) -> bool:
    allowed = _parse(pattern, is_pattern=True)
    if allowed is None or allowed.scheme != address.scheme:
        return False
    is_any_path = allowed.path in ("", "/")
    return (
        (allowed.host == "*" or _matches(allowed.host, address.host, "[^.]*"))
        and allowed.port in ("*", address.port)
        and (is_any_path or _matches(allowed.path, address.path, ".*"))
    )


def _matches(pattern: str, text: str, star: str) -> bool:
    """Whether a text has the form of a pattern, in which `*` stands for `star`."""
    parts = [re.escape(part) for part in pattern.split("*")]
    return re.fullmatch(star.join(parts), text) is not None


def _parse(url: str, *, is_pattern: bool = False) -> _Address | None:
    """Return the parts of an address; None if it has more or stranger ones."""
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable():
        return None
    if any(char in url for char in " \\%@?#") or (not is_pattern and "*" in url):
        return None
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    authority, slash, path = rest.partition("/")
    if not separator or scheme not in _PORTS or not authority:
        return None
    host, port = _split_port(authority)
    is_port = port.isdecimal() or (is_pattern and port == "*")
    if not host or (port and not is_port) or ".." in f"/{path}":
        return None
    if not is_pattern and not _is_as_parsed(url, host, port):
        return None
    return _Address(
        scheme, host.lower().rstrip("."), port or _PORTS[scheme], slash + path
    )


def _split_port(authority: str) -> tuple[str, str]:
    """Split `host:port`, `[::1]:port` or a host alone."""
    if authority.startswith("["):
        host, bracket, port = authority.partition("]")
        return (host + bracket, port.removeprefix(":")) if bracket else ("", "")
    host, _, port = authority.partition(":")
    return host, port


def _is_as_parsed(url: str, host: str, port: str) -> bool:
    """Whether the library that will contact the address reads it in the same way."""
    try:
        parts = urlsplit(url)
        found = str(parts.port) if parts.port is not None else ""
    except ValueError:
        return False
    return (parts.hostname or "") == host.strip("[]").lower() and found == port

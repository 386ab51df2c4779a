"""How the client connects: which proxy, and sockets that notice a vanished peer."""

import socket
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from cotbuild.builder.teachers.http.bodies import BodyTooLong
from cotbuild.builder.teachers.http.connection import find_proxy, open_socket
from cotbuild.builder.teachers.http.connection_faults import advise_on_fault
from cotbuild.schemas.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://far.example/v1", "http://proxy.example:3128"),
        ("https://far.example/v1", "http://secure.example:3128"),
        ("http://near.example/v1", None),
        ("http://sub.near.example:8000/v1", None),
        ("http://localhost:8000/v1", None),
        ("http://127.0.0.1:8000/v1", None),
        ("http://127.9.9.9/v1", None),
        ("http://[::1]:8000/v1", None),
        ("http://10.0.0.1/v1", "http://proxy.example:3128"),
    ],
)
def test_proxy_is_the_environments_but_never_for_this_machine(
    url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("http", "proxy"), ("https", "secure")):
        monkeypatch.setenv(f"{name}_proxy", f"http://{value}.example:3128")
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)
    monkeypatch.setenv("no_proxy", "near.example")
    assert find_proxy(URL(url)) == proxy


@pytest.mark.parametrize(
    ("variable", "value", "url", "proxy"),
    [
        ("http_proxy", "10.0.0.9:8080", "http://far/v1", "http://10.0.0.9:8080"),
        ("https_proxy", "u:secret@p:1", "https://far/v1", "http://u:secret@p:1"),
        ("all_proxy", "http://p:3128", "http://far/v1", "http://p:3128"),
        ("all_proxy", "p:3128", "https://far/v1", "http://p:3128"),
        ("http_proxy", "p:3128", "https://far/v1", None),
    ],
)
def test_a_proxy_without_a_scheme_and_one_for_all_schemes(
    variable: str,
    value: str,
    url: str,
    proxy: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unset_proxies(monkeypatch)
    monkeypatch.setenv(variable, value)
    assert find_proxy(URL(url)) == proxy


@pytest.mark.parametrize(
    "value",
    ["socks5://u:secret@p:1080", "ftp://p", "http://u:secret@p:port", "http://:1"],
)
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unset_proxies(monkeypatch)
    monkeypatch.setenv("all_proxy", value)
    with pytest.raises(
        ConfigError, match=r"all_proxy: .* is not an HTTP proxy"
    ) as caught:
        find_proxy(URL("http://far/v1"))
    assert "secret" not in str(caught.value)


def unset_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


KEY = ConnectionKey("far", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (
            aiohttp.ClientConnectorCertificateError(
                KEY, ssl.SSLCertVerificationError("self-signed certificate")
            ),
            "Set SSL_CERT_FILE to a file",
        ),
        (
            aiohttp.ClientConnectorCertificateError(
                KEY, ssl.SSLCertVerificationError("certificate has expired")
            ),
            "has expired. Renew it",
        ),
        (
            aiohttp.ClientConnectorCertificateError(
                KEY, ssl.SSLCertVerificationError("Hostname mismatch")
            ),
            "is for another host",
        ),
        (
            aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]")),
            "Use http:// in --endpoint",
        ),
        (aiohttp.ClientConnectorDNSError(KEY, OSError(8, "no name")), "The host has no address"),
        (aiohttp.ClientProxyConnectionError(KEY, OSError(111, "refused")), "The proxy that"),
        (aiohttp.ClientConnectorError(KEY, OSError(111, "refused")), "Start the server"),
        (BodyTooLong(2**20), "Pass the URL, ending in /v1"),
        (TimeoutError(), "Start the server"),
    ],
)  # fmt: skip
def test_each_fault_of_a_connection_has_one_remedy(
    fault: Exception, advice: str
) -> None:
    assert advice in advise_on_fault(fault)


def test_a_socket_notices_within_two_minutes_that_its_peer_has_vanished() -> None:
    with open_socket(
        (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))
    ) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_KEEPIDLE"):
            idle_s, interval_s, probes = (
                sock.getsockopt(socket.IPPROTO_TCP, option)
                for option in (
                    socket.TCP_KEEPIDLE,
                    socket.TCP_KEEPINTVL,
                    socket.TCP_KEEPCNT,
                )
            )
            assert 30 <= idle_s + interval_s * probes <= 120

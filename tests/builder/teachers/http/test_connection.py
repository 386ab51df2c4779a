"""How the client connects: which proxy, and sockets that notice a vanished peer."""

import socket

import pytest
from yarl import URL

from cotbuild.builder.teachers.http.connection import find_proxy, open_socket


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

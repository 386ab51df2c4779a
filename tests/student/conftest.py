"""Training, evaluating and reading students contacts nothing."""

import socket
from collections.abc import Iterator

import pytest

LOCAL = ("127.0.0.1", "::1", "localhost", None, "", b"127.0.0.1")


@pytest.fixture(scope="package", autouse=True)
def contacted() -> Iterator[list[object]]:
    """Return the hosts that this process looked up or connected to.

    None of them is reached. A library may try it in a thread and hide the error.
    """
    hosts: list[object] = []
    look_up = socket.getaddrinfo

    def refuse(host: object, *args: object, **options: object) -> object:
        if host in LOCAL:
            return look_up(host, *args, **options)  # type: ignore[arg-type]
        hosts.append(host)
        raise socket.gaierror("no network in tests of students")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", refuse)
        yield hosts


@pytest.fixture(autouse=True)
def no_network(contacted: list[object]) -> Iterator[None]:
    """Fail a test in which something was contacted."""
    yield
    assert contacted == []

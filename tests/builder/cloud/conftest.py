"""Servers of object stores, each started once for the tests of a file."""

import contextlib
import itertools
from collections.abc import Callable, Iterator

import pytest

from cotbuild.builder.cloud.urls import StoreUrl
from tests.support.object_stores import BUCKET, SERVERS, ObjectServer

_prefixes = itertools.count()


@pytest.fixture(scope="session")
def find_server() -> Iterator[Callable[[str], ObjectServer]]:
    """Return a server by its name, which is started with the first call."""
    running: dict[str, ObjectServer] = {}
    with contextlib.ExitStack() as stack:

        def find(name: str) -> ObjectServer:
            if name not in running:
                running[name] = stack.enter_context(SERVERS[name]())
            return running[name]

        yield find


@pytest.fixture
def moto(
    find_server: Callable[[str], ObjectServer], monkeypatch: pytest.MonkeyPatch
) -> ObjectServer:
    """moto's server, which the environment names."""
    return use_server(find_server("moto"), monkeypatch)


def use_server(
    server: ObjectServer, monkeypatch: pytest.MonkeyPatch, port: int | None = None
) -> ObjectServer:
    """Have the environment name a server, or a proxy to it on `port`."""
    variables = server.environment if port is None else server.through(port)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return server


def new_place(scheme: str = "s3") -> StoreUrl:
    """Return a place in the bucket that no other test uses."""
    return StoreUrl(scheme, BUCKET, f"tests/{next(_prefixes)}")

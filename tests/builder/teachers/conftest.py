"""One running HTTP teacher for all tests that dial it: starting one takes longer than
most tests.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.http_teacher import Server, serve


@pytest.fixture(scope="session")
def running() -> Iterator[Server]:
    """The process; use `server`."""
    with serve() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    """The running server with a blank memory and all dials at their defaults."""
    running.reset()
    return running


@pytest.fixture(scope="module")
def three() -> Iterator[list[Server]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serve()) for _ in range(3)]


@pytest.fixture
def servers(three: list[Server]) -> list[Server]:
    """Three with a blank memory and all dials at their defaults, but for a nonce."""
    for server in three:
        server.reset(nonce=True)
    return three

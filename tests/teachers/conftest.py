"""One running HTTP teacher for all tests that dial it: starting one takes longer than most tests."""

from collections.abc import Iterator

import pytest

from tests.http_teacher import Server, serve


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

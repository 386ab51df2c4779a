"""A server of pictures, and a network in which its address is the only public one."""

from collections.abc import Iterator

import pytest

from tests.support.picture_server import PictureServer


@pytest.fixture
def pictures() -> Iterator[PictureServer]:
    """A running server, whose `routes` a test fills."""
    with PictureServer() as server:
        yield server

"""A small real Hub of each test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.running import SmallHub, running_hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[SmallHub]:
    with running_hub(tmp_path) as hub:
        yield hub

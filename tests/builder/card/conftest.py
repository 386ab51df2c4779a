"""Builds that the tests of cards share."""

from pathlib import Path

import pytest

from tests.support.small_builds import generated, imported


@pytest.fixture(scope="session")
def generated_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated(tmp_path_factory.mktemp("cards"))


@pytest.fixture(scope="session")
def imported_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return imported(tmp_path_factory.mktemp("cards"))

"""Every test file is collected: pytest passes over folders with some names in silence."""

from fnmatch import fnmatch
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def test_no_folder_with_tests_is_passed_over(pytestconfig: pytest.Config) -> None:
    """tests/builder/build was, for its name is among those that pytest skips."""
    skipped = pytestconfig.getini("norecursedirs")
    folders = {path.parent for path in TESTS.rglob("test_*.py")}
    parts = {part for folder in folders for part in folder.relative_to(TESTS).parts}
    assert [
        part for part in sorted(parts) for name in skipped if fnmatch(part, name)
    ] == []

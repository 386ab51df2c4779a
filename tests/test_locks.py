"""The locks: every package pinned, every file known by its hash, nothing else named."""

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parent.parent / "requirements"
LOCKS = ("torch.lock", "cpu.lock", "dev.lock")
PIN = re.compile(r"[a-z0-9-]+==[0-9][\w.+]*( --hash=sha256:[0-9a-f]{64})+")


def pins(name: str) -> list[str]:
    """Return the requirements of a lock, each with its hashes on one line."""
    text = (REQUIREMENTS / name).read_text().replace(" \\\n    ", " ")
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_is_a_pin_with_hashes(name: str) -> None:
    assert pins(name)
    assert [pin for pin in pins(name) if not PIN.fullmatch(pin)] == []


def test_no_package_is_pinned_twice_and_torch_stands_alone() -> None:
    names = [pin.partition("==")[0] for name in LOCKS for pin in pins(name)]
    assert len(names) == len(set(names))
    assert [pin.partition("==")[0] for pin in pins("torch.lock")] == ["torch"]
    assert "setuptools" in names  # builds the project, without isolation


def test_make_installs_the_locks_by_their_hashes_and_no_other_index() -> None:
    makefile = (REQUIREMENTS.parent / "Makefile").read_text()
    installs = [line for line in makefile.splitlines() if "requirements/" in line]
    recipes = [line for line in installs if line.startswith("\t")]
    assert len(recipes) == len(LOCKS)
    assert all("$(LOCKED)" in line for line in recipes)
    assert "--require-hashes --only-binary :all:" in makefile
    assert "extra-index" not in makefile

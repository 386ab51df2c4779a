"""Cores and memory under limits of control groups, read from folders that a test writes."""

import os
from pathlib import Path

import pytest

from cotbuild.builder import cgroups
from cotbuild.builder.cgroups import parse_quota, usable_cores, usable_memory_bytes


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", None),
        ("", None),
        ("150000\n", None),
        ("150000 0\n", None),
        ("150000 100000\n", 1.5),
    ],
)
def test_a_quota_is_parsed(text: str, cores: float | None) -> None:
    assert parse_quota(text) == cores


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this process's group, two below the root; it has no limits yet."""
    root = tmp_path / "cgroup"
    own = root / "batch" / "job"
    own.mkdir(parents=True)
    (tmp_path / "own").write_text("0::/batch/job\n")
    monkeypatch.setattr(cgroups, "CGROUPS", root)
    monkeypatch.setattr(cgroups, "OWN_CGROUPS", tmp_path / "own")
    return own


@pytest.mark.parametrize(
    ("own", "parent", "expected"),
    [
        ("max 100000", "max 100000", None),
        ("20000 100000", "max 100000", 1),
        ("max 100000", "100000 100000", 1),
        ("", "", None),
    ],
)
def test_the_least_quota_bounds_the_cores(
    group: Path, own: str, parent: str, expected: int | None
) -> None:
    (group / "cpu.max").write_text(own)
    (group.parent / "cpu.max").write_text(parent)
    assert usable_cores() == (expected or len(os.sched_getaffinity(0)))


def test_part_of_a_core_counts_as_one(
    group: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    (group / "cpu.max").write_text("250000 100000")
    assert usable_cores() == 3


def test_the_least_limit_bounds_the_memory(group: Path) -> None:
    unlimited = usable_memory_bytes()
    (group / "memory.max").write_text("max\n")
    (group.parent / "memory.max").write_text(f"{64 << 20}\n")
    assert unlimited > usable_memory_bytes() == 64 << 20


def test_without_groups_the_machine_is_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "OWN_CGROUPS", tmp_path / "absent")
    assert usable_cores() == len(os.sched_getaffinity(0))

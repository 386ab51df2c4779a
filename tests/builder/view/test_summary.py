"""What the page of a build says: that the figures are those of its manifest."""

import subprocess
import sys
from pathlib import Path

import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.view.summary import summarise_build
from tests.support.small_builds import imported
from tests.support.source_tree import ROOT


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> StoredBuild:
    return StoredBuild.open(imported(tmp_path_factory.mktemp("summary")))


def test_a_summary_has_the_counts_of_the_manifest(build: StoredBuild) -> None:
    summary = summarise_build(build, "builds/mine")
    assert summary.num_rationales == 6
    assert sum(summary.verdicts.values()) == 6
    assert summary.splits["rationales"] == {"train": 6}
    assert [variant.name for variant in summary.variants] == [
        spec.name for spec in build.specs
    ]
    assert summary.num_looked_at > 0
    assert all(variant.names_target is not None for variant in summary.variants)
    assert summary.num_bytes == sum(entry.num_bytes for entry in build.manifest.files)
    named = {fact.name: fact.value for fact in summary.provenance}
    assert named["licence of the rationales"] == "CC BY-SA 4.0"
    assert named["rationales imported"] == "6"


def test_the_code_that_loads_a_build_runs(build: StoredBuild) -> None:
    summary = summarise_build(build, str(build.folder))
    code = {one.title: one.code for one in summary.load}
    assert set(code) == {
        "datasets",
        "pandas",
        "cotbuild",
        "train a student",
        "check it",
    }
    done = subprocess.run(
        [sys.executable, "-c", code["cotbuild"] + "\nprint(len(right))"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.stdout == "5\n", done.stderr


@pytest.mark.parametrize("version", ["row_version_1", "row_version_3"])
def test_builds_of_older_versions_have_a_summary(version: str) -> None:
    folder = ROOT / "tests" / "golden" / "builds" / version
    summary = summarise_build(StoredBuild.open(folder), "old 'build'")
    assert summary.num_rationales > 0
    assert "old 'build'" in summary.load[0].code


def test_a_place_with_quotes_stays_one_string(tmp_path: Path) -> None:
    folder = ROOT / "tests" / "golden" / "builds" / "row_version_1"
    place = str(tmp_path / "a\"b'c\n")
    for one in summarise_build(StoredBuild.open(folder), place).load:
        if one.title in ("datasets", "pandas", "cotbuild"):
            compile(one.code, "snippet", "exec")

"""Builds of earlier versions: opened, verified, derived, published and pulled.

`row_version_1` was built before the columns `failure_message` and `notes`. Of its 12
chains 2 were rejected, and 2 failed with an error that may pass.
"""

import shutil
from pathlib import Path

import pytest

from cotbuild.builder.api import Build
from tests.support.commands import HERE, here, rows, write_questions
from tests.support.http_teacher import serve

GOLDEN = HERE / "golden" / "builds" / "row_version_1"


@pytest.fixture
def old(tmp_path: Path) -> Build:
    folder = tmp_path / "old"
    shutil.copytree(GOLDEN, folder)
    return Build.open(folder)


def test_an_older_build_is_read_verified_and_derived_from(old: Build) -> None:
    assert "12 rationales: request keys and rows derived again" in old.verify()
    failed = [row for row in old.rationales() if row.failure is not None]
    assert len(failed) == 4
    assert {row.failure_message for row in failed} == {None}
    assert old.derive(["post_cot", "label_only"], progress=False).verify()
    lines = here("inspect", old.folder, "--verdict", "unscored").stdout.splitlines()
    assert "failed     rejected" in lines


def test_an_older_build_is_published_pulled_and_continued(
    old: Build, tmp_path: Path
) -> None:
    folder, out = tmp_path / "release", tmp_path / "pulled"
    here("publish", old.folder, f"file:{folder}", "--allow-partial")
    here("verify", f"file:{folder}")
    here("pull", f"file:{folder}", out)
    assert "failure_message" not in (out / "README.md").read_text()
    source = write_questions(
        tmp_path / "q.jsonl", (f"Which of these holds number {n}?" for n in range(12))
    )
    with serve() as server:
        words = ["--config", out / "build.json", "--source", source, "--out", out]
        here("generate", *words, "--endpoint", server.url, code=3)
        elicited = server.stats()["requests"]
    assert elicited >= 2
    continued = Build.open(out)
    assert continued.verify()
    assert continued.manifest.failures == {"rejected": 2}
    before = {row["question_id"]: row["completion"] for row in rows(old.folder)}
    for row in rows(out):
        assert before[row["question_id"]] in (None, row["completion"])
    assert {column for row in rows(out) for column in row} >= {"failure_message"}

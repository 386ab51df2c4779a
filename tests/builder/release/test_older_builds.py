"""Builds of earlier versions: opened, verified, derived, published and pulled.

`row_version_1` was built before the columns `failure_message` and `notes`, and graded
by extraction version 2. Of its 12 chains 2 were rejected, and 2 failed with an error
that may pass.
"""

import shutil
from pathlib import Path

import pytest

from cotbuild.builder.api import Build
from cotbuild.builder.exit_codes import ExitCode
from cotbuild.builder.release import publish
from cotbuild.builder.release.compose import ReleaseSpec
from cotbuild.builder.release.folder import FolderTarget
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.errors import OtherVersionError, PublishError
from tests.support.commands import HERE, invoke, rows, write_questions
from tests.support.http_teacher import serve

GOLDEN = HERE / "golden" / "builds" / "row_version_1"


@pytest.fixture
def old(tmp_path: Path) -> Build:
    folder = tmp_path / "old"
    shutil.copytree(GOLDEN, folder)
    return Build.open(folder)


def test_an_older_build_is_read_verified_and_derived_from(old: Build) -> None:
    with pytest.raises(OtherVersionError) as caught:
        old.verify()
    assert "rationales and verdicts of its 12 rows" in str(caught.value)
    assert "cotbuild 0.1.0 with extraction version 2 wrote the rows" in str(
        caught.value
    )
    failed = [row for row in old.rationales() if row.failure is not None]
    assert len(failed) == 4
    assert {row.failure_message for row in failed} == {None}
    with pytest.raises(OtherVersionError):
        old.derive(["post_cot", "label_only"], progress=False).verify()
    lines = invoke("inspect", old.folder, "--verdict", "unscored").stdout.splitlines()
    assert "failed     rejected" in lines


def test_an_older_build_is_not_published_before_it_is_derived_again(
    old: Build, tmp_path: Path
) -> None:
    place = FolderTarget(tmp_path / "release")
    options = publish.PublishOptions(allow_partial=True)
    with pytest.raises(PublishError, match="graded by extraction version 2"):
        publish.publish(old.folder, place, ReleaseSpec(), options, Terminal(), print)


def release_as_its_version_did(build: Build, folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "_refuse_unverifiable", lambda _: None)
        patch.setattr(publish, "verify_folder", lambda *_: (build.manifest, []))
        options = publish.PublishOptions(allow_partial=True)
        publish.publish(
            build.folder,
            FolderTarget(folder),
            ReleaseSpec(),
            options,
            Terminal(),
            print,
        )


def test_an_older_release_is_verified_in_part_pulled_and_continued(
    old: Build, tmp_path: Path
) -> None:
    folder, out = tmp_path / "release", tmp_path / "pulled"
    release_as_its_version_did(old, folder)
    done = invoke("verify", f"file:{folder}", code=ExitCode.OTHER_VERSION)
    assert "cotbuild 0.1.0 with extraction version 2 wrote the rows" in done.stderr
    invoke("pull", f"file:{folder}", out)
    assert "failure_message" not in (out / "README.md").read_text()
    source = write_questions(
        tmp_path / "q.jsonl", (f"Which of these holds number {n}?" for n in range(12))
    )
    with serve() as server:
        words = ["--config", out / "build.json", "--source", source, "--out", out]
        plan = invoke("generate", *words, "--endpoint", server.url, "--dry-run").stdout
        done = invoke("generate", *words, "--endpoint", server.url, code=3)
        elicited = server.stats()["requests"]
    # By rules of another version, before anything is replaced.
    for output in (plan, done.stderr):
        changes = output[output.index("extraction 2 → 3: ") :].splitlines()[0]
        assert " of 12 verdicts change" in changes
        assert "not compared: 4 rows" in changes
    assert elicited >= 2
    continued = Build.open(out)
    assert continued.verify()
    assert continued.manifest.failures == {"rejected": 2}
    before = {row["question_id"]: row["completion"] for row in rows(old.folder)}
    for row in rows(out):
        assert before[row["question_id"]] in (None, row["completion"])
    assert {column for row in rows(out) for column in row} >= {"failure_message"}


# -- before questions had inputs -------------------------------------------------------


@pytest.fixture
def before_inputs(tmp_path: Path) -> Path:
    """Return a build of the version before the columns `inputs`, `tags` and `scores`.

    It has evaluation questions, two variants, and its answers.
    """
    folder = tmp_path / "before"
    shutil.copytree(HERE / "golden" / "builds" / "row_version_3", folder)
    (folder / "answers").rename(folder / ".answers")
    return folder


def test_a_build_from_before_there_were_inputs_verifies(before_inputs: Path) -> None:
    invoke("verify", before_inputs, "--all")
    questions = list(Build.open(before_inputs).questions())
    assert len(questions) == 24
    assert {question.inputs for question in questions} == {()}


def test_it_runs_again_without_a_request_and_derives_the_same_variants(
    before_inputs: Path,
) -> None:
    digests = Build.open(before_inputs).manifest.digests
    command = ["generate", "--config", before_inputs / "build.json"]
    plan = invoke(*command, "--out", before_inputs, "--dry-run").output
    assert "12 already answered, 0 to send" in plan
    invoke(*command, "--out", before_inputs)
    invoke("variants", before_inputs, "--only", "pre_cot,post_cot")
    again = Build.open(before_inputs).manifest.digests
    assert again["pre_cot"] == digests["pre_cot"]
    assert again["post_cot"] == digests["post_cot"]
    invoke("verify", before_inputs)

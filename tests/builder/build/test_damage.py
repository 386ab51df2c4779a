"""A damaged file of a build: its error gives advice, and following it works."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.build.install import lock_build
from cotbuild.builder.build.recorded import recorded_commit
from cotbuild.schemas.config import SourceConfig
from tests.support.commands import invoke, write_questions
from tests.support.http_teacher import serve

SHARD = "train-00000-of-00001.parquet"
ANEW = r"Run the command that wrote it again \(generate, import or pull\)"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build with a variant, beside its questions."""
    folder = tmp_path_factory.mktemp("whole")
    write_questions(folder / "q.jsonl", (f"Which of these is {i}?" for i in range(9)))
    invoke(*generate(folder / "build"))
    invoke("variants", folder / "build", "--only", "post_cot")
    return folder / "build"


@pytest.fixture
def build(whole: Path, tmp_path: Path) -> Path:
    shutil.copy(whole.parent / "q.jsonl", tmp_path)
    return Path(shutil.copytree(whole, tmp_path / "build"))


def generate(build: Path) -> list[object]:
    source = build.parent / "q.jsonl"
    return ["generate", "--teacher", "scripted", "--source", source, "--out", build]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format_version": 1}', "\ufeff{}", "[" * 100_000]
)
def test_a_damaged_manifest_is_kept_aside_by_the_next_build(
    build: Path, text: str
) -> None:
    (build / "manifest.json").write_text(text)
    for words in (["verify", build], ["inspect", build], ["variants", build]):
        assert (
            "it keeps the file as damaged-manifest.json"
            in invoke(*words, code=1).output
        )
    done = invoke(*generate(build)).output
    assert "its manifest.json was damaged and is kept as damaged-manifest.json" in done
    assert "no open requests, no server started" in done
    assert (build / "damaged-manifest.json").read_text() == text
    invoke("verify", build)
    invoke("variants", build, "--only", "post_cot")


def test_a_manifest_of_a_newer_version_is_left_alone(build: Path) -> None:
    manifest = build / "manifest.json"
    text = manifest.read_text().replace('"format_version": 1', '"format_version": 9', 1)
    manifest.write_text(text)
    assert "Upgrade cotbuild" in invoke(*generate(build), code=1).output
    assert manifest.read_text() == text


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def edit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [cut, edit, Path.unlink])
@pytest.mark.parametrize(
    "name", ["build.json", "README.md", f"rationales/{SHARD}", f"post_cot/{SHARD}"]
)
def test_a_damaged_file_that_is_deleted_is_built_again(
    build: Path, name: str, damage: Callable[[Path], None]
) -> None:
    damage(build / name)
    if name == "README.md" and damage is not Path.unlink:
        (build / name).write_text("---\n---\n")  # an edit of the text is a user's right
    told = invoke("verify", build, code=1).output
    assert name in told
    (build / name).unlink(missing_ok=True)
    assert "no open requests, no server started" in invoke(*generate(build)).output
    invoke("verify", build)


def test_a_lost_note_on_the_teacher_is_read_from_the_build(tmp_path: Path) -> None:
    """The server that answered is gone, and nothing is left to ask."""
    source = write_questions(tmp_path / "q.jsonl", ["Which of these is it?"])
    with serve() as server:
        words = ["generate", "--source", source, "--out", tmp_path / "build"]
        words += ["--teacher", "fake", "--endpoint", server.url]
        invoke(*words)
    note = tmp_path / "build" / ".answers" / "teacher.json"
    note.write_text("{")
    assert f"{note}: not JSON" in invoke(*words, code=1).output
    note.unlink()
    assert "the build is up to date" in invoke(*words).output


def test_a_lost_note_on_the_source_is_read_from_the_build(build: Path) -> None:
    """The branch may have moved on; its questions would be asked anew."""
    config = SourceConfig(name="lab/x")
    assert recorded_commit(build, config) is None
    for name, path in (("manifest.json", "hub_id"), ("build.json", "name")):
        value = json.loads((build / name).read_text())
        value["source"][path] = "lab/x"
        if name == "manifest.json":
            value["source"]["checksums"] = {"train": "lab/x@" + "a" * 40}
        (build / name).write_text(json.dumps(value))
    assert recorded_commit(build, config) == "a" * 40
    other = config.model_copy(update={"revision": "v2"})
    assert recorded_commit(build, other) is None


PIPES = ["manifest.json", "build.json", "README.md", f"rationales/{SHARD}"]


@pytest.mark.parametrize("name", PIPES)
@pytest.mark.parametrize(
    "put", [os.mkfifo, lambda place: place.symlink_to("/dev/zero")]
)
def test_what_is_no_regular_file_ends_no_command_but_in_a_line(
    build: Path, name: str, put: Callable[[Path], None]
) -> None:
    (build / name).unlink()
    put(build / name)
    for words in (["verify", build], generate(build)):
        assert "egular file" in invoke(*words, code=1).output


def test_a_folder_without_a_build_stays_as_it_is(tmp_path: Path) -> None:
    empty, missing = tmp_path / "empty", tmp_path / "missing"
    empty.mkdir()
    for folder in (empty, missing):
        for words in (
            ["variants", folder],
            ["publish", folder, f"file:{tmp_path}/release"],
            ["verify", folder],
            ["inspect", folder],
            ["clean", folder],
            ["pull", f"file:{folder}", tmp_path / "out"],
        ):
            invoke(*words, code=1)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
    assert not any(empty.iterdir())


def test_what_was_replaced_goes_with_the_next_lock(build: Path) -> None:
    (build / ".staging" / "rationales").mkdir(parents=True)
    (build / ".installing").mkdir()
    with lock_build(build):
        pass
    assert not (build / ".staging").exists()
    assert not (build / ".installing").exists()
    assert StoredBuild.open(build).manifest.num_planned == 9

"""A build is replaced as a whole or not at all: killed before each change of the file
system, refused where a user's own file would be lost.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.build.install import (
    complete_install,
    install_build,
    lock_build,
    refuse_other_content,
    refuse_other_files,
    staging_folder,
)
from cotbuild.builder.build.verify import verify_build
from cotbuild.schemas.errors import ConfigError, CotbuildError, DataError
from tests.support.commands import HERE, invoke, published, write_questions

KILLS = HERE / "support" / "kill_at_each_change.py"


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources a and b, a build of a with two variants, and a release of it."""
    folder = tmp_path_factory.mktemp("places")
    for name, number in (("a", 12), ("b", 9)):
        texts = (f"Which of these is {name} {i}?" for i in range(number))
        write_questions(folder / f"{name}.jsonl", texts)
    generate = ["generate", "--teacher", "scripted", "--source", folder / "a.jsonl"]
    invoke(*generate, "--out", folder / "build")
    invoke("variants", folder / "build", "--only", "post_cot,label_only")
    invoke("publish", folder / "build", f"file:{folder}/release")
    return folder


@pytest.fixture
def build(places: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(places / "build", tmp_path / "build"))


# -- kill -9 -----------------------------------------------------------------------------

VARIANTS = ["variants", "DIR", "--only", "post_cot,pre_cot"]
GENERATE = ["generate", "--teacher", "scripted", "--source", "PLACES/b.jsonl"]
PULL = ["pull", "file:PLACES/release", "DIR"]


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        ("build", VARIANTS),
        pytest.param("build", [*GENERATE, "--out", "DIR"], marks=pytest.mark.slow),
        pytest.param("none", [*GENERATE, "--out", "DIR"], marks=pytest.mark.slow),
        pytest.param("none", PULL, marks=pytest.mark.slow),
    ],
)
def test_killed_before_any_change_it_is_the_old_build_or_goes_on(
    places: Path, tmp_path: Path, begin: str, words: list[str]
) -> None:
    words = [word.replace("PLACES", str(places)) for word in words]
    before = published(places / begin)
    kills = [sys.executable, str(KILLS), str(places / begin), str(tmp_path), *words]
    done = subprocess.run(kills, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    num_forks = int(done.stdout)
    assert num_forks > 10
    whole = published(tmp_path / f"{num_forks}")
    was_interrupted = []
    for number in range(1, num_forks):
        out = tmp_path / f"{number}"
        was_interrupted.append(ends_whole(out, before, whole))
        if number in (num_forks // 3, num_forks - 2):
            assert invoke(*(word.replace("DIR", str(out)) for word in words))
            assert published(out) == whole
    assert any(was_interrupted)
    assert not was_interrupted[0]


def ends_whole(out: Path, before: dict[str, bytes], whole: dict[str, bytes]) -> bool:
    """Check a killed build before and after the next run locks it; return whether it
    says that it was interrupted.
    """
    try:
        verify_build(StoredBuild.open(out))
        error = None
    except DataError as fault:
        error = str(fault)
    is_interrupted = error is not None and "a run was stopped while it put" in error
    assert error is None or is_interrupted or (not before and "no manifest" in error)
    with lock_build(out):
        pass
    names = {path.name for path in out.iterdir()}
    assert not names & {".staging", ".installing"}
    left = {name: data for name, data in published(out).items() if name[:2] != ".p"}
    assert left == (whole if is_interrupted else left)
    assert left in (before, whole)
    return is_interrupted


def test_a_replacement_killed_midway_is_told_and_completed_by_the_same_command(
    build: Path,
) -> None:
    interrupt(build)
    told = invoke("verify", build, code=1).stderr
    assert "Run the same command again (generate, import, variants or pull)" in told
    invoke(*(word.replace("DIR", str(build)) for word in VARIANTS))
    invoke("verify", build)


def interrupt(build: Path) -> None:
    """Leave what a kill leaves right after the manifest was moved away."""
    stage, manifest = build / ".installing", build / "manifest.json"
    stage.mkdir()
    shutil.copy(manifest, stage / "manifest.json")
    manifest.replace(stage / ".previous-manifest.json")


# -- a user's own files ------------------------------------------------------------------


def put_text(folder: Path) -> Path:
    return write(folder / "thesis.txt")


def put_text_under_a_name_of_ours(folder: Path) -> Path:
    return write(folder / "train-00000-of-00001.parquet")


def put_parquet_of_others(folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "train-00000-of-00001.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    return path


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    return path


PUTS = [put_text, put_text_under_a_name_of_ours, put_parquet_of_others]


@pytest.mark.parametrize("put", PUTS)
def test_a_config_does_not_replace_a_folder_of_the_user(
    build: Path, put: Callable[[Path], Path]
) -> None:
    mine = put(build / "notes")
    before = mine.read_bytes()
    with pytest.raises(ConfigError, match="not written by cotbuild, in the folder of"):
        refuse_other_files(build, ["notes"])
    manifest = StoredBuild.open(build).manifest
    entry = manifest.files[0].model_copy(update={"config_name": "notes"})
    with staging_folder(build) as stage:
        (stage / "notes").mkdir()
        with pytest.raises(ConfigError, match="not written by cotbuild"):
            install_build(build, stage, manifest.model_copy(update={"files": [entry]}))
    assert mine.read_bytes() == before
    verify_build(StoredBuild.open(build))


@pytest.mark.parametrize("put", PUTS)
def test_a_folder_that_a_manifest_names_is_not_deleted(
    build: Path, put: Callable[[Path], Path]
) -> None:
    """Whoever wrote the manifest says that a folder of the user's is a config."""
    mine = put(build / "notes")
    before = mine.read_bytes()
    manifest = StoredBuild.open(build).manifest
    hostile = json.loads((build / "manifest.json").read_text())
    entry = dict(hostile["files"][0])
    entry |= {"path": "notes/train-00000-of-00001.parquet", "config_name": "notes"}
    hostile["files"].append(entry)
    (build / "manifest.json").write_text(json.dumps(hostile))
    with staging_folder(build) as stage:
        install_build(build, stage, manifest)
    assert mine.read_bytes() == before


@pytest.mark.parametrize("name", ["README.md", "build.json", "rationales", "questions"])
def test_a_folder_that_is_no_build_keeps_its_files(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match=f"holds '{name}' and is no build"):
        refuse_other_content(tmp_path)
    (tmp_path / ".answers").mkdir()
    refuse_other_content(tmp_path)


def test_a_decided_replacement_touches_nothing_but_a_builds_files(
    build: Path, tmp_path: Path
) -> None:
    """.installing/ came with a build of somebody else."""
    outside = tmp_path / "outside"
    outside.mkdir()
    mine = write(build / "mine.txt")
    interrupt(build)
    write(build / ".installing" / "mine.txt").write_text("theirs")
    complete_install(build)
    assert mine.read_text() == "mine"
    verify_build(StoredBuild.open(build))
    interrupt(build)
    shutil.rmtree(build / "post_cot")
    (build / "post_cot").symlink_to(outside)
    write(build / ".installing" / "post_cot" / "train-00000-of-00001.parquet")
    with pytest.raises(DataError, match=r"'post_cot' in .* not a directory but a link"):
        complete_install(build)
    assert not list(outside.iterdir())


LINKED = [
    ".answers",
    ".answers/lock",
    ".answers/logs",
    ".answers/gen-0001",
    ".installing",
]


@pytest.mark.parametrize("name", LINKED)
def test_a_run_does_not_write_through_a_link(
    build: Path, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    if name.endswith("lock"):
        outside.write_text("mine")
    else:
        outside.mkdir()
    place = build / name
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    place.symlink_to(outside)
    with pytest.raises(CotbuildError, match="but a link"), lock_build(build):
        pass
    assert (
        outside.read_text() == "mine"
        if outside.is_file()
        else not any(outside.iterdir())
    )

"""Build: what is read of the folder of a finished build."""

import shutil
from pathlib import Path

import pytest

from cotbuild.builder.build.build import QUESTIONS, RATIONALES, StoredBuild
from cotbuild.schemas.errors import ConfigError, DataError
from tests.support.commands import invoke, rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("build") / "b"
    invoke("generate", "--teacher", "scripted", "--eval-splits", "test", "--out", out)
    invoke("variants", out, "--only", "post_cot,label_only")
    return out


@pytest.fixture(scope="module")
def build(folder: Path) -> StoredBuild:
    return StoredBuild.open(folder)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folder, tmp_path / "copy")


def test_it_reads_every_config(folder: Path, build: StoredBuild) -> None:
    rationales = [row.model_dump(mode="json") for row in build.rationales()]
    assert rationales == rows(folder, RATIONALES) == list(build.read(RATIONALES))
    questions = [row.model_dump(mode="json") for row in build.questions("test")]
    assert questions == rows(folder, QUESTIONS)
    assert list(build.questions()) == list(build.questions("test"))
    trained = [row.model_dump(mode="json") for row in build.rows("post_cot")]
    assert trained == list(build.read("post_cot", build.split))
    assert {row.question_id for row in build.rows("post_cot", "test")} == {
        question.id for question in build.questions()
    }


def test_it_knows_its_configs_and_splits(build: StoredBuild) -> None:
    assert [spec.name for spec in build.specs] == ["post_cot", "label_only"]
    assert build.spec("label_only").name == "label_only"
    assert sorted(build.splits("post_cot")) == ["test", "train"]
    assert build.splits("no such config") == []
    assert build.config.source.name == "bundled"
    first = next(build.read(RATIONALES, columns=["question_id"]))
    assert first.keys() == {"question_id"}


def test_its_repr_is_short(build: StoredBuild) -> None:
    assert repr(build) == f"StoredBuild(folder={build.folder!r})"


def test_rows_to_train_on_come_with_what_identifies_them(build: StoredBuild) -> None:
    found = build.variant_rows("post_cot")
    assert (found.build, found.split) == (build.manifest.fingerprint, "train")
    assert found.config_digest == build.manifest.digests["post_cot"]
    assert list(found.rows) == list(build.rows("post_cot"))


def test_what_is_not_there_is_named(build: StoredBuild, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"no variant 'post'\. Choose one of label_only, post_cot\."
    ):
        build.variant_rows("post")
    with pytest.raises(ConfigError, match=r"no variant 'rationales'"):
        build.rows("rationales")
    with pytest.raises(
        ConfigError, match=r"no split 'dev'\. Choose one of test, train"
    ):
        build.variant_rows("post_cot", "dev")
    with pytest.raises(ConfigError, match=r"no split 'dev'\. Choose one of test\."):
        build.questions("dev")
    with pytest.raises(DataError, match=r"no manifest\.json"):
        StoredBuild.open(tmp_path)


def test_changed_rows_are_not_trained_on(copy: Path) -> None:
    for path in (copy / "post_cot").iterdir():
        path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DataError, match=r"sha256 is .*, but the manifest says"):
        StoredBuild.open(copy).variant_rows("post_cot")
    shutil.rmtree(copy / "post_cot")
    with pytest.raises(DataError, match="No such file"):
        StoredBuild.open(copy).variant_rows("post_cot")

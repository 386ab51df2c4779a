"""Variants across a rebuild: kept as long as what they were derived from is the same."""

import json
import shutil
from pathlib import Path

import pytest

from tests.support.commands import invoke, published, write_questions
from tests.support.source_tree import copy_source_tree, cotbuild_from

KEPT = "2 variants will be kept if the rationales and questions come out unchanged"
DELETED = "this deletes 2 variants: "


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_source_tree(tmp_path_factory.mktemp("source"))


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build with two variants and an evaluation split; its questions stand beside it."""
    write_questions(
        tmp_path / "train.jsonl",
        (f"Which of these {number} floats?" for number in range(20)),
    )
    write_questions(tmp_path / "dev.jsonl", ["Which is dry?", "Which is wet?"])
    invoke(*generate(tmp_path / "b"))
    invoke("variants", tmp_path / "b", "--only", "post_cot,label_only")
    return tmp_path / "b"


def generate(build: Path) -> list[object]:
    return [
        "generate",
        "--source",
        build.parent,
        "--eval-splits",
        "dev",
        "--teacher",
        "scripted",
        "--out",
        build,
    ]


def modified(build: Path) -> dict[Path, int]:
    """Times of all that is published: not of the store, where every run takes the lock
    and begins a log.
    """
    return {
        path: path.stat().st_mtime_ns
        for path in build.rglob("*")
        if ".answers" not in path.parts
    }


def edit(tree: Path, module: str, old: str, new: str) -> None:
    path = tree / "cotbuild" / "builder" / module
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_edits_of_the_source_delete_variants_only_where_rows_change(
    build: Path, tree: Path
) -> None:
    before, when = published(build), modified(build)

    page = tree / "cotbuild" / "builder" / "study" / "report" / "page.py"
    page.write_text(page.read_text() + "\n# A comment.\nUNRELATED = 1\n")
    helper = tree / "cotbuild" / "builder" / "generate" / "rows.py"
    helper.write_text(helper.read_text() + "\n# A comment.\n")
    idle = cotbuild_from(tree, *generate(build))
    assert "the build is up to date" in idle.stdout
    assert modified(build) == when

    helper.write_text(helper.read_text() + "\n\ndef unused() -> int:\n    return 1\n")
    same = cotbuild_from(tree, *generate(build))
    assert "rebuilt from stored answers" in same.stdout
    assert KEPT in same.stderr
    assert DELETED not in same.stderr
    assert published(build) == before
    for path in build.glob("*_*/*.parquet"):
        assert path.stat().st_mtime_ns == when[path]
    invoke("verify", build, "--all")

    edit(
        tree,
        "generate/rows.py",
        "**dict(graded),",
        '**{**dict(graded), "rationale": graded.rationale + "!"},',
    )
    other = cotbuild_from(tree, *generate(build))
    assert DELETED + "the rationales they were derived from changed" in other.stderr
    assert not list(build.glob("*_*"))
    manifest = json.loads((build / "manifest.json").read_text())
    assert manifest["variants"] is None
    assert set(manifest["digests"]) == {"rationales", "questions"}


def test_changed_evaluation_questions_delete_variants_and_say_so(build: Path) -> None:
    write_questions(build.parent / "dev.jsonl", ["Which is dry?"])
    done = invoke(*generate(build))
    assert DELETED + "the questions they were derived from changed" in done.stderr
    assert not (build / "post_cot").exists()
    invoke("verify", build)


def test_a_dry_run_says_on_what_it_depends(build: Path) -> None:
    done = invoke(*generate(build), "--dry-run")
    assert KEPT in done.stdout
    assert DELETED not in done.stdout


def test_a_damaged_variant_is_not_kept(build: Path) -> None:
    path = build / "post_cot" / "train-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    done = invoke(*generate(build))
    assert (
        DELETED + "post_cot/train-00000-of-00001.parquet is missing or damaged"
        in done.stderr
    )
    invoke("verify", build)


@pytest.mark.parametrize(
    "moved_away",
    [[], ["README.md"], ["README.md", "build.json", "questions", "rationales"]],
)
def test_variants_outlive_a_kill_while_the_build_is_replaced(
    build: Path, moved_away: list[str]
) -> None:
    """The state between any two steps of the replacement: the manifest is away, some
    files are in the stage.
    """
    before = published(build)
    stage = build / ".staging"
    stage.mkdir()
    (build / "manifest.json").replace(build / ".answers" / "previous-manifest.json")
    for name in moved_away:
        (build / name).replace(stage / f".old-{name}")
    done = invoke(*generate(build))
    assert DELETED not in done.stderr
    assert published(build) == before
    assert not (build / ".answers" / "previous-manifest.json").exists()
    invoke("verify", build, "--all")


def test_variants_mixed_by_a_kill_while_they_were_replaced_are_not_kept(
    build: Path,
) -> None:
    """Files of the new set stand where the manifest of the old one is the last."""
    (build / "manifest.json").replace(build / ".answers" / "previous-manifest.json")
    name = "train-00000-of-00001.parquet"
    shutil.copy(build / "label_only" / name, build / "post_cot" / name)
    done = invoke(*generate(build))
    assert DELETED + f"post_cot/{name} is missing or damaged" in done.stderr
    assert not (build / "label_only").exists()
    invoke("verify", build)

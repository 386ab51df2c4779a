"""The catalogue: what a folder is, by its files, and what is wrong with it."""

import fcntl
import json
import os
import shutil
from pathlib import Path

import pytest

from cotbuild.builder.view.catalog import Catalog, CatalogEntry, EntryKind
from cotbuild.builder.view.faults import NotFoundError
from cotbuild.schemas.errors import DataError
from tests.support.big_builds import GOLDEN_BUILD, write_big_build


def entries_by_name(catalog: Catalog) -> dict[str, CatalogEntry]:
    return {entry.name: entry for entry in catalog.entries()}


def test_folders_are_told_apart_by_their_files(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN_BUILD, tmp_path / "old")
    write_big_build(tmp_path / "new", 20)
    (tmp_path / "making" / ".answers" / "gen-0001").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").mkdir()
    shutil.copytree(GOLDEN_BUILD, tmp_path / ".hidden" / "build")
    for name, file in (("run", "run.json"), ("eval", "evaluation.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("{")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "STUDY.yaml").write_text("a: [")
    found = entries_by_name(Catalog([tmp_path]))
    assert {name: entry.kind.value for name, entry in found.items()} == {
        "old": "build",
        "new": "build",
        "making": "build",
        "run": "run",
        "eval": "evaluation",
        "study": "study",
    }
    assert found["new"].num_rows == 20
    assert sum(found["new"].verdicts.values()) == 20
    assert found["new"].is_complete
    assert not found["making"].is_complete
    for name in ("run", "eval", "study"):
        fault = found[name].fault
        assert fault is not None
        assert "\n" not in fault


def test_a_folder_given_is_itself_an_entry_and_names_differ(tmp_path: Path) -> None:
    for parent in ("one", "two"):
        shutil.copytree(GOLDEN_BUILD, tmp_path / parent / "my build ü")
    catalog = Catalog([tmp_path / "one" / "my build ü", tmp_path / "two"])
    assert list(entries_by_name(catalog)) == ["my-build", "my-build-2"]
    assert catalog.find("my-build-2").folder == tmp_path / "two" / "my build ü"


def test_under_a_root_names_are_the_names_of_folders(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN_BUILD, tmp_path / "good.name_1-x")
    shutil.copytree(GOLDEN_BUILD, tmp_path / "bad name")
    shutil.copytree(GOLDEN_BUILD, tmp_path / ".service")
    (tmp_path / "manifest.json").write_text("{}")
    catalog = Catalog([tmp_path], is_root=True)
    assert list(entries_by_name(catalog)) == ["good.name_1-x"]
    shutil.copytree(GOLDEN_BUILD, tmp_path / "later")
    assert catalog.find("later", EntryKind.BUILD).is_complete


@pytest.mark.parametrize(
    "name", ["..", "nothing", "", "a/b", ".service", "a\0b", "x" * 5000]
)
def test_an_unknown_name_is_not_found(tmp_path: Path, name: str) -> None:
    shutil.copytree(GOLDEN_BUILD, tmp_path / "build")
    with pytest.raises(NotFoundError) as raised:
        Catalog([tmp_path], is_root=True).find(name)
    assert len(str(raised.value)) < 300


def test_another_kind_counts_as_none(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN_BUILD, tmp_path / "build")
    with pytest.raises(NotFoundError, match="no study of this name"):
        Catalog([tmp_path]).find("build", EntryKind.STUDY)


def test_links_are_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    shutil.copytree(GOLDEN_BUILD, outside)
    (root / "half").mkdir(parents=True)
    (root / "linked").symlink_to(outside)
    (root / "half" / "manifest.json").symlink_to(outside / "manifest.json")
    catalog = Catalog([root])
    found = entries_by_name(catalog)
    assert list(found) == ["half"]
    assert "not a regular file" in (found["half"].fault or "")
    with pytest.raises(DataError, match="not a regular file"):
        catalog.open_build("half")


def test_a_damaged_manifest_is_listed_with_its_fault(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN_BUILD, tmp_path / "build")
    catalog = Catalog([tmp_path])
    assert catalog.find("build").fault is None
    path = tmp_path / "build" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["seed"] = -1
    path.write_text(json.dumps(manifest))
    fault = catalog.find("build").fault
    assert fault is not None
    assert "seed" in fault


def test_a_file_is_read_again_only_when_it_changed(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN_BUILD, tmp_path / "build")
    catalog = Catalog([tmp_path])
    first = catalog.find("build")
    path = tmp_path / "build" / "manifest.json"
    status, data = path.stat(), path.read_bytes()
    with path.open("r+b") as file:  # same size, same inode
        file.write(b"X" * len(data))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert catalog.find("build") == first
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert catalog.find("build").fault is not None


def test_a_build_is_live_while_its_lock_is_held_and_the_lock_stays_free(
    tmp_path: Path,
) -> None:
    answers = tmp_path / "making" / ".answers"
    answers.mkdir(parents=True)
    catalog = Catalog([tmp_path])
    assert not catalog.find("making").is_live
    with (answers / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert catalog.find("making").is_live
    assert not catalog.find("making").is_live

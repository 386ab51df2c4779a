"""`cotbuild sources NAME`: at most 80 columns, with a real row and its Question."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cotbuild.builder.sources import describe_source
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError
from tests.support.pictures import draw_picture

Write = Callable[..., Path]
ROOT = Path(__file__).parents[3]


def test_a_file_with_its_size_first_row_and_question(write: Write) -> None:
    row = {
        "id": "a",
        "question": "Why " + "x" * 500,
        "choices": ["one\ntwo", "three"],
        "answer": 1,
    }
    path = write("my_dev.jsonl", [row, {**row, "id": "b", "answer": 0}])
    lines = list(describe_source(SourceConfig(name=str(path))))
    size = f"{path.stat().st_size:,} bytes"
    assert lines[0] == f"validation       2 rows in my_dev.jsonl, {size}; JSON Lines"
    assert lines[1] == "licence          its owner's; the file states none"
    assert lines[2] == "row 0 of validation, as published:"
    assert lines[3] == "  id: 'a'"
    assert "the question of row 0:" in lines
    assert lines[-2:] == ["  choices: (A) one two  (B) three", "  target: B"]
    assert all(0 < len(line) <= 80 for line in lines)
    assert sum("…" in line for line in lines) == 1


def test_a_folder_shows_every_split(write: Write) -> None:
    row = '{"question": "q", "answer": 1}\n'
    folder = write("set/train.jsonl", row * 3).parent
    write("set/test.csv", "question,answer\nq,1\n")
    lines = list(describe_source(SourceConfig(name=str(folder))))
    assert [line.split(",")[0] for line in lines[:2]] == [
        "train            3 rows in train.jsonl",
        "test             1 rows in test.csv",
    ]


def test_a_file_of_a_known_shape_shows_that_datasets_licence(write: Write) -> None:
    path = write(
        "a.jsonl", [{"question": "How many?", "answer": "2 and 3 are 5.\n#### 5"}]
    )
    assert "licence          that of gsm8k, if it is a copy: MIT" in describe_source(
        SourceConfig(name=str(path))
    )


def test_the_inputs_and_tags_of_a_question(write: Write) -> None:
    picture = draw_picture(size=(32, 24))
    write("a.png", picture)
    row = {"question": "What is it?", "answer": "red", "pic": "a.png", "h": "A colour."}
    path = write("train.jsonl", [{**row, "grade": 3}])
    config = SourceConfig(
        name=str(path),
        columns={"image": "pic", "hint": "h"},
        tags={"grade": "grade"},
    )
    lines = list(describe_source(config))
    assert lines[-5:] == [
        "  text: What is it?",
        f"  image: 32×24 png {hashlib.sha256(picture).hexdigest()[:12]}",
        "  hint: A colour.",
        "  target: red",
        "  tags: grade=3",
    ]
    assert {entry.name for entry in path.parent.iterdir()} == {"a.png", "train.jsonl"}


def test_the_bundled_set() -> None:
    lines = list(describe_source(SourceConfig()))
    assert lines[0] == "bundled          choice, yes_no, number, text; train, test"
    assert "                 licence: Apache-2.0" in lines
    assert any(
        line.startswith("train            72 rows in bundled.jsonl") for line in lines
    )
    assert any(
        line.startswith("test             24 rows in bundled.jsonl") for line in lines
    )


def test_a_file_with_unknown_columns_shows_its_row_before_the_error(
    write: Write,
) -> None:
    shown = describe_source(
        SourceConfig(name=str(write("a.jsonl", [{"frage": "q", "antwort": 1}])))
    )
    lines: list[str] = []
    with pytest.raises(ConfigError, match="--map"):
        lines.extend(shown)
    assert lines[-2:] == ["  frage: 'q'", "  antwort: 1"]


def test_a_known_dataset_without_a_hub_shows_what_is_known() -> None:
    code = """
from cotbuild.builder.sources import describe_source
from cotbuild.schemas.config import SourceConfig
print(*describe_source(SourceConfig(name="arc_easy")), sep="\\n")
"""
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "tests" / ".ns"),
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=env,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "arc_easy         choice; train, validation, test",
        "                 allenai/ai2_arc @ 210d026faf99",
        "                 licence: CC BY-SA 4.0",
        "                 --source arc_easy",
        "size, row        not shown: the Hub cannot be reached",
    ]

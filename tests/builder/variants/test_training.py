"""A variant trains with TRL as it is, in a process that has nothing of ours."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import cotbuild, rows, write_questions

SCRIPT = Path(__file__).parents[2] / "support" / "train_with_trl.py"


def write_spec(path: Path) -> Path:
    """A variant whose rationale is a turn of the assistant, which is trained on too."""
    path.write_text(
        "variants:\n"
        "  - {name: chat_given, about: a, placement: given_rationale, format: messages,"
        " train_on: all}\n"
    )
    return path


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    write_questions(
        folder / "train.jsonl",
        [f"Which of these {number} things floats? ½ 東京 🙂" for number in range(24)],
    )
    cotbuild(
        "generate",
        "--source",
        folder / "train.jsonl",
        "--teacher",
        "scripted",
        "--out",
        folder / "b",
    )
    cotbuild(
        "variants",
        folder / "b",
        "--only",
        "label_only,pre_cot,post_cot_shuffled_words,two_tasks,post_cot_leak_only,"
        "chat_post_cot,chat_given",
        "--spec",
        write_spec(folder / "spec.yaml"),
    )
    return folder / "b"


VARIANTS = [
    "post_cot_shuffled_words",
    "label_only",
    "two_tasks",
    "post_cot_leak_only",
    "chat_post_cot",
    "chat_given",
]


def as_text(row: dict[str, Any]) -> tuple[str, str]:
    """A row as the script's chat template renders it, up to the end of text."""
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(prompt, str):
        return prompt, completion
    turns = [f"{turn['role']}:\n{turn['content']}<eos>\n" for turn in prompt]
    return "".join(turns) + "assistant:\n", completion[0]["content"]


@pytest.fixture(scope="module")
def batches(
    build: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """What TRL made of the first batch of each variant, by variant."""
    folder = tmp_path_factory.mktemp("trl")
    env = {
        **os.environ,
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, str(SCRIPT), str(build), str(folder / "out"), *VARIANTS]
    done = subprocess.run(
        command, capture_output=True, text=True, env=env, timeout=280, cwd=folder
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"variant"')]
    return {batch["variant"]: batch for batch in map(json.loads, lines)}


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_supervised_is_the_completion_and_the_end_and_nothing_else(
    build: Path, batches: dict[str, dict[str, Any]], variant: str
) -> None:
    batch = batches[variant]
    known = {as_text(row) for row in rows(build, variant)}
    assert len(batch["supervised"]) == 4
    for read, supervised in zip(batch["read"], batch["supervised"], strict=True):
        completion, end, rest = supervised.rpartition("<eos>")
        assert (end, rest.strip()) == ("<eos>", "")
        assert (read.replace("<pad>", ""), completion) in known
    assert batch["loss"] > 0

"""A variant trains with TRL as it is, in a process that has nothing of ours."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import cotbuild, rows, write_questions

SCRIPT = Path(__file__).parents[2] / "support" / "train_with_trl.py"


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
        "label_only,pre_cot,post_cot_shuffled_words,two_tasks,post_cot_leak_only",
    )
    return folder / "b"


VARIANTS = ["post_cot_shuffled_words", "label_only", "two_tasks", "post_cot_leak_only"]


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_supervised_is_the_completion_and_the_end_and_nothing_else(
    build: Path, variant: str, tmp_path: Path
) -> None:
    env = {
        **os.environ,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, str(SCRIPT), str(build), variant, str(tmp_path / "out")]
    done = subprocess.run(
        command, capture_output=True, text=True, env=env, timeout=280, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    known = {(row["prompt"], row["completion"]) for row in rows(build, variant)}
    assert len(said["supervised"]) == 4
    for read, supervised in zip(said["read"], said["supervised"], strict=True):
        assert supervised.endswith("<eos>")
        assert (read.replace("<pad>", ""), supervised.removesuffix("<eos>")) in known
    assert said["loss"] > 0

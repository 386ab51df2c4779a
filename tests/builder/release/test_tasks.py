"""Classification with inputs from the published files to a release, by the real commands.

Human rationales are imported from the rows, a student is trained on a variant and
evaluated, and the build goes to a Hub and back. The student is tiny: what it learns is
not the point.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.builder.release.conftest import REPO, Run
from tests.support.commands import DATA, invoke, rows

TASKS = DATA / "tasks"
NUM_TRAIN, NUM_TEST = 40, 12

pytestmark = [pytest.mark.slow, pytest.mark.needs_data]


class Task(NamedTuple):
    """One set: where a split of its questions is put, and what its rows look like."""

    write: Callable[[Path], Path]
    options: tuple[str, ...]
    num_samples: int
    reported: str
    """What an evaluation reports beside the accuracy."""
    prompt: str
    """The student's prompt for the first question."""


def write_sentiment(_: Path) -> Path:
    pytest.importorskip("openpyxl")
    return TASKS / "sentiment_reasoning"


def write_esnli(folder: Path) -> Path:
    """Write the first lines as the train split, and the next as the test split."""
    with (TASKS / "esnli" / "dev.first3000.jsonl").open() as file:
        lines = [next(file) for _ in range(NUM_TRAIN + NUM_TEST)]
    (folder / "train.jsonl").write_text("".join(lines[:NUM_TRAIN]))
    (folder / "test.jsonl").write_text("".join(lines[NUM_TRAIN:]))
    return folder


def write_science(folder: Path) -> Path:
    """Write the questions with a solution; the first ones become the train split."""
    problems = json.loads((TASKS / "scienceqa" / "problems.json").read_text())
    solved = [(name, row) for name, row in problems.items() if row["solution"]]
    # Those with a picture first, so that captions are among them.
    solved.sort(key=lambda item: item[1]["image"] is None)
    chosen = solved[: NUM_TRAIN + NUM_TEST]
    for number, (_, row) in enumerate(chosen):
        row["split"] = "train" if number < NUM_TRAIN else "test"
    (folder / "problems.json").write_text(json.dumps(dict(chosen)))
    captions = (TASKS / "scienceqa" / "captions.json").read_text()
    (folder / "captions.json").write_text(captions)
    return folder


SETS = {
    "sentiment_reasoning": Task(
        write_sentiment,
        ("--config-name", "eng"),
        1,
        "macro-F1",
        "Question: From the beginning of the program until now, a mutation caused in "
        "the facilities especially\nOptions:\n- negative\n- neutral\n- positive\nAnswer:",
    ),
    "esnli": Task(
        write_esnli,
        (),
        3,
        "macro-F1",
        "Premise: Two women are embracing while holding to go packages .\n"
        "Hypothesis: The sisters are hugging goodbye while holding to go packages after "
        "just eating lunch .\nQuestion: How does the hypothesis relate to the premise?\n"
        "Options:\n- entailment\n- neutral\n- contradiction\nAnswer:",
    ),
    "scienceqa": Task(
        write_science,
        ("--source-map", "image="),
        1,
        "subject",
        "Hint: ",
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_human_rationales_train_a_student_and_are_published(
    name: str, at_hub: Run, tmp_path: Path
) -> None:
    task = SETS[name]
    (tmp_path / "files").mkdir()
    source = task.write(tmp_path / "files")
    build, run = tmp_path / "build", tmp_path / "run"
    more = ["--eval-splits", "test", "--set", f"source.limit={NUM_TRAIN}"]
    invoke("import", "--source", source, *task.options, *more, "--out", build)
    rationales = rows(build)
    assert len(rationales) == NUM_TRAIN * task.num_samples
    assert {row["verdict"] for row in rationales} == {"correct"}
    assert all(row["rationale"] for row in rationales)
    invoke("variants", build, "--only", "post_cot,label_only")
    training = [row for row in rows(build, "post_cot") if row["rationale_start"]]
    assert str(training[0]["prompt"]).startswith(task.prompt)
    assert task.reported in _evaluate_student(build, run, tmp_path)
    at_hub("publish", build, REPO, "--tag", "v1")
    at_hub("pull", f"{REPO}@v1", tmp_path / "pulled")
    assert rows(tmp_path / "pulled") == rationales
    at_hub("verify", f"{REPO}@v1")


def _evaluate_student(build: Path, run: Path, folder: Path) -> str:
    """Train a tiny student, evaluate it on the test split and return what is printed."""
    from tests.support.tiny import save_tiny

    student = save_tiny(folder / "student", "llama")
    _allow_long_texts(student)
    words: list[Any] = ["--variant", "post_cot", "--epochs", "1", "--out", run]
    invoke("train", build, *words, "--student", student)
    limit = ["--limit", NUM_TEST]
    done = invoke("evaluate", run, "--split", "test", *limit, "--base", student)
    return done.output


def _allow_long_texts(student: Path) -> None:
    """Let a student, whose positions are rotary, read the lectures of ScienceQA."""
    path = student / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "max_position_embeddings": 4096}))

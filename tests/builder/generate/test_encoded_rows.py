"""Rows derived in batches and in several processes: the files of one process."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.builder.generate import import_job, teacher_job
from cotbuild.builder.generate.derivation import (
    BatchItem,
    DeriveItems,
    UnderivedRows,
)
from cotbuild.builder.generate.encoded_rows import EncodedBuild
from cotbuild.builder.generate.rows import BuildCounts, flag_duplicates
from cotbuild.builder.processes import PROCESSES
from cotbuild.builder.variants import write
from cotbuild.schemas.fingerprint import dumped_json
from cotbuild.schemas.rationale import Rationale
from tests.builder.generate.test_rows import row, said
from tests.schemas.test_records import question
from tests.support.commands import invoke, published, start, write_questions
from tests.support.image_builds import write_image_questions
from tests.support.waiting import HANG_S, wait_until

ANY_VERDICT = "correct,incorrect,no_answer"
ONLY = "post_cot,post_cot_shuffled_words"
TEXTS = ("It floats.", "it  FLOATS.", "It sinks. The answer is A.", "", "The end is B.")


class MadeUp:
    """Derives rows that are there already."""

    @contextmanager
    def open(self) -> Iterator[DeriveItems]:
        yield self.derive

    def derive(self, items: Sequence[BatchItem]) -> Iterator[Rationale]:
        return (item.detail for item in items)


@given(st.lists(st.sampled_from(TEXTS), max_size=30), st.integers(1, 31))
@settings(max_examples=30)
def test_rows_and_counts_do_not_depend_on_the_batches(
    texts: list[str], items_per_batch: int
) -> None:
    rows = [row(said(text)) for text in texts]
    items = (BatchItem(question(), one) for one in rows)
    build = EncodedBuild()
    underived = UnderivedRows(MadeUp(), items, items_per_batch)
    batches = list(build.rows(underived, 1))
    expected, counts = list(flag_duplicates(rows)), BuildCounts()
    for one in expected:
        counts.add(one)
    values = [one.model_dump(mode="json") for one in expected]
    lines = [line for batch in batches for line in batch.lines]
    assert lines == list(map(dumped_json, values))
    assert [one for batch in batches for one in batch.table.to_pylist()] == values
    assert build.counts.figures() == counts.figures()


# -- real builds -------------------------------------------------------------------------


def write_lines(path: Path, values: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def choices(folder: Path) -> list[object]:
    """Two samples of each question; some texts of the scripted teacher are the same."""
    source = write_questions(folder / "q.jsonl", [f"Number {n}?" for n in range(25)])
    more = ["--samples", 2, "--decode", "choice", "--on-length", "longer"]
    return ["generate", "--source", source, "--teacher", "scripted", *more]


def shown_after_a_miss(folder: Path) -> list[object]:
    source = write_questions(folder / "q.jsonl", [f"Number {n}?" for n in range(25)])
    mode = ["--mode", "elicit-then-rationalize"]
    return ["generate", "--source", source, "--teacher", "scripted", *mode]


def attempts(folder: Path) -> list[object]:
    asked = write_lines(
        folder / "q.jsonl",
        [
            {"id": f"q{n}", "question": f"{n}?", "choices": ["a", "b"], "answer": "A"}
            for n in range(20)
        ],
    )
    tried = write_lines(
        folder / "a.jsonl",
        [{"id": f"q{n % 9}", "text": f"{n}. The answer is B."} for n in range(20)],
    )
    given = ["--mode", "reflect", "--attempts", tried]
    return ["generate", "--source", asked, "--teacher", "scripted", *given]


def images(folder: Path) -> list[object]:
    source = write_image_questions(folder, "train", range(20))
    mapped = ["--map", "image=image", "--map", "hint=hint"]
    return ["generate", "--source", source, "--teacher", "scripted", *mapped]


def imported(folder: Path) -> list[object]:
    """Every third rationale is the same, and most state no answer."""
    source = write_questions(folder / "q.jsonl", [f"Number {n}?" for n in range(25)])
    texts = write_lines(
        folder / "texts.jsonl",
        [{"q": f"Number {n}?", "text": f"It is {n % 3}."} for n in range(24)],
    )
    mapped = ["--map", "text=text", "--map", "question=q"]
    return ["import", texts, "--source", source, *mapped]


@pytest.mark.parametrize(
    ("shape", "number"),
    [
        (choices, 3),
        (shown_after_a_miss, 2),
        (attempts, 2),
        (images, 2),
        (imported, 2),
    ],
)
def test_any_number_of_processes_writes_the_same_files(
    shape: Any, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher_job, "ROWS_PER_BATCH", 6)
    monkeypatch.setattr(import_job, "ROWS_PER_BATCH", 6)
    monkeypatch.setattr(write, "BATCH_RATIONALES", 6)
    words, out = shape(tmp_path), tmp_path / "build"
    found = []
    for processes in (1, number):
        monkeypatch.setenv(PROCESSES, str(processes))
        made = invoke(*words, "--out", out)
        invoke("variants", out, "--only", ONLY, "--filter", f"verdicts={ANY_VERDICT}")
        found.append((published(out), made.output.count("state no answer")))
        (out / "manifest.json").unlink()
    assert found[0] == found[1]


# -- kills -------------------------------------------------------------------------------


def children_of(pid: int) -> list[int]:
    done = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True
    )
    return [int(word) for word in done.stdout.split()]


def is_running(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("victim", "sent", "code", "told"),
    [
        ("child", signal.SIGKILL, 1, "was killed by SIGKILL"),
        ("parent", signal.SIGINT, 130, ""),
        ("parent", signal.SIGKILL, -signal.SIGKILL, ""),
    ],
    ids=["child-killed", "interrupted", "killed"],
)
def test_a_kill_while_rows_are_derived_leaves_no_build_and_no_process(
    victim: str,
    sent: signal.Signals,
    code: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = write_questions(
        tmp_path / "q.jsonl", [f"Number {n}?" for n in range(1500)]
    )
    out, log = tmp_path / "build", tmp_path / "log"
    words = ["generate", "--source", source, "--teacher", "scripted", "--out", out]
    monkeypatch.setenv(PROCESSES, "2")
    with start(*words, log=log) as process:
        wait_until(lambda: len(children_of(process.pid)) == 2, log.read_text)
        children = children_of(process.pid)
        os.kill(children[0] if victim == "child" else process.pid, sent)
        assert process.wait(HANG_S) == code
    wait_until(lambda: not any(map(is_running, children)))
    assert not (out / "manifest.json").exists()
    assert told in log.read_text()
    assert "Traceback" not in log.read_text()
    monkeypatch.setenv(PROCESSES, "1")
    again = invoke(*words)
    assert "0 to send" in again.output
    assert not (out / ".staging").exists()

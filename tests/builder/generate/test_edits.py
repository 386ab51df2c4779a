"""What is asked again after an edit: exactly what it touches, counted at a server in
another process.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import invoke, published, rows, write_questions
from tests.support.http_teacher import Server, serve

TEXTS = [f"Which of these is number {i}?" for i in range(20)]

TEMPLATE = """
name: mine
version: 1
kind: choice
about: a test
answer: last
system: Be brief.
user: |-
  $question
  $choices
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(nonce=True, models=("fake", "other")) as running:
        yield running


class Bench:
    """A build over the server: run it, and see how many requests that took."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder, self.server = folder, server
        self.source = write_questions(folder / "q.jsonl", TEXTS)
        self.template = folder / "mine.yaml"
        self.template.write_text(TEMPLATE)
        self.out = folder / "build"

    def run(self, *more: object, teacher: str = "fake", url: str | None = None) -> int:
        before = int(self.server.stats()["requests"])
        endpoint = ["--teacher", teacher, "--endpoint", url or self.server.url]
        words = [
            "generate",
            "--source",
            self.source,
            "--template",
            self.template,
            *endpoint,
            "--out",
            self.out,
            *more,
        ]
        self.last = invoke(*words)
        return int(self.server.stats()["requests"]) - before

    def edit(self, old: str, new: str) -> None:
        for path in (self.template, self.source):
            path.write_text(path.read_text().replace(old, new))


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Path:
    """A folder `work` with a whole build, and the same as `copy`."""
    folder = tmp_path_factory.mktemp("edits")
    (folder / "work").mkdir()
    made = Bench(folder / "work", server)
    assert made.run() == 20
    assert made.run() == 0
    assert (
        "no open requests, no server started: the build is up to date"
        in made.last.stdout
    )
    shutil.copytree(folder / "work", folder / "copy")
    return folder


@pytest.fixture
def bench(pristine: Path, server: Server) -> Bench:
    # At the same path for every test, since settings name the files there.
    shutil.rmtree(pristine / "work")
    shutil.copytree(pristine / "copy", pristine / "work")
    return Bench(pristine / "work", server)


@pytest.mark.parametrize(
    ("old", "new", "asked"),
    [
        ("Be brief.", "Be very brief.", 20),  # system prompt of the template
        ("$choices", "Options: $choices", 20),  # template text
        ("number 7?", "number 7, please?", 1),  # one row
        ("about: a test", "about: the same for people", 0),
    ],
)
def test_an_edit_asks_exactly_what_it_touches(
    bench: Bench, old: str, new: str, asked: int
) -> None:
    bench.edit(old, new)
    assert bench.run() == asked
    if asked:
        assert (
            "this run replaces the 20 rationales there. Changed: " in bench.last.stderr
        )
    bench.edit(new, old)
    assert bench.run() == 0  # the answers to the old form are still known


@pytest.mark.parametrize(
    ("flags", "asked"),
    [
        (["--system", "Be kind."], 20),
        (["--seed", 1], 20),
        (["--temperature", 0.5], 20),
        (["--max-tokens", 99], 20),
        (["--set", "sampling.top_k=5"], 20),
        (["--samples", 3], 40),
        (["--limit", 5], 0),
        (["--window", 3], 0),
        (["--retry-failed"], 0),
        (["--fresh"], 20),
    ],
)
def test_a_changed_setting_asks_exactly_what_it_touches(
    bench: Bench, flags: list[object], asked: int
) -> None:
    assert bench.run(*flags) == asked
    assert bench.run() == 0 or flags == ["--fresh"]


def test_another_model_is_another_teacher(bench: Bench) -> None:
    assert bench.run(teacher="other") == 20
    assert bench.run(teacher="fake") == 0


def test_source_bytes_in_another_order_or_with_new_rows_ask_the_new_ones_alone(
    bench: Bench,
) -> None:
    before = {str(row["question_id"]): row["completion"] for row in rows(bench.out)}
    lines = bench.source.read_text().splitlines(keepends=True)
    extra = (
        json.dumps(
            {
                "question": "Which is new?",
                "choices": ["this", "that", "neither"],
                "answer": "A",
            }
        )
        + "\n"
    )
    bench.source.write_text("".join([extra, *reversed(lines)]))
    assert bench.run() == 1
    after = {str(row["question_id"]): row["completion"] for row in rows(bench.out)}
    assert len(after) == 21
    assert before.items() <= after.items()
    bench.source.write_text("".join(lines[:5]))
    assert bench.run() == 0
    assert len(rows(bench.out)) == 5


def test_a_target_edited_asks_nothing_and_changes_the_verdict(bench: Bench) -> None:
    before = {row["question_id"]: row["verdict"] for row in rows(bench.out)}
    bench.edit('"answer": "B"', '"answer": "A"')
    assert bench.run() == 0
    assert {row["question_id"]: row["verdict"] for row in rows(bench.out)} != before


def test_the_same_answers_give_the_same_bytes_in_another_folder(
    bench: Bench,
) -> None:
    first = published(bench.out)
    (bench.out / "manifest.json").unlink()
    assert bench.run() == 0
    assert published(bench.out) == first
    assert "rebuilt from stored answers" in bench.last.stdout
    assert bench.folder.parent.name not in json.dumps(
        {name: len(data) for name, data in first.items()}
    )


def test_a_dry_run_asks_and_writes_nothing(bench: Bench) -> None:
    before = {path: path.stat().st_mtime_ns for path in bench.out.rglob("*")}
    assert bench.run("--dry-run", "--seed", 5) == 0
    assert "20 to send" in bench.last.stdout
    assert '"content": "Be brief."' in bench.last.stdout
    assert {path: path.stat().st_mtime_ns for path in bench.out.rglob("*")} == before

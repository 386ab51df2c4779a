"""cotbuild pull: a release is a build again, whose teacher is asked nothing twice."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.schemas.answers.grade import grade_completion
from cotbuild.schemas.answers.turn import split_reasoning
from tests.builder.release.conftest import REPO, Run
from tests.schemas.test_records import question
from tests.support.commands import cotbuild, invoke, rows, write_questions
from tests.support.http_teacher import serve
from tests.support.hub.running import SmallHub
from tests.support.waiting import HANG_S

STEPS = [
    "--mode",
    "elicit-then-rationalize",
    "--decode",
    "choice",
    "--on-length",
    "longer",
]


def asks_nothing(said: str) -> bool:
    return said.startswith(
        "no open requests, no server started: rebuilt from stored answers"
    )


def build_again(pulled: Path, source: Path, *words: object) -> str:
    config = pulled / "build.json"
    done = cotbuild(
        *("generate", "--config", config, "--source", source, "--out", pulled),
        *("--allow-unscored", *words),
    )
    return done.stdout


def test_a_release_that_was_pulled_asks_nothing_and_makes_the_same_rows(
    at_hub: Run, finished: Path, tmp_path: Path
) -> None:
    at_hub("publish", finished, REPO, "--tag", "v1")
    out = tmp_path / "pulled"
    said = at_hub("pull", f"{REPO}@v1", out).stdout.splitlines()
    assert said[0].startswith("downloaded and verified: ")
    assert "already downloaded" in at_hub("pull", REPO, out).stdout
    assert rows(out) == rows(finished)
    assert not (out / ".pulling").exists()
    invoke("verify", out, "--all")
    assert any(row["other_steps"] for row in rows(finished))
    assert any(row["failure"] for row in rows(finished))
    before = {p.name: p.read_bytes() for p in (out / "rationales").iterdir()}
    assert asks_nothing(build_again(out, finished.parent))
    assert {p.name: p.read_bytes() for p in (out / "rationales").iterdir()} == before
    invoke("variants", out, "--only", "label_only,post_cot")
    assert rows(out, "post_cot") == rows(finished, "post_cot")


@pytest.mark.parametrize(
    "reasoning", [pytest.param("", marks=pytest.mark.slow), "reasoning_content"]
)
def test_neither_a_server_nor_the_endpoint_is_needed(
    tmp_path: Path, reasoning: str
) -> None:
    source = write_questions(
        tmp_path / "q.jsonl", (f"Which of these is number {i}?" for i in range(40))
    )
    build, folder, out = tmp_path / "build", tmp_path / "release", tmp_path / "pulled"
    with serve(
        length=0.2, reasoning=reasoning, faults={"http_400": 0.05}, times=0
    ) as server:
        endpoint = ["--teacher", "fake", "--endpoint", server.url, "--revision", "r1"]
        words = ["--source", source, *endpoint, *STEPS, "--out", build]
        cotbuild("generate", *words, "--allow-unscored")
        port = server.port
    assert {
        row["reasoning"] is not None for row in rows(build) if not row["failure"]
    } == {bool(reasoning)}
    cotbuild("publish", build, f"file:{folder}")
    for path in folder.rglob("*"):
        assert path.is_dir() or str(port).encode() not in path.read_bytes(), path
    cotbuild("pull", f"file:{folder}", out)
    assert asks_nothing(build_again(out, source))
    assert rows(out) == rows(build)


@pytest.mark.slow
def test_what_failed_and_may_pass_is_asked_again_and_nothing_else(
    tmp_path: Path,
) -> None:
    source = write_questions(
        tmp_path / "q.jsonl", (f"Which of these is number {i}?" for i in range(60))
    )
    build, folder, out = tmp_path / "build", tmp_path / "release", tmp_path / "pulled"
    with serve(faults={"http_503": 0.2, "http_400": 0.2}, times=0) as server:
        words: list[Any] = ["--teacher", "fake", "--endpoint", server.url]
        cotbuild(
            "generate",
            "--source",
            source,
            *words,
            "--set",
            "teacher.max_attempts=1",
            "--out",
            build,
            code=3,
        )
        failed = [row["failure"] for row in rows(build)]
        assert {"unavailable", "rejected"} <= set(failed)
        cotbuild("publish", build, f"file:{folder}", "--allow-partial")
        cotbuild("pull", f"file:{folder}", out)
        server.reset()
        build_again(out, source, "--endpoint", server.url)
        assert server.stats()["requests"] == failed.count("unavailable")
    assert [row["failure"] for row in rows(out)].count("rejected") == failed.count(
        "rejected"
    )


@pytest.mark.slow
def test_a_template_of_ones_own_and_a_folder_of_weights_come_along(
    tmp_path: Path,
) -> None:
    """The release names both; what they were is kept with the pulled build."""
    source = write_questions(tmp_path / "q.jsonl", ["Which floats?", "Which sinks?"])
    own = tmp_path / "own.yaml"
    own.write_text(
        "name: own\nversion: 3\nkind: choice\nabout: Ours.\nanswer: last\nuser: 'Q: $question $choices ?'\n"
    )
    build, folder, out = tmp_path / "build", tmp_path / "release", tmp_path / "pulled"
    cotbuild(
        "generate",
        "--source",
        source,
        "--teacher",
        "scripted",
        "--template",
        own,
        "--system",
        "Be brief.",
        "--out",
        build,
    )
    cotbuild("publish", build, f"file:{folder}")
    own.unlink()
    assert json.loads((folder / "build.json").read_text())["templates"] == ["own@3"]
    cotbuild("pull", f"file:{folder}", out)
    assert asks_nothing(build_again(out, source))
    assert rows(out) == rows(build)
    cotbuild("publish", out, f"file:{tmp_path / 'again'}")
    for name in ("build.json", "manifest.json"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.slow
def test_an_import_comes_back_too(tmp_path: Path) -> None:
    source = write_questions(
        tmp_path / "q.jsonl",
        [f"Which of these {number} floats?" for number in range(5)],
    )
    texts = tmp_path / "rationales.jsonl"
    given = [
        {
            "q": f"Which of these {n} floats?",
            "why": f"Wood number {n} floats. The answer is (B).",
        }
        for n in range(5)
    ]
    texts.write_text("".join(json.dumps(row) + "\n" for row in given))
    build, folder, out = tmp_path / "build", tmp_path / "release", tmp_path / "pulled"
    words = [
        "--map",
        "text=why",
        "--map",
        "question=q",
        "--made-by",
        "people",
        "--licence",
        "mit",
    ]
    invoke("import", texts, "--source", source, *words, "--out", build)
    cotbuild("publish", build, f"file:{folder}", "--tag", "v1")
    assert (
        "5 imported rationales: keys and rows derived again"
        in invoke("verify", f"file:{folder}@v1").stdout
    )
    cotbuild("pull", f"file:{folder}@v1", out)
    assert rows(out) == rows(build)
    invoke("verify", out)


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_what_stands_in_a_folder_is_not_touched(finished: Path, tmp_path: Path) -> None:
    folder = f"file:{tmp_path / 'release'}"
    cotbuild("publish", finished, folder)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    assert (
        "holds 'notes.txt' and is no build"
        in cotbuild("pull", folder, mine, code=1).stderr
    )
    assert [path.name for path in mine.iterdir()] == ["notes.txt"]
    other = tmp_path / "other"
    cotbuild("generate", "--teacher", "scripted", "--limit", "3", "--out", other)
    before = rows(other)
    assert "holds another build" in cotbuild("pull", folder, other, code=1).stderr
    assert rows(other) == before
    assert not (other / ".pulling").exists()


def test_a_release_that_is_not_there_leaves_nothing_behind(
    at_hub: Run, tmp_path: Path
) -> None:
    assert (
        "error: lab/x: there is no such folder, and no such dataset on the Hub"
        in at_hub("pull", REPO, tmp_path / "out", code=1).stderr
    )
    assert not (tmp_path / "out" / ".pulling").exists()
    assert (
        "no release there"
        in cotbuild(
            "pull", f"file:{tmp_path / 'none'}", tmp_path / "out", code=1
        ).stderr
    )


def test_a_manifest_that_leads_out_of_the_release_is_refused(
    hub: SmallHub, at_hub: Run, finished: Path, tmp_path: Path
) -> None:
    manifest = json.loads((finished / "manifest.json").read_text())
    manifest["files"][0]["path"] = "../../escaped.parquet"
    hub.store.push(
        f"datasets/{REPO}",
        {
            "manifest.json": json.dumps(manifest).encode(),
            "build.json": b"{}",
            "README.md": b"",
        },
    )
    refused = at_hub("pull", REPO, tmp_path / "a" / "b", code=1)
    assert "unsafe file name '../../escaped.parquet'" in refused.stderr


@pytest.mark.parametrize(
    "nth",
    [
        pytest.param(3, marks=pytest.mark.slow),
        9,
        pytest.param(11, marks=pytest.mark.slow),
    ],
)
def test_a_pull_that_was_killed_goes_on(
    hub: SmallHub, at_hub: Run, finished: Path, tmp_path: Path, nth: int
) -> None:
    from tests.support.commands import PROGRAM

    at_hub("publish", finished, REPO)
    out, pid = tmp_path / "pulled", tmp_path / "pid"
    hub.dial(
        {
            "on": "^GET /datasets/lab/x/resolve/",
            "do": "kill",
            "nth": nth,
            "pid_file": str(pid),
        }
    )
    process = subprocess.Popen(
        [*PROGRAM, "pull", REPO, str(out)], env=hub.env, stderr=subprocess.DEVNULL
    )
    pid.write_text(str(process.pid))
    assert process.wait(HANG_S) == -9
    hub.dial()
    assert not (out / "manifest.json").exists()
    so_far = len(hub.requests("GET /datasets/lab/x/resolve/"))
    at_hub("pull", REPO, out)
    assert rows(out) == rows(finished)
    fetched = len(hub.requests("GET /datasets/lab/x/resolve/")) - so_far
    num_files = sum(
        1 for path in out.rglob("*") if path.is_file() and ".answers" not in path.parts
    )
    assert fetched <= num_files - (nth - 1) + 1
    shutil.rmtree(out)


# -- reasoning ---------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "<think>",
        "</think>",
        "The answer is (B).",
        "so it floats",
        "\n",
        " ",
        "(A)",
        '{"answer":"B"}',
    ]
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)


@given(text=TEXTS, said=st.none() | TEXTS, as_json=st.booleans())
def test_a_row_tells_enough_of_reasoning_to_be_judged_again(
    text: str, said: str | None, as_json: bool
) -> None:
    """Whether it was returned apart or stood in the text: the row has one column for
    both.
    """
    row = grade_completion(question(), text, reasoning=said, as_json=as_json)
    kept = None if row.reasoning == split_reasoning(text).reasoning else row.reasoning
    assert grade_completion(question(), text, reasoning=kept, as_json=as_json) == row

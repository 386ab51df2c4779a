"""The command line: exact lines, exit codes, and one line for whatever a user gets
wrong.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cotbuild.builder.exit_codes import ExitCode
from tests.support.commands import (
    HERE,
    PROGRAM,
    cotbuild,
    invoke,
    rows,
    start,
    write_questions,
)
from tests.support.http_teacher import serve
from tests.support.waiting import HANG_S

NO_CHOICE = '{"question": "Which?", "choices": ["a", "b"], "answer": "E"}\n'


def test_a_run_ends_with_counts_place_fingerprint_and_the_next_command(
    tmp_path: Path,
) -> None:
    out = tmp_path / "b"
    done = cotbuild(
        "generate",
        "--teacher",
        "scripted",
        "--eval-splits",
        "test",
        "--limit",
        8,
        "--out",
        out,
    )
    counts, evaluation, spent, place, following = done.stdout.splitlines()
    total, *parts = map(int, re.findall(r"\d+", counts))
    assert re.fullmatch(r"8 rationales = (\d+ \w+ \+ )*\d+ \w+", counts)
    assert total == sum(parts) == 8
    assert evaluation == "24 evaluation questions in test"
    assert re.fullmatch(r"spent: 8 requests, [\d,]+ \+ [\d,]+ tokens, 0:0\d", spent)
    assert re.fullmatch(rf"{out}  fingerprint [0-9a-f]{{16}}", place)
    assert following == f"next: cotbuild inspect {out}"
    assert (
        done.stderr.splitlines()[0]
        == "plan: 8 questions × 1 = 8 requests: 0 already answered, 8 to send"
    )
    assert re.fullmatch(
        r"8/8 · .* · \d+ tok/s · 0:00 left", done.stderr.splitlines()[-1]
    )


def test_a_second_run_says_that_nothing_was_to_be_asked(tmp_path: Path) -> None:
    words = ["generate", "--teacher", "scripted", "--limit", 8, "--out", tmp_path / "b"]
    first = cotbuild(*words).stdout.splitlines()
    again = cotbuild(*words)
    assert again.stderr == ""
    assert again.stdout.splitlines() == [
        "no open requests, no server started: the build is up to date",
        *first,
    ]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["generate"], 2, "Missing option '--out'"),
        (
            ["generate", "--out", "b", "--limit", "many"],
            2,
            "Invalid value for '--limit'",
        ),
        (["generate", "--out", "b", "--limit", "0"], 2, "settings: source.limit is 0."),
        (
            ["generate", "--out", "b", "--temperature", "3"],
            2,
            "settings: sampling.temperature is 3.0.",
        ),
        (
            ["generate", "--out", "b", "--samples", "2", "--temperature", "0"],
            2,
            "samples is 2 at temperature 0",
        ),
        (
            ["generate", "--out", "b", "--set", "sampling.top_q=1"],
            2,
            "settings: there is no field 'sampling.top_q'. Did you mean top_p or "
            "top_k?",
        ),
        (
            ["generate", "--out", "b", "--set", "grading.zzz=1"],
            2,
            "there is no field 'grading.zzz'. The fields there are "
            "closing_sentence, math_metric.",
        ),
        (
            ["generate", "--out", "b", "--set", "zzz.a=1"],
            2,
            "there is no field 'zzz'. The fields are format_version, source, ",
        ),
        (
            ["generate", "--out", "b", "--set", "teacher.scripted.x=1"],
            2,
            "there is no field 'teacher.scripted.x'. The fields there are ",
        ),
        (
            ["generate", "--out", "b", "--set", "seed"],
            2,
            "--set 'seed' is not NAME=VALUE",
        ),
        (
            ["generate", "--out", "b", "--map", "question"],
            2,
            "--map 'question' is not FIELD=COLUMN",
        ),
        (["generate", "--out", "b", "--config", "none.yaml"], 2, "none.yaml: "),
        (
            ["generate", "--out", "b", "--template", "nope@1"],
            2,
            "template 'nope@1': not known",
        ),
        (["generate", "--out", "b", "--source", "nope"], 2, "'nope'"),
        (
            ["generate", "--out", "b", "--teacher", "nope"],
            2,
            "teacher: 'nope' is neither a local directory nor a Hub id",
        ),
        (
            ["generate", "--out", "b", "--teacher", "scripted", "--split", "nope"],
            2,
            "'nope'",
        ),
        (
            [
                "generate",
                "--out",
                "b",
                "--teacher",
                "scripted",
                "--eval-splits",
                "train",
            ],
            2,
            "repeats a split",
        ),
        (
            [
                "generate",
                "--out",
                "b",
                "--teacher",
                "m",
                "--endpoint",
                "http://127.0.0.1:9/v1",
            ],
            1,
            "127.0.0.1:9",
        ),
        (["inspect", "b"], 1, "b: no manifest.json, so this is not a finished build."),
        (["verify", "b"], 1, "b: no manifest.json, so this is not a finished build."),
        (["clean", "b"], 1, "b: no folder of a build with stored answers."),
        (["prompts", "nope@1"], 2, "template 'nope@1': not known"),
        (["nope"], 2, "No such command 'nope'"),
    ],
)
def test_what_a_user_gets_wrong_is_one_clear_line(
    tmp_path: Path,
    words: list[str],
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke(*words, code=code)
    assert message in done.stderr
    assert done.stdout == ""
    assert [
        line for line in done.stderr.splitlines() if line.startswith("error: ")
    ] or "Usage: " in done.stderr
    assert not (tmp_path / "b" / "manifest.json").exists()


def test_a_bad_row_stops_with_file_row_and_fault_or_is_counted(tmp_path: Path) -> None:
    source = write_questions(tmp_path / "q.jsonl", ["Which one?", "Which two?"])
    source.write_text(source.read_text() + NO_CHOICE)
    words = [
        "generate",
        "--teacher",
        "scripted",
        "--source",
        source,
        "--out",
        tmp_path / "b",
    ]
    error = invoke(*words, code=1).stderr
    assert error.startswith("error: q.jsonl")
    assert "row 2" in error
    assert "'E'" in error
    assert "--on-bad-row drop" in error
    done = invoke(*words, "--on-bad-row", "drop")
    assert "source rows left out: 1 " in done.stdout
    assert len(rows(tmp_path / "b")) == 2


def test_a_file_of_unknown_shape_is_answered_with_the_line_to_type(
    tmp_path: Path,
) -> None:
    source = tmp_path / "q.jsonl"
    source.write_text(
        json.dumps({"stem": "Which?", "opts": ["a", "b"], "gold": "B"}) + "\n"
    )
    words = [
        "generate",
        "--teacher",
        "scripted",
        "--source",
        source,
        "--out",
        tmp_path / "b",
    ]
    error = invoke(*words, code=2).stderr
    assert "--map question=" in error
    mapping = [
        "--map",
        "question=stem",
        "--map",
        "choices=opts",
        "--map",
        "target=gold",
    ]
    invoke(*words, *mapping)
    assert rows(tmp_path / "b")[0]["target"] == "B"


def test_how_columns_were_understood_is_said_and_recorded(tmp_path: Path) -> None:
    source, out = tmp_path / "w.csv", tmp_path / "b"
    source.write_text(
        "question,A,B,C,D,answer\nWhich holds tea?,plate,cup,shelf,door,B\n"
    )
    words = ["generate", "--teacher", "scripted", "--source", source, "--out", out]
    done = invoke(*words, "--map", "target=", "--dry-run")
    assert "options from A, B, C, D; no targets" in done.stdout
    done = invoke(*words)
    line = (
        "CSV, comma-separated: choice questions; options from A, B, C, D; target answer "
        "as label (1 of 1 rows tell) (change with --map, --kind, --target-is)"
    )
    assert f"source w.csv/train: {line}" in done.output
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["source"]["read_as"] == {"train": line}


def test_a_config_file_and_flags_that_win(tmp_path: Path) -> None:
    config = tmp_path / "build.yaml"
    config.write_text(
        "source: {limit: 4}\nteacher: {model: scripted}\nsampling: {temperature: 0.5}\nseed: 3\n"
    )
    cotbuild("generate", "--config", config, "--seed", 9, "--out", tmp_path / "b")
    built = json.loads((tmp_path / "b" / "build.json").read_text())
    assert built["seed"] == 9
    assert built["sampling"]["temperature"] == 0.5
    assert len(rows(tmp_path / "b")) == 4
    # A resolved build.json is a config file too: it is YAML.
    cotbuild(
        "generate", "--config", tmp_path / "b" / "build.json", "--out", tmp_path / "c"
    )
    assert rows(tmp_path / "c") == rows(tmp_path / "b")


def test_inspect_shows_counts_and_records_within_80_columns(tmp_path: Path) -> None:
    cotbuild(
        "generate", "--teacher", "scripted", "--out", tmp_path / "b", "--limit", 12
    )
    shown = subprocess.run(
        [*PROGRAM, "inspect", "b"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert max(map(len, shown)) <= 80
    assert sum(line.startswith("question   ") for line in shown) == 3
    assert any(line.startswith("12 rationales = ") for line in shown)
    one = invoke(
        "inspect", tmp_path / "b", "--id", rows(tmp_path / "b")[5]["question_id"]
    ).stdout
    assert one.count("question   ") == 1
    assert (
        "no rationale with verdict truncated"
        in invoke("inspect", tmp_path / "b", "--verdict", "truncated").stdout
    )
    assert (
        "no question 'x'"
        in invoke("inspect", tmp_path / "b", "--id", "x", code=1).stderr
    )
    assert (
        "choose one of correct"
        in invoke("inspect", tmp_path / "b", "--verdict", "x", code=2).stderr
    )


def test_prompts_lists_templates_and_shows_one_rendered() -> None:
    listed = invoke("prompts").stdout
    assert "* choice_few_shot@1" in listed
    assert max(map(len, listed.splitlines())) <= 100
    shown = invoke("prompts", "choice_label_first@1").stdout
    assert "Answer: The answer is A because " in shown
    assert "── user " in shown
    assert "(A) a stone" in shown


def test_sources_lists_what_is_known_by_name() -> None:
    listed = invoke("sources").stdout
    for name in ("bundled", "commonsense_qa", "openbookqa", "quarel"):
        assert f"--source {name}" in listed


def test_a_teacher_that_always_fails_is_stopped_early_with_its_own_words(
    tmp_path: Path,
) -> None:
    source = write_questions(tmp_path / "q.jsonl", (f"Which {i}?" for i in range(500)))
    with serve(faults={"http_400": 1.0}, times=0) as server:
        endpoint = ["--teacher", "fake", "--endpoint", server.url, "--window", 4]
        done = cotbuild(
            "generate", "--source", source, *endpoint, "--out", tmp_path / "b", code=1
        )
        assert server.stats()["requests"] < 40
    assert "the first 20 requests all failed" in done.stderr
    assert "To resume: cotbuild generate --source" in done.stderr.splitlines()[-1]


def test_every_exit_code_is_in_the_help_and_in_the_readme() -> None:
    readme = (HERE.parent / "README.md").read_text()
    sentence = readme.split("The exit codes of all commands are", 1)[1].split(".")[0]
    shown = invoke("--help").stdout
    for code in ExitCode:
        assert re.search(rf"\b{code.value} +[a-z]", sentence), code
        assert re.search(rf"^ +{code.value}  +[a-z]", shown, re.MULTILINE), code


def test_refused_rows_are_unscored_and_asked_again_only_on_request(
    tmp_path: Path,
) -> None:
    source = write_questions(tmp_path / "q.jsonl", (f"Which {i}?" for i in range(60)))
    out = tmp_path / "b"
    with serve(faults={"http_400": 0.2}, times=0) as server:
        words = [
            "generate",
            "--source",
            source,
            "--teacher",
            "fake",
            "--endpoint",
            server.url,
            "--out",
            out,
        ]
        done = invoke(*words, code=3)
        refused = sum(row["failure"] == "rejected" for row in rows(out))
        assert 3 < refused < 30
        assert f"unscored: {refused} rejected" in done.stdout
        assert f"  {refused} rejected: HTTP 400: " in done.stdout
        assert (
            f"{refused} requests rejected: sent again only with --retry-failed"
            in done.stdout
        )
        assert all(row["verdict"] == "unscored" for row in rows(out) if row["failure"])
        asked = server.stats()["requests"]
        planned = invoke(*words, "--dry-run").stdout
        again = f"{refused} stored failures will not be sent again; --retry-failed"
        assert again in planned
        invoke(*words, code=3)
        invoke(*words, "--allow-unscored")
        assert server.stats()["requests"] == asked
        server.set(faults={})
        invoke(*words, "--retry-failed")
        assert server.stats()["requests"] == asked + refused
    assert not any(row["failure"] for row in rows(out))


def test_requests_that_may_pass_are_asked_again_by_the_next_run(tmp_path: Path) -> None:
    source = write_questions(tmp_path / "q.jsonl", (f"Which {i}?" for i in range(40)))
    out = tmp_path / "b"
    with serve(faults={"http_500": 0.2}, times=0) as server:
        words = [
            "generate",
            "--source",
            source,
            "--teacher",
            "fake",
            "--endpoint",
            server.url,
            "--out",
            out,
        ]
        words += ["--set", "teacher.max_attempts=2"]
        done = invoke(*words, code=3)
        failed = sum(row["failure"] == "unavailable" for row in rows(out))
        assert failed > 2
        assert (
            f"{failed} requests failed with retryable errors; run the same command to retry"
            in done.stdout
        )
        server.set(faults={})
        assert "unscored" not in invoke(*words).stdout
    assert not any(row["failure"] for row in rows(out))


def test_a_key_never_reaches_disk_or_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sk-very-secret-0123456789"
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    with serve(api_key=secret) as server:
        words = [
            "generate",
            "--limit",
            4,
            "--teacher",
            "fake",
            "--endpoint",
            server.url,
            "--out",
            tmp_path / "b",
        ]
        done = cotbuild(*words)
        monkeypatch.setenv("OPENAI_API_KEY", secret + "-wrong")
        refused = cotbuild(*words, "--fresh", code=1)
    assert secret not in done.stdout + done.stderr + refused.stdout + refused.stderr
    assert not [
        path
        for path in tmp_path.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]


def test_a_second_generate_on_one_folder_is_refused(tmp_path: Path) -> None:
    source = write_questions(tmp_path / "q.jsonl", (f"Which {i}?" for i in range(200)))
    with serve(latency_s=0.3) as server:
        words = [
            "generate",
            "--source",
            source,
            "--teacher",
            "fake",
            "--endpoint",
            server.url,
            "--window",
            4,
        ]
        words += ["--out", tmp_path / "b"]
        with start(*words) as process:
            while not server.stats()["requests"] and process.poll() is None:
                pass
            error = invoke(*words, code=1).stderr
            process.kill()
        assert f"in use by another cotbuild process, pid {process.pid}" in error


def test_the_reader_of_a_pipe_may_leave(tmp_path: Path) -> None:
    cotbuild("generate", "--teacher", "scripted", "--out", tmp_path / "b")
    command = f"{sys.executable} -m cotbuild.builder.cli.app inspect {tmp_path / 'b'} --limit 72 | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        env=dict(os.environ),
    )
    assert "Traceback" not in done.stderr


def test_help_imports_nothing_heavy() -> None:
    """What keeps `cotbuild --help` quick; the time itself is in tests/bench."""
    code = "import sys, cotbuild.builder.cli.app; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {
        "torch",
        "vllm",
        "transformers",
        "datasets",
        "pyarrow",
        "numpy",
        "aiohttp",
        "huggingface_hub",
        "yaml",
    }
    assert heavy.isdisjoint(loaded)

"""`cotbuild bench` against servers that are no models: the form of what it prints."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cotbuild.builder.bench.levels import num_requests
from cotbuild.builder.bench.run import ENDPOINT_CONCURRENCY, concurrencies
from cotbuild.builder.cli.bench import MAX_OUTPUT_TOKENS, MAX_REQUESTS, log_folder
from cotbuild.schemas.completion import Sampling
from cotbuild.schemas.errors import TeacherError
from tests.support.commands import PROGRAM, invoke
from tests.support.http_teacher import Server, serve

ROW = re.compile(r" *[\d,]+( +[\d,.-]+){7}")


def words(server: Server, *more: object) -> list[object]:
    return ["bench", "--teacher", "fake", "--endpoint", server.url, *more]


def test_levels_a_suggestion_and_a_file(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    with serve(slots=2, latency_s=0.02) as server:
        done = invoke(*words(server, "--max-concurrency", 8, "--json", figures))
        requests = server.stats()["requests"]
    header, *rows = done.stdout.splitlines()
    assert header.split() == [
        "in", "flight", "requests", "tokens/s", "requests/s", "p50", "s", "p99", "s",
        "failed", "retried",
    ]  # fmt: skip
    table = [row for row in rows if ROW.fullmatch(row)]
    assert len(table) >= 3
    assert rows[len(table)].startswith("best: ")
    assert re.fullmatch(
        rf"use: cotbuild generate --teacher fake --endpoint {server.url} --window \d+",
        rows[-1],
    )
    written = json.loads(figures.read_text())
    assert written["teacher"]["kind"] == "endpoint"
    assert written["stopped"] is None
    concurrency = [level["concurrency"] for level in written["levels"]]
    assert concurrency == [1, 2, 4, 8][: len(table)]
    assert written["knee"] in concurrency
    assert written["num_prompts"] == 72
    asked = sum(level["num_requests"] for level in written["levels"])
    assert asked == requests
    assert all(level["num_failed"] == 0 for level in written["levels"])


@pytest.mark.parametrize(
    ("option", "number", "line"),
    [
        ("--max-requests", 20, "stopped by --max-requests 20"),
        ("--max-output-tokens", 2000, "stopped by --max-output-tokens 2000"),
        ("--max-seconds", 1, "stopped by --max-seconds 1"),
    ],
)
def test_limits_end_it_with_what_there_is(option: str, number: int, line: str) -> None:
    latency_s = 30.0 if option == "--max-seconds" else 0.0
    with serve(latency_s=latency_s) as server:
        done = invoke(*words(server, option, number))
        requests = server.stats()["requests"]
    assert line in done.stdout.splitlines()
    if option == "--max-requests":
        assert requests == 12
        assert "left out: 2 in flight; to measure it: --max-requests 24" in done.stdout
    if option == "--max-seconds":
        assert "no level had enough answers to suggest anything" in done.stdout


def test_the_first_level_is_measured_as_far_as_the_limit_reaches() -> None:
    with serve() as server:
        done = invoke(*words(server, "--max-requests", 5))
        assert server.stats()["requests"] == 5
    assert "stopped by --max-requests 5" in done.stdout.splitlines()
    assert "left out" not in done.stdout
    assert "use: cotbuild generate" in done.stdout


def test_a_level_that_may_take_too_many_tokens_is_left_out(tmp_path: Path) -> None:
    """Two in flight may take 2,000; after 12 short answers, that is too much."""
    figures = tmp_path / "new" / "figures.json"
    with serve() as server:
        done = invoke(
            *words(server, "--max-tokens", 1000, "--max-output-tokens", 2000),
            *("--json", figures),
        )
        assert server.stats()["requests"] == 12
    assert "stopped by --max-output-tokens 2000" in done.stdout.splitlines()
    left_out = re.search(
        r"^left out: 2 in flight; to measure it: --max-output-tokens (\d+)$",
        done.stdout,
        re.MULTILINE,
    )
    assert left_out is not None
    assert int(left_out[1]) > 2000
    written = json.loads(figures.read_text())
    assert written["stopped"] == "--max-output-tokens 2000"
    assert written["left_out"] == 2
    assert [level["concurrency"] for level in written["levels"]] == [1]


def test_the_defaults_reach_the_highest_level() -> None:
    levels = list(concurrencies(ENDPOINT_CONCURRENCY))
    num_in_all = sum(map(num_requests, levels))
    assert num_in_all <= MAX_REQUESTS
    assert num_in_all * Sampling().max_tokens <= MAX_OUTPUT_TOKENS


def test_refused_requests_are_counted() -> None:
    with serve(at_most=1, latency_s=0.1) as server:
        done = invoke(*words(server, "--max-concurrency", 2, "--max-requests", 24))
    rows = [row.split() for row in done.stdout.splitlines() if ROW.fullmatch(row)]
    assert int(rows[0][7]) == 0
    assert sum(int(row[7]) for row in rows) > 0


def test_a_wrong_server_is_one_line() -> None:
    with serve(models=("other",)) as server:
        done = invoke(*words(server), code=1)
    assert "error: " in done.stderr
    assert "'fake'" in done.stderr


def test_a_limit_below_one_is_refused() -> None:
    done = invoke("bench", "--teacher", "scripted", "--max-requests", 0, code=2)
    assert "error: --max-requests is 0. Pass at least 1." in done.stderr


def test_no_store_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    done = invoke("bench", "--teacher", "scripted", "--max-concurrency", 2)
    assert "use: cotbuild generate --teacher scripted" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_settings_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    invoke(
        *("bench", "--teacher", "scripted", "--source", tmp_path / "absent.jsonl"),
        code=2,
    )
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_refused_before_any_request(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    with serve() as server:
        for path in (tmp_path, tmp_path / "file" / "figures.json"):
            done = invoke(*words(server, "--json", path), code=1)
            assert f"error: {path}: could not be written: " in done.stderr
        assert server.stats()["requests"] == 0


def test_the_folder_of_the_logs_is_kept_where_a_server_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def fail(log: str | None) -> None:
        with log_folder() as folder:
            if log is not None:
                (folder / log).touch()
            raise TeacherError("the server has ended")

    with pytest.raises(TeacherError):
        fail(None)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TeacherError):
        fail("vllm-1.log")
    assert [path.name for path in tmp_path.rglob("*.log")] == ["vllm-1.log"]


def start(server: Server, folder: Path, *more: object) -> subprocess.Popen[str]:
    """Start a long measurement, whose folder for logs is created in `folder`."""
    return subprocess.Popen(
        [*PROGRAM, *map(str, words(server, "--max-seconds", 200, *more))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(folder)},
    )


def test_a_teacher_that_fails_leaves_what_was_measured(tmp_path: Path) -> None:
    figures, temporary = tmp_path / "figures.json", tmp_path / "temporary"
    temporary.mkdir()
    with serve(latency_s=0.05) as server:
        process = start(server, temporary, "--json", figures)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        server.set(latency_s=0.05, api_key="another")  # 401 from now on
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert ROW.fullmatch(lines[1].rstrip("\n"))
    assert "use: cotbuild generate --teacher fake" in out
    assert err.splitlines()[-1].startswith("error: ")
    assert json.loads(figures.read_text())["stopped"] == "failed"
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="signals")
def test_ctrl_c_prints_what_there_is(tmp_path: Path) -> None:
    with serve(latency_s=0.05) as server:
        process = start(server, tmp_path)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert ROW.fullmatch(lines[1].rstrip("\n"))
    assert "use: cotbuild generate --teacher fake" in out
    assert err.splitlines()[-1] == "stopped"
    assert list(tmp_path.iterdir()) == []

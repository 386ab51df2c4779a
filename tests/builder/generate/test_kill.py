"""Real kill -9 at random moments, against a server in another process that never gives
one answer twice.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.commands import (
    PROGRAM,
    cotbuild,
    invoke,
    published,
    rows,
    start,
    write_questions,
)
from tests.support.http_teacher import Server, key_of, serve
from tests.support.waiting import HANG_S, wait_until

WINDOW = 16


def arguments(server: Server, source: Path, out: Path) -> list[object]:
    endpoint = ["--teacher", "fake", "--endpoint", server.url, "--window", WINDOW]
    return ["generate", "--source", source, *endpoint, "--out", out]


def kill_when_asked(process_words: list[object], server: Server, goal: int) -> None:
    """Start a run and kill it once the server has had `goal` requests, or after a while
    in start-up.
    """
    with start(*process_words) as process:
        deadline = time.monotonic() + random.uniform(0.3, 6)
        while (
            process.poll() is None
            and server.stats()["requests"] < goal
            and time.monotonic() < deadline
        ):
            time.sleep(0.01)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def nonces_in_build(out: Path) -> dict[str, str]:
    """The nonce each question's answer begins with, by the server's key of its request."""
    from cotbuild.builder.build.build import StoredBuild
    from cotbuild.builder.generate.teacher_job import resolve_teacher_job
    from cotbuild.builder.teachers.http.request_body import build_request_body

    job = resolve_teacher_job(StoredBuild.open(out).config, out)
    keys = {}
    for chain in job.chains(job.read_rules(), lambda _: None):
        assert chain.open_step is not None
        request = chain.open_step.request
        keys[request.request_key] = key_of(build_request_body(request, "fake"))
    return {
        keys[str(row["request_key"])]: str(row["completion"]).split()[0]
        for row in rows(out)
    }


@pytest.mark.parametrize(
    "kills", [6, pytest.param(50, marks=[pytest.mark.soak, pytest.mark.timeout(1200)])]
)
def test_after_any_number_of_kills_the_first_answers_stand(
    tmp_path: Path, kills: int
) -> None:
    """Every answer delivered before a kill stands in the build, except at most a
    window's worth a kill.
    """
    random.seed(kills)
    num_questions = 40 * kills
    source = write_questions(
        tmp_path / "q.jsonl",
        (f"Which of these is number {i}?" for i in range(num_questions)),
    )
    out = tmp_path / "build"
    with serve(nonce=True, latency_s=0.1, sigma=0.7) as server:
        words = arguments(server, source, out)
        for _ in range(kills):
            kill_when_asked(
                words, server, server.stats()["requests"] + random.randint(1, 70)
            )
        cotbuild(*words)
        asked = server.stats()["requests"]
        assert num_questions <= asked <= num_questions + kills * WINDOW
        first, built = server.first_nonces(), nonces_in_build(out)
        assert built.keys() == first.keys()
        assert len(built) == num_questions
        replaced = [key for key in built if built[key] != first[key]]
        assert len(replaced) <= kills * WINDOW
        assert len(set(built.values())) == num_questions
        invoke("verify", out)
        moved = tmp_path / "moved"
        shutil.copytree(out / ".answers", moved / ".answers")
        cotbuild(*arguments(server, source, moved))
        assert server.stats()["requests"] == asked
    assert published(moved) == published(out)


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(
    tmp_path: Path, signal_number: signal.Signals
) -> None:
    source = write_questions(
        tmp_path / "q.jsonl", (f"Which of these is number {i}?" for i in range(200))
    )
    log = tmp_path / "stderr"
    with serve(latency_s=0.2) as server:
        words = arguments(server, source, tmp_path / "build")
        with start(*words, "--fresh", log=log) as process:
            wait_until(lambda: server.stats()["requests"] >= 40, log.read_text)
            process.send_signal(signal_number)
            assert process.wait(HANG_S) == 130
        last = log.read_text().splitlines()[-1]
        assert last.startswith(
            "stopped; every answer received is kept. To resume: cotbuild generate --source "
        )
        assert "--fresh" not in last
        assert "Traceback" not in log.read_text()
        asked = server.stats()["requests"]
        cotbuild(*words)
        assert server.stats()["requests"] <= 200 + WINDOW
        assert server.stats()["requests"] >= asked
    assert len(rows(tmp_path / "build")) == 200


def test_sigterm_again_while_it_ends_adds_no_line(tmp_path: Path) -> None:
    """As from make, which passes on the signal that its process group has already had."""
    source = write_questions(
        tmp_path / "q.jsonl", (f"Which of these is number {i}?" for i in range(200))
    )
    log = tmp_path / "stderr"
    with (
        serve(latency_s=0.2) as server,
        start(*arguments(server, source, tmp_path / "build"), log=log) as process,
    ):
        wait_until(lambda: server.stats()["requests"] >= 40, log.read_text)
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            time.sleep(0.002)
        assert process.wait(HANG_S) == 130
    last = log.read_text().splitlines()[-1]
    assert last.startswith("stopped; every answer received is kept. To resume: ")
    assert "exception" not in log.read_text()


def test_sigterm_ends_it_cleanly_where_ctrl_c_is_ignored(tmp_path: Path) -> None:
    """As of a run that a script has put in the background."""
    source = write_questions(
        tmp_path / "q.jsonl", (f"Which of these is number {i}?" for i in range(200))
    )
    log = tmp_path / "stderr"
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with (
            serve(latency_s=0.2) as server,
            start(*arguments(server, source, tmp_path / "build"), log=log) as process,
        ):
            wait_until(lambda: server.stats()["requests"] >= 40, log.read_text)
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            assert process.wait(HANG_S) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert (
        log.read_text()
        .splitlines()[-1]
        .startswith("stopped; every answer received is kept. To resume: ")
    )


def test_a_kill_right_after_the_manifest_leaves_nothing_behind_either(
    tmp_path: Path,
) -> None:
    """What it left of its staging folder goes with the next run, though that finds the
    build up to date.
    """
    words = ["generate", "--teacher", "scripted", "--out", tmp_path]
    cotbuild(*words)
    (tmp_path / ".staging" / ".old-rationales").mkdir(parents=True)
    assert "the build is up to date" in cotbuild(*words).stdout
    assert not (tmp_path / ".staging").exists()


@pytest.mark.slow  # tests/builder/build/test_install.py kills at each step by default
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [5])
def test_a_kill_while_the_build_is_replaced_leaves_the_old_one_or_none(
    tmp_path: Path, kills: int
) -> None:
    """Whatever the moment: a manifest that stands tells the truth, and the next run
    makes the build whole.
    """
    random.seed(kills)
    out, sources = tmp_path / "build", [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for source, number in zip(sources, (1500, 2000), strict=True):
        write_questions(
            source, (f"Which of these is number {i}?" for i in range(number))
        )
    words = ["generate", "--teacher", "scripted", "--out", out, "--source"]
    for source in sources:
        cotbuild(*words, source)
    for _ in range(kills):
        for source in sources:
            with start(*words, source) as process:
                time.sleep(random.uniform(0.3, 1.6))
                process.kill()
            if (out / "manifest.json").exists():
                invoke("verify", out)
    cotbuild(*words, sources[0])
    invoke("verify", out)
    assert len(rows(out)) == 1500
    assert not (out / ".staging").exists()


@pytest.mark.parametrize("kills", [4, pytest.param(40, marks=pytest.mark.soak)])
def test_variants_outlive_kills_while_an_equal_build_is_written(
    tmp_path: Path, kills: int
) -> None:
    random.seed(kills)
    out = tmp_path / "build"
    source = write_questions(
        tmp_path / "q.jsonl", (f"Which of these is number {i}?" for i in range(1500))
    )
    words = ["generate", "--teacher", "scripted", "--out", out, "--source", source]
    cotbuild(*words)
    invoke("variants", out, "--only", "post_cot,label_only")
    before = published(out)
    for _ in range(kills):
        with start(*words, "--retry-failed") as process:
            time.sleep(random.uniform(0.3, 2))
            process.kill()
    cotbuild(*words, "--retry-failed")
    assert published(out) == before
    invoke("verify", out)


def test_a_full_disk_is_one_line_and_nothing_is_lost(tmp_path: Path) -> None:
    """A limit the kernel enforces on each file stands in for the disk: writes fail in
    the middle of the run.
    """
    source = write_questions(
        tmp_path / "q.jsonl", (f"Which of these is number {i}?" for i in range(400))
    )
    with serve(nonce=True) as server:
        words = [str(word) for word in arguments(server, source, tmp_path / "build")]
        limited = ["bash", "-c", 'ulimit -f 40; exec "$@"', "bash", *PROGRAM, *words]
        done = subprocess.run(limited, capture_output=True, text=True, timeout=HANG_S)
        assert done.returncode == 1
        error, resume = done.stderr.splitlines()[-2:]
        assert error.startswith("error: ")
        assert error.endswith("then run the same command again.")
        assert resume.startswith(
            "every answer received is kept. To resume: cotbuild generate --source"
        )
        answered = set(server.first_nonces().values())
        assert 20 < len(answered) < 400
        cotbuild(*words)
        assert server.stats()["requests"] <= 400 + WINDOW
    assert len(rows(tmp_path / "build")) == 400


def test_a_server_that_dies_midway_ends_the_run_with_a_line(tmp_path: Path) -> None:
    source = write_questions(
        tmp_path / "q.jsonl", (f"Which of these is number {i}?" for i in range(2000))
    )
    words = [
        "generate",
        "--source",
        source,
        "--teacher",
        "fake",
        "--window",
        WINDOW,
        "--out",
        tmp_path / "build",
    ]
    words += ["--set", "teacher.stall_s=3", "--endpoint"]
    with (
        serve(latency_s=0.05) as server,
        start(*words, server.url, log=tmp_path / "stderr") as process,
    ):
        wait_until(lambda: server.stats()["requests"] >= 300)
        os.kill(server.pid, signal.SIGKILL)
        assert process.wait(HANG_S) == 1
    error, resume = (tmp_path / "stderr").read_text().splitlines()[-2:]
    assert error.startswith("error: teacher: no endpoint has answered for ")
    assert resume.startswith("every answer received is kept. To resume: ")
    with serve() as server:
        cotbuild(*words, server.url)
        assert server.stats()["requests"] <= 2000 - 300 + WINDOW
    assert not any(row["failure"] for row in rows(tmp_path / "build"))

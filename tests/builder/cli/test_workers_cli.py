"""`generate --workers` and `cotbuild worker` as a user meets them, in real processes: the
same bytes as without workers, whoever dies.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from cotbuild.builder.build.directory import read_manifest
from cotbuild.builder.generate.workers.units import choose_unit_size
from cotbuild.builder.launchers.local import WorkerRecord
from cotbuild.schemas.files import read_record
from tests.support.commands import (
    cotbuild,
    invoke,
    published,
    start,
    write_questions,
)
from tests.support.http_teacher import Server, serve
from tests.support.waiting import HANG_S, wait_until
from tests.support.worker_builds import has_had, requests_of, without_spending

NUM_QUESTIONS = 120
WINDOW = 8
DIALS = ["no_answer_frac=0.1", "length_frac=0.1", "rejected_frac=0.1"]


def questions(folder: Path, count: int = NUM_QUESTIONS) -> Path:
    texts = (f"Which of these is number {number}?" for number in range(count))
    return write_questions(folder / "q.jsonl", texts)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return questions(tmp_path_factory.mktemp("questions"))


def scripted(source: Path, out: Path, *more: object) -> list[object]:
    """A build with rejections, and with chains of two requests."""
    settings = [
        word for dial in DIALS for word in ("--set", f"teacher.scripted.{dial}")
    ]
    return ["generate", "--source", source, "--teacher", "scripted", *settings,
            "--mode", "elicit-then-rationalize", "--allow-unscored", "--out", out,
            *more]  # fmt: skip


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build that a run without workers makes."""
    out = tmp_path_factory.mktemp("whole") / "b"
    invoke(*scripted(source, out))
    return out


def asking(server: Server, source: Path, out: Path, *more: object) -> list[object]:
    return ["generate", "--source", source, "--teacher", "fake", "--endpoint",
            server.url, "--window", WINDOW, "--out", out, *more]  # fmt: skip


def worker_pids(out: Path) -> list[int]:
    """The processes of the workers that a run has started."""
    found = []
    for path in sorted((out / ".answers" / "workers").glob("worker-*.json")):
        record = read_record(path, WorkerRecord, remedy="")
        if record is not None:
            found.append(record.process.pid)
    return found


@contextmanager
def joined(out: Path, *more: object) -> Iterator["subprocess.Popen[str]"]:
    """A worker that a user starts."""
    out.mkdir(exist_ok=True)
    with start("worker", out, *more, log=out.with_suffix(".worker.log")) as process:
        try:
            yield process
        finally:
            process.kill()


# -- the same bytes ------------------------------------------------------------------------


def test_workers_make_the_build_of_one_process(
    source: Path, whole: Path, tmp_path: Path
) -> None:
    out = tmp_path / "b"
    done = cotbuild(*scripted(source, out, "--workers", 2))
    assert published(out) == published(whole)
    lines = done.stderr.splitlines()
    assert f"2 workers started; they write their logs to {out}/.answers/logs" in lines
    manifest, alone = read_manifest(out), read_manifest(whole)
    assert manifest is not None
    assert alone is not None
    assert manifest.run is not None
    assert alone.run is not None
    assert manifest.run.asked == alone.run.asked
    assert manifest.run.teachers == alone.run.teachers
    assert worker_pids(out) == []
    again = cotbuild(*scripted(source, out, "--workers", 2))
    assert again.stdout.splitlines()[0] == (
        "no open requests, no server started: the build is up to date"
    )
    logs = sorted((out / ".answers" / "logs").glob("worker-*.log"))
    assert len(logs) == 2
    for log in logs:
        last = log.read_text().splitlines()[-1]
        assert re.fullmatch(
            rf"{log.stem}: \d+ units? finished, \d+ requests?( \(\d+ failed\))?, "
            r"[\d,]+ \+ [\d,]+ tokens; (drained|nothing is left)",
            last,
        )


@pytest.mark.slow
def test_chains_that_share_a_first_request_go_on_in_a_second_plan(
    tmp_path: Path,
) -> None:
    """Of one question with three targets, one elicited answer is right for one alone."""
    row = '{{"question": "Which?", "choices": ["this", "that", "both"], "answer": "{0}", "id": "{0}"}}\n'
    source = tmp_path / "q.jsonl"
    source.write_text("".join(row.format(target) for target in "ABC"))
    more = ["--temperature", 0, "--mode", "elicit-then-rationalize"]
    with serve() as server:
        cotbuild(*asking(server, source, tmp_path / "b", *more, "--workers", 1))
        assert requests_of(server) == 3
        cotbuild(*asking(server, source, tmp_path / "alone", *more))
    assert published(tmp_path / "b") == published(tmp_path / "alone")


@pytest.mark.slow
def test_workers_join_a_build_before_and_while_it_is_planned(
    source: Path, whole: Path, tmp_path: Path
) -> None:
    out, log = tmp_path / "b", tmp_path / "driver.log"
    with (
        joined(out, "--id", "early") as early,
        start(*scripted(source, out, "--workers", 0), log=log) as driver,
    ):
        assert driver.wait(HANG_S) == 0, log.read_text()
        assert early.wait(HANG_S) == 0
    assert published(out) == published(whole)
    assert f"waiting for workers: cotbuild worker {out}" in log.read_text().splitlines()
    with joined(out, "--id", "late", "--wait", 0) as late:
        assert late.wait(HANG_S) == 0


# -- who dies ------------------------------------------------------------------------------


def kill_some_workers(out: Path, server: Server, kills: int, every: int) -> None:
    """Kill a worker each time that the server has had so many more requests."""
    for number in range(kills):
        wait_until(partial(has_had, server, every * (number + 1)))
        wait_until(lambda: worker_pids(out))
        pids = worker_pids(out)
        # The last and the first in turn: one place after the other, where both have one.
        os.kill(pids[0] if number % 2 else pids[-1], signal.SIGKILL)


@pytest.mark.parametrize(
    ("kills", "count"),
    [
        pytest.param(2, 240, marks=pytest.mark.slow),
        pytest.param(20, 2000, marks=[pytest.mark.soak, pytest.mark.timeout(1200)]),
    ],
)
def test_what_a_killed_worker_had_goes_to_others_and_no_answer_is_lost(
    tmp_path: Path, kills: int, count: int
) -> None:
    source, out, log = questions(tmp_path, count), tmp_path / "b", tmp_path / "log"
    with serve(latency_s=0.1) as server:
        words = asking(server, source, out, "--workers", 2)
        with start(*words, log=log) as driver:
            kill_some_workers(out, server, kills, every=count // (kills + 1))
            assert driver.wait(HANG_S) == 0, log.read_text()
        # A window a kill. And one unit: where a worker helps with the last unit of
        # another one, each sees what the other answered only now and then, so both may
        # ask what is left of it.
        unit = choose_unit_size(count, 2)
        assert count <= requests_of(server) <= count + kills * WINDOW + unit
        alone = tmp_path / "alone"
        cotbuild(*asking(server, source, alone))
    assert without_spending(published(out)) == without_spending(published(alone))
    assert (
        log.read_text().count("was lost: killed by SIGKILL; its units go to") == kills
    )


@pytest.mark.slow
def test_workers_go_on_without_a_killed_driver_and_the_same_command_finds_them(
    tmp_path: Path,
) -> None:
    source, out, log = questions(tmp_path, 300), tmp_path / "b", tmp_path / "log"
    with serve(latency_s=0.2) as server:
        words = asking(server, source, out, "--workers", 2)
        with start(*words, log=log) as driver:
            wait_until(lambda: requests_of(server) >= 60, log.read_text)
            driver.kill()
        pids = worker_pids(out)
        asked = requests_of(server)
        wait_until(lambda: requests_of(server) >= asked + 40)
        server.set(latency_s=5)  # the workers are to have work until they are found
        refused = cotbuild(*asking(server, source, out), code=1).stderr
        assert f"error: {out}: workers are at work on it: worker-1-" in refused
        with start(*words, log=log) as driver:
            wait_until(lambda: "workers are at work: worker-" in log.read_text())
            assert worker_pids(out) == pids
            server.set(latency_s=0)
            assert driver.wait(HANG_S) == 0, log.read_text()
        assert requests_of(server) == 300
    assert worker_pids(out) == []
    manifest = read_manifest(out)
    assert manifest is not None
    assert manifest.num_planned == 300


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "last"),
    [
        (signal.SIGINT, 130, "stopped; every answer received is kept."),
        (
            signal.SIGUSR1,
            4,
            r"paused: drained; \d+ of 2000 rationales left. To resume: ",
        ),
    ],
)
def test_a_signal_ends_the_workers_with_the_run(
    tmp_path: Path, number: signal.Signals, code: int, last: str
) -> None:
    source, out, log = questions(tmp_path, 2000), tmp_path / "b", tmp_path / "log"
    with serve(latency_s=0.2) as server:
        words = asking(server, source, out, "--workers", 2)
        with start(*words, log=log) as driver:
            wait_until(lambda: requests_of(server) >= 40, log.read_text)
            pids = worker_pids(out)
            driver.send_signal(number)
            assert driver.wait(HANG_S) == code
        assert re.match(last, log.read_text().splitlines()[-1])
        assert len(pids) == 2
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
        assert requests_of(server) < 2000
        if number is signal.SIGUSR1:
            server.set(latency_s=0)
            cotbuild(*asking(server, source, out))
            assert requests_of(server) == 2000


# -- the end without a build ---------------------------------------------------------------


def test_a_run_without_workers_ends_and_says_how_to_go_on(
    source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "b"
    words = scripted(source, out, "--workers", 0, "--worker-timeout", 0.5)
    done = invoke(*words, code=3)
    waiting = f"waiting for workers: cotbuild worker {out}"
    assert waiting in done.stderr.splitlines()
    assert done.stderr.splitlines()[-1].startswith(
        f"paused: no worker for 0:00; {NUM_QUESTIONS} of {NUM_QUESTIONS} rationales left. "
        "To resume: cotbuild"
    )
    assert read_manifest(out) is None


@pytest.mark.slow
def test_a_budget_of_requests_is_kept_and_the_run_goes_on_with_more(
    tmp_path: Path,
) -> None:
    source, out = questions(tmp_path), tmp_path / "b"
    with serve() as server:
        words = asking(server, source, out, "--workers", 2)
        done = cotbuild(*words, "--max-requests", 50, code=4)
        assert requests_of(server) == 50
        assert done.stderr.splitlines()[-1].startswith(
            f"paused: budget: 50 of 50 requests spent; 70 of {NUM_QUESTIONS} rationales "
            "left. Raise it to resume: cotbuild"
        )
        cotbuild(*words)
        assert requests_of(server) == NUM_QUESTIONS


@pytest.mark.slow
def test_a_teacher_that_no_worker_can_ask_ends_the_run_with_its_line(
    tmp_path: Path,
) -> None:
    source, out = questions(tmp_path), tmp_path / "b"
    with serve(models=("another",)) as server:
        done = cotbuild(*asking(server, source, out, "--workers", 2), code=1)
    error, resume = done.stderr.splitlines()[-2:]
    assert error.startswith("error: ")
    assert "'fake'" in error
    assert resume.startswith("every answer received is kept. To resume: cotbuild")


# -- words ---------------------------------------------------------------------------------


def test_a_dry_run_says_how_many_units_and_workers(
    source: Path, tmp_path: Path
) -> None:
    for number, words in ((2, "for 2 workers"), (0, "for workers that join")):
        done = invoke(
            *scripted(source, tmp_path / "b", "--workers", number, "--dry-run")
        )
        assert "workers: 8 units of at most 16 chains, " + words in done.stdout
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["generate", "--workers", "-1"], 2, "--workers -1 is below 0."),
        (["generate", "--worker-timeout", "5"], 2, "--worker-timeout 5 is for a run with"),
        (["generate", "--workers", "1", "--worker-timeout", "-5"], 2, "--worker-timeout -5 is below"),
        (["generate", "--workers", "1", "--worker-timeout", "nan"], 2, "--worker-timeout nan is below"),
        (["generate", "--workers", "1", "--server", "http://127.0.0.1:1"], 2,
         "--server with --workers, which a job of a service has not."),
        (["worker", "MISSING"], 1, "MISSING: there is no such folder."),
        (["worker", ".", "--id", "a b"], 2, "--id 'a b' is no name of a worker."),
        (["worker", ".", "--window", "0"], 2, "--window 0 is below 1."),
        (["worker", ".", "--wait", "-1"], 2, "--wait -1 is below 0."),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    more = ["--out", "b"] if words[0] == "generate" else []
    done = invoke(*words, *more, code=code)
    assert done.stderr.splitlines()[-1].startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []


def test_a_worker_without_a_plan_ends_after_its_wait(tmp_path: Path) -> None:
    done = invoke("worker", tmp_path, "--id", "w", "--wait", 0)
    assert done.stdout == (
        "w: 0 units finished, 0 requests, 0 + 0 tokens; no plan came in 0:00\n"
    )

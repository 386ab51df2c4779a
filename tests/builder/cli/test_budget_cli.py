"""Budgets and draining, as a user meets them: exit code 4, one line, nothing that looks
whole, and nothing sent twice when the run goes on.
"""

import os
import re
import signal
from pathlib import Path

import pytest

import cotbuild as library
from cotbuild.builder.build.directory import read_manifest
from cotbuild.builder.events import read_run_progress
from cotbuild.schemas.event import Outcome
from cotbuild.schemas.manifest import Manifest
from tests.support.commands import (
    cotbuild,
    invoke,
    published,
    start,
    write_questions,
)
from tests.support.http_teacher import serve
from tests.support.waiting import HANG_S, wait_until

NUM_QUESTIONS = 6
SCRIPTED = ["generate", "--teacher", "scripted", "--limit", NUM_QUESTIONS]


def questions(folder: Path, count: int) -> Path:
    texts = (f"Which of these is number {number}?" for number in range(count))
    return write_questions(folder / "q.jsonl", texts)


def manifest_of(out: Path) -> Manifest:
    manifest = read_manifest(out)
    assert manifest is not None
    return manifest


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build that a run without a budget makes."""
    out = tmp_path_factory.mktemp("whole") / "b"
    invoke(*SCRIPTED, "--out", out)
    return out


@pytest.mark.parametrize("limit", range(NUM_QUESTIONS + 2))
def test_whatever_the_number_the_run_pauses_there_and_goes_on_to_the_same_build(
    tmp_path: Path, whole: Path, limit: int
) -> None:
    out = tmp_path / "b"
    words = [*SCRIPTED, "--out", out]
    is_enough = limit >= NUM_QUESTIONS
    done = invoke(*words, "--max-requests", limit, code=0 if is_enough else 4)
    state = read_run_progress(out / ".answers" / "events.jsonl")
    assert state.finished is not None
    assert state.account is not None
    assert state.account.requests == min(limit, NUM_QUESTIONS)
    if is_enough:
        assert state.finished.outcome is Outcome.SUCCEEDED
    else:
        assert (state.finished.outcome, state.finished.reason) == (
            Outcome.PAUSED,
            "budget",
        )
        assert state.finished.exit_code == 4
        left = NUM_QUESTIONS - limit
        assert done.stderr.splitlines()[-1].startswith(
            f"paused: budget: {limit} of {limit} requests spent; {left} of "
            f"{NUM_QUESTIONS} rationales left. Raise it to resume: cotbuild"
        )
        assert read_manifest(out) is None
        assert [path.name for path in out.iterdir()] == [".answers"]
        invoke(*words, "--max-requests", NUM_QUESTIONS)
    assert published(out) == published(whole)
    run = manifest_of(out).run
    assert run is not None
    account = run.account
    assert account is not None
    assert account.requests == NUM_QUESTIONS
    assert account.reused_requests == (0 if is_enough else limit)


def test_nothing_is_sent_twice_and_no_server_is_met_where_the_budget_is_0(
    tmp_path: Path,
) -> None:
    out = tmp_path / "b"
    with serve() as server:
        words = ["generate", "--source", questions(tmp_path, 20), "--teacher", "fake",
                 "--endpoint", server.url, "--out", out]  # fmt: skip
        invoke(*words, "--max-requests", 0, code=4)
        assert server.stats()["requests"] == 0
        invoke(*words, "--max-requests", 7, code=4)
        invoke(*words, "--max-requests", 7, code=4)
        assert server.stats()["requests"] == 7
        invoke(*words)
        assert server.stats()["requests"] == 20


def test_a_complete_build_stays_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "b"
    invoke(*SCRIPTED, "--out", out)
    before = published(out)
    invoke(*SCRIPTED, "--samples", 2, "--out", out, "--max-requests", 8, code=4)
    assert published(out) == before
    invoke(*SCRIPTED, "--samples", 2, "--out", out, "--max-requests", 12)
    assert manifest_of(out).num_planned == 2 * NUM_QUESTIONS


def test_what_an_older_generation_holds_was_paid_too(tmp_path: Path) -> None:
    out = tmp_path / "b"
    invoke(*SCRIPTED, "--out", out)
    invoke(*SCRIPTED, "--out", out, "--fresh", "--max-requests", 8, code=4)
    invoke("clean", out)
    invoke(*SCRIPTED, "--out", out, "--max-requests", 8)


def test_rejections_of_a_paused_run_are_not_sent_again(tmp_path: Path) -> None:
    out = tmp_path / "b"
    words = [*SCRIPTED, "--limit", 12, "--out", out, "--allow-unscored",
             "--set", "teacher.scripted.rejected_frac=0.5"]  # fmt: skip
    invoke(*words, "--max-requests", 8, code=4)
    invoke(*words, "--max-requests", 12)
    run = manifest_of(out).run
    assert run is not None
    assert run.account is not None
    assert (run.account.requests, run.asked) == (12, 4)
    assert run.account.failed > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--max-requests", "-1"], "budget: max_requests is -1."),
        (["--max-cost", "5"], "--max-cost 5 has no price to count by."),
        (["--price", "0.15"], "--price '0.15' is not in=NUMBER,out=NUMBER"),
        (["--price", "in=1,in=2"], "--price 'in=1,in=2' is not in=NUMBER,out=NUMBER"),
        (["--price", "out=nan"], "budget: prices.output is nan."),
        (["--price", "in=-1"], "budget: prices.input is -1.0."),
        (["--price", "in=1", "--gpu-hour", "2"], "would count a request twice"),
    ],
)
def test_a_budget_that_says_nothing_is_refused_in_one_line(
    tmp_path: Path, words: list[str], message: str
) -> None:
    done = invoke(*SCRIPTED, "--out", tmp_path / "b", *words, code=2)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "b").exists()


def test_a_dry_run_tells_what_was_spent_and_what_the_rest_may_cost(
    tmp_path: Path,
) -> None:
    out = tmp_path / "b"
    words = [*SCRIPTED, "--out", out, "--price", "in=1,out=2", "--max-cost", "1"]

    def costs() -> list[str]:
        lines = invoke(*words, "--dry-run").stdout.splitlines()
        return [line for line in lines if re.match("spent|found|cost|budget", line)]

    limit, budget = costs()
    assert re.fullmatch(
        r"cost of the open requests: at most 0\.00\d+ \(256 generated tokens each, the "
        r"limit\)",
        limit,
    )
    assert budget == "budget: cost 0.00 of 1.00 spent"
    invoke(*words, "--max-requests", 2, code=4)
    spent, found, mean, budget = costs()
    assert re.fullmatch(
        r"spent: 2 requests, \d+ \+ \d+ tokens, 0:0\d, cost 0\.\d+", spent
    )
    assert re.fullmatch(
        r"found in the store: 2 answers, \d+ tokens not paid again", found
    )
    assert re.fullmatch(
        r"cost of the open requests: about 0\.00\d+ \(\d+ generated tokens each, the mean "
        r"of 2 stored answers\)",
        mean,
    )
    assert budget.startswith("budget: cost 0.00")


def test_the_account_is_in_manifest_and_card_and_a_release_has_none(
    tmp_path: Path,
) -> None:
    out, release = tmp_path / "b", tmp_path / "release"
    invoke(*SCRIPTED, "--out", out, "--price", "in=1,out=2")
    run = manifest_of(out).run
    assert run is not None
    assert run.account is not None
    assert run.account.cost is not None
    assert run.account.cost > 0
    (line,) = [
        line
        for line in (out / "README.md").read_text().splitlines()
        if line.startswith("- Asked: ")
    ]
    assert line.startswith(f"- Asked: {NUM_QUESTIONS} requests, ")
    assert line.endswith(f"; cost {run.account.cost:f}")
    assert "edited" not in invoke("verify", out).stdout
    invoke("publish", out, f"file:{release}")
    invoke("verify", f"file:{release}")
    assert "- Asked: " not in (release / "README.md").read_text()


def test_from_python_a_spent_budget_is_an_exception(tmp_path: Path) -> None:
    budget = library.Budget(max_requests=2)
    # A test that ran before may have run the command line in this process.
    handler = signal.getsignal(signal.SIGUSR1)
    with pytest.raises(library.PausedError, match="2 of 2 requests spent") as caught:
        library.generate(
            "bundled",
            teacher="scripted",
            limit=4,
            out=tmp_path / "b",
            budget=budget,
            progress=False,
        )
    assert caught.value.reason == "budget"
    assert signal.getsignal(signal.SIGUSR1) is handler


def test_drained_by_a_signal_it_stores_what_is_under_way_and_goes_on_later(
    tmp_path: Path,
) -> None:
    out, log = tmp_path / "b", tmp_path / "stderr"
    with serve(latency_s=0.3) as server:
        words = ["generate", "--source", questions(tmp_path, 60), "--teacher", "fake",
                 "--endpoint", server.url, "--window", 8, "--out", out]  # fmt: skip
        with start(*words, log=log) as process:
            wait_until(lambda: server.stats()["requests"] >= 12, log.read_text)
            process.send_signal(signal.SIGUSR1)
            assert process.wait(HANG_S) == 4
        asked = server.stats()["requests"]
        assert asked < 60
        last = log.read_text().splitlines()[-1]
        assert last.startswith(
            f"paused: drained; {60 - asked} of 60 rationales left. To resume: cotbuild "
        )
        state = read_run_progress(out / ".answers" / "events.jsonl")
        assert state.finished is not None
        assert state.finished.reason == "drained"
        assert read_manifest(out) is None
        cotbuild(*words)
        assert server.stats()["requests"] == 60


def test_a_signal_to_drain_does_nothing_to_a_command_that_asks_nobody(
    tmp_path: Path,
) -> None:
    log = tmp_path / "events"
    words = ["--events", log, "inspect", tmp_path / "none"]
    with start(*words) as process:
        wait_until(log.exists)
        process.send_signal(signal.SIGUSR1)
        assert process.wait(HANG_S) == 1


def test_killed_in_the_middle_it_goes_on_within_the_same_budget(
    tmp_path: Path,
) -> None:
    out, log = tmp_path / "b", tmp_path / "stderr"
    with serve(latency_s=0.05) as server:
        words = ["generate", "--source", questions(tmp_path, 80), "--teacher", "fake",
                 "--endpoint", server.url, "--window", 4, "--max-requests", 60,
                 "--out", out]  # fmt: skip
        with start(*words, log=log) as process:
            wait_until(lambda: server.stats()["requests"] >= 20, log.read_text)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(HANG_S)
        cotbuild(*words, code=4)
        # Answers that the kill lost are in no journal, and were paid.
        assert 60 <= server.stats()["requests"] <= 60 + 4
        cotbuild(*words[:-4], "--out", out)
        run = manifest_of(out).run
        assert run is not None
        assert run.account is not None
        assert run.account.requests == 80
        assert run.account.seconds > 0

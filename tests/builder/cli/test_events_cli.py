"""`cotbuild --events FILE COMMAND`, and the log that every build keeps of its own."""

from pathlib import Path

import pytest

from cotbuild.builder.events import fold_events, read_events
from cotbuild.schemas.event import (
    Event,
    FinishedEvent,
    Outcome,
    Phase,
    PhaseEvent,
    ProgressEvent,
    StartedEvent,
)
from tests.support.commands import cotbuild, invoke


def events_of(path: Path) -> tuple[Event, ...]:
    return read_events(path).events


def build_log(out: Path) -> Path:
    return out / ".answers" / "events.jsonl"


def test_a_build_tells_its_phases_its_progress_and_its_end(tmp_path: Path) -> None:
    log, out = tmp_path / "e.jsonl", tmp_path / "b"
    invoke("--events", log, "generate", "--teacher", "scripted", "--limit", 8,
         "--out", out)  # fmt: skip
    for path in (log, build_log(out)):
        events = events_of(path)
        assert isinstance(events[0], StartedEvent)
        assert events[0].command == "generate"
        phases = [event.phase for event in events if isinstance(event, PhaseEvent)]
        assert phases == [
            Phase.PLANNING,
            Phase.STARTING_TEACHER,
            Phase.ASKING,
            Phase.DERIVING,
            Phase.INSTALLING,
        ]
        progress = [event for event in events if isinstance(event, ProgressEvent)]
        assert (progress[-1].done, progress[-1].total) == (8, 8)
        assert progress[-1].requests == sum(progress[-1].verdicts.values()) == 8
        assert progress[-1].completion_tokens > progress[-1].done
        assert events[-1] == FinishedEvent(
            at=events[-1].at, outcome=Outcome.SUCCEEDED, exit_code=0
        )
        assert fold_events(events).lines[0].startswith("plan: 8 questions")


def test_the_log_of_a_build_is_that_of_its_newest_run(tmp_path: Path) -> None:
    log, out = tmp_path / "e.jsonl", tmp_path / "b"
    words = ["--events", log, "generate", "--teacher", "scripted", "--out", out]
    invoke(*words, "--limit", 2)
    invoke(*words, "--limit", 4)
    assert [type(event) for event in events_of(build_log(out))].count(StartedEvent) == 1
    assert [type(event) for event in events_of(log)].count(StartedEvent) == 2


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["inspect", "nothing"], 1, "nothing: no manifest.json, so this is"),
        (["generate"], 2, "Missing option '--out'."),
        (["variants"], 2, "no DIR. Pass the folder of a build"),
    ],
)
def test_a_command_that_fails_tells_its_error_on_one_line(
    tmp_path: Path, words: list[str], code: int, message: str
) -> None:
    log = tmp_path / "e.jsonl"
    invoke("--events", log, *words, code=code)
    *_, end = events_of(log)
    assert isinstance(end, FinishedEvent)
    assert (end.outcome, end.exit_code) == (Outcome.FAILED, code)
    assert end.message is not None
    assert message in end.message


def test_what_is_unscored_is_counted_at_the_end(tmp_path: Path) -> None:
    log, out = tmp_path / "e.jsonl", tmp_path / "b"
    words = ["--events", log, "generate", "--teacher", "scripted", "--limit", 12,
             "--set", "teacher.scripted.rejected_frac=0.5", "--out", out]  # fmt: skip
    invoke(*words, code=3)
    invoke(*words, "--allow-unscored", code=0)
    ends = [event for event in events_of(log) if isinstance(event, FinishedEvent)]
    assert [end.exit_code for end in ends] == [3, 0]
    assert [end.outcome for end in ends] == [Outcome.SUCCEEDED] * 2
    assert ends[0].num_failed == ends[1].num_failed > 0


@pytest.mark.parametrize("name", ["missing/e.jsonl", "."])
def test_a_log_that_cannot_be_opened_is_refused_before_anything_else(
    tmp_path: Path, name: str
) -> None:
    out = tmp_path / "b"
    done = cotbuild("--events", tmp_path / name, "generate", "--out", out, code=2)
    assert "events cannot be written: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not out.exists()


def test_a_build_whose_log_cannot_be_written_is_made_and_says_so(
    tmp_path: Path,
) -> None:
    out = tmp_path / "b"
    build_log(out).mkdir(parents=True)
    done = invoke("generate", "--teacher", "scripted", "--limit", 2, "--out", out)
    assert "this run keeps no events" in done.output
    assert (out / "manifest.json").is_file()

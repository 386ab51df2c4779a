"""How an attempt ended, read from its events, its exit code and its log."""

import json
from pathlib import Path

import pytest

from cotbuild.builder.service.jobs.outcome import (
    EVENTS,
    LOG,
    MAX_ERROR_CHARS,
    read_finished,
    read_report,
)
from cotbuild.schemas.event import Outcome

AT = "2026-11-29T02:00:00.000Z"


def write_finished(folder: Path, **fields: object) -> None:
    event = {"event": "finished", "at": AT, **fields}
    with (folder / EVENTS).open("a") as file:
        file.write(json.dumps(event) + "\n")


def test_the_last_event_says_how_it_ended(tmp_path: Path) -> None:
    write_finished(
        tmp_path, outcome="paused", exit_code=4, reason="budget", num_failed=2
    )
    for exit_code in (None, 4, -9):
        report = read_report(tmp_path, tmp_path, exit_code, 0)
        assert report.outcome is Outcome.PAUSED
        assert report.exit_code == 4
        assert report.reason == "budget"
        assert report.num_failed == 2


def test_the_event_of_an_earlier_attempt_does_not_count(tmp_path: Path) -> None:
    write_finished(tmp_path, outcome="failed", exit_code=1, message="Old.")
    start = (tmp_path / EVENTS).stat().st_size
    assert read_report(tmp_path, tmp_path, None, start).outcome is None
    write_finished(tmp_path, outcome="succeeded", exit_code=0)
    assert read_report(tmp_path, tmp_path, None, start).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("exit_code", "outcome"),
    [
        (0, Outcome.SUCCEEDED),
        (3, Outcome.SUCCEEDED),
        (4, Outcome.PAUSED),
        (130, Outcome.INTERRUPTED),
        (1, Outcome.FAILED),
        (2, Outcome.FAILED),
        (5, Outcome.FAILED),
        (127, Outcome.FAILED),
        (-9, None),
        (-11, None),
        (-15, Outcome.INTERRUPTED),
        (-10, Outcome.INTERRUPTED),
        (None, None),
    ],
)
def test_without_events_the_exit_code_says_it(
    tmp_path: Path, exit_code: int | None, outcome: Outcome | None
) -> None:
    report = read_report(tmp_path, tmp_path, exit_code, 0)
    assert report.outcome is outcome
    assert report.exit_code == exit_code


def test_the_error_is_the_last_error_line_of_the_log(tmp_path: Path) -> None:
    (tmp_path / LOG).write_text("error: first\nerror: no \x1b[31mred\nresume: …\n\n")
    report = read_report(tmp_path, tmp_path, 1, 0)
    assert report.message == "no \\u001b[31mred"
    (tmp_path / LOG).write_text(f"Traceback\nKeyError: {'x' * 5_000}\n")
    message = read_report(tmp_path, tmp_path, -11, 0).message
    assert message is not None
    assert message.startswith("KeyError: xxx")
    assert len(message) == MAX_ERROR_CHARS


def test_a_folder_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    for message in (
        "b: in use by another cotbuild process, pid 7. Wait for it.",
        "b: another cotbuild process is training here. Wait for it.",
    ):
        write_finished(tmp_path, outcome="failed", exit_code=1, message=message)
        assert read_report(tmp_path, tmp_path, 1, 0).waits_for is not None
    write_finished(tmp_path, outcome="failed", exit_code=1, message="No disk.")
    assert read_report(tmp_path, tmp_path, 1, 0).waits_for is None


def test_events_of_any_length_and_kind_are_read_from_their_end(tmp_path: Path) -> None:
    path = tmp_path / EVENTS
    assert read_finished(path, 0) is None
    say = json.dumps({"event": "say", "at": AT, "line": "x" * 1_000}) + "\n"
    path.write_text(say * 1_000)
    assert read_finished(path, 0) is None
    write_finished(tmp_path, outcome="succeeded", exit_code=0)
    with path.open("a") as file:
        file.write('{"event": "of another time"}\nnonsense\n{"event": "fini')
    finished = read_finished(path, 0)
    assert finished is not None
    assert finished.outcome is Outcome.SUCCEEDED
    assert read_finished(path, path.stat().st_size) is None

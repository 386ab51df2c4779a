"""The log that events are appended to: whole lines, bounded, never the end of a run."""

import os
import resource
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from cotbuild.builder.events import EventLog, read_events
from cotbuild.builder.events.log import THINNED_INTERVALS_S
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.event import (
    FinishedEvent,
    Outcome,
    Phase,
    PhaseEvent,
    ProgressEvent,
    SayEvent,
)

AT = "2026-11-29T02:00:00.000Z"
END = FinishedEvent(at=AT, outcome=Outcome.SUCCEEDED, exit_code=0)


def refuse(line: str) -> None:
    raise AssertionError(line)


def progress(done: int) -> ProgressEvent:
    return ProgressEvent(at=AT, unit="chains", done=done, total=9)


def test_what_is_appended_is_read_and_runs_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    for number in range(2):
        with EventLog(path, refuse) as log:
            log.append(progress(number))
            log.append(END)
    assert read_events(path).events == (progress(0), END, progress(1), END)


def test_a_line_that_an_earlier_run_tore_is_ended_first(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text('{"event":"say","at"')
    with EventLog(path, refuse) as log:
        log.append(END)
    assert read_events(path).events == (END,)


def test_a_long_run_thins_its_progress_and_then_its_lines_but_never_its_end(
    tmp_path: Path,
) -> None:
    path, now_s = tmp_path / "e.jsonl", 0.0
    with EventLog(path, refuse, max_bytes=40_000, clock=lambda: now_s) as log:
        for second in range(100_000):
            now_s = float(second)
            log.append(progress(second))
            if second % 1000 == 0:
                log.append(SayEvent(at=AT, line="x" * 200))
        log.append(PhaseEvent(at=AT, phase=Phase.DERIVING))
        log.append(END)
    *events, phase, end = read_events(path).events
    assert (phase, end) == (PhaseEvent(at=AT, phase=Phase.DERIVING), END)
    assert path.stat().st_size < 41_000
    shown = [event.done for event in events if isinstance(event, ProgressEvent)]
    gaps = {later - earlier for earlier, later in pairwise(shown)}
    for interval_s in THINNED_INTERVALS_S:
        assert max(interval_s, 1) in gaps


@pytest.mark.parametrize("name", ["folder", "pipe", "missing/e.jsonl"])
def test_only_a_regular_file_is_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="events"):
        EventLog(tmp_path / name, refuse)


FILL = """
import resource, sys
from pathlib import Path
from cotbuild.builder.events import EventLog
from cotbuild.schemas.event import FinishedEvent, Outcome, SayEvent
AT = "2026-11-29T02:00:00.000Z"
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
with EventLog(Path(sys.argv[1]), print) as log:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    for _ in range(20):
        log.append(SayEvent(at=AT, line="x" * 100))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    log.append(FinishedEvent(at=AT, outcome=Outcome.SUCCEEDED, exit_code=0))
"""


def test_a_full_disk_is_said_once_and_what_follows_is_written(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(path)],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{path}: events could not be written: ")
    assert line.endswith(" The run goes on.")
    *said, end = read_events(path).events
    assert end == END
    assert 0 < len(said) < 20
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000  # of the child alone

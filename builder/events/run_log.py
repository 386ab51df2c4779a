"""The beginning and the end of a run, as events."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cotbuild.builder.events.event_ui import EventUi, TeeUi, shown_line, utc_now
from cotbuild.builder.events.log import EventLog
from cotbuild.builder.exit_codes import ExitCode, exit_code_of
from cotbuild.builder.ui import Ui
from cotbuild.builder.version import cotbuild_version
from cotbuild.schemas.errors import ConfigError, CotbuildError, PausedError
from cotbuild.schemas.event import FinishedEvent, Outcome, StartedEvent

EVENTS = "events.jsonl"
"""Name of the log in the answer store of a build."""

OUTCOMES: dict[int, Outcome] = {
    ExitCode.DONE: Outcome.SUCCEEDED,
    ExitCode.UNSCORED: Outcome.SUCCEEDED,
    ExitCode.PAUSED: Outcome.PAUSED,
    ExitCode.INTERRUPTED: Outcome.INTERRUPTED,
}
"""Outcome by exit code; every other code is a failure."""


@dataclass
class RunNotes:
    """What a run notes about its end, for the event `finished`."""

    num_failed: int = 0
    """Rationales that are unscored because a request failed."""
    message: str | None = None
    """The error, on one line."""
    reason: str | None = None
    """Why it paused."""

    def record_error(self, error: BaseException) -> None:
        """Note what ended the run. An interrupt needs no words."""
        if isinstance(error, PausedError):
            self.reason = error.reason
        if isinstance(error, CotbuildError | OSError):
            self.message = shown_line(str(error))
        elif isinstance(error, Exception):  # a bug
            self.message = shown_line(f"{type(error).__name__}: {error}")


class RunLog:
    """The events of one run of a command, from `started` to `finished`."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.ui = EventUi(log)
        self.notes = RunNotes()

    def start(self, command: str) -> None:
        """Write that the run begins."""
        event = StartedEvent(
            at=utc_now(),
            command=command,
            pid=os.getpid(),
            host=socket.gethostname(),
            cotbuild=cotbuild_version(),
        )
        self._log.append(event)

    def finish(self, exit_code: int) -> None:
        """Write how the run ended."""
        outcome = OUTCOMES.get(exit_code, Outcome.FAILED)
        if self.notes.reason is not None:
            outcome = Outcome.PAUSED
        event = FinishedEvent(
            at=utc_now(),
            outcome=outcome,
            exit_code=exit_code,
            reason=self.notes.reason,
            message=self.notes.message,
            num_failed=self.notes.num_failed,
        )
        self._log.append(event)


@contextmanager
def log_build_run(
    store_dir: Path, command: str, ui: Ui
) -> Iterator[tuple[Ui, RunNotes]]:
    """Have a run that holds a build also write the events of its own log.

    The log, events.jsonl in the answer store, is begun anew. It never ends a run: if it
    cannot be written, `ui` says so. Yields the `Ui` to use, and what to note the end in.
    The exit code in the log is the one without --allow-unscored.
    """
    log = _begin_log(store_dir / EVENTS, ui)
    if log is None:
        yield ui, RunNotes()
        return
    with log:
        run = RunLog(log)
        run.start(command)
        try:
            yield TeeUi([ui, run.ui]), run.notes
        except BaseException as error:
            run.notes.record_error(error)
            run.finish(exit_code_of(error))
            raise
        run.finish(ExitCode.UNSCORED if run.notes.num_failed else ExitCode.DONE)


def _begin_log(path: Path, ui: Ui) -> EventLog | None:
    try:
        # A new file, so that a reader sees that another run has begun; of a link only
        # the link is replaced.
        with suppress(FileNotFoundError):
            path.unlink()
        return EventLog(path, ui.say)
    except (ConfigError, OSError) as error:
        ui.say(f"{path}: this run keeps no events: {error}")
        return None

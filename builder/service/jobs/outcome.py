"""How the process of an attempt ended, from what it left behind."""

import os
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from cotbuild.builder.events.read import decode_event
from cotbuild.builder.exit_codes import ExitCode
from cotbuild.builder.service.jobs.children import read_log_end
from cotbuild.builder.service.jobs.states import AttemptReport
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.storage.journal import journal_size
from cotbuild.builder.visible import escape_hidden
from cotbuild.schemas.errors import CotbuildError
from cotbuild.schemas.event import FinishedEvent, Outcome
from cotbuild.schemas.files import open_regular

EVENTS = "events.jsonl"
LOG = "log.txt"
"""Files in the folder of a job."""

MAX_ERROR_CHARS = 1_000
_MAX_END_BYTES = 256 << 10
"""A `finished` event is the last line, and short."""
_ERROR = re.compile(r"^error: (?P<message>.+)")
_IN_USE = re.compile(r"in use by another cotbuild process|another cotbuild process is ")
_ASKED_TO_END = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGUSR1})

_ERROR_CODES: Mapping[int, str] = {
    ExitCode.USAGE: "usage",
    ExitCode.OTHER_VERSION: "other_version",
}
_OUTCOMES: Mapping[int, Outcome] = {
    ExitCode.DONE: Outcome.SUCCEEDED,
    ExitCode.UNSCORED: Outcome.SUCCEEDED,
    ExitCode.PAUSED: Outcome.PAUSED,
    ExitCode.INTERRUPTED: Outcome.INTERRUPTED,
}


def read_report(
    folder: Path, target: Path, exit_code: int | None, events_start: int
) -> AttemptReport:
    """Return how an attempt ended.

    Its `finished` event says so; without one its exit code does, if this server started
    it. Without either, nobody knows.

    Args:
        folder: The folder of the job.
        target: The folder that the job writes.
        exit_code: As of subprocess; None if not known.
        events_start: Size of the events before the attempt, bytes.
    """
    finished = read_finished(folder / EVENTS, events_start)
    bytes_now = journal_bytes(target)
    if finished is None:
        return _report_exit(folder, exit_code, bytes_now)
    return AttemptReport(
        outcome=finished.outcome,
        exit_code=finished.exit_code,
        reason=finished.reason,
        error_code=_error_code(finished.exit_code),
        message=_clean(finished.message),
        num_failed=finished.num_failed,
        waits_for=_who_holds(finished.outcome, finished.message),
        journal_bytes=bytes_now,
    )


def _report_exit(folder: Path, exit_code: int | None, bytes_now: int) -> AttemptReport:
    """Return what an exit code says; a signal says that it was killed."""
    if exit_code is None or exit_code < 0:
        was_asked = exit_code is not None and -exit_code in _ASKED_TO_END
        return AttemptReport(
            outcome=Outcome.INTERRUPTED if was_asked else None,
            exit_code=exit_code,
            message=find_error(read_log_end(folder / LOG)),
            journal_bytes=bytes_now,
        )
    outcome = _OUTCOMES.get(exit_code, Outcome.FAILED)
    message = (
        find_error(read_log_end(folder / LOG)) if outcome is Outcome.FAILED else None
    )
    return AttemptReport(
        outcome=outcome,
        exit_code=exit_code,
        reason="budget" if outcome is Outcome.PAUSED else None,
        error_code=_error_code(exit_code),
        message=message,
        waits_for=_who_holds(outcome, message),
        journal_bytes=bytes_now,
    )


def _error_code(exit_code: int) -> str:
    return _ERROR_CODES.get(exit_code, "failed")


def _who_holds(outcome: Outcome, message: str | None) -> str | None:
    """Return what a job waits for that found its folder held by another process.

    The server looks before it starts one; another may come between.
    """
    if outcome is Outcome.FAILED and message and _IN_USE.search(message):
        return "another process that holds its folder"
    return None


def read_finished(events: Path, start: int) -> FinishedEvent | None:
    """Return the last `finished` event of a log from byte `start` on, if any."""
    try:
        with open_regular(events) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - _MAX_END_BYTES))
            lines = file.read(_MAX_END_BYTES).splitlines(keepends=True)
    except OSError:
        return None
    for line in reversed(lines):
        event = decode_event(line)
        if isinstance(event, FinishedEvent):
            return event
    return None


def find_error(lines: Sequence[str]) -> str | None:
    """Return what the last `error:` line of a log says, or else its last line."""
    written = [line for line in lines if line.strip()]
    shown = [match["message"] for line in written if (match := _ERROR.match(line))]
    if shown:
        return _clean(shown[-1])
    return _clean(written[-1]) if written else None


def _clean(message: str | None) -> str | None:
    """Return a message as one line of visible characters, of bounded length."""
    if message is None:
        return None
    return escape_hidden(message.strip())[:MAX_ERROR_CHARS]


def journal_bytes(target: Path) -> int:
    """Return the size of the journals of a build; 0 if there are none."""
    try:
        return sum(journal_size(path) for path in AnswerStore(target).journals)
    except (CotbuildError, OSError):
        return 0

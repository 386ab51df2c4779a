"""Following a job of a service on the terminal, as if it ran here."""

import shutil
import time
from typing import TYPE_CHECKING

from cotbuild.builder.console import (
    is_terminal,
    print_line,
    print_message,
    print_status,
)
from cotbuild.builder.exit_codes import ExitCode
from cotbuild.builder.ui import format_duration
from cotbuild.builder.visible import shell_join
from cotbuild.schemas.event import Event, ProgressEvent, SayEvent, StatusEvent
from cotbuild.schemas.service.job import JobState, JobView

if TYPE_CHECKING:
    from cotbuild.builder.client import RemoteJob

LINE_EVERY_S = 5.0
_EXIT_CODES = {
    JobState.SUCCEEDED: ExitCode.DONE,
    JobState.FAILED: ExitCode.FAILED,
    JobState.PAUSED: ExitCode.PAUSED,
    JobState.CANCELLED: ExitCode.INTERRUPTED,
}
"""Exit codes of jobs whose process left none."""


def watch_job(job: "RemoteJob", server: str) -> int:
    """Show what a job reports until it is over or paused, and return its exit code.

    Ctrl-C stops the watching alone: the job runs on, and a line says so.
    """
    display = _Display()
    try:
        for update in job.updates():
            if isinstance(update, JobView):
                display.show_state(update)
            else:
                display.show_event(update)
    except KeyboardInterrupt:
        display.end_status()
        again = shell_join(["cotbuild", "jobs", "watch", job.id, "--server", server])
        print_message(f"stopped watching; job {job.id} runs on. To watch it: {again}")
        return ExitCode.INTERRUPTED
    display.end_status()
    return close_job(job.view, server)


def close_job(view: JobView, server: str) -> int:
    """Say how a job ended, where its own lines do not, and return its exit code."""
    if view.state is JobState.FAILED:
        print_message(f"error: {view.error or 'the job failed; see its log'}")
    elif view.state is JobState.PAUSED:
        reason = view.pause_reason.value if view.pause_reason else "user"
        again = shell_join(["cotbuild", "jobs", "resume", view.id, "--server", server])
        print_message(f"job {view.id} is paused: {reason}. To continue it: {again}")
    elif view.state is JobState.CANCELLED:
        print_message(f"job {view.id} was cancelled; every answer received is kept")
    # A process that was stopped for a reason of the service may have ended with 0.
    if view.state is JobState.SUCCEEDED and view.exit_code is not None:
        return view.exit_code
    if view.state is JobState.FAILED and view.exit_code:
        return view.exit_code
    return _EXIT_CODES.get(view.state, ExitCode.FAILED)


def describe_progress(event: ProgressEvent) -> str:
    """Return `120/512 chains · correct 61 · 310 tok/s · 1:05 left`; empty if unknown."""
    if not event.total:
        return ""
    if event.unit.startswith("bytes"):
        counted = f"{event.done / 1e6:.1f}/{event.total / 1e6:.1f} MB"
    else:
        counted = f"{event.done}/{event.total} {event.unit}"
    parts = [counted]
    verdicts = [f"{name} {count}" for name, count in event.verdicts.items() if count]
    if verdicts:
        parts.append(", ".join(verdicts))
    if event.tokens_per_s is not None:
        parts.append(f"{event.tokens_per_s:.0f} tok/s")
    if event.eta_s is not None:
        parts.append(f"{_describe_eta(*event.eta_s)} left")
    return " · ".join(parts)


def _describe_eta(low_s: float, high_s: float) -> str:
    low, high = format_duration(low_s), format_duration(high_s)
    return low if low == high else f"{low} to {high}"


class _Display:
    """Lines as they come, and one that is replaced on a terminal."""

    def __init__(self) -> None:
        self._live = is_terminal()
        self._shown_at = 0.0
        self._status = ""
        self._state: tuple[JobState, str | None] | None = None

    def show_state(self, view: JobView) -> None:
        """Say where a job is, if that is news."""
        state = (view.state, view.waits_for)
        if state == self._state or view.state.is_final:
            return
        self._state = state
        if view.state is JobState.QUEUED:
            waits = f", waits for {view.waits_for}" if view.waits_for else ""
            self._say(f"job {view.id}: queued{waits}")
        elif view.state is JobState.CANCELLING:
            self._say(f"job {view.id}: is being cancelled")

    def show_event(self, event: Event) -> None:
        """Show what the process of the job reported."""
        if isinstance(event, SayEvent):
            self.end_status()
            (print_line if event.is_result else print_message)(event.line)
        elif isinstance(event, ProgressEvent):
            self._show_status(describe_progress(event))
        elif isinstance(event, StatusEvent):
            self._show_status(event.line)

    def end_status(self) -> None:
        """Leave the status line as it is."""
        if self._live and self._status:
            print_status(self._status, self._width(), last=True)
        self._status = ""

    def _say(self, line: str) -> None:
        self.end_status()
        print_message(line)

    def _show_status(self, line: str) -> None:
        if not line:
            return
        if self._live:
            self._status = line
            print_status(line, self._width(), last=False)
        elif time.monotonic() - self._shown_at >= LINE_EVERY_S:
            self._shown_at = time.monotonic()
            print_message(line)

    def _width(self) -> int:
        return shutil.get_terminal_size().columns - 1

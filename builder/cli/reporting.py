"""What a command reports to: the terminal, and the log of --events.

Events and the terminal are imported when needed: with them, --help took 1.2 times as
long.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cotbuild.builder.console import copy_lines_to, print_message
from cotbuild.builder.exit_codes import ExitCode, exit_code_of

if TYPE_CHECKING:
    from cotbuild.builder.events import RunLog, RunNotes
    from cotbuild.builder.ui import Ui

_run_log: ContextVar["RunLog | None"] = ContextVar("run_log", default=None)


def open_ui() -> "Ui":
    """Return what this command reports to."""
    from cotbuild.builder.events import TeeUi
    from cotbuild.builder.terminal import Terminal

    run = _run_log.get()
    return Terminal() if run is None else TeeUi([Terminal(), run.ui])


def run_notes() -> "RunNotes":
    """Return what this command notes about its end."""
    from cotbuild.builder.events import RunNotes

    run = _run_log.get()
    return RunNotes() if run is None else run.notes


@contextmanager
def log_command(path: Path, command: str) -> Iterator[None]:
    """Append the events of a command to a file, from its beginning to its end.

    Raises ConfigError if the file cannot be opened.
    """
    from cotbuild.builder.events import EventLog, RunLog

    with EventLog(path, print_message) as log:
        run = RunLog(log)
        run.start(command)
        token = _run_log.set(run)
        try:
            with copy_lines_to(run.ui.result):
                yield
        except BaseException as error:
            run.finish(_note_end(run.notes, error))
            raise
        else:
            run.finish(ExitCode.DONE)
        finally:
            _run_log.reset(token)


def _note_end(notes: "RunNotes", error: BaseException) -> int:
    """Return the exit code of a command that `error` ends, and note what it says.

    Errors that `errors` has printed come as an Exit.
    """
    from cotbuild.builder.events.event_ui import shown_line

    if isinstance(error, typer.Exit):
        return error.exit_code
    usage = getattr(error, "format_message", None)
    if callable(usage):  # a wrong option; typer keeps its classes private
        notes.message = shown_line(str(usage()))
        return ExitCode.USAGE
    notes.record_error(error)
    return exit_code_of(error)

"""The process of a job: started, watched, signalled, adopted.

A job is a command in a session of its own, so that neither Ctrl-C nor the end of the
server reaches it. Its output goes to a file and its events to another; the server holds
nothing that it needs.

A server may be killed at any moment, also between the start of a process and the commit
that records it. So a process first waits: it is a shell that reads a line from a pipe
and then becomes the command. The server sends the line once the row of the job has the
pid. If it is killed before, the pipe ends, and with it the shell: a command that runs is
always one that the table knows.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

from cotbuild.builder.process_identity import (
    identify,
    kill_session,
    open_process,
    send_signal,
)
from cotbuild.schemas.files import write_error
from cotbuild.schemas.service.job import ProcessIdentity, StopMode

_WAIT = ("/bin/sh", "-c", 'read -r _ && exec "$@" </dev/null', "sh")
_left_running: list["subprocess.Popen[bytes]"] = []
"""Children that outlive the server; Popen would warn of one that is forgotten."""


class Command(Protocol):
    """What to run for a job."""

    @property
    def argv(self) -> Sequence[str]:
        """The program and its arguments."""

    @property
    def env(self) -> Mapping[str, str]:
        """The whole environment."""

    @property
    def cwd(self) -> Path:
        """Where it runs."""


class WaitingChild:
    """A process that waits to become its command: it has a pid, and has not begun.

    Args:
        command: What it becomes.
        environment: Variables to add to those of the command.
        log: The file to which its output is appended.
        events_start: Size of the job's events until now, bytes.

    Raises:
        StoreError: It cannot be started, or its log cannot be written.
    """

    def __init__(
        self,
        command: Command,
        environment: Mapping[str, str],
        log: Path,
        events_start: int,
    ) -> None:
        self._descriptor: int | None = None
        try:
            # Appended to, also where its beginning is cut off meanwhile.
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    [*_WAIT, *command.argv],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**command.env, **environment},
                    cwd=command.cwd,
                    start_new_session=True,
                )
        except OSError as fault:
            raise write_error(log, fault) from fault
        try:
            self.process = identify(self._process.pid, events_start)
            self._descriptor = os.pidfd_open(self._process.pid)
        except OSError as fault:
            self.close()
            raise write_error(log, fault) from fault

    def begin(self) -> "Child":
        """Let the command begin."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it was killed while it waited
            self._process.stdin.write(b"\n")
            self._process.stdin.close()
        return Child(self.process, self._descriptor, self._process)

    def close(self) -> None:
        """End it without having begun."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        if self._descriptor is not None:
            os.close(self._descriptor)


class Child:
    """A process that runs for a job, started by this server or by one before it."""

    def __init__(
        self,
        process: ProcessIdentity,
        descriptor: int | None,
        started: "subprocess.Popen[bytes] | None" = None,
    ) -> None:
        self.process = process
        self._descriptor = descriptor
        self._started = started

    @classmethod
    def adopt(cls, process: ProcessIdentity) -> Self:
        """Watch a process that an earlier server started, and that may have ended.

        Raises OSError if that cannot be found out, as without a free descriptor.
        """
        return cls(process, open_process(process))

    async def wait(self) -> int | None:
        """Wait until it has ended; return its exit code if this server started it.

        It is negative for the signal that killed it, as of subprocess.
        """
        if self._descriptor is not None:
            await _until_readable(self._descriptor)
        return None if self._started is None else self._started.wait()

    def stop(self, mode: StopMode, *, can_drain: bool) -> None:
        """Ask it to end: SIGUSR1 to drain where it can, SIGTERM to end now."""
        is_drain = mode is StopMode.DRAIN and can_drain
        if self._descriptor is not None:
            number = signal.SIGUSR1 if is_drain else signal.SIGTERM
            send_signal(self._descriptor, number)

    def kill(self) -> None:
        """Kill its whole session."""
        kill_session(self.process)

    def close(self) -> None:
        """Stop watching it; it runs on if it has not ended."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._started is not None and self._started.poll() is None:
            _left_running.append(self._started)


async def _until_readable(descriptor: int) -> None:
    """Wait until a descriptor is readable: that of a process is once it has ended."""
    loop = asyncio.get_running_loop()
    is_readable = asyncio.Event()
    loop.add_reader(descriptor, is_readable.set)
    try:
        await is_readable.wait()
    finally:
        loop.remove_reader(descriptor)


# -- the log -----------------------------------------------------------------------------

MAX_LOG_BYTES = 64 << 20
KEPT_LOG_BYTES = 1 << 20


def cap_log(
    log: Path, max_bytes: int = MAX_LOG_BYTES, kept_bytes: int = KEPT_LOG_BYTES
) -> None:
    """Cut off the beginning of a log that has grown beyond `max_bytes`.

    The process appends to the same file. A line that it writes at the very moment may
    be lost. Raises StoreError if the log cannot be read or written.
    """
    try:
        # Appending, as the process does: neither then writes over the other's lines.
        descriptor = os.open(log, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as fault:
        raise write_error(log, fault) from fault
    try:
        size = os.fstat(descriptor).st_size
        if size > max_bytes:
            end = os.pread(descriptor, kept_bytes, size - kept_bytes)
            newest = end.partition(b"\n")[2]
            note = f"… {size - len(newest):,} bytes of this log were cut off here\n"
            os.ftruncate(descriptor, 0)
            os.write(descriptor, note.encode() + newest)
    except OSError as fault:
        raise write_error(log, fault) from fault
    finally:
        os.close(descriptor)


def read_log_end(log: Path, max_bytes: int = 64 << 10) -> list[str]:
    """Return the last lines of a log; none if it is missing or cannot be read."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - max_bytes))
            data = file.read(max_bytes)
    except OSError:
        return []
    return data.decode("utf-8", "replace").splitlines()

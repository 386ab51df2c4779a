"""Processes of this machine by /proc: which one a pid is, and signals that hit no other.

A pid is used again once its process is gone, so a process is named by its pid, the time
it started and the boot of the machine (proc_pid_stat(5), field 22). Signals go through
a pidfd, which stays that of the process it was opened for (pidfd_open(2)). Linux only.
"""

import contextlib
import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cotbuild.schemas.service.job import ProcessIdentity

_PROC = Path("/proc")
_BOOT_ID = _PROC / "sys/kernel/random/boot_id"


class ProcessStatus(NamedTuple):
    """What /proc says of a process."""

    is_alive: bool
    """False for a zombie, which has ended and only waits for its parent."""
    session: int
    start_ticks: int


def read_boot_id() -> str:
    """Return the id of this boot of the machine."""
    return _BOOT_ID.read_text().strip()


def read_status(pid: int) -> ProcessStatus | None:
    """Return the status of a process, or None if there is none with this pid.

    Raises OSError if that cannot be found out, as without a free descriptor.
    """
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name of the program, in brackets, may itself contain spaces and brackets.
    fields = text.rpartition(")")[2].split()
    state, session, start_ticks = fields[0], int(fields[3]), int(fields[19])
    return ProcessStatus(state not in "ZX", session, start_ticks)


def identify(pid: int, events_start: int) -> ProcessIdentity:
    """Return the identity of a child that was just started and not waited for."""
    status = read_status(pid)
    assert status is not None, "a child keeps its pid until its parent waits for it"
    return ProcessIdentity(
        pid=pid,
        start_ticks=status.start_ticks,
        boot_id=read_boot_id(),
        events_start=events_start,
    )


def open_process(process: ProcessIdentity) -> int | None:
    """Return a pidfd of a process, which the caller closes; None if it has ended.

    Raises OSError if that cannot be found out, as without a free descriptor.
    """
    if process.boot_id != read_boot_id():
        return None
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    except OSError as fault:
        if fault.errno == errno.EINVAL:
            return None  # the pid is that of a thread by now
        raise
    # Looked at only now: the pid cannot pass on to another process while it is read.
    status = read_status(process.pid)
    if (
        status is None
        or not status.is_alive
        or status.start_ticks != process.start_ticks
    ):
        os.close(descriptor)
        return None
    return descriptor


def send_signal(descriptor: int, number: signal.Signals) -> None:
    """Send a signal to the process of a pidfd; nothing happens if it has ended."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, number)


def kill_session(process: ProcessIdentity) -> None:
    """Kill what is left of the session that a process began, and itself if it lives.

    A managed vLLM is in a session of its own; its guard ends it once cotbuild is gone.
    """
    if process.boot_id != read_boot_id():
        return
    leader = read_status(process.pid)
    if leader is not None and leader.start_ticks != process.start_ticks:
        return  # the pid, and with it the session, are another's
    for pid, status in _list_processes():
        if status.session == process.pid and status.is_alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _list_processes() -> Iterator[tuple[int, ProcessStatus]]:
    for path in _PROC.glob("[0-9]*"):
        pid = int(path.name)
        status = read_status(pid)
        if status is not None:
            yield pid, status

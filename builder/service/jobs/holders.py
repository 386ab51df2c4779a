"""Who holds the folder that a job would write: also a command that a user runs."""

import fcntl
import os
from pathlib import Path

from cotbuild.builder.storage.answer_store import ANSWERS

_LOCKS = (Path(ANSWERS, "lock"), Path(".lock"))
"""Of a build and of a run. The processes of a study wait for each other themselves."""


def find_holder(target: Path) -> str | None:
    """Return who holds a folder, such as `pid 7`; None if nobody does.

    A shared lock is tried for a moment, which two servers may do at once.
    """
    for lock in _LOCKS:
        holder = _find_lock_holder(target / lock)
        if holder is not None:
            return holder
    return None


def _find_lock_holder(lock: Path) -> str | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(lock, flags)
    except OSError:
        return None  # nobody has locked it yet; the command says what is wrong with it
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(descriptor, 20).decode("ascii", "replace").strip()
        return f"pid {pid}" if pid.isdecimal() else "another process"
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None

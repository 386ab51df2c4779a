"""Who holds the lock of an answer store, without taking it.

To try the lock, even a shared one for a moment, could make a run that starts just then
believe that another one holds the build. Linux lists all locks in /proc/locks; elsewhere
the process id that a run leaves in the file has to do, which the id of a later process
may equal.
"""

import os
import stat
from pathlib import Path

from cotbuild.builder.storage.answer_store import ANSWERS

_LOCKS = Path("/proc/locks")
_MAX_PID_BYTES = 20


def find_held_inodes() -> frozenset[int] | None:
    """Return the inodes of the files that are locked with flock; None if unknown."""
    try:
        lines = _LOCKS.read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    found = set()
    for line in lines:
        # `1: FLOCK  ADVISORY  WRITE 1234 fe:00:2146467 0 EOF`; one that waits has `->`.
        fields = line.split()
        if len(fields) >= 6 and fields[1] == "FLOCK":
            inode = fields[5].rpartition(":")[2]
            if inode.isdigit():
                found.add(int(inode))
    return frozenset(found)


def is_store_held(build_dir: Path, held: frozenset[int] | None) -> bool:
    """Whether a run holds the answer store of a build, or one being made.

    `held` is what `find_held_inodes` returned, so that many folders are looked at with
    one reading of /proc/locks.
    """
    path = build_dir / ANSWERS / "lock"
    try:
        status = path.lstat()
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode):
        return False
    if held is not None:
        return status.st_ino in held
    return _is_running(_read_pid(path))


def _read_pid(path: Path) -> int | None:
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_PID_BYTES).strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _is_running(pid: int | None) -> bool:
    if not pid:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True

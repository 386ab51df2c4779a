"""A small process between cotbuild and a server: however cotbuild dies, nothing of the
server outlives it by long.

    python -I -S guard.py --parent PID --run-dir DIR --grace SECONDS -- COMMAND…

Run by path and on the standard library alone, so that it watches within milliseconds.
cotbuild holds the only write end of its stdin. At end of file there, at SIGTERM, or
once PID is no longer its parent (a forked child of cotbuild may hold the pipe open),
the server gets SIGTERM and after the grace SIGKILL, with every descendant. DIR, which
the guard makes itself, goes last: the server's socket and temporary files are in it.
Exits with the server's code, or 0 when told to.
"""

import argparse
import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

POLL_S = 0.25
SHM_EVERY_S = 1.0
SERVER_PID = "server.pid"
"""File in the run directory with the server's pid, which is its process group and
session too.
"""
LEFT_BEHIND = ("psm_", "sem.mp-", "torch_", "nccl-")
"""What killed servers leave mapped in /dev/shm (multiprocessing, torch, NCCL), up to
240 MiB each.
"""
OPENMP = "__KMP_REGISTERED_LIB_{pid}_{uid}"
"""What Intel's OpenMP leaves there, not mapped, but with the pid in its name."""


class StopSignal:
    """Set by SIGTERM, SIGHUP and SIGINT.

    A handler, since a child would inherit an ignored signal as ignored.
    """

    def __init__(self) -> None:
        self.told = False
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._tell)

    def _tell(self, _number: int, _frame: FrameType | None) -> None:
        self.told = True


class SharedMemory:
    """What descendants have in /dev/shm.

    Known only while they live, so it is looked up now and then.
    """

    def __init__(self) -> None:
        self.inodes: set[int] = set()
        self.pids: set[int] = set()

    def look(self) -> None:
        for pid in descendants():
            self.pids.add(pid)
            with contextlib.suppress(OSError):
                for line in (
                    Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines()
                ):
                    if " /dev/shm/" in line:
                        # Not by name: glibc maps a semaphore under a name that it then
                        # deletes.
                        self.inodes.add(int(line.split()[4]))

    def remove(self) -> None:
        """Remove what is left, once they are gone; of files in LEFT_BEHIND's kinds
        only.
        """
        openmp = {OPENMP.format(pid=pid, uid=os.getuid()) for pid in self.pids}
        for path in Path("/dev/shm").glob("*"):
            with contextlib.suppress(OSError):
                if path.name in openmp or (
                    path.name.startswith(LEFT_BEHIND)
                    and path.stat().st_ino in self.inodes
                ):
                    path.unlink()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--grace", type=float, required=True)
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    stop = StopSignal()
    adopt_orphans()
    if abandoned(args.parent, 0.0):
        return 0
    args.run_dir.mkdir(mode=0o700)
    shm = SharedMemory()
    try:
        with subprocess.Popen(
            args.command, stdin=subprocess.DEVNULL, start_new_session=True
        ) as server:
            try:
                write_pid(args.run_dir, server.pid)
                watch(server, args.parent, stop, shm)
                code = server.poll()
            finally:
                end(server, args.grace, shm)
    finally:
        shm.remove()
        shutil.rmtree(args.run_dir, ignore_errors=True)
    return 0 if code is None else code if code >= 0 else 128 - code


def watch(
    server: subprocess.Popen[bytes], parent: int, stop: StopSignal, shm: SharedMemory
) -> None:
    """Return once the server is gone or has to go."""
    next_look = 0.0
    while server.poll() is None and not stop.told and not abandoned(parent, POLL_S):
        if time.monotonic() >= next_look:
            shm.look()
            next_look = time.monotonic() + SHM_EVERY_S


def abandoned(parent: int, wait_s: float) -> bool:
    """Whether cotbuild is gone or has let go; nothing is ever written to stdin, so
    readable means end of file.
    """
    return os.getppid() != parent or bool(select.select([0], [], [], wait_s)[0])


def end(server: subprocess.Popen[bytes], grace_s: float, shm: SharedMemory) -> None:
    """SIGTERM to the group, then SIGKILL to it and to descendants that left it, until
    none is alive.
    """
    shm.look()
    signal_group(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while alive(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    shm.look()
    while alive(server):
        signal_group(server.pid, signal.SIGKILL)
        for pid in descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def signal_group(group: int, number: int) -> None:
    # PermissionError is macOS's answer for a group of zombies.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def alive(server: subprocess.Popen[bytes]) -> bool:
    return server.poll() is None or bool(descendants())


def descendants() -> set[int]:
    """Living processes below this one.

    With `adopt_orphans` that is all the server ever started; Linux only.
    """
    children: dict[int, list[int]] = {}
    for pid, parent in processes():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    todo = [os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found.update(below)
        todo.extend(below)
    return found


def processes() -> Iterator[tuple[int, int]]:
    """(pid, parent's pid) of everything that runs; zombies do not."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The command's name, in brackets, may hold spaces and brackets itself.
            state, parent = (
                path.read_text(errors="replace").rpartition(")")[2].split()[:2]
            )
            if state not in "ZX":
                yield int(path.parent.name), int(parent)


def write_pid(run_dir: Path, pid: int) -> None:
    part = run_dir / f"{SERVER_PID}.part"
    part.write_text(str(pid))
    part.rename(run_dir / SERVER_PID)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent dies (PR_SET_CHILD_SUBREAPER),
    so that none gets away.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


if __name__ == "__main__":
    raise SystemExit(main())

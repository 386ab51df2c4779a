"""A small process between cotbuild and a server that ends the server with cotbuild.

However cotbuild dies, nothing of the server outlives it by long.

    python -I -S guard.py --parent PID --run-dir DIR --grace SECONDS -- COMMAND…

It is run by path and uses the standard library alone, so that it watches within
milliseconds. cotbuild holds the only write end of its stdin. At end of file there, at
SIGTERM, or once PID is no longer its parent (a forked child of cotbuild may hold the
pipe open), the server gets SIGTERM and, after the grace period, SIGKILL, with every
descendant. DIR, which the guard creates, is removed last: it contains the server's
socket and temporary files. Exits with the server's code, or with 0 if it was told to
stop.
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
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

POLL_S = 0.25
SHM_EVERY_S = 1.0
SERVER_PID = "server.pid"
"""File in the run directory with the server's pid.

The pid is also that of its process group and session.
"""
LEFT_BEHIND = ("psm_", "sem.mp-", "torch_", "nccl-")
"""Files that killed servers leave in /dev/shm, up to 240 MiB each.

Made, and mapped, by multiprocessing, torch and NCCL.
"""
OPENMP = "__KMP_REGISTERED_LIB_{pid}_{uid}"
"""A file that Intel's OpenMP leaves there, not mapped but named by pid."""


class StopSignal:
    """A flag that SIGTERM, SIGHUP and SIGINT set.

    They are handled and not ignored, because a child would inherit that they are.
    """

    def __init__(self) -> None:
        self.received = False
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.received = True


class SharedMemory:
    """The descendants' files in /dev/shm.

    They can only be found while the descendants live, so `scan` is called repeatedly.
    """

    def __init__(self) -> None:
        self.inodes: set[int] = set()
        self.pids: set[int] = set()

    def scan(self) -> None:
        """Note the descendants and the files in /dev/shm that they have mapped."""
        for pid in find_descendants():
            self.pids.add(pid)
            with contextlib.suppress(OSError):
                maps = Path(f"/proc/{pid}/maps").read_text(errors="replace")
                self._add_inodes(maps)

    def _add_inodes(self, maps: str) -> None:
        for line in maps.splitlines():
            if " /dev/shm/" in line:
                # By inode, since glibc maps a semaphore under a name that it deletes.
                self.inodes.add(int(line.split()[4]))

    def remove(self) -> None:
        """Remove the files that are left once the descendants are gone.

        Only files whose names begin as in LEFT_BEHIND, and OpenMP's.
        """
        openmp_names = {OPENMP.format(pid=pid, uid=os.getuid()) for pid in self.pids}
        for path in Path("/dev/shm").glob("*"):
            with contextlib.suppress(OSError):
                if path.name in openmp_names or self._was_mapped(path):
                    path.unlink()

    def _was_mapped(self, path: Path) -> bool:
        return path.name.startswith(LEFT_BEHIND) and path.stat().st_ino in self.inodes


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--grace", type=float, required=True)
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    stop = StopSignal()
    adopt_orphans()
    if is_abandoned(args.parent, 0.0):
        return 0
    args.run_dir.mkdir(mode=0o700)
    shm = SharedMemory()
    try:
        with subprocess.Popen(
            args.command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        ) as server:
            try:
                write_pid(args.run_dir, server.pid)
                watch_server(server, args.parent, stop, shm)
                code = server.poll()
            finally:
                end_server(server, args.grace, shm)
    finally:
        shm.remove()
        shutil.rmtree(args.run_dir, ignore_errors=True)
    if code is None:
        return 0
    return code if code >= 0 else 128 - code


def watch_server(
    server: subprocess.Popen[bytes], parent: int, stop: StopSignal, shm: SharedMemory
) -> None:
    """Return once the server has ended or has to be ended."""
    next_scan = 0.0
    while (
        server.poll() is None and not stop.received and not is_abandoned(parent, POLL_S)
    ):
        if time.monotonic() >= next_scan:
            shm.scan()
            next_scan = time.monotonic() + SHM_EVERY_S


def is_abandoned(parent: int, wait_s: float) -> bool:
    """Return whether cotbuild is gone or has closed the pipe, waiting up to `wait_s`.

    Nothing is ever written to stdin, so readable means end of file.
    """
    if os.getppid() != parent:
        return True
    readable, _, _ = select.select([0], [], [], wait_s)
    return bool(readable)


def end_server(
    server: subprocess.Popen[bytes], grace_s: float, shm: SharedMemory
) -> None:
    """End the server and its descendants; return once none is alive.

    Sends SIGTERM to the process group and, after `grace_s`, SIGKILL to the group and to
    descendants that left it.
    """
    shm.scan()
    signal_group(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while is_alive(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    shm.scan()
    while is_alive(server):
        signal_group(server.pid, signal.SIGKILL)
        for pid in find_descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def signal_group(group: int, number: int) -> None:
    # macOS raises PermissionError for a group of zombies.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def is_alive(server: subprocess.Popen[bytes]) -> bool:
    return server.poll() is None or bool(find_descendants())


def find_descendants() -> set[int]:
    """Return the pids of the living processes below this one.

    After `adopt_orphans` these are all that the server ever started. Linux only.
    """
    children: dict[int, list[int]] = {}
    for pid, parent in list_processes():
        children.setdefault(parent, []).append(pid)
    pids: set[int] = set()
    pending = [os.getpid()]
    while pending:
        child_pids = children.get(pending.pop(), [])
        pids.update(child_pids)
        pending.extend(child_pids)
    return pids


def list_processes() -> Iterator[tuple[int, int]]:
    """Yield pid and parent's pid of every process, zombies excepted."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The command's name, in brackets, may itself contain spaces and brackets.
            _, _, fields = path.read_text(errors="replace").rpartition(")")
            state, parent = fields.split()[:2]
            if state not in "ZX":
                yield int(path.parent.name), int(parent)


def write_pid(run_dir: Path, pid: int) -> None:
    part = run_dir / f"{SERVER_PID}.part"
    part.write_text(str(pid))
    part.rename(run_dir / SERVER_PID)


def die_with_parent() -> Callable[[], None] | None:
    """Return what a child calls so that the kernel kills it when this process dies.

    Something may kill the guard itself: Ray does so with each child of an actor that it
    ends. It is prctl's PR_SET_PDEATHSIG; Linux only.
    """
    if sys.platform != "linux":
        return None
    # Loaded here, because the child should do as little as it can before it is replaced.
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(1, signal.SIGKILL, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies.

    So none escapes. It is prctl's PR_SET_CHILD_SUBREAPER; Linux only.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


if __name__ == "__main__":
    raise SystemExit(main())

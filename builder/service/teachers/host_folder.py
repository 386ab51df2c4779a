"""The folder of a teacher host: what is in it, and what a dead one has left."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import file_lock, read_record, write_error
from cotbuild.schemas.service.teacher import TeacherHostFile

SPEC_JSON = "spec.json"
HOST_JSON = "host.json"
LOCK = "lock"
HOST_LOG = "host.log"
LOGS = "logs"
"""Folder of the logs of vLLM."""
CONTROL = "control"
"""The service's socket, beside those of the jobs."""
SOCKETS_PREFIX = "cotbuild-teacher-"
MAX_LOGS = 10
MAX_SOCKET_BYTES = 100
"""Longest path of a socket; Linux takes 107 bytes, macOS 103."""
DISK_FAULT = 74
"""Exit code of a host whose disk cannot be used; EX_IOERR of sysexits(3)."""
LONGEST_NAME = 16
"""Of a socket: the id of a job."""
REMEDY = "Delete the folder: it is written anew."


def make_host_folder(folder: Path) -> None:
    """Make the folder of a host, or of all, where it is missing. Raises StoreError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise write_error(folder, fault) from fault


@contextlib.contextmanager
def make_socket_folder() -> Iterator[Path]:
    """Make a folder for sockets that only this user can enter; remove it at the end.

    It is below the folder for temporary files, whose path is short, or else /tmp.
    """
    parent = Path(tempfile.gettempdir())
    random_chars = 8
    longest = parent / (SOCKETS_PREFIX + "x" * random_chars) / ("x" * LONGEST_NAME)
    if len(os.fsencode(longest)) >= MAX_SOCKET_BYTES:
        parent = Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix=SOCKETS_PREFIX, dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_host(folder: Path) -> TeacherHostFile | None:
    """Return the host that runs in a folder; None if none does, or none listens yet."""
    with contextlib.suppress(StoreError):
        host = read_record(
            folder / HOST_JSON, TeacherHostFile, remedy=REMEDY, error=StoreError
        )
        if host is not None and read_start(host.pid) == host.pid_start:
            return host
    return None


@contextlib.contextmanager
def hold_if_free(folder: Path) -> Iterator[bool]:
    """Hold the lock of a folder in the block, if no host holds it: yields whether."""
    try:
        with file_lock(folder / LOCK, wait=False) as is_free:
            yield is_free
    except FileNotFoundError:  # no such folder
        yield True


def clean_up(folder: Path) -> None:
    """Remove what a host has left that was killed. The caller holds the lock."""
    with contextlib.suppress(StoreError):
        host = read_record(
            folder / HOST_JSON, TeacherHostFile, remedy=REMEDY, error=StoreError
        )
        if host is not None and _is_socket_folder(Path(host.sockets)):
            shutil.rmtree(host.sockets, ignore_errors=True)
    (folder / HOST_JSON).unlink(missing_ok=True)


def _is_socket_folder(path: Path) -> bool:
    is_ours = path.name.startswith(SOCKETS_PREFIX)
    return is_ours and path.parent in (Path(tempfile.gettempdir()), Path("/tmp"))


def remove_old_logs(folder: Path) -> None:
    """Keep the newest MAX_LOGS logs of vLLM."""
    if folder.is_dir():
        logs = sorted(folder.glob("vllm-*.log"))
        for log in logs[:-MAX_LOGS]:
            log.unlink(missing_ok=True)


def newest_log(folder: Path) -> Path | None:
    """Return the newest log of vLLM of a host's folder, or else the host's own."""
    logs = sorted((folder / LOGS).glob("vllm-*.log"))
    own = folder / HOST_LOG
    candidates = [*logs[-1:], *([own] if own.is_file() else [])]
    return candidates[0] if candidates else None


def read_start(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if it is gone.

    From /proc/PID/stat, see proc(5). A zombie counts as gone.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name in brackets may itself contain spaces and brackets.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])

"""Runs a process under a guard (guard.py), which ends it with all it started.

Also finds the error in its log that explains why it ended.
"""

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from cotbuild.builder import guard
from cotbuild.builder.environment import child_environment
from cotbuild.schemas.errors import StoreError, TeacherError

GRACE_S = 3.0
"""From SIGTERM to SIGKILL."""
GONE_S = 15.0
"""Longest wait for the guard itself.

After SIGKILL only the kernel can keep a process alive.
"""
POLL_S = 0.1
MAX_SOCKET_PATH = 107
"""Bytes of an AF_UNIX path on Linux."""
SOCKET_NAME_LENGTH = 37
"""vLLM names its own sockets /UUID under VLLM_RPC_BASE_PATH."""
TAIL_BYTES = 256 * 1024
MAX_ERROR_CHARS = 300

_PREFIX = re.compile(r"^\(\w[^)]* pid=\d+\) ")
_LOGGED = re.compile(r"^(?:ERROR|CRITICAL) \S+ \S+ (?:\[[^\]]*\] )?")
_RAISED = re.compile(
    r"^(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)\b.*|^.*: error: .+"
)
_NOT_INSPECTED = re.compile(r"Model architectures .{1,100}? failed to be inspected")
_MISSING_MODULE = re.compile(r"No module named '([\w.]{1,60})'")
_CONSEQUENCE = (
    "Engine core initialization failed",
    "See root cause above",
    "EngineDeadError",
    "EngineCore failed",
)
"""Logged by the API server after the error that matters, which another process logged
before it.
"""


class GuardedProcess:
    """A process with its descendants and its private directory.

    All of them are gone once `stop` has returned.

    Args:
        command: The program and its arguments.
        env: Variables to add to the environment, which has none of our secrets.
        log: The file to which the output is appended.
        run_dir: The private directory, which the guard creates and removes.
        grace_s: Seconds from SIGTERM to SIGKILL.
        downloads: Whether it downloads from the Hub and needs the token for it.

    Raises:
        StoreError: The log cannot be written.
    """

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        run_dir: Path,
        grace_s: float = GRACE_S,
        *,
        downloads: bool = False,
    ) -> None:
        self.log = log
        self.run_dir = run_dir
        # Set by env(1), because a library to preload is for the server and not for the
        # guard.
        assignments = [f"{name}={value}" for name, value in env.items()]
        guard_args = [
            *("--parent", str(os.getpid())),
            *("--run-dir", str(run_dir)),
            *("--grace", str(grace_s)),
            *("--", "env", *assignments, *command),
        ]
        with _open_log(log) as output:
            self.log_start = output.tell()
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__, *guard_args],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=child_environment(downloads=downloads),
                # Ctrl-C in the terminal reaches cotbuild alone, which finishes its work
                # before it stops the server.
                start_new_session=True,
            )

    @property
    def guard_pid(self) -> int:
        """The guard's pid."""
        return self._guard.pid

    def exit_code(self) -> int | None:
        """Return the exit code, or None while the process runs.

        Once there is one, everything the process started is gone.
        """
        code = self._guard.poll()
        if code is not None:
            self._close_pipe()
            if self.run_dir.exists():
                self._kill_unguarded()
        return code

    async def wait(self) -> int:
        """Wait until the process has ended; return its exit code."""
        while (code := self.exit_code()) is None:
            await asyncio.sleep(POLL_S)
        return code

    async def stop(self) -> None:
        """End the process: SIGTERM, then SIGKILL after the grace period.

        The guard finishes the job even if this is cancelled. Raises TeacherError if the
        process survives.
        """
        self._close_pipe()
        try:
            await asyncio.wait_for(self.wait(), GONE_S)
        except TimeoutError as fault:
            raise TeacherError(
                f"{self.run_dir}: the server still runs {GONE_S:.0f} s after SIGKILL. "
                f"Stop it by hand. Log: {self.log}"
            ) from fault

    def last_error(self) -> str:
        """Return the line of this process's log that best explains why it ended."""
        with self.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self.log_start, size - TAIL_BYTES))
            return find_last_error(file.read().decode("utf-8", "replace"))

    def _close_pipe(self) -> None:
        assert self._guard.stdin is not None
        self._guard.stdin.close()

    def _kill_unguarded(self) -> None:
        """Clean up after a guard that was killed before it had finished."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.run_dir / guard.SERVER_PID).read_text())
            # Otherwise the pid belongs to another process by now.
            if os.getsid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
        shutil.rmtree(self.run_dir, ignore_errors=True)


def new_run_dir() -> Path:
    """Return an unused path for a private directory, short enough for sockets in it.

    The guard creates the directory.
    """
    name = f"cotbuild-{secrets.token_hex(4)}"
    max_bytes = MAX_SOCKET_PATH - SOCKET_NAME_LENGTH
    preferred = Path(tempfile.gettempdir(), name)
    if len(os.fsencode(preferred)) <= max_bytes:
        return preferred
    return Path("/tmp", name)


def find_last_error(text: str) -> str:
    """Return the last line that looks like an error and does not echo an earlier one.

    Falls back to the last error of any kind, then to the last line. Where vLLM could
    not import its code for the model, its own words do not say why: ours do.
    """
    not_inspected = _NOT_INSPECTED.search(text)
    if not_inspected is not None:
        return f"{not_inspected[0]}: {_explain_import(text)}"
    without_prefix = (_PREFIX.sub("", line) for line in text.splitlines())
    stripped = (_LOGGED.sub("", line).strip() for line in without_prefix)
    lines = [line for line in stripped if line]
    errors = [line for line in lines if _RAISED.match(line)]
    causes = [line for line in errors if not _is_consequence(line)]
    candidates = causes or errors or lines or ["no output at all"]
    return " ".join(candidates[-1].split())[:MAX_ERROR_CHARS]


def _explain_import(text: str) -> str:
    """Say which module vLLM's code for a model could not import, if the log names it."""
    missing = _MISSING_MODULE.search(text)
    what = "a module, mostly torchvision," if missing is None else missing[1]
    return (
        f"vLLM's code for this model needs {what} and could not import it. Install the "
        "one that fits your torch, or pass another model."
    )


def _is_consequence(line: str) -> bool:
    return any(phrase in line for phrase in _CONSEQUENCE)


def _open_log(log: Path) -> IO[bytes]:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        file = log.open("ab")
    except OSError as fault:
        raise StoreError(f"{log}: cannot write the log: {fault.strerror}.") from fault
    file.seek(0, os.SEEK_END)
    return file

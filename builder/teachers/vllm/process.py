"""A process under its guard (guard.py): started, waited for, ended with all it started;
and what its log says.
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

from cotbuild.builder.teachers.vllm import guard
from cotbuild.schemas.errors import StoreError, TeacherError

GRACE_S = 3.0
"""From SIGTERM to SIGKILL."""
GONE_S = 15.0
"""Longest wait for the guard itself; after SIGKILL only the kernel can keep a process.
"""
POLL_S = 0.1
MAX_SOCKET_PATH = 107
"""Bytes of an AF_UNIX path on Linux."""
SOCKET_NAME_LENGTH = 37
"""vLLM names its own sockets /UUID under VLLM_RPC_BASE_PATH."""
TAIL_BYTES = 256 * 1024

_PREFIX = re.compile(r"^\(\w[^)]* pid=\d+\) ")
_LOGGED = re.compile(r"^(?:ERROR|CRITICAL) \S+ \S+ (?:\[[^\]]*\] )?")
_RAISED = re.compile(
    r"^(?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt)\b.*|^.*: error: .+"
)
_CONSEQUENCE = (
    "Engine core initialization failed",
    "See root cause above",
    "EngineDeadError",
    "EngineCore failed",
)
"""Said by the API server after the fault that matters, which another process has logged
before.
"""


class GuardedProcess:
    """One process, its descendants and its private directory `run_dir`, all gone once
    `stop` returns.

    `env` is added to the environment; the output is appended to `log`. Raises
    StoreError where it cannot be written.
    """

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        run_dir: Path,
        grace_s: float = GRACE_S,
    ) -> None:
        self.log = log
        self.run_dir = run_dir
        # Through env(1): a library to preload is the server's business, not the
        # guard's.
        server = ["env", *(f"{name}={value}" for name, value in env.items()), *command]
        words = [
            "--parent",
            str(os.getpid()),
            "--run-dir",
            str(run_dir),
            "--grace",
            str(grace_s),
            "--",
            *server,
        ]
        with _append(log) as output:
            self.log_start = output.tell()
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__, *words],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal reaches cotbuild alone, which finishes before
                # it lets the server go.
                start_new_session=True,
            )

    @property
    def guard_pid(self) -> int:
        """Pid of the guard."""
        return self._guard.pid

    def exit_code(self) -> int | None:
        """None while it runs. Once it ended everything it started is gone."""
        code = self._guard.poll()
        if code is not None:
            self._let_go()
            if self.run_dir.exists():
                self._end_unguarded()
        return code

    async def wait(self) -> int:
        """Until it ended; its exit code."""
        while (code := self.exit_code()) is None:
            await asyncio.sleep(POLL_S)
        return code

    async def stop(self) -> None:
        """End it: SIGTERM, SIGKILL after GRACE_S. Cancelled meanwhile, the guard goes
        on by itself.
        """
        self._let_go()
        try:
            await asyncio.wait_for(self.wait(), GONE_S)
        except TimeoutError as fault:
            raise TeacherError(
                f"{self.run_dir}: the server still runs {GONE_S:.0f} s after SIGKILL. Stop it by hand. Log: {self.log}"
            ) from fault

    def last_error(self) -> str:
        """The line of this life's log that says best why it ended."""
        with self.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self.log_start, size - TAIL_BYTES))
            return last_error(file.read().decode("utf-8", "replace"))

    def _let_go(self) -> None:
        assert self._guard.stdin is not None
        self._guard.stdin.close()

    def _end_unguarded(self) -> None:
        """The guard was killed before its work was done."""
        with contextlib.suppress(OSError, ValueError):
            server = int((self.run_dir / guard.SERVER_PID).read_text())
            if (
                os.getsid(server) == server
            ):  # else the pid has been given to another process
                os.killpg(server, signal.SIGKILL)
        shutil.rmtree(self.run_dir, ignore_errors=True)


def new_run_dir() -> Path:
    """A name for a private directory, short enough for the sockets in it; the guard
    makes it.
    """
    name = f"cotbuild-{secrets.token_hex(4)}"
    longest = MAX_SOCKET_PATH - SOCKET_NAME_LENGTH
    usual = Path(tempfile.gettempdir(), name)
    return usual if len(os.fsencode(usual)) <= longest else Path("/tmp", name)


def last_error(text: str) -> str:
    """The last line that looks like an error and is not the echo of an earlier one;
    else the last line at all.
    """
    lines = [
        _LOGGED.sub("", _PREFIX.sub("", line)).strip() for line in text.splitlines()
    ]
    faults = [line for line in lines if _RAISED.match(line)]
    causes = [
        line for line in faults if not any(words in line for words in _CONSEQUENCE)
    ]
    found = [*[line for line in lines if line][-1:], *faults[-1:], *causes[-1:]] or [
        "no output at all"
    ]
    return " ".join(found[-1].split())[:300]


def _append(log: Path) -> IO[bytes]:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        file = log.open("ab")
    except OSError as fault:
        raise StoreError(f"{log}: cannot write the log: {fault.strerror}.") from fault
    file.seek(0, os.SEEK_END)
    return file

"""Compare expressions with math-verify, in a child process of bounded time and memory.

math-verify (Apache 2.0) parses LaTeX by latex2sympy2_extended and simplifies by SymPy.
Neither ends on every input, and math-verify's own time limit takes over SIGALRM, which
only a main thread may do. So a child does the work, and is replaced if it dies.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import NamedTuple

from cotbuild.builder.environment import child_environment
from cotbuild.builder.packages import missing_package
from cotbuild.schemas.answers.compare import MathMetric

MAX_CHARS = 1000
"""Characters of the longest expression that is compared."""
CPU_S = 10.0
"""CPU seconds of one comparison: load makes it take longer, and no other verdict."""
_WORKER = "cotbuild.builder.math_verify_worker"
_REPLY_S = 120
"""How long to wait for a reply: the child's CPU time ends long before."""
_MAX_TRIES = 2
"""A child that was ended from outside is replaced once."""
_CACHE_SIZE = 4096


def open_math_verify() -> MathMetric:
    """Return the metric of this process.

    Its child process starts with the first comparison, and ends with this process.
    Raises ConfigError if math-verify is not installed.
    """
    if find_spec("math_verify") is None:
        raise missing_package(
            "grading.math_metric 'math_verify' needs",
            "math-verify",
            "math",
            "Leave math_metric out",
        )
    return _math_verify()


@cache
def _math_verify() -> "MathVerify":
    metric = MathVerify()
    atexit.register(metric.close)
    return metric


class _Child(NamedTuple):
    process: subprocess.Popen[bytes]
    connection: socket.socket
    owner: int
    """The process that started it: a fork may not talk to it."""


class MathVerify:
    """math-verify in a child process. Safe to use from several threads."""

    def __init__(self, cpu_s: float = CPU_S) -> None:
        self._cpu_s = cpu_s
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._compare = lru_cache(maxsize=_CACHE_SIZE)(self._ask)

    def agrees(self, answer: str, target: str) -> bool:
        """Return whether two expressions mean the same.

        False for long ones, and where the child runs out of CPU time or memory.
        """
        if max(len(answer), len(target)) > MAX_CHARS:
            return False
        with self._lock:
            return self._compare(answer, target)

    def close(self) -> None:
        """End the child process, if this process has started one."""
        child, self._child = self._child, None
        if child is None:
            return
        child.connection.close()
        if child.owner == os.getpid():
            child.process.kill()
            child.process.wait()

    def _ask(self, answer: str, target: str) -> bool:
        for _ in range(_MAX_TRIES):
            child = self._open()
            try:
                child.connection.sendall(json.dumps([answer, target]).encode() + b"\n")
                reply = child.connection.recv(1)
            except OSError:
                reply = b""
            if reply:
                return reply == b"1"
            self.close()
            if child.process.returncode == -signal.SIGPROF:
                return False  # out of CPU time
        return False

    def _open(self) -> _Child:
        if self._child is not None and self._child.owner == os.getpid():
            return self._child
        self.close()
        own_end, child_end = socket.socketpair()
        own_end.settimeout(_REPLY_S)
        with child_end:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    _WORKER,
                    str(child_end.fileno()),
                    str(self._cpu_s),
                ],
                pass_fds=[child_end.fileno()],
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self._child = _Child(process, own_end, os.getpid())
        return self._child

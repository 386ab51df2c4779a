"""What runs on the nodes of a Ray cluster: one worker, and a look at the node.

Ray's processes there import this module; ray_agent.py decides what they do.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder import guard
from cotbuild.builder.environment import child_environment, names_store
from cotbuild.builder.exit_codes import ExitCode
from cotbuild.builder.launchers.local import read_last_line
from cotbuild.builder.version import cotbuild_version
from cotbuild.schemas.errors import ConfigError

GRACE_S = 5.0
"""From SIGTERM to SIGKILL, for a worker that has to end."""
LINGER_S = 60.0
"""How long an actor without a worker stays: one that was not started yet, and one whose
worker has ended and whose launcher has not asked how.
"""
CONCURRENCY = 4
"""Calls of a RayWorker at a time: one waits while others drain or stop."""


class NodeReport(NamedTuple):
    """What a node says of itself."""

    version: str
    """Of cotbuild."""
    sees_marker: bool
    """Whether the file is there that was written into the build."""
    needs_token: bool
    """Whether Ray asks for a token there."""


def report_node(marker: str | None) -> NodeReport:
    """Return what a launcher checks of the node that this runs on.

    Args:
        marker: Path of a file in the build; None where the build is in a store.
    """
    return NodeReport(
        version=cotbuild_version(),
        sees_marker=marker is None or Path(marker).exists(),
        needs_token=os.environ.get("RAY_AUTH_MODE", "").lower() == "token",
    )


def check_report(
    report: NodeReport, address: str, build: str, token_required: bool
) -> None:
    """Raise ConfigError if workers cannot run on the node of a report."""
    node = f"node {address} of the Ray cluster"
    if report.version != cotbuild_version():
        raise ConfigError(
            f"{node} has cotbuild {report.version!r}, and this is "
            f"{cotbuild_version()!r}. Install the same version there."
        )
    if not report.sees_marker:
        raise ConfigError(
            f"{node} does not see the build {build!r}. Put it in a folder that all "
            "nodes share, or on s3://…."
        )
    if token_required and not report.needs_token:
        raise ConfigError(
            f"{node} runs without RAY_AUTH_MODE=token: whoever reaches it can run code "
            "on it. Start Ray on every node with that variable set."
        )


class RayWorker:
    """A worker as a child of the Ray actor that this object lives in.

    A guard (builder/guard.py) ends the worker once the actor is gone, since Ray then
    gives its GPUs to others.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="cotbuild-ray-"))
        self._run_dir = self._folder / "guard"
        self._log = self._folder / "log"
        self._is_draining = False
        self._is_stopping = False
        self._guard: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._timer = self._start_timer()

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], log: str | None
    ) -> str:
        """Start the worker; return the id of the node.

        The variables come by this call and not with the actor, whose arguments Ray
        keeps: keys of endpoints and stores are among them.

        Args:
            command: Program and arguments; `python` stands for the node's own.
            environment: Variables to set, besides those of the node that are no secrets.
            log: What the worker prints; None for a file of the node.
        """
        import ray

        if log is not None:
            self._log = Path(log)
        program, *arguments = command
        if program == "python":
            program = sys.executable
        guard_arguments = [
            *("--parent", str(os.getpid())),
            *("--run-dir", str(self._run_dir)),
            *("--grace", str(GRACE_S)),
            *("--", program, *arguments),
        ]
        with self._log.open("wb") as output:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", guard.__file__, *guard_arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=worker_environment(child_environment(stores=names_store(command)))
                | dict(environment),
                start_new_session=True,
            )
        self._timer.cancel()
        threading.Thread(target=self._await_end, daemon=True).start()
        node_id: str = ray.get_runtime_context().get_node_id()
        return node_id

    def wait(self) -> tuple[int | None, str]:
        """Wait until the worker has ended; return exit code and message as WorkerExit."""
        self._ended.wait()
        assert self._guard is not None
        code = self._guard.returncode
        if self._is_stopping:
            return None, "stopped"
        if self._is_draining and code == 128 + signal.SIGUSR1:
            # The signal came before the worker could handle it.
            return int(ExitCode.PAUSED), "drained before it began"
        if code < 0 or (code > 128 and code != ExitCode.INTERRUPTED):
            number = -code if code < 0 else code - 128
            return None, f"killed by signal {number}"
        return code, self._last_line

    def drain(self) -> None:
        """Have the worker finish what is under way."""
        self._is_draining = True
        pid_file = self._run_dir / guard.SERVER_PID
        while not pid_file.exists() and not self._ended.wait(0.05):
            pass
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(pid_file.read_text()), signal.SIGUSR1)

    def stop(self) -> None:
        """End the worker; return once it is gone with all that it started."""
        self._is_stopping = True
        self._close_pipe()
        self._ended.wait()

    def _await_end(self) -> None:
        assert self._guard is not None
        self._guard.wait()
        self._close_pipe()
        self._last_line = read_last_line(self._log)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._ended.set()
        self._timer = self._start_timer()

    def _close_pipe(self) -> None:
        assert self._guard is not None
        assert self._guard.stdin is not None
        self._guard.stdin.close()

    def _start_timer(self) -> threading.Timer:
        """End the actor if its launcher is gone: it would keep its GPUs for ever."""
        timer = threading.Timer(LINGER_S, os._exit, (0,))
        timer.daemon = True
        timer.start()
        return timer


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a worker: those given but for Ray's own.

    With them a vLLM of the worker would join the cluster.
    """
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("RAY_") or name == "RAY_USAGE_STATS_ENABLED"
    }

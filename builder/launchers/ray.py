"""Workers as actors of a Ray cluster.

The process that is connected to Ray is another one, see ray_agent.py: this module does
not import Ray.
"""

import contextlib
import importlib.util
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cotbuild.builder.environment import TELEMETRY_OFF
from cotbuild.builder.launchers.base import WorkerCommand, WorkerExit
from cotbuild.builder.launchers.local import read_last_line
from cotbuild.builder.packages import missing_package
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.schemas.errors import ConfigError, TeacherError

PROGRAM = ("python", "-P", "-m", "cotbuild")
"""`python` is that of the node."""
START_S = 300.0
"""Longest wait for a connection to the cluster and a look at its nodes."""
STOP_S = 60.0
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_AGENT = "cotbuild.builder.launchers.ray_agent"


class RayLauncher:
    """Starts workers as actors of a Ray cluster: the one in RAY_ADDRESS, or one of its own.

    See `Launcher`. Each worker has its GPUs, or else a CPU, for itself, and waits until
    the cluster has room for it. Workers get the environment of their node without its
    secrets. Where RAY_ADDRESS is not set, Ray is started on this machine and ends with
    the last worker.

    Args:
        build: The build that they work on: a folder that every node sees by this path,
            or the address of a store.
        number: Workers that are wanted.
        gpus_per_worker: GPUs of each, on one node; 0 takes a CPU instead. None takes a
            GPU where the cluster has any, and else a CPU.
        program: What runs the arguments of a command.
        environment: The environment that names the cluster; that of this process.

    Raises:
        ConfigError: Ray is not installed, the cluster asks for no token, or a node
            cannot run these workers.
        TeacherError: The cluster or one of its nodes does not answer.
    """

    def __init__(
        self,
        build: str,
        *,
        number: int,
        gpus_per_worker: int | None = None,
        program: Sequence[str] = PROGRAM,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        if importlib.util.find_spec("ray") is None:
            raise missing_package("--engine ray needs", "ray", "ray")
        cluster = find_cluster(environment)
        self._program = tuple(program)
        self._logs = None if "://" in build else AnswerStore(Path(build)).logs
        if self._logs is not None:
            self._logs.mkdir(parents=True, exist_ok=True)
        self._running: set[str] = set()
        self._ended: list[WorkerExit] = []
        self._agent = _AgentProcess(environment)
        settings = {
            "address": cluster.address,
            "build": build if self._logs is None else str(Path(build).absolute()),
            "is_folder": self._logs is not None,
            "number": number,
            "gpus_per_worker": gpus_per_worker,
            "token_required": cluster.token_required,
        }
        self._agent.send(settings)
        event = self._agent.receive(START_S)
        if event is None or event["event"] == "refused":
            message = self._agent.end() if event is None else str(event["message"])
            self._agent.end()
            is_config = event is not None and event["is_config"]
            raise ConfigError(message) if is_config else TeacherError(message)

    def launch(self, command: WorkerCommand) -> None:
        """See Launcher. Raises TeacherError if the connection to Ray is lost."""
        log = None
        if self._logs is not None:
            log = str((self._logs / f"{command.name}.log").absolute())
        request = {
            "do": "launch",
            "name": command.name,
            "command": [*self._program, *command.arguments],
            "environment": dict(command.environment),
            "log": log,
        }
        if not self._agent.send(request):
            raise TeacherError(self._agent.end())
        self._running.add(command.name)

    def poll(self) -> list[WorkerExit]:
        """See Launcher. Without the connection to Ray all workers count as lost."""
        while (event := self._agent.receive(0)) is not None:
            self._note(event)
        if self._running and not self._agent.is_alive:
            message = self._agent.end()
            for name in sorted(self._running):
                self._ended.append(WorkerExit(name, None, message))
            self._running.clear()
        ended, self._ended = self._ended, []
        return ended

    @property
    def running(self) -> tuple[str, ...]:
        """See Launcher."""
        return tuple(sorted(self._running))

    def drain(self) -> None:
        """See Launcher."""
        self._agent.send({"do": "drain"})

    def stop(self) -> None:
        """See Launcher. Nothing can be launched afterwards."""
        if self._agent.send({"do": "stop"}):
            while (event := self._agent.receive(STOP_S)) is not None:
                if event["event"] == "stopped":
                    break
                self._note(event)
        self._agent.end()
        self._running.clear()

    def _note(self, event: Mapping[str, Any]) -> None:
        name = str(event["name"])
        if name in self._running:
            self._running.remove(name)
            self._ended.append(WorkerExit(name, event["code"], str(event["message"])))


@dataclass(frozen=True)
class Cluster:
    """The Ray cluster that an environment names."""

    address: str
    """As ray.init takes it; `local` to start one."""
    token_required: bool
    """Whether each node has to ask for a token."""


def find_cluster(environment: Mapping[str, str]) -> Cluster:
    """Return the cluster of RAY_ADDRESS, or `local` where it is not set.

    Whoever reaches a cluster that asks for no token can run code on it. Only one that
    listens on this machine's loopback address may do without.

    Raises:
        ConfigError: The address is one of Ray Client, or RAY_AUTH_MODE is not `token`.
    """
    address = environment.get("RAY_ADDRESS", "")
    if address in {"", "local"}:
        return Cluster("local", token_required=False)
    if "://" in address:
        raise ConfigError(
            f"RAY_ADDRESS {address!r} is one of Ray Client or of Ray's job server, which "
            "cannot start workers that outlive this command. Run it on a node of the "
            "cluster, with the HOST:PORT of its head."
        )
    if address.rpartition(":")[0] in _LOOPBACK:
        return Cluster(address, token_required=False)
    mode = environment.get("RAY_AUTH_MODE")
    if mode is None or mode.lower() != "token":
        stated = "not set" if mode is None else repr(mode)
        raise ConfigError(
            f"RAY_ADDRESS names the Ray cluster {address!r}, and RAY_AUTH_MODE is "
            f"{stated}: whoever reaches such a cluster can run code on it. Start Ray on "
            "its nodes with RAY_AUTH_MODE=token, and set it here too."
        )
    return Cluster(address, token_required=True)


class _AgentProcess:
    """The process of ray_agent.py, which outlives this one while it has workers."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._errors = tempfile.NamedTemporaryFile(prefix="cotbuild-ray-")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", _AGENT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # With its secrets: the token of the cluster, wherever it is.
            env=TELEMETRY_OFF | dict(environment),
            # Ctrl-C in the terminal is for the command alone.
            start_new_session=True,
        )
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._message = ""
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=_read_events, args=(self._process.stdout, self._events), daemon=True
        )
        self._reader.start()
        self.is_alive = True

    def send(self, request: Mapping[str, Any]) -> bool:
        """Send a request; returns False if the agent is gone."""
        assert self._process.stdin is not None
        if self._process.stdin.closed:
            return False
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return False
        return True

    def receive(self, timeout_s: float) -> dict[str, Any] | None:
        """Return the next event; None if none comes in time, or the agent is gone."""
        if not self.is_alive:
            return None
        try:
            event = self._events.get(block=timeout_s > 0, timeout=timeout_s)
        except queue.Empty:
            return None
        self.is_alive = event is not None
        return event

    def end(self) -> str:
        """Wait for its end, or end it; return what went wrong, in one line."""
        if self._message:
            return self._message
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.is_alive = False
        self._reader.join()
        self._process.stdout.close()
        last_line = read_last_line(Path(self._errors.name))
        self._errors.close()
        self._message = f"the connection to Ray is lost: {last_line}"
        return self._message


def _read_events(
    stream: IO[bytes], events: "queue.SimpleQueue[dict[str, Any] | None]"
) -> None:
    for line in stream:
        events.put(json.loads(line))
    events.put(None)

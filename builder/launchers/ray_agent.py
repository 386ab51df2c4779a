"""The process that is connected to Ray, for a RayLauncher in another process.

    python -m cotbuild.builder.launchers.ray_agent

Ray prints to the standard output of a process that uses it, replaces its handler of
SIGTERM, and ends it when the head of the cluster is gone; so it is not the process of
the user's command. Requests and events are lines of JSON, on standard input and output.
The workers are detached actors: they stay when the agent ends. Only a Ray of this
machine, which the agent started, ends with it; so it stays until its workers have ended.

A worker is an actor with its GPUs as resources. They are on one node then, so a
placement group of one bundle would add nothing but an object that nobody removes once
a run was killed.
"""

import json
import os
import queue
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cotbuild.builder.launchers.ray_node import (
    CONCURRENCY,
    GRACE_S,
    NodeReport,
    RayWorker,
    check_report,
    report_node,
)
from cotbuild.builder.storage.answer_store import ANSWERS
from cotbuild.schemas.errors import ConfigError, CotbuildError, TeacherError

LOCAL = "local"
"""The address that has Ray start a cluster on this machine."""
POLL_S = 0.2
PROBE_S = 120.0
"""Longest wait for the nodes, each of which starts a Python process."""
AVOID_S = 60.0
"""How long no worker is started on a node that did not answer.

Ray marks a node as dead about 15 s after its processes are gone, and until then starts
actors on it that never answer.
"""
OBJECT_STORE_BYTES = 100 << 20
"""Of a Ray of this machine. Next to nothing is stored in it; Ray's minimum is 75 MiB."""
NAMESPACE = "cotbuild"


@dataclass(frozen=True)
class AgentSettings:
    """What an agent is started for."""

    address: str
    """Of the cluster, or LOCAL."""
    build: str
    """Absolute path of the build, or the address of a store."""
    is_folder: bool
    number: int
    """Workers that are wanted."""
    gpus_per_worker: int | None
    """None for one where the cluster has any."""
    token_required: bool


@dataclass
class _Placed:
    """A worker that an actor was asked for."""

    request: Mapping[str, Any]
    actor: Any
    started: Any
    """Ray's reference to the result of `start`: the id of the node."""
    ended: Any
    """Ray's reference to the result of `wait`."""
    avoided: frozenset[str]
    """Nodes that it may not be on."""
    node: str | None = None
    """Id of its node, once it was started."""


class Agent:
    """Starts actors in the cluster that this process is connected to.

    Args:
        gpus_per_worker: GPUs of each actor; 0 takes a CPU instead.
        emit: Receives the events.
    """

    def __init__(self, gpus_per_worker: int, emit: "Emit") -> None:
        self._gpus = gpus_per_worker
        self._emit = emit
        self._running: dict[str, _Placed] = {}
        self._avoided_since: dict[str, float] = {}

    @property
    def num_running(self) -> int:
        """Workers that have not ended."""
        return len(self._running)

    def launch(self, request: Mapping[str, Any]) -> None:
        """Have Ray start an actor as soon as it has room, and a worker in it."""
        avoided = frozenset(self._avoided_since)
        options: dict[str, Any] = {
            "name": f"cotbuild-{request['name']}-{secrets.token_hex(4)}",
            "lifetime": "detached",
            "max_restarts": 0,
            "max_task_retries": 0,
            "max_concurrency": CONCURRENCY,
            "num_cpus": 0 if self._gpus else 1,
            "num_gpus": self._gpus,
            # Several on one node would be lost together.
            "scheduling_strategy": "SPREAD",
        }
        if avoided:
            options["label_selector"] = {
                "ray.io/node-id": f"!in({','.join(sorted(avoided))})"
            }
        actor = ray.remote(RayWorker).options(**options).remote()
        started = actor.start.remote(
            request["command"], request["environment"], request["log"]
        )
        ended = actor.wait.remote()
        self._running[request["name"]] = _Placed(
            request, actor, started, ended, avoided
        )

    def poll(self) -> None:
        """Emit the exits of the workers that have ended, after a short wait."""
        if not self._running:
            time.sleep(POLL_S)
            return
        self._note_starts()
        names = {placed.ended: name for name, placed in self._running.items()}
        done, _ = ray.wait(list(names), num_returns=len(names), timeout=POLL_S)
        for reference in done:
            name = names[reference]
            self._report_end(name, self._running.pop(name))
        self._forgive_nodes()

    def drain(self) -> None:
        """Drain every worker; those that wait for room are not started any more."""
        self._note_starts()
        for name, placed in list(self._running.items()):
            if placed.node is None:
                del self._running[name]
                self._end_actor(placed)
                self._emit_exit(name, 4, "drained before it began")
            else:
                placed.actor.drain.remote()

    def stop(self) -> None:
        """End every worker; returns when none is left."""
        self._note_starts()
        stopping = [
            placed.actor.stop.remote()
            for placed in self._running.values()
            if placed.node is not None
        ]
        if stopping:
            ray.wait(stopping, num_returns=len(stopping), timeout=3 * GRACE_S)
        for name, placed in self._running.items():
            self._end_actor(placed)
            self._emit_exit(name, None, "stopped")
        self._running.clear()

    def _note_starts(self) -> None:
        for name, placed in list(self._running.items()):
            if placed.node is None:
                self._note_start(name, placed)

    def _note_start(self, name: str, placed: _Placed) -> None:
        """Note the node of a worker that was started, or that it could not be."""
        done, _ = ray.wait([placed.started], timeout=0)
        if not done:
            return
        try:
            placed.node = ray.get(placed.started)
        except RayTaskError as fault:
            del self._running[name]
            self._end_actor(placed)
            self._emit_exit(name, 1, f"error: {first_line(fault)}")
        except RayError:
            return  # the actor is gone, which `ended` says too

    def _report_end(self, name: str, placed: _Placed) -> None:
        try:
            code, message = ray.get(placed.ended)
        except ActorUnavailableError:
            code, message = None, "its node does not answer"
            if placed.node is not None:
                self._avoided_since[placed.node] = time.monotonic()
        except RayError as fault:
            code, message = None, f"lost by Ray: {first_line(fault)}"
        self._end_actor(placed)
        self._emit_exit(name, code, message)

    def _end_actor(self, placed: _Placed) -> None:
        """End an actor, also one that is only out of reach."""
        with suppress(RayError):
            ray.kill(placed.actor, no_restart=True)

    def _emit_exit(self, name: str, code: int | None, message: str) -> None:
        self._emit({"event": "exit", "name": name, "code": code, "message": message})

    def _forgive_nodes(self) -> None:
        """Use a node again that answers; start workers there that wait because of it."""
        now_s = time.monotonic()
        old = {n for n, at_s in self._avoided_since.items() if now_s - at_s > AVOID_S}
        if not old:
            return
        for node in old:
            del self._avoided_since[node]
        for placed in list(self._running.values()):
            if placed.avoided & old and placed.node is None:
                self._end_actor(placed)
                self.launch(placed.request)


class Emit:
    """Writes events as lines of JSON to a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __call__(self, event: Mapping[str, Any]) -> None:
        with suppress(BrokenPipeError):
            os.write(self._descriptor, json.dumps(event).encode() + b"\n")


def connect(settings: AgentSettings) -> None:
    """Connect to the cluster, or start one. Raises TeacherError if that fails."""
    is_local = settings.address == LOCAL
    own = {
        # More than there are where more workers are wanted: they wait for a server.
        "num_cpus": max(os.cpu_count() or 1, settings.number),
        "object_store_memory": OBJECT_STORE_BYTES,
        "include_dashboard": False,
    }
    try:
        ray.init(
            settings.address,
            namespace=NAMESPACE,
            log_to_driver=False,
            logging_level="ERROR",
            **(own if is_local else {}),
        )
    # Ray raises ConnectionError, RuntimeError, ValueError and errors of its own.
    except Exception as fault:
        what = (
            "a Ray of this machine could not be started"
            if is_local
            else f"the Ray cluster {settings.address!r} could not be reached"
        )
        raise TeacherError(f"{what}: {first_line(fault)}") from fault


def check_nodes(settings: AgentSettings) -> int:
    """Check every node that has room for a worker; return the GPUs that each takes.

    Raises:
        ConfigError: No node has that many GPUs; or one has another version of cotbuild,
            does not see the build, or asks for no token.
        TeacherError: A node does not answer.
    """
    alive = [node for node in ray.nodes() if node["Alive"]]
    gpus = settings.gpus_per_worker
    if gpus is None:
        gpus = int(any(node["Resources"].get("GPU", 0) >= 1 for node in alive))
    resource, number = ("GPU", gpus) if gpus else ("CPU", 1)
    nodes = {
        node["NodeID"]: node["NodeManagerAddress"]
        for node in alive
        if node["Resources"].get(resource, 0) >= number
    }
    if not nodes:
        what = f"{gpus} GPU(s)" if gpus else "a CPU"
        raise ConfigError(
            f"no node of the Ray cluster has {what}, which a worker takes. "
            "Add one, or pass a smaller --gpus-per-worker."
        )
    with _marker_file(settings) as marker:
        task = ray.remote(num_cpus=0, max_retries=0)(report_node)
        reports = {
            task.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
            ).remote(marker): address
            for node, address in nodes.items()
        }
        done, waiting = ray.wait(
            list(reports), num_returns=len(reports), timeout=PROBE_S
        )
        for reference in waiting:
            raise TeacherError(
                f"node {reports[reference]} of the Ray cluster did not answer within "
                f"{PROBE_S:.0f} s."
            )
        num_usable = 0
        for reference in done:
            address = reports[reference]
            report = _report_of(reference, address)
            if report is not None:
                num_usable += 1
                token_required = settings.token_required
                check_report(report, address, settings.build, token_required)
    if not num_usable:
        raise TeacherError("each node of the Ray cluster died while it was asked.")
    return gpus


def _report_of(reference: Any, address: str) -> NodeReport | None:
    """Return what a node said; None if it is gone."""
    try:
        report: NodeReport = ray.get(reference)
    except RayTaskError as fault:
        raise ConfigError(
            f"node {address} of the Ray cluster cannot run cotbuild: "
            f"{first_line(fault)} Install the same version there."
        ) from fault
    except RayError:
        return None
    return report


@contextmanager
def _marker_file(settings: AgentSettings) -> Iterator[str | None]:
    """Write a file into the build that nodes look for."""
    if not settings.is_folder:
        yield None
        return
    folder = Path(settings.build) / ANSWERS
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / f".seen-{secrets.token_hex(8)}"
    marker.touch()
    try:
        yield str(marker)
    finally:
        marker.unlink(missing_ok=True)


def first_line(fault: Exception) -> str:
    """Return what an error of Ray says, in one line and without the cluster's token.

    Errors of a task are tracebacks, of which the last line says what happened.
    """
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    text = lines[-1 if "Traceback" in str(fault) else 0] if lines else ""
    token = os.environ.get("RAY_AUTH_TOKEN")
    if token:
        text = text.replace(token, "[token]")
    return f"{type(fault).__name__}: {text[:500]}"


def _read_requests(requests: "queue.SimpleQueue[dict[str, Any] | None]") -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    requests.put(None)


def main() -> None:
    """Read the settings and then requests, until the launcher closes the pipe."""
    # Ray and its C++ code print to standard output, which is now that of errors.
    emit = Emit(os.dup(1))
    os.dup2(2, 1)
    settings = AgentSettings(**json.loads(sys.stdin.readline()))
    try:
        connect(settings)
        gpus_per_worker = check_nodes(settings)
    except CotbuildError as error:
        is_config = isinstance(error, ConfigError)
        emit({"event": "refused", "is_config": is_config, "message": str(error)})
        return
    emit({"event": "ready"})
    requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    agent = Agent(gpus_per_worker, emit)
    is_open = True
    while is_open or (settings.address == LOCAL and agent.num_running):
        with suppress(queue.Empty):
            request = requests.get_nowait()
            if request is None:
                is_open = False
            elif request["do"] == "launch":
                agent.launch(request)
            elif request["do"] == "drain":
                agent.drain()
            else:
                agent.stop()
                emit({"event": "stopped"})
            continue
        agent.poll()
    ray.shutdown()


if __name__ == "__main__":
    main()

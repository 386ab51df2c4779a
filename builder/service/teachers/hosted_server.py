"""The vLLM servers of a teacher host: started by the first job that needs them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from cotbuild.builder.service.teachers.fair_slots import FairSlots
from cotbuild.builder.service.teachers.recent_lines import RecentLines
from cotbuild.builder.service.teachers.slot_gate import SlotGate
from cotbuild.builder.service.teachers.upstream import Upstream
from cotbuild.builder.service.teachers.vllm_load import LoadMeter
from cotbuild.builder.teachers.http.wire import parse_load
from cotbuild.builder.teachers.vllm.server_session import ServerSession, get_body
from cotbuild.builder.teachers.vllm.servers import Lease, ManagedServers
from cotbuild.builder.teachers.vllm.tuning import VllmSettings
from cotbuild.schemas.errors import CotbuildError, TeacherError
from cotbuild.schemas.service.teacher import (
    TeacherHostSpec,
    TeacherLoad,
    TeacherOffer,
    TeacherState,
)

QUEUED_FRAC = 1 / 8
"""Requests that wait in the engine itself, as a share of the sequences it decodes.

A sequence that ends is thus replaced in the engine's next step. More of them would wait
there in the order of arrival, which is nobody's fair share.
"""


class HostedServer:
    """The servers of one model, started when they are first needed.

    They are started again where a job has more pictures in a request than the running
    ones accept; requests in flight are waited for.

    Args:
        spec: Model and settings.
        log_dir: The folder for the servers' logs.
        lines: Receives the lines about starts and restarts.
    """

    def __init__(
        self, spec: TeacherHostSpec, log_dir: Path, lines: RecentLines
    ) -> None:
        self.gate = SlotGate(FairSlots(1))
        self.lines = lines
        self._spec = spec
        self._log_dir = log_dir
        self._servers: ManagedServers[Upstream] | None = None
        self._wanted_images = 0
        self._task: asyncio.Task[None] | None = None
        self._replace = asyncio.Event()
        self._ready = asyncio.Event()
        self._fault: TeacherError | None = None
        self._ended_restarts = 0
        self._meter = LoadMeter()

    @property
    def is_started(self) -> bool:
        """Whether any job has needed the server so far."""
        return self._task is not None

    @property
    def state(self) -> TeacherState:
        """Idle, starting, up or failed."""
        if self._fault is not None:
            return TeacherState.FAILED
        if self._task is None:
            return TeacherState.IDLE
        is_up = self._servers is not None and self._servers.num_up > 0
        return TeacherState.UP if is_up else TeacherState.STARTING

    @property
    def message(self) -> str | None:
        """Why it failed; None if it did not."""
        return None if self._fault is None else str(self._fault)

    @property
    def num_restarts(self) -> int:
        """Times that a server was started again after a failure."""
        current = 0 if self._servers is None else self._servers.num_restarts
        return self._ended_restarts + current

    @property
    def engine(self) -> str | None:
        """The engine with its settings; None before the first start."""
        return None if self._servers is None else self._servers.settings.describe()

    def require(self, max_images: int) -> None:
        """Have a server started that accepts `max_images` pictures in a request."""
        if max_images > self._wanted_images:
            self._wanted_images = max_images
            self._replace.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def session(self) -> ServerSession[Upstream]:
        """Return the session of a healthy server, waiting for one.

        Raises TeacherError once all servers have failed for good.
        """
        servers = await self._running()
        return await servers.any_session()

    @contextlib.asynccontextmanager
    async def lease(self) -> AsyncIterator[Lease[Upstream]]:
        """Hold a slot of the least busy server; raises as `session` does."""
        servers = await self._running()
        async with servers.lease() as lease:
            yield lease

    async def _running(self) -> ManagedServers[Upstream]:
        await self._ready.wait()
        if self._fault is not None:
            raise self._fault
        assert self._servers is not None
        return self._servers

    def offer(self, since: int) -> TeacherOffer:
        """Describe the teacher to a job that knows the lines before number `since`."""
        lines, next_line = self.lines.since(since)
        servers = self._servers
        slots = 0
        if servers is not None:
            slots = servers.num_servers * servers.settings.max_num_seqs
        return TeacherOffer(
            identity=self._spec.identity,
            state=self.state,
            message=self.message,
            served_name=self._spec.config.model,
            max_images=0 if servers is None else servers.max_images,
            slots=slots,
            facts=None if servers is None else servers.facts(),
            lines=lines,
            next_line=next_line,
        )

    async def load(self) -> TeacherLoad | None:
        """Ask the servers for their load together; None if none answers."""
        sessions = [] if self._servers is None else self._servers.sessions()
        calls = (get_body(session.connections, "metrics") for session in sessions)
        bodies = await asyncio.gather(*calls)
        load = parse_load(b"\n".join(body for body in bodies if body is not None))
        return None if load is None else self._meter.record(load)

    async def close(self) -> None:
        """Stop the server with all that it started."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    # -- life ------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            while True:
                self._replace.clear()
                await self._run_server()
        except CotbuildError as fault:
            self._fault = TeacherError(str(fault))
            self.lines.say(f"failed: {fault}")
        finally:
            self._fault = self._fault or TeacherError("managed vLLM: stopped.")
            # Requests that wait for a slot or a server hear of it.
            self._ready.set()
            self.gate.open(self.gate.slots.capacity)

    async def _run_server(self) -> None:
        """Run servers until others are wanted; raises CotbuildError if all fail."""
        servers = ManagedServers(
            self._spec.config,
            self._spec.identity,
            self._log_dir,
            self.lines.say,
            Upstream,
            slots=count_slots,
            max_images=self._wanted_images,
        )
        async with servers:
            self._servers = servers
            self._ready.set()
            self.gate.open(servers.num_servers * servers.slots_per_server)
            await self._wait_for_replacement(servers)
            self.lines.say(
                "waiting for the requests in flight, to start vLLM again for "
                f"{self._wanted_images} pictures in a request"
            )
            await self.gate.close()
            self._ready.clear()
            self._ended_restarts += servers.num_restarts
            self._servers = None

    async def _wait_for_replacement(self, servers: ManagedServers[Upstream]) -> None:
        """Wait until other servers are wanted; raises CotbuildError if all fail."""
        replace = asyncio.create_task(self._replace.wait())
        failure = asyncio.create_task(servers.wait_for_failure())
        try:
            await asyncio.wait((replace, failure), return_when=asyncio.FIRST_COMPLETED)
            if failure.done():
                # Before the servers are stopped, which takes a moment: a job that hears
                # of it may release its teacher meanwhile.
                self._fault = TeacherError(str(failure.result()))
                raise failure.result()
        finally:
            replace.cancel()
            failure.cancel()
            await asyncio.gather(replace, failure, return_exceptions=True)


def count_slots(settings: VllmSettings) -> int:
    """Return how many requests may be at a server with these settings."""
    max_num_seqs = settings.max_num_seqs
    return max_num_seqs + max(1, int(max_num_seqs * QUEUED_FRAC))

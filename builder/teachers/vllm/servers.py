"""The vLLM servers of one teacher: one for each group of GPUs, used as one."""

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Generic, Self

from cotbuild.builder.teachers.http.server_use import describe_use
from cotbuild.builder.teachers.vllm.prepare import PreparedServers, prepare_servers
from cotbuild.builder.teachers.vllm.server import ManagedServer
from cotbuild.builder.teachers.vllm.server_session import C, ServerSession
from cotbuild.builder.teachers.vllm.tuning import VllmSettings
from cotbuild.schemas.errors import CotbuildError, TeacherError
from cotbuild.schemas.teacher_config import TeacherConfig

Lease = tuple[ManagedServer[C], ServerSession[C]]
"""A server with a free slot, and its session."""


class ManagedServers(Generic[C]):
    """The servers that a teacher's model needs on this machine, within `async with`.

    Entering starts all of them and returns once one is up; the others join. One that
    does not start, or has failed after `max_restarts` restarts without a completion, is
    announced, and the others go on.

    Entering raises ConfigError if vLLM is not installed or the GPUs do not hold the
    weights, and TeacherError with the log's last error if no server starts.

    Args:
        config: The teacher's model and server settings.
        identity: What `teacher_identity` returned for it.
        log_dir: The folder for the servers' logs.
        say: Receives lines about progress and restarts.
        open_client: Returns the client of a server that listens on a Unix socket.
        slots: Returns the requests that one server takes at once; None for as many as
            its engine decodes together.
        max_images: The most pictures of one request.
    """

    def __init__(
        self,
        config: TeacherConfig,
        identity: str,
        log_dir: Path,
        say: Callable[[str], None],
        open_client: Callable[[Path], C],
        *,
        slots: Callable[[VllmSettings], int] | None = None,
        max_images: int = 0,
    ) -> None:
        self.log = new_log(log_dir)
        """The log of the first server."""
        self.max_images = max_images
        self._config = config
        self._identity = identity
        self._say = say
        self._open_client = open_client
        self._count_slots = slots
        self._prepared: PreparedServers | None = None
        self._servers: list[ManagedServer[C]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._faults: dict[ManagedServer[C], CotbuildError] = {}
        self._failed = asyncio.Event()
        self._waiting: deque[_Waiting[C]] = deque()
        self._is_closing = False

    # -- what they are ---------------------------------------------------------

    @property
    def settings(self) -> VllmSettings:
        """The settings of each server; raises TeacherError before entering."""
        return self._known.settings

    @property
    def num_servers(self) -> int:
        """Servers that were to be started, failed ones included."""
        return self._known.plan.num_servers

    @property
    def num_up(self) -> int:
        """Servers that are healthy now, as far as is known."""
        return sum(server.session is not None for server in self._servers)

    @property
    def num_gpus(self) -> int:
        """GPUs of all servers; 0 on a CPU."""
        return self.num_servers * self.settings.num_gpus

    @property
    def num_restarts(self) -> int:
        """Restarts of all servers since the block was entered."""
        return sum(server.num_restarts for server in self._servers)

    def describe_use(self) -> str | None:
        """Return a line on how full the servers were; None if too little was measured."""
        return describe_use(server.use for server in self._servers)

    @property
    def slots_per_server(self) -> int:
        """Requests that one server takes at once."""
        if self._count_slots is not None:
            return self._count_slots(self.settings)
        return self.settings.max_num_seqs

    def facts(self) -> dict[str, Any]:
        """Return settings and GPUs as JSON for provenance."""
        plan = self._known.plan
        facts = self.settings.facts()
        if plan.gpus:
            names = [gpu.name for group in plan.groups for gpu in group]
            facts |= {"num_servers": plan.num_servers, "gpu_names": names}
        return facts

    @property
    def _known(self) -> PreparedServers:
        if self._prepared is None:
            raise TeacherError("managed vLLM: used outside its `async with` block.")
        return self._prepared

    # -- life ------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._prepared = await prepare_servers(
            self._config, self._identity, self.log, self._say
        )
        plan = self._prepared.plan
        if plan.gpus:
            self._say(plan.describe())
        for number, gpus in enumerate(plan.groups, start=1):
            is_alone = plan.num_servers == 1
            server = ManagedServer(
                self._config,
                self._prepared,
                gpus,
                self.log if number == 1 else _numbered(self.log, number),
                self._say if is_alone else _prefixed(self._say, f"server {number}: "),
                self._open_client,
                on_change=self._assign,
                max_images=self.max_images,
            )
            self._servers.append(server)
        self._tasks = [asyncio.create_task(self._run(one)) for one in self._servers]
        try:
            async with self.lease():
                return self
        except BaseException:  # including Ctrl-C while they start
            await self.__aexit__()
            raise

    async def __aexit__(self, *exc: object) -> None:
        self._is_closing = True
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _run(self, server: ManagedServer[C]) -> None:
        """Run one server until it has failed for good."""
        fault: CotbuildError = TeacherError("managed vLLM: stopped.")
        try:
            async with server:
                fault = await server.wait_for_failure()
        except CotbuildError as error:
            fault = error
        finally:
            self._faults[server] = fault
            num_left = len(self._servers) - len(self._faults)
            if num_left and not self._is_closing:
                server.say(f"{fault} Servers left: {num_left} of {len(self._servers)}.")
            self._assign()

    async def wait_for_failure(self) -> CotbuildError:
        """Wait until every server has failed for good; return why."""
        await self._failed.wait()
        return self._fault()

    def _fault(self) -> CotbuildError:
        """Return why no server is left, as an exception to be raised."""
        faults = list(self._faults.values())
        messages = dict.fromkeys(map(str, faults))
        return type(faults[0])(" ".join(messages))

    # -- slots -----------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def lease(
        self, tried: Collection[ManagedServer[C]] = ()
    ) -> AsyncIterator[Lease[C]]:
        """Hold a slot of the least busy server, after waiting for one.

        A server in `tried` has failed the request already: it is chosen only if no
        other one is up. Raises TeacherError once every server has failed for good.
        """
        while True:
            server = await self._acquire(tried)
            session = server.session
            if session is not None:
                break
            self._release(server)  # it went down in between
        try:
            yield server, session
        finally:
            self._release(server)

    async def any_session(self) -> ServerSession[C]:
        """Return the session of a healthy server, waiting for one; takes no slot.

        Raises TeacherError once every server has failed for good.
        """
        while True:
            for server in self._servers:
                if server.session is not None:
                    return server.session
            async with self.lease() as (_, session):
                return session

    def sessions(self) -> list[ServerSession[C]]:
        """Return the sessions of the healthy servers."""
        sessions = (server.session for server in self._servers)
        return [session for session in sessions if session is not None]

    def others_are_up(self, tried: Collection[ManagedServer[C]]) -> bool:
        """Return whether a server is up that is not in `tried`."""
        return any(
            server.session is not None and server not in tried
            for server in self._servers
        )

    async def _acquire(self, tried: Collection[ManagedServer[C]]) -> ManagedServer[C]:
        if len(self._faults) == len(self._servers):
            raise self._fault()
        if not self._waiting:
            server = choose_server(self._servers, tried, self.slots_per_server)
            if server is not None:
                server.num_held += 1
                return server
        turn: asyncio.Future[ManagedServer[C]]
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, tried))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._release(turn.result())
            raise

    def _release(self, server: ManagedServer[C]) -> None:
        server.num_held -= 1
        if self._waiting:
            self._assign()

    def _assign(self) -> None:
        """Give free slots to those that wait, in their order."""
        if len(self._faults) == len(self._servers):
            self._failed.set()
            while self._waiting:
                turn, _ = self._waiting.popleft()
                if not turn.done():
                    turn.set_exception(self._fault())
            return
        passed_over: list[_Waiting[C]] = []
        slots = self.slots_per_server
        while self._waiting and _any_free(self._servers, slots):
            turn, tried = self._waiting.popleft()
            if turn.done():
                continue
            server = choose_server(self._servers, tried, slots)
            if server is None:  # it has tried those that are free
                passed_over.append((turn, tried))
            else:
                server.num_held += 1
                turn.set_result(server)
        self._waiting.extendleft(reversed(passed_over))


_Waiting = tuple["asyncio.Future[ManagedServer[C]]", Collection[ManagedServer[C]]]


def choose_server(
    servers: Sequence[ManagedServer[C]],
    tried: Collection[ManagedServer[C]],
    slots: int,
) -> ManagedServer[C] | None:
    """Return the healthy server with the fewest requests; None to wait for a slot.

    One whose last attempt lost its connection comes last: it may be gone already.
    """
    up = [server for server in servers if server.session is not None]
    candidates = [server for server in up if server not in tried] or up
    free = [server for server in candidates if server.num_held < slots]

    def load(server: ManagedServer[C]) -> tuple[bool, int]:
        session = server.session
        return session is not None and session.lost_last, server.num_held

    return min(free, key=load, default=None)


def _any_free(servers: Sequence[ManagedServer[C]], slots: int) -> bool:
    return any(
        server.session is not None and server.num_held < slots for server in servers
    )


def _prefixed(say: Callable[[str], None], prefix: str) -> Callable[[str], None]:
    return lambda line: say(prefix + line)


def new_log(folder: Path) -> Path:
    """Return the path of the log of a server that is started now."""
    return folder / f"vllm-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"


def _numbered(log: Path, number: int) -> Path:
    return log.with_name(f"{log.stem}-{number}{log.suffix}")

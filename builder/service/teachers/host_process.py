"""A teacher host as the service sees it: started or found running, and talked to."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from pydantic import BaseModel, ValidationError

from cotbuild.builder.environment import child_environment
from cotbuild.builder.service.teachers.host_folder import (
    CONTROL,
    DISK_FAULT,
    HOST_LOG,
    SPEC_JSON,
    clean_up,
    hold_if_free,
    make_host_folder,
    read_host,
    read_start,
)
from cotbuild.builder.teachers.http.bodies import (
    MAX_LIST_BYTES,
    BodyTooLong,
    read_body,
)
from cotbuild.schemas.errors import StoreError, TeacherError
from cotbuild.schemas.files import read_record, write_record
from cotbuild.schemas.service.teacher import (
    HostedJob,
    TeacherHostFile,
    TeacherHostSpec,
    TeacherStatus,
)

CALL_TIMEOUT_S = 10.0
POLL_S = 0.05
START_S = 60.0
"""Longest start of a host, which loads no model."""
STOP_S = 30.0
"""Longest end of a host: that of vLLM within it."""


_children: list[subprocess.Popen[bytes]] = []
"""Hosts that this process started, so that each one is reaped when it has ended."""


class HostGone(Exception):
    """No host answers, or it accepts no further job."""


class _Socket(BaseModel):
    socket: str


@dataclass(frozen=True, slots=True)
class HostId:
    """One process that hosts a teacher; a later one of the same folder differs."""

    pid: int
    pid_start: int


class HostProcess:
    """A running teacher host.

    Args:
        folder: The host's folder.
        record: What the host wrote about itself.
        process: The process, if it is a child of this one.
    """

    def __init__(
        self,
        folder: Path,
        record: TeacherHostFile,
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.folder = folder
        self.id = HostId(record.pid, record.pid_start)
        self._process = process
        control = Path(record.sockets, CONTROL)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path=str(control)),
            timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def is_alive(self) -> bool:
        """Whether the process still runs."""
        if self._process is not None and self._process.poll() is not None:
            return False
        return read_start(self.id.pid) == self.id.pid_start

    async def status(self) -> TeacherStatus:
        """Return the host's state; raises HostGone."""
        _, raw = await self._call("GET", "/status")
        try:
            return TeacherStatus.model_validate_json(raw)
        except ValidationError as fault:
            raise HostGone("a host of another version") from fault

    async def register(self, job: HostedJob) -> Path:
        """Have the host serve a job; return the job's socket.

        Raises HostGone, also where the host accepts no further job.
        """
        status, raw = await self._call("PUT", "/jobs", job.model_dump_json().encode())
        if status != 200:
            raise HostGone(f"HTTP {status}")
        try:
            return Path(_Socket.model_validate_json(raw).socket)
        except ValidationError as fault:
            raise HostGone("a host of another version") from fault

    async def unregister(self, job_id: str) -> None:
        """Have the host end a job's requests and remove its socket; raises HostGone."""
        await self._call("DELETE", f"/jobs/{job_id}")

    async def drain(self) -> None:
        """Have the host accept no further job and end after the last; raises HostGone."""
        await self._call("POST", "/drain")

    async def stop(self) -> None:
        """End the host with all that it started, whatever its jobs do."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                while self.is_alive():
                    await asyncio.sleep(POLL_S)
        self._signal(signal.SIGKILL)
        await self.close()

    async def close(self) -> None:
        """Close the connections; the host runs on."""
        await self._session.close()

    def _signal(self, number: signal.Signals) -> None:
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.id.pid, number)

    async def _call(
        self, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, bytes]:
        try:
            async with self._session.request(
                method, f"http://localhost{path}", data=body
            ) as response:
                return response.status, await read_body(response, MAX_LIST_BYTES)
        except (aiohttp.ClientError, OSError, BodyTooLong) as fault:
            raise HostGone(f"{type(fault).__name__}: {fault}") from fault


def find_host(folder: Path) -> HostProcess | None:
    """Return the host that runs in a folder; of a dead one, remove what it has left."""
    record = read_host(folder)
    if record is not None:
        return HostProcess(folder, record)
    with hold_if_free(folder) as is_free:
        if is_free:
            clean_up(folder)
    return None


def read_spec(folder: Path) -> TeacherHostSpec | None:
    """Return the spec in a host's folder; None if there is none that can be read."""
    with contextlib.suppress(StoreError):
        return read_record(
            folder / SPEC_JSON, TeacherHostSpec, remedy="", error=StoreError
        )
    return None


async def start_host(spec: TeacherHostSpec, folder: Path) -> HostProcess:
    """Start the host of a folder, and return it once it listens.

    Raises StoreError if the folder cannot be written or there is no room for a process,
    TeacherError if the host does not start for another reason.
    """
    make_host_folder(folder)
    write_record(folder / SPEC_JSON, spec)
    process = _spawn(folder)
    try:
        async with asyncio.timeout(START_S):
            while (host := _find_started(folder, process)) is None:
                code = process.poll()
                if code is not None:
                    error = StoreError if code == DISK_FAULT else TeacherError
                    raise error(
                        f"teacher: its host ended with code {code}: {_last_line(folder)}"
                    )
                await asyncio.sleep(POLL_S)
    except BaseException as fault:
        process.kill()
        process.wait()
        if isinstance(fault, TimeoutError):
            raise TeacherError(
                f"teacher: its host did not listen within {START_S:.0f} s."
            ) from fault
        raise
    return host


def _spawn(folder: Path) -> subprocess.Popen[bytes]:
    log = folder / HOST_LOG
    _children[:] = [child for child in _children if child.poll() is None]
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    # -P: no file of the working directory is imported.
                    *(sys.executable, "-P"),
                    *("-m", "cotbuild.builder.service.teachers.host", str(folder)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # It may have to download the weights.
                env=child_environment(downloads=True),
                start_new_session=True,
            )
    except OSError as fault:
        raise StoreError(
            f"teacher: its host could not be started: {fault.strerror or fault}. Check "
            "free disk space and memory, and permissions."
        ) from fault
    _children.append(process)
    return process


def _find_started(folder: Path, process: subprocess.Popen[bytes]) -> HostProcess | None:
    """Return the host that listens: `process`, or the one in whose favour it ended."""
    record = read_host(folder)
    if record is None:
        return None
    if record.pid == process.pid:
        return HostProcess(folder, record, process)
    return HostProcess(folder, record) if process.poll() == 0 else None


def _last_line(folder: Path) -> str:
    try:
        with (folder / HOST_LOG).open("rb") as file:
            lines = file.read(64 << 10).decode("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    return next((line for line in reversed(lines) if line.strip()), "no output")[:300]

"""The pool of teachers on this machine: starts their hosts, watches and stops them."""

import asyncio
import contextlib
import os
import platform
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cotbuild.builder.service.teachers.admission import (
    Decision,
    Wanted,
    choose_to_stop,
    decide,
)
from cotbuild.builder.service.teachers.claims import Claim, Claims, as_job_fault
from cotbuild.builder.service.teachers.host_folder import make_host_folder, newest_log
from cotbuild.builder.service.teachers.host_process import (
    HostGone,
    HostProcess,
    find_host,
    read_spec,
    start_host,
)
from cotbuild.builder.service.teachers.pool import (
    MAX_LOSSES,
    TeacherGrant,
    TeacherWait,
    teacher_key,
)
from cotbuild.builder.teachers.identity import teacher_identity
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.service.job import JobRecord
from cotbuild.schemas.service.teacher import (
    HostedJob,
    TeacherHostSpec,
    TeacherState,
    TeacherStatus,
)
from cotbuild.schemas.teacher_config import TeacherConfig

STORE = ".answers"
WATCH_S = 1.0
MAX_REMEMBERED = 10_000
MAX_STOPPED = 8
"""Teachers that have stopped and are still shown."""


@dataclass(slots=True)
class _Teacher:
    """A teacher whose host runs, starts or stops."""

    spec: TeacherHostSpec
    status: TeacherStatus
    host: HostProcess | None = None
    is_stopping: bool = False

    @property
    def key(self) -> str:
        return self.spec.key


class ManagedTeacherPool:
    """The TeacherPool that runs teacher hosts on this machine.

    Args:
        folder: Where the hosts' folders are, below one of this machine's name.
        keep_s: Seconds that a server stays up after its last job.
        max_teachers: The most servers at once; each one takes the GPUs.
        on_change: Called when a job that waits may be granted its teacher now.
    """

    def __init__(
        self,
        folder: Path,
        *,
        keep_s: float = 600.0,
        max_teachers: int = 1,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._folder = folder / (platform.node() or "localhost")
        self._keep_s = keep_s
        self._max_teachers = max_teachers
        self._on_change = on_change
        self._claims = Claims(self._folder)
        self._teachers: dict[str, _Teacher] = {}
        self._stopped: OrderedDict[str, TeacherStatus] = OrderedDict()
        self._losses: OrderedDict[str, int] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """See TeacherPool.start."""
        make_host_folder(self._folder)
        self._claims.load(time.monotonic())
        for folder in sorted(self._folder.iterdir()):
            if folder.is_dir():
                await self._adopt(folder)
        self._spawn(self._watch())

    async def close(self) -> None:
        """See TeacherPool.close."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for teacher in self._teachers.values():
            if teacher.host is not None:
                await teacher.host.close()

    async def stop_all(self) -> None:
        """Stop watching and end all teachers, whatever their jobs do."""
        await self.close()
        hosts = [teacher.host for teacher in self._teachers.values() if teacher.host]
        await asyncio.gather(*(host.stop() for host in hosts))
        self._teachers.clear()

    # -- jobs ------------------------------------------------------------------

    async def acquire(
        self, job: JobRecord, config: TeacherConfig, target: Path
    ) -> TeacherGrant | TeacherWait:
        """See TeacherPool.acquire."""
        claim = self._claim_of(job, config, target)
        if claim.fault is not None:
            del self._claims.of[job.id]
            raise claim.fault
        if claim.key is None:
            return TeacherWait("its teacher to be looked up")
        if claim.socket is not None and self._is_served(claim):
            return TeacherGrant(claim.socket)
        claim.host = claim.socket = None
        return await self._admit(job.id, claim, claim.key, config)

    def release(self, job_id: str) -> None:
        """See TeacherPool.release."""
        claim = self._claims.of.pop(job_id, None)
        if claim is None or claim.host is None or claim.key is None:
            return
        # A job too many in the file does no harm: `retain` releases it.
        with contextlib.suppress(StoreError):
            self._claims.save()
        teacher = self._teachers.get(claim.key)
        if teacher is not None and teacher.host is not None:
            self._spawn(self._unregister(teacher, teacher.host, job_id))
        self._on_change()

    def retain(self, job_ids: Collection[str]) -> None:
        """See TeacherPool.retain."""
        for job_id in [job_id for job_id in self._claims.of if job_id not in job_ids]:
            self.release(job_id)

    def was_lost(self, job_id: str) -> bool:
        """See TeacherPool.was_lost."""
        claim = self._claims.of.get(job_id)
        if claim is None or claim.host is None or self._is_served(claim):
            return False
        num_losses = self._losses.pop(job_id, 0) + 1
        self._losses[job_id] = num_losses
        while len(self._losses) > MAX_REMEMBERED:
            self._losses.popitem(last=False)
        return num_losses <= MAX_LOSSES

    def _claim_of(self, job: JobRecord, config: TeacherConfig, target: Path) -> Claim:
        """Return the job's claim; a new one has its teacher looked up."""
        now_s = time.monotonic()
        claim = self._claims.of.get(job.id)
        if claim is None or claim.config != config:
            claim = Claim(job.owner, config, now_s, now_s)
            self._claims.of[job.id] = claim
            self._spawn(self._identify(claim, config, target))
        claim.asked_s = now_s
        return claim

    async def _identify(
        self, claim: Claim, config: TeacherConfig, target: Path
    ) -> None:
        """Look up the identity, which may hash a model's files or ask the Hub."""
        try:
            claim.identity = await asyncio.to_thread(
                teacher_identity, config, target / STORE
            )
            claim.key = teacher_key(claim.identity, config)
        except Exception as fault:  # noqa: BLE001 (the job would wait for ever)
            claim.fault = as_job_fault(fault)
        self._on_change()

    def _is_served(self, claim: Claim) -> bool:
        """Whether the host that a claim names still runs."""
        teacher = self._teachers.get(claim.key or "")
        if teacher is None or teacher.host is None:
            return False
        return teacher.host.id == claim.host and teacher.host.is_alive()

    async def _admit(
        self, job_id: str, claim: Claim, key: str, config: TeacherConfig
    ) -> TeacherGrant | TeacherWait:
        now_s = time.monotonic()
        decision = decide(
            Wanted(key, claim.since_s),
            self._running(),
            self._claims.waiting(now_s),
            self._max_teachers,
            now_s,
        )
        name = Path(config.model).name
        if decision is Decision.WAIT:
            self._stop_idle()
            # Which one, and whose jobs it has, is not for this job's owner to know.
            return TeacherWait(
                "another teacher to end, which other jobs use or wait for"
            )
        if decision is Decision.START:
            assert claim.identity is not None
            spec = TeacherHostSpec(
                key=key, identity=claim.identity, config=config, keep_s=self._keep_s
            )
            self._start_teacher(spec)
            return TeacherWait(f"the teacher {name} to start")
        socket = await self._register(job_id, claim, self._teachers[key], config)
        if socket is None:
            return TeacherWait(f"the teacher {name} to start")
        return TeacherGrant(socket)

    async def _register(
        self, job_id: str, claim: Claim, teacher: _Teacher, config: TeacherConfig
    ) -> Path | None:
        """Have a host serve a job; None if the host starts, stops or has failed."""
        if teacher.host is None or teacher.is_stopping:
            return None
        host = teacher.host
        job = HostedJob(id=job_id, owner=claim.owner, max_answer_s=config.max_answer_s)
        try:
            socket = await host.register(job)
        except HostGone:
            self._stop_teacher(teacher)
            return None
        if self._claims.of.get(job_id) is not claim:  # released meanwhile
            self._spawn(self._unregister(teacher, host, job_id))
            return None
        claim.host, claim.socket = host.id, socket
        try:
            self._claims.save()
        except StoreError:
            claim.host = claim.socket = None
            self._spawn(self._unregister(teacher, host, job_id))
            raise
        return socket

    async def _unregister(
        self, teacher: _Teacher, host: HostProcess, job_id: str
    ) -> None:
        # A host that has failed ends with its last job and cannot be asked afterwards.
        with contextlib.suppress(HostGone):
            teacher.status = await host.status()
        with contextlib.suppress(HostGone):
            await host.unregister(job_id)

    # -- hosts -----------------------------------------------------------------

    def _running(self) -> dict[str, int]:
        return {key: self._claims.count_of(key) for key in self._teachers}

    def _start_teacher(self, spec: TeacherHostSpec) -> None:
        teacher = _Teacher(spec, _first_status(spec, TeacherState.IDLE))
        self._teachers[spec.key] = teacher
        self._stopped.pop(spec.key, None)
        self._spawn(self._start_host(teacher))

    async def _start_host(self, teacher: _Teacher) -> None:
        """Start a host. The jobs that wait for it learn why it could not be started."""
        try:
            teacher.host = await start_host(teacher.spec, self._folder / teacher.key)
        except Exception as fault:  # noqa: BLE001 (it would keep its place for ever)
            job_fault = as_job_fault(fault)
            self._remove(teacher, str(job_fault))
            for claim in self._claims.of.values():
                if claim.key == teacher.key and claim.host is None:
                    claim.fault = job_fault
        self._on_change()

    async def _adopt(self, folder: Path) -> None:
        """Take over the host that an earlier server started, if it still runs."""
        host, spec = find_host(folder), read_spec(folder)
        if host is None:
            return
        if spec is None:
            await host.stop()
            return
        teacher = _Teacher(spec, _first_status(spec, TeacherState.STARTING), host)
        self._teachers[spec.key] = teacher
        with contextlib.suppress(HostGone):
            teacher.status = await host.status()
            for job in teacher.status.jobs:
                # A claim is saved before its job may start.
                if job.id not in self._claims.of:
                    await host.unregister(job.id)

    async def _watch(self) -> None:
        while True:
            for teacher in list(self._teachers.values()):
                await self._look_at(teacher)
            self._stop_idle()
            await asyncio.sleep(WATCH_S)

    async def _look_at(self, teacher: _Teacher) -> None:
        """Read the state of a host; one that has ended makes room for another."""
        host = teacher.host
        if host is None:
            return
        with contextlib.suppress(HostGone):
            teacher.status = await host.status()
        if not host.is_alive() and teacher.host is host:
            await host.close()
            find_host(self._folder / teacher.key)  # removes what it left
            self._remove(teacher, None)
            self._on_change()

    def _stop_idle(self) -> None:
        """Stop teachers without a job for which another one waits."""
        stopping = [key for key, other in self._teachers.items() if other.is_stopping]
        waiting = self._claims.waiting(time.monotonic())
        for key in choose_to_stop(
            self._running(), stopping, waiting, self._max_teachers
        ):
            self._stop_teacher(self._teachers[key])

    def _stop_teacher(self, teacher: _Teacher) -> None:
        """Have a host end after its last job; `_look_at` sees that it has."""
        if teacher.host is not None and not teacher.is_stopping:
            teacher.is_stopping = True
            self._spawn(self._drain(teacher.host))

    async def _drain(self, host: HostProcess) -> None:
        with contextlib.suppress(HostGone):
            await host.drain()

    def _remove(self, teacher: _Teacher, message: str | None) -> None:
        self._teachers.pop(teacher.key, None)
        ended = TeacherState.STOPPED if message is None else TeacherState.FAILED
        was_failed = teacher.status.state == TeacherState.FAILED
        self._stopped[teacher.key] = teacher.status.model_copy(
            update={
                "state": TeacherState.FAILED if was_failed else ended,
                "message": message or teacher.status.message,
                "jobs": (),
                "in_flight": 0,
                "queued": 0,
                "load": None,
            }
        )
        while len(self._stopped) > MAX_STOPPED:
            self._stopped.popitem(last=False)

    # -- what is shown -----------------------------------------------------------

    def status(self) -> tuple[TeacherStatus, ...]:
        """See TeacherPool.status."""
        # Copied first: this may be called from another thread than the rest.
        running = [self._shown(teacher) for teacher in list(self._teachers.values())]
        return (*running, *reversed(list(self._stopped.values())))

    def _shown(self, teacher: _Teacher) -> TeacherStatus:
        if teacher.is_stopping and teacher.status.state != TeacherState.FAILED:
            return teacher.status.model_copy(update={"state": TeacherState.DRAINING})
        return teacher.status

    def read_log(self, key: str, max_bytes: int) -> str:
        """See TeacherPool.read_log."""
        known = [*self._teachers, *self._stopped]
        log = newest_log(self._folder / key) if key in known else None
        if log is None:
            return ""
        try:
            with log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - max_bytes))
                return file.read(max_bytes).decode("utf-8", "replace")
        except OSError:
            return ""

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _first_status(spec: TeacherHostSpec, state: TeacherState) -> TeacherStatus:
    """Return the state of a host that has not been asked for it yet."""
    return TeacherStatus(key=spec.key, model=Path(spec.config.model).name, state=state)

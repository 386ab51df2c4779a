"""Starts the processes of jobs, watches them, and records how they ended.

One pass a second, or sooner when it is woken, compares the table with the processes: a
job that this server holds and nobody watches is adopted, a process whose job was given
on is killed, what is queued is started. So a pass after a restart does what one before
it would have done: there is no state but the table, the processes and their files.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from cotbuild.builder.console import print_message
from cotbuild.builder.service.jobs.children import Child, Command, WaitingChild, cap_log
from cotbuild.builder.service.jobs.holders import find_holder
from cotbuild.builder.service.jobs.outcome import EVENTS, LOG, read_report
from cotbuild.builder.service.jobs.root import ROOT_ID, check_root, hold_lock
from cotbuild.builder.service.jobs.running import RunningJob
from cotbuild.builder.service.jobs.states import AttemptReport
from cotbuild.builder.service.jobs.store import JobStore
from cotbuild.builder.service.jobs.teacher_use import TeacherUse
from cotbuild.builder.service.teachers.pool import TeacherPool
from cotbuild.schemas.errors import CotbuildError, StoreError
from cotbuild.schemas.event import Outcome
from cotbuild.schemas.files import write_error
from cotbuild.schemas.service.job import JobRecord

P = ParamSpec("P")
T = TypeVar("T")

_FAULT_WAIT_S = 30.0
"""Wait of a job that could not be started for a fault of the machine."""
_RENEWALS = 4
"""A lease is renewed as often while it lasts."""

CommandFor = Callable[[JobRecord, Path], Command]
"""Returns the command of a job's next attempt, after writing what it needs into the
job's folder. Raises CotbuildError if the job cannot be started."""


@dataclass(frozen=True)
class SupervisorSettings:
    """How jobs are run."""

    root: Path
    """Folder of the targets."""
    jobs_folder: Path
    """Folder with one folder a job."""
    lock: Path
    """File that one supervisor holds: of this root, or of this host on a shared one."""
    host: str = field(default_factory=socket.gethostname)
    """Name under which this server holds jobs."""
    max_jobs: int = 2
    max_crashes: int = 5
    """Crashes in a row without an answer more, after which a job has failed."""
    lease_s: float = 60.0
    """After this long without a sign of its server, a job of another host is given on."""
    kill_after_s: float = 60.0
    """From SIGTERM to SIGKILL."""
    poll_s: float = 1.0
    """Longest time between two passes."""


class Supervisor:
    """Runs the jobs of a table on this machine.

    Args:
        store: The table.
        settings: How jobs are run.
        command_for: What to run for a job.
        teachers: The teachers that jobs share; None where each job starts its own.
    """

    def __init__(
        self,
        store: JobStore,
        settings: SupervisorSettings,
        command_for: CommandFor,
        teachers: TeacherPool | None = None,
    ) -> None:
        self._store = store
        self._settings = settings
        self._command_for = command_for
        self._teachers = TeacherUse(teachers, settings.root)
        self._running: dict[str, RunningJob] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._held = ExitStack()
        self._is_open = False
        self._is_stopping = False
        self._has_compared = False
        self._renew_at_s = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_woken = asyncio.Event()
        self.fault: str | None = None
        """Why the newest pass failed, on one line; None if it did not."""

    # -- from any thread

    def wake(self) -> None:
        """Look at the table at once: something in it has changed."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._is_woken.set)

    def stop(self) -> None:
        """Have `run` return after the pass that it is in. Processes run on."""
        self._is_stopping = True
        self.wake()

    @property
    def num_running(self) -> int:
        """The number of processes that are watched."""
        return len(self._running)

    # -- the loop

    def open(self) -> None:
        """Become the one supervisor of this root on this host.

        Raises StoreError in one line if another one is, the lock cannot be written, or
        the jobs of the table are those of another root.
        """
        if self._is_open:
            return
        lock = self._settings.lock
        with ExitStack() as held:
            held.enter_context(hold_lock(lock))
            check_root(self._store, lock.parent / ROOT_ID)
            self._held = held.pop_all()
        self._is_open = True

    async def run(self) -> None:
        """Run jobs until `stop` is called or this is cancelled; processes run on.

        A fault of the table or the disk ends nothing: `fault` says so until a pass
        succeeds. Raises StoreError as `open` does.
        """
        self.open()
        self._loop = asyncio.get_running_loop()
        await self._teachers.start()
        try:
            while not self._is_stopping:
                self._is_woken.clear()
                await self._try_pass()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._is_woken.wait(), self._settings.poll_s)
        finally:
            await self._leave()

    async def _leave(self) -> None:
        """Stop watching: the next server adopts what runs."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._teachers.close()
        self._held.close()
        self._is_open = False

    async def _try_pass(self) -> None:
        try:
            await self._compare()
            await self._take_expired()
            await self._start_queued()
        except Exception as fault:  # noqa: BLE001 (no pass may end all later ones)
            self._note(fault)
        else:
            self.fault = None

    def _note(self, fault: Exception) -> None:
        """Keep a fault, and say it once."""
        is_known = isinstance(fault, CotbuildError | OSError)
        message = str(fault) if is_known else repr(fault)
        if message != self.fault:
            print_message(f"jobs: {message}")
        self.fault = message

    # -- one pass

    async def _compare(self) -> None:
        """Compare the jobs that this server holds with those that it watches."""
        store, settings = self._store, self._settings
        watched = list(self._running.values())
        if time.monotonic() >= self._renew_at_s:
            await _in_thread(store.renew, settings.host, settings.lease_s)
            self._renew_at_s = time.monotonic() + settings.lease_s / _RENEWALS
        held = await _in_thread(store.list_held, settings.host)
        rows = {job.id: job for job in held}
        for running in watched:
            job = rows.get(running.job.id)
            if job is not None and running.is_attempt(job):
                running.follow(job)
                with contextlib.suppress(StoreError):  # its log merely stays long
                    await _in_thread(cap_log, running.folder / LOG)
            elif not running.is_ending:
                # Given on: this server was too slow, and another one has the job.
                running.child.kill()
        for job in held:
            if job.id not in self._running:
                await self._adopt(job)
        if not self._has_compared:
            self._teachers.retain(list(self._running))
            self._has_compared = True

    async def _adopt(self, job: JobRecord) -> None:
        """Watch the process of a job that an earlier server started."""
        if job.process is None:
            # That server ended between the claim and the start: nothing was run.
            await self._end(job, AttemptReport(None, is_crash=False))
            return
        self._watch(job, Child.adopt(job.process))

    async def _take_expired(self) -> None:
        """Queue the jobs of other hosts again whose server has been gone for long.

        Never while their folder is held: their process may live without its server.
        """
        for job in await _in_thread(self._store.list_expired):
            if job.host == self._settings.host or self._find_holder(job) is not None:
                continue
            await self._end(job, AttemptReport(None, is_crash=False))

    async def _start_queued(self) -> None:
        """Start jobs while there are free slots."""
        while len(self._running) < self._settings.max_jobs and not self._is_stopping:
            found = await self._find_startable()
            if found is None:
                return
            job, environment = found
            claimed = await _in_thread(
                self._store.claim, job.id, self._settings.host, self._settings.lease_s
            )
            if claimed is None:
                self._teachers.release(job.id)
            else:
                await self._start(claimed, environment)

    async def _find_startable(self) -> tuple[JobRecord, dict[str, str]] | None:
        """Return the first job that need not wait, and variables for its process."""
        for job in await _in_thread(self._store.next_jobs):
            if job.id in self._running:
                continue  # the end of its process was recorded a moment ago
            holder = self._find_holder(job)
            if holder is not None:
                await self._wait_for(job, f"{holder}, which holds its folder")
                continue
            try:
                granted = await self._teachers.acquire(job)
            except StoreError as fault:
                # Such as a full disk: no fault of the job's.
                await self._wait_for(job, str(fault), _FAULT_WAIT_S)
                continue
            except CotbuildError as fault:
                await _in_thread(
                    self._store.fail_queued, job.id, "no_teacher", str(fault)
                )
                self._teachers.release(job.id)
                continue
            if isinstance(granted, str):
                await self._wait_for(job, granted)
                continue
            return job, granted
        return None

    async def _wait_for(self, job: JobRecord, what: str, wait_s: float = 0.0) -> None:
        if job.waits_for != what or wait_s:
            await _in_thread(self._store.set_waits, job.id, what, wait_s)

    def _find_holder(self, job: JobRecord) -> str | None:
        return find_holder(self._settings.root / job.target)

    # -- one job

    async def _start(self, job: JobRecord, environment: dict[str, str]) -> None:
        """Start the process of a job that was claimed."""
        folder = self._folder(job)
        try:
            _make_folder(folder)
            command = await _in_thread(self._command_for, job, folder)
            waiting = WaitingChild(
                command, environment, folder / LOG, _size(folder / EVENTS)
            )
        except StoreError as fault:
            # Such as a full disk: no fault of the job's.
            report = AttemptReport(None, waits_for=str(fault), wait_s=_FAULT_WAIT_S)
            await self._end(job, report)
            return
        except CotbuildError as fault:
            report = AttemptReport(
                Outcome.FAILED, error_code="cannot_start", message=str(fault)
            )
            await self._end(job, report)
            return
        try:
            recorded = await _in_thread(
                self._store.set_process, job.id, job.attempt, waiting.process
            )
        except BaseException:
            waiting.close()
            raise
        if recorded is None:
            waiting.close()
            return
        self._watch(recorded, waiting.begin())

    def _watch(self, job: JobRecord, child: Child) -> None:
        running = RunningJob(job, child, self._folder(job), self._settings.kill_after_s)
        self._running[job.id] = running
        task = asyncio.create_task(self._watch_until_gone(running))
        self._tasks[job.id] = task
        task.add_done_callback(lambda done: self._forget(running, done))

    def _forget(self, running: RunningJob, task: "asyncio.Task[None]") -> None:
        """Stop watching a job; where its end was not recorded, a pass adopts it again."""
        running.child.close()
        del self._running[running.job.id], self._tasks[running.job.id]
        if not task.cancelled() and task.exception() is not None:
            print_message(f"jobs: {running.job.id}: {task.exception()!r}")
        self._is_woken.set()

    async def _watch_until_gone(self, running: RunningJob) -> None:
        exit_code = await running.child.wait()
        running.is_ending = True
        job = running.job
        # What the process has left behind, such as a worker of its own.
        await _in_thread(running.child.kill)
        assert job.process is not None
        report = await _in_thread(
            read_report,
            running.folder,
            self._settings.root / job.target,
            exit_code,
            job.process.events_start,
        )
        if report.outcome is Outcome.FAILED and self._teachers.was_lost(job.id):
            report = replace(report, outcome=None, is_crash=False)
        while True:
            try:
                await self._end(job, report)
            except StoreError as fault:
                self._note(fault)
                await asyncio.sleep(self._settings.poll_s)
            else:
                return

    async def _end(self, job: JobRecord, report: AttemptReport) -> None:
        """Record the end of an attempt, unless the job was given on."""
        await _in_thread(
            self._store.end_attempt,
            job.id,
            job.attempt,
            report,
            self._settings.max_crashes,
        )
        self._teachers.release(job.id)

    def _folder(self, job: JobRecord) -> Path:
        return self._settings.jobs_folder / job.id


async def _in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that blocks; it ends even where the caller is cancelled."""
    return await asyncio.to_thread(function, *args, **kwargs)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as fault:
        raise write_error(folder, fault) from fault


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0

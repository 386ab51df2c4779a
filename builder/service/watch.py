"""Waiting for jobs to change: one look for all clients that wait for the same job.

A job changes when its row does, by any server, or when its child reports an event. Each
watched job has one task, which looks at both twice a second; clients wait for it and
hold no thread. A job that nobody waits for is not looked at.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import anyio.to_thread
from anyio import CapacityLimiter

from cotbuild.builder.service.jobs.store import JobStore
from cotbuild.schemas.errors import CotbuildError
from cotbuild.schemas.service.job import JobRecord

LOOK_EVERY_S: Final = 0.5


class JobSnapshot(NamedTuple):
    """A job at one moment."""

    record: JobRecord
    num_event_bytes: int
    """Size of its log of events."""

    @property
    def version(self) -> tuple[int, int]:
        """A pair that grows with every change."""
        return self.record.revision, self.num_event_bytes


Look = Callable[[str], JobSnapshot]
"""Reads a job's snapshot by its id; raises CotbuildError. It blocks briefly."""


@dataclass
class _Watched:
    """A job that somebody waits for."""

    snapshot: JobSnapshot | None = None
    fault: CotbuildError | None = None
    num_waiting: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    look_now: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def publish(
        self, snapshot: JobSnapshot | None, fault: CotbuildError | None
    ) -> None:
        """Wake everyone who waits, and have the next ones wait for the next change."""
        self.snapshot, self.fault = snapshot, fault
        self.changed.set()
        self.changed = asyncio.Event()


class JobWatcher:
    """Has clients wait for jobs. All methods but `notice` run in the event loop."""

    def __init__(
        self, look: Look, limiter: CapacityLimiter, every_s: float = LOOK_EVERY_S
    ) -> None:
        self._look = look
        self._limiter = limiter
        self._every_s = every_s
        self._watched: dict[str, _Watched] = {}
        self.is_closed = False
        """Whether the server stops: nobody waits any more."""

    @property
    def num_watched(self) -> int:
        """The number of jobs that somebody waits for."""
        return len(self._watched)

    async def current(self, job_id: str) -> JobSnapshot:
        """Return a job as it is now. Raises CotbuildError."""
        return await anyio.to_thread.run_sync(self._look, job_id, limiter=self._limiter)

    async def wait(
        self, job_id: str, seen: JobSnapshot, timeout_s: float
    ) -> JobSnapshot | None:
        """Return the job once it has changed since `seen`.

        None after `timeout_s` seconds, or when the server stops. Raises CotbuildError.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                return await self._wait_for_change(job_id, seen)
        return None

    async def _wait_for_change(
        self, job_id: str, seen: JobSnapshot
    ) -> JobSnapshot | None:
        watched = self._watched.setdefault(job_id, _Watched())
        watched.num_waiting += 1
        try:
            if watched.task is None:
                watched.task = asyncio.create_task(self._keep_looking(job_id, watched))
            while not self.is_closed:
                if watched.fault is not None:
                    raise watched.fault
                snapshot = watched.snapshot
                if snapshot is not None and snapshot.version > seen.version:
                    return snapshot
                await watched.changed.wait()
            return None
        finally:
            watched.num_waiting -= 1

    def notice(self, job_id: str) -> None:
        """Look at a job at once, if somebody waits for it."""
        watched = self._watched.get(job_id)
        if watched is not None:
            watched.look_now.set()

    def close(self) -> None:
        """Let everyone go who waits, since the server stops."""
        self.is_closed = True
        for watched in self._watched.values():
            watched.look_now.set()
            watched.publish(watched.snapshot, None)

    async def _keep_looking(self, job_id: str, watched: _Watched) -> None:
        """Look at a job as long as somebody waits for it."""
        try:
            while watched.num_waiting and not self.is_closed:
                watched.look_now.clear()
                await self._look_once(job_id, watched)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._every_s):
                        await watched.look_now.wait()
        finally:
            watched.task = None
            if not watched.num_waiting:
                self._watched.pop(job_id, None)

    async def _look_once(self, job_id: str, watched: _Watched) -> None:
        try:
            snapshot = await self.current(job_id)
        except CotbuildError as fault:
            watched.publish(None, fault)
            return
        if snapshot != watched.snapshot or watched.fault is not None:
            watched.publish(snapshot, None)


def look_at_job(store: JobStore, jobs_folder: Path) -> Look:
    """Return a function that reads a job's row and the size of its log of events."""

    def look(job_id: str) -> JobSnapshot:
        return snapshot_of(store.get(job_id), jobs_folder)

    return look


def snapshot_of(record: JobRecord, jobs_folder: Path) -> JobSnapshot:
    """Return the snapshot of a job whose row was just read."""
    return JobSnapshot(record, _size_of(events_file(jobs_folder, record.id)))


def events_file(jobs_folder: Path, job_id: str) -> Path:
    """Return where the child of a job writes its events."""
    return jobs_folder / job_id / "events.jsonl"


def log_file(jobs_folder: Path, job_id: str) -> Path:
    """Return where the output of a job's command goes."""
    return jobs_folder / job_id / "log.txt"


def _size_of(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0

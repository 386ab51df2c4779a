"""Gives a job the teacher of the service that it needs, and takes it back."""

from collections.abc import Collection
from pathlib import Path

from cotbuild.builder.service.teachers.pool import (
    TeacherGrant,
    TeacherPool,
    TeacherWait,
    uses_shared_teacher,
)
from cotbuild.schemas.service.job import JobRecord
from cotbuild.schemas.service.requests import GenerateRequest, parse_request
from cotbuild.schemas.service.teacher import SOCKET_VARIABLE


class TeacherUse:
    """The pool of teachers as the supervisor sees it.

    Args:
        pool: The pool; None where each job starts its own teacher.
        root: Folder of the targets.
    """

    def __init__(self, pool: TeacherPool | None, root: Path) -> None:
        self._pool = pool
        self._root = root

    async def start(self) -> None:
        """Adopt the teachers of an earlier server."""
        if self._pool is not None:
            await self._pool.start()

    async def acquire(self, job: JobRecord) -> dict[str, str] | str:
        """Return variables for the job's process, or what the job waits for.

        Raises StoreError if the disk cannot be used now, another CotbuildError if the
        job can never have its teacher.
        """
        if self._pool is None:
            return {}
        request = parse_request(job.request, f"job {job.id}")
        if not isinstance(request, GenerateRequest):
            return {}
        config = request.config.teacher
        if not uses_shared_teacher(config):
            return {}
        target = self._root / job.target
        granted = await self._pool.acquire(job, config, target)
        if isinstance(granted, TeacherWait):
            return granted.reason
        assert isinstance(granted, TeacherGrant)
        return {SOCKET_VARIABLE: str(granted.socket)}

    def retain(self, job_ids: Collection[str]) -> None:
        """Take the teachers of all other jobs back, after a restart."""
        if self._pool is not None:
            self._pool.retain(job_ids)

    def release(self, job_id: str) -> None:
        """Take the job's teacher back."""
        if self._pool is not None:
            self._pool.release(job_id)

    def was_lost(self, job_id: str) -> bool:
        """Whether the job failed because its teacher had ended."""
        return self._pool is not None and self._pool.was_lost(job_id)

    async def close(self) -> None:
        """Stop watching the teachers, which run on."""
        if self._pool is not None:
            await self._pool.close()

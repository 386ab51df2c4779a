"""Lends a preview the shared teacher that its job would have."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cotbuild.builder.events.event_ui import utc_now
from cotbuild.builder.service.teachers.pool import (
    TeacherGrant,
    TeacherPool,
    uses_shared_teacher,
)
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.service.job import JobKind, JobRecord
from cotbuild.schemas.service.requests import (
    GenerateRequest,
    JobRequest,
    request_digest,
)

WAIT_S = 180.0
"""Longest wait for a teacher that starts, or that other jobs use, seconds."""
POLL_S = 0.5


@asynccontextmanager
async def lend_teacher(
    pool: TeacherPool | None,
    request: JobRequest,
    owner: str,
    target: Path,
    *,
    wait_s: float = WAIT_S,
) -> AsyncIterator[Path | None]:
    """Yield the socket of the teacher that a preview asks; None if it needs none.

    The teacher is started if it does not run, and stays up as after a job. `target` is
    the folder of the build. Raises TeacherError if there is none within `wait_s`, and
    what `TeacherPool.acquire` raises.
    """
    if pool is None or not isinstance(request, GenerateRequest):
        yield None
        return
    config = request.config.teacher
    if not uses_shared_teacher(config):
        yield None
        return
    # The pool knows jobs alone; this one is in no table.
    job = JobRecord(
        id=f"preview{secrets.token_hex(5)[:9]}",
        kind=JobKind.GENERATE,
        target=request.target,
        owner=owner,
        request=request.model_dump(mode="json"),
        request_digest=request_digest(request),
        created_at=utc_now(),
    )
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + wait_s
    try:
        granted = await pool.acquire(job, config, target)
        while not isinstance(granted, TeacherGrant):
            if loop.time() > give_up_at:
                raise TeacherError(
                    f"the preview waited {wait_s:g} s for {granted.reason}. Submit the "
                    "job, which waits for as long as it takes."
                )
            await asyncio.sleep(POLL_S)
            granted = await pool.acquire(job, config, target)
        yield granted.socket
    finally:
        pool.release(job.id)

"""A pool of teachers that starts none and shows one."""

from pathlib import Path

from cotbuild.builder.service.teachers.pool import TeacherGrant, TeacherWait
from cotbuild.schemas.service.job import JobRecord
from cotbuild.schemas.service.teacher import (
    TeacherJob,
    TeacherLoad,
    TeacherState,
    TeacherStatus,
)
from cotbuild.schemas.teacher_config import TeacherConfig


class OneTeacher:
    """A pool with one teacher, of a model with a name that nothing else has."""

    def __init__(self, *jobs: TeacherJob) -> None:
        self._jobs = jobs

    async def start(self) -> None: ...

    async def acquire(
        self, job: JobRecord, config: TeacherConfig, target: Path
    ) -> TeacherGrant | TeacherWait:
        raise NotImplementedError

    def release(self, job_id: str) -> None: ...

    def retain(self, job_ids: object) -> None: ...

    def was_lost(self, job_id: str) -> bool:
        raise NotImplementedError

    def status(self) -> tuple[TeacherStatus, ...]:
        load = TeacherLoad(kv_cache_frac=0.5, tokens_per_s=12.0)
        return (
            TeacherStatus(
                key="0" * 16,
                model="secret-model",
                state=TeacherState.UP,
                in_flight=3,
                queued=2,
                jobs=self._jobs,
                load=load,
                lines=("log: /secret/path",),
            ),
        )

    def read_log(self, key: str, max_bytes: int) -> str:
        raise NotImplementedError

    async def close(self) -> None: ...

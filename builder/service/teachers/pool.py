"""The pool of teachers: what the supervisor of jobs asks for, and gets."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.service.job import JobRecord
from cotbuild.schemas.service.teacher import TeacherStatus
from cotbuild.schemas.teacher_config import TeacherConfig

MAX_LOSSES = 3
"""Times that a job is queued again because its teacher ended under it."""


@dataclass(frozen=True, slots=True)
class TeacherGrant:
    """A job may start: its teacher listens on `socket`."""

    socket: Path
    """Goes to the child as the variable that SOCKET_VARIABLE names."""


@dataclass(frozen=True, slots=True)
class TeacherWait:
    """A job has to wait; `reason` says for what, as JobRecord.waits_for."""

    reason: str


class TeacherPool(Protocol):
    """What the supervisor of jobs needs. Its methods are called in one event loop."""

    async def start(self) -> None:
        """Adopt the teacher hosts of an earlier server, and begin to watch."""

    async def acquire(
        self, job: JobRecord, config: TeacherConfig, target: Path
    ) -> TeacherGrant | TeacherWait:
        """Grant a job its teacher, or say what it waits for. Never blocks for long.

        Asking again for the same job is harmless. `target` is the folder that the job
        writes. Raises StoreError if the disk cannot be used now: the job has to wait.
        Raises another CotbuildError if there is no such model: the job has then failed.
        """

    def release(self, job_id: str) -> None:
        """Take a job's teacher back, once its process is gone or it was dropped.

        Harmless if it holds none. Raises nothing.
        """

    def retain(self, job_ids: Collection[str]) -> None:
        """Release all jobs but these: those that run, after a restart of the server."""

    def was_lost(self, job_id: str) -> bool:
        """Whether the teacher ended under a job, which should then be queued again.

        True at most MAX_LOSSES times for one job. Ask before `release`.
        """

    def status(self) -> tuple[TeacherStatus, ...]:
        """Return the newest known state of each teacher. Never blocks."""

    def read_log(self, key: str, max_bytes: int) -> str:
        """Return the end of a teacher's log; empty if there is none."""

    async def close(self) -> None:
        """Stop watching. The teachers run on, to be adopted by the next server."""


def uses_shared_teacher(config: TeacherConfig) -> bool:
    """Whether the service runs the teacher that a configuration names.

    It does not run endpoints, which stand elsewhere, nor the scripted teacher.
    """
    return (
        not config.endpoints and config.model != "scripted" and config.recorded is None
    )


def teacher_key(identity: str, config: TeacherConfig) -> str:
    """Return the key of the server that jobs of this teacher share.

    It depends on the weights and the server's settings, and not on how they are named:
    two folders with the same files are one teacher.
    """
    settings = config.server.model_dump(mode="json")
    return digest("shared teacher", {"identity": identity, "server": settings})[:16]

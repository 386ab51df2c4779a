"""Which job has which teacher, kept on disk for the server's next start."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from cotbuild.builder.service.teachers.admission import Wanted
from cotbuild.builder.service.teachers.host_process import HostId
from cotbuild.schemas.errors import CotbuildError, StoreError, TeacherError
from cotbuild.schemas.files import read_record, write_record
from cotbuild.schemas.service.teacher import TeacherClaim, TeacherClaims
from cotbuild.schemas.teacher_config import TeacherConfig

CLAIMS_JSON = "claims.json"
STALE_S = 30.0
"""A job that has not asked for so long no longer waits: it was cancelled or moved back."""


@dataclass(slots=True)
class Claim:
    """A job that wants a teacher, or has one."""

    owner: str
    config: TeacherConfig | None
    """None for a job that had its teacher before the server was restarted."""
    since_s: float
    """When it first asked; time.monotonic()."""
    asked_s: float
    """When it last asked."""
    identity: str | None = None
    """The teacher's identity; None while it is looked up."""
    key: str | None = None
    fault: CotbuildError | None = None
    """Why it does not get its teacher."""
    host: HostId | None = None
    """The host that serves it; None while it waits."""
    socket: Path | None = None


def as_job_fault(fault: Exception) -> CotbuildError:
    """Return what went wrong with a teacher as the error that its jobs get."""
    if isinstance(fault, CotbuildError):
        return fault
    error = StoreError if isinstance(fault, OSError) else TeacherError
    return error(f"teacher: {fault!r}")


class Claims:
    """The claims of all jobs, by the id of the job.

    Args:
        folder: Where claims.json is.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / CLAIMS_JSON
        self.of: dict[str, Claim] = {}

    def load(self, now_s: float) -> None:
        """Read the claims that an earlier server left; a damaged file counts as none."""
        recorded = None
        with contextlib.suppress(StoreError):
            recorded = read_record(
                self._path, TeacherClaims, remedy="", error=StoreError
            )
        for job_id, claim in (recorded or TeacherClaims()).jobs.items():
            host = HostId(claim.pid, claim.pid_start)
            self.of[job_id] = Claim("", None, now_s, now_s, key=claim.key, host=host)

    def save(self) -> None:
        """Write the claims of jobs that have a teacher. Raises StoreError."""
        jobs = {
            job_id: TeacherClaim(
                key=claim.key, pid=claim.host.pid, pid_start=claim.host.pid_start
            )
            for job_id, claim in self.of.items()
            if claim.host is not None and claim.key is not None
        }
        write_record(self._path, TeacherClaims(jobs=jobs))

    def waiting(self, now_s: float) -> list[Wanted]:
        """Return the jobs that wait for a teacher whose key is known."""
        return [
            Wanted(claim.key, claim.since_s)
            for claim in self.of.values()
            if claim.host is None
            and claim.key is not None
            and now_s - claim.asked_s < STALE_S
        ]

    def count_of(self, key: str) -> int:
        """Return how many jobs have the teacher of a key."""
        return sum(
            claim.key == key and claim.host is not None for claim in self.of.values()
        )

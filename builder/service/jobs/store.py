"""The table of jobs: what a store of jobs can do, whichever database holds it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cotbuild.builder.service.jobs.states import AttemptReport, Stop
from cotbuild.schemas.errors import CotbuildError
from cotbuild.schemas.service.job import (
    JobKind,
    JobRecord,
    JobState,
    Labels,
    ProcessIdentity,
    StopMode,
)

MAX_PAGE = 1000
"""Most jobs in one page of a list."""


class NoJobError(CotbuildError):
    """There is no job with this id."""


class IdempotencyError(CotbuildError):
    """An Idempotency-Key was used before, with another request."""


@dataclass(frozen=True)
class NewJob:
    """What a client submits."""

    kind: JobKind
    target: str
    owner: str
    request: Mapping[str, Any]
    """The JobRequest as JSON."""
    request_digest: str
    priority: int = 0
    labels: Labels | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class AddedJob:
    """The answer to a submit."""

    job: JobRecord
    is_replayed: bool
    """Whether the same key had submitted it before."""


@dataclass(frozen=True)
class JobFilter:
    """Which jobs to list; None for all."""

    states: Collection[JobState] | None = None
    kind: JobKind | None = None
    target: str | None = None
    owner: str | None = None
    labels: Mapping[str, str] | None = None
    """Labels that a job must have, all of them."""


class JobStore(Protocol):
    """A table of jobs. Every method may be called from any thread, and blocks briefly.

    All raise StoreError in one line if the database cannot be read or written.
    """

    # -- for clients

    def add(self, new: NewJob) -> AddedJob:
        """Add a queued job, or return the one that its owner's key added before.

        It is on disk once this returns. Raises IdempotencyError if the key was used
        with another request.
        """

    def get(self, job_id: str) -> JobRecord:
        """Return a job. Raises NoJobError."""

    def list_jobs(
        self,
        job_filter: JobFilter = JobFilter(),
        *,
        after: str | None = None,
        limit: int = 50,
    ) -> list[JobRecord]:
        """Return up to `limit` jobs, newest first, that are older than the id `after`."""

    def count_by_state(self, owner: str | None = None) -> dict[JobState, int]:
        """Return the number of jobs in each state, of one owner or of all."""

    def count_by_kind(self) -> dict[tuple[JobKind, JobState], int]:
        """Return the number of jobs of each kind in each state, without the zeros."""

    def queue(self) -> list[str]:
        """Return the ids of the queued jobs in the order in which they will start.

        Those that wait for another job's target or for a time stand in it too.
        """

    def request_stop(self, job_id: str, stop: Stop, mode: StopMode) -> JobRecord:
        """Pause or cancel a job: a queued one at once, a running one by its supervisor.

        Raises NoJobError, or JobStateError if the job is over.
        """

    def resume(
        self, job_id: str, request: Mapping[str, Any] | None = None
    ) -> JobRecord:
        """Queue a paused job again, with another request (a higher budget) if passed.

        Raises NoJobError or JobStateError.
        """

    def retry(self, job_id: str, *, failed: bool = False) -> JobRecord:
        """Queue a job that is over again; `failed` also repeats rejected requests.

        Raises NoJobError or JobStateError.
        """

    def delete(self, job_id: str) -> JobRecord:
        """Delete the row of a job that is over. Raises NoJobError or JobStateError."""

    # -- for supervisors

    def bind_root(self, root_id: str) -> str:
        """Return the id of the root of these jobs: `root_id` if it has none yet.

        A table may be reached from several roots by mistake, and jobs name their folders
        relative to one.
        """

    def next_jobs(self, limit: int = 100) -> list[JobRecord]:
        """Return the jobs that could start now, in the order of the queue.

        Their time has come, and no running job holds their target. By priority, then
        one of each owner in turn, then by age.
        """

    def set_waits(
        self, job_id: str, waits_for: str | None, wait_s: float = 0.0
    ) -> None:
        """Say what a queued job waits for, `wait_s` seconds at least.

        Of a job in another state nothing changes.
        """

    def fail_queued(self, job_id: str, error_code: str, error: str) -> JobRecord | None:
        """Fail a job before it was started; None if it is queued no longer."""

    def claim(self, job_id: str, host: str, lease_s: float) -> JobRecord | None:
        """Take one of `next_jobs` as `host`, for `lease_s` seconds.

        None if another server was faster, or it cannot start any more.
        """

    def set_process(
        self, job_id: str, attempt: int, process: ProcessIdentity
    ) -> JobRecord | None:
        """Record the process of an attempt; None if the job was given on meanwhile."""

    def list_held(self, host: str) -> list[JobRecord]:
        """Return the jobs that `host` runs."""

    def renew(self, host: str, lease_s: float) -> None:
        """Prolong the leases of `host`."""

    def list_expired(self) -> list[JobRecord]:
        """Return the jobs of any host whose lease is over."""

    def end_attempt(
        self, job_id: str, attempt: int, report: AttemptReport, max_crashes: int
    ) -> JobRecord | None:
        """Record the end of an attempt.

        None, and no change, if the job was given on or ended meanwhile: `attempt`
        fences off a server or process of an earlier one.
        """

    def close(self) -> None:
        """Close the connections."""

"""The table of jobs in SQL that both SQLite and PostgreSQL read.

A row holds the whole record as JSON, and beside it the columns that queries need. Every
change is one transaction: read the row, compute the next record by a function of
`states`, write it. What the two databases do differently is in their own modules.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from cotbuild.builder.service.jobs import states
from cotbuild.builder.service.jobs.rows import (
    Transaction,
    filter_conditions,
    find_by_key,
    format_time,
    insert_row,
    is_held,
    next_job_id,
    parse_row,
    replay,
    take_turn,
    update_row,
)
from cotbuild.builder.service.jobs.states import AttemptReport, Stop
from cotbuild.builder.service.jobs.store import (
    MAX_PAGE,
    AddedJob,
    JobFilter,
    NewJob,
    NoJobError,
)
from cotbuild.schemas.service.job import (
    JobKind,
    JobRecord,
    JobState,
    ProcessIdentity,
    StopMode,
)

MAX_FUTURE_S = 600
"""A `not_before` further ahead comes from a clock that was wrong, and does not count."""

_HELD = "state IN ('running', 'cancelling')"

_CAN_START = f"""
    j.state = 'queued'
    AND (j.not_before IS NULL OR j.not_before <= ? OR j.not_before > ?)
    AND NOT EXISTS (
        SELECT 1 FROM cotbuild_jobs h WHERE h.target = j.target AND h.{_HELD}
    )
"""
_QUEUE_ORDER = """
    j.priority DESC,
    ROW_NUMBER() OVER (PARTITION BY j.priority, j.owner ORDER BY j.id),
    COALESCE((SELECT o.turn FROM cotbuild_owners o WHERE o.owner = j.owner), 0),
    j.id
"""
_HOLDER = f"""(
    SELECT h.id FROM cotbuild_jobs h
    WHERE j.state = 'queued' AND h.target = j.target AND h.{_HELD}
)"""
"""The job that holds the target of a queued one."""


class TargetHeldError(Exception):
    """The database refused a second job on one target; only PostgreSQL gets there."""


class SqlJobStore(ABC):
    """A `JobStore` on a database of SQL."""

    _lock_row = ""
    """Clause that locks the row that is read, where a transaction alone does not."""
    _lock_free_row = ""
    """The same, but a row that another transaction has locked is left out."""

    @abstractmethod
    def _read(self) -> AbstractContextManager[Transaction]:
        """Begin a transaction that reads one state of the tables."""

    @abstractmethod
    def _write(self) -> AbstractContextManager[Transaction]:
        """Begin a transaction that is committed unless an exception leaves it."""

    @abstractmethod
    def _now_s(self, transaction: Transaction) -> float:
        """Return the Unix time by the clock that all servers of the table share."""

    @abstractmethod
    def close(self) -> None:
        """Close the connections."""

    # -- for clients

    def add(self, new: NewJob) -> AddedJob:
        """Add a queued job, or return the one its owner's key added before."""
        while True:
            with self._write() as transaction:
                replayed = find_by_key(transaction, new)
                if replayed is not None:
                    return replay(replayed, new)
                job = self._make_job(transaction, new)
                if insert_row(transaction, job):
                    return AddedJob(job, is_replayed=False)
            # Another server has added this key, or this id, at the same moment.

    def _make_job(self, transaction: Transaction, new: NewJob) -> JobRecord:
        return JobRecord(
            id=self._next_id(transaction),
            kind=new.kind,
            target=new.target,
            owner=new.owner,
            request=dict(new.request),
            request_digest=new.request_digest,
            priority=new.priority,
            labels=dict(new.labels or {}),
            idempotency_key=new.idempotency_key,
            created_at=self._now(transaction),
        )

    def get(self, job_id: str) -> JobRecord:
        """Return a job. Raises NoJobError."""
        with self._read() as transaction:
            rows = transaction.execute(
                f"SELECT j.record, {_HOLDER} FROM cotbuild_jobs j WHERE j.id = ?",
                job_id,
            )
        if not rows:
            raise NoJobError(f"job {job_id!r}: there is none. Check its id.")
        return parse_row(rows[0])

    def list_jobs(
        self,
        job_filter: JobFilter = JobFilter(),  # noqa: B008 (frozen)
        *,
        after: str | None = None,
        limit: int = 50,
    ) -> list[JobRecord]:
        """Return up to `limit` jobs, newest first, that are older than `after`."""
        conditions, values = filter_conditions(job_filter)
        if after is not None:
            conditions.append("j.id < ?")
            values.append(after)
        where = " AND ".join(["1 = 1", *conditions])
        values.append(min(limit, MAX_PAGE))
        with self._read() as transaction:
            rows = transaction.execute(
                f"SELECT j.record, {_HOLDER} FROM cotbuild_jobs j WHERE {where} "
                "ORDER BY j.id DESC LIMIT ?",
                *values,
            )
        return [parse_row(row) for row in rows]

    def count_by_state(self, owner: str | None = None) -> dict[JobState, int]:
        """Return the number of jobs in each state, of one owner or of all."""
        with self._read() as transaction:
            rows = transaction.execute(
                "SELECT state, COUNT(*) FROM cotbuild_jobs "
                "WHERE owner = ? OR CAST(? AS TEXT) IS NULL GROUP BY state",
                owner,
                owner,
            )
        counts = {str(state): int(count) for state, count in rows}
        return {state: counts.get(state, 0) for state in JobState}

    def count_by_kind(self) -> dict[tuple[JobKind, JobState], int]:
        """Return the number of jobs of each kind in each state, without the zeros."""
        with self._read() as transaction:
            rows = transaction.execute(
                "SELECT kind, state, COUNT(*) FROM cotbuild_jobs GROUP BY kind, state"
            )
        return {
            (JobKind(str(kind)), JobState(str(state))): int(count)
            for kind, state, count in rows
        }

    def queue(self) -> list[str]:
        """Return the ids of the queued jobs in the order in which they will start."""
        with self._read() as transaction:
            rows = transaction.execute(
                "SELECT j.id FROM cotbuild_jobs j WHERE j.state = 'queued' "
                f"ORDER BY {_QUEUE_ORDER}"
            )
        return [str(job_id) for (job_id,) in rows]

    def request_stop(self, job_id: str, stop: Stop, mode: StopMode) -> JobRecord:
        """Pause or cancel a job: a queued one at once, a running one by its supervisor."""
        return self._change(
            job_id, lambda job, now: states.request_stop(job, stop, mode, now)
        )

    def resume(
        self, job_id: str, request: Mapping[str, Any] | None = None
    ) -> JobRecord:
        """Queue a paused job again, with another request if one is passed."""
        return self._change(job_id, lambda job, _: states.resume(job, request))

    def retry(self, job_id: str, *, failed: bool = False) -> JobRecord:
        """Queue a job that is over again; `failed` also repeats rejected requests."""
        return self._change(job_id, lambda job, _: states.retry(job, failed=failed))

    def delete(self, job_id: str) -> JobRecord:
        """Delete the row of a job that is over."""
        with self._write() as transaction:
            job = self._read_for_change(transaction, job_id)
            states.check_deletable(job)
            for statement in (
                "DELETE FROM cotbuild_labels WHERE job_id = ?",
                "DELETE FROM cotbuild_jobs WHERE id = ?",
            ):
                transaction.execute(statement, job_id)
        return job

    # -- for supervisors

    def bind_root(self, root_id: str) -> str:
        """Return the id of the root of these jobs: `root_id` if it has none yet."""
        with self._write() as transaction:
            transaction.execute(
                "INSERT INTO cotbuild_root (id) SELECT CAST(? AS TEXT) "
                "WHERE NOT EXISTS (SELECT 1 FROM cotbuild_root)",
                root_id,
            )
            [(bound,)] = transaction.execute("SELECT MIN(id) FROM cotbuild_root")
        return str(bound)

    def next_jobs(self, limit: int = 100) -> list[JobRecord]:
        """Return the jobs that could start now, in the order of the queue."""
        with self._read() as transaction:
            rows = transaction.execute(
                f"SELECT j.record, NULL FROM cotbuild_jobs j WHERE {_CAN_START} "
                f"ORDER BY {_QUEUE_ORDER} LIMIT ?",
                *self._times(transaction),
                min(limit, MAX_PAGE),
            )
        return [parse_row(row) for row in rows]

    def set_waits(
        self, job_id: str, waits_for: str | None, wait_s: float = 0.0
    ) -> None:
        """Say what a queued job waits for, `wait_s` seconds at least."""
        with self._write() as transaction:
            job = self._find_for_change(transaction, job_id)
            if job is None or job.state is not JobState.QUEUED:
                return
            start_s = self._now_s(transaction) + wait_s if wait_s else job.not_before
            changed = {"waits_for": waits_for, "not_before": start_s}
            if job.model_copy(update=changed) != job:
                changed["revision"] = job.revision + 1
                update_row(transaction, job.model_copy(update=changed))

    def fail_queued(self, job_id: str, error_code: str, error: str) -> JobRecord | None:
        """Fail a job before it was started; None if it is queued no longer."""
        return self._change_if(
            job_id,
            lambda job, now: (
                states.fail_queued(job, error_code, error, now)
                if job.state is JobState.QUEUED
                else None
            ),
        )

    def claim(self, job_id: str, host: str, lease_s: float) -> JobRecord | None:
        """Take one of `next_jobs` as `host`; None if it cannot start any more."""
        try:
            with self._write() as transaction:
                rows = transaction.execute(
                    f"SELECT j.record, NULL FROM cotbuild_jobs j WHERE j.id = ? "
                    f"AND {_CAN_START}{self._lock_free_row}",
                    job_id,
                    *self._times(transaction),
                )
                if not rows:
                    return None
                now_s = self._now_s(transaction)
                job = states.start(parse_row(rows[0]), host, format_time(now_s))
                update_row(transaction, job)
                transaction.execute(
                    "UPDATE cotbuild_jobs SET lease_until = ? WHERE id = ?",
                    now_s + lease_s,
                    job_id,
                )
                take_turn(transaction, job.owner)
        except TargetHeldError:
            return None
        return job

    def set_process(
        self, job_id: str, attempt: int, process: ProcessIdentity
    ) -> JobRecord | None:
        """Record the process of an attempt; None if the job was given on meanwhile."""
        return self._change_if(
            job_id,
            lambda job, _: (
                states.set_process(job, process) if is_held(job, attempt) else None
            ),
        )

    def list_held(self, host: str) -> list[JobRecord]:
        """Return the jobs that `host` runs."""
        with self._read() as transaction:
            rows = transaction.execute(
                f"SELECT record, NULL FROM cotbuild_jobs WHERE {_HELD} AND host = ? "
                "ORDER BY id",
                host,
            )
        return [parse_row(row) for row in rows]

    def renew(self, host: str, lease_s: float) -> None:
        """Prolong the leases of `host`."""
        with self._write() as transaction:
            transaction.execute(
                f"UPDATE cotbuild_jobs SET lease_until = ? WHERE {_HELD} AND host = ?",
                self._now_s(transaction) + lease_s,
                host,
            )

    def list_expired(self) -> list[JobRecord]:
        """Return the jobs of any host whose lease is over."""
        with self._read() as transaction:
            rows = transaction.execute(
                f"SELECT record, NULL FROM cotbuild_jobs WHERE {_HELD} "
                "AND lease_until < ? ORDER BY id",
                self._now_s(transaction),
            )
        return [parse_row(row) for row in rows]

    def end_attempt(
        self, job_id: str, attempt: int, report: AttemptReport, max_crashes: int
    ) -> JobRecord | None:
        """Record the end of an attempt; None if the job was given on or ended meanwhile."""
        with self._write() as transaction:
            job = self._find_for_change(transaction, job_id)
            if job is None or not is_held(job, attempt):
                return None
            now_s = self._now_s(transaction)
            ended = states.end_attempt(
                job, report, format_time(now_s), now_s, max_crashes
            )
            update_row(transaction, ended)
        return ended

    # -- one row

    def _change(
        self, job_id: str, change: Callable[[JobRecord, str], JobRecord]
    ) -> JobRecord:
        """Change a job by a function of it and the time. Raises NoJobError."""
        with self._write() as transaction:
            job = self._read_for_change(transaction, job_id)
            changed = change(job, self._now(transaction))
            update_row(transaction, changed)
        return changed

    def _change_if(
        self, job_id: str, change: Callable[[JobRecord, str], JobRecord | None]
    ) -> JobRecord | None:
        """Do the same unless the job is gone or the function returns None."""
        with self._write() as transaction:
            job = self._find_for_change(transaction, job_id)
            changed = None if job is None else change(job, self._now(transaction))
            if changed is not None:
                update_row(transaction, changed)
        return changed

    def _read_for_change(self, transaction: Transaction, job_id: str) -> JobRecord:
        job = self._find_for_change(transaction, job_id)
        if job is None:
            raise NoJobError(f"job {job_id!r}: there is none. Check its id.")
        return job

    def _find_for_change(
        self, transaction: Transaction, job_id: str
    ) -> JobRecord | None:
        rows = transaction.execute(
            f"SELECT record, NULL FROM cotbuild_jobs WHERE id = ?{self._lock_row}",
            job_id,
        )
        return parse_row(rows[0]) if rows else None

    def _times(self, transaction: Transaction) -> tuple[float, float]:
        now_s = self._now_s(transaction)
        return now_s, now_s + MAX_FUTURE_S

    def _now(self, transaction: Transaction) -> str:
        return format_time(self._now_s(transaction))

    def _next_id(self, transaction: Transaction) -> str:
        """Return an id after every other, also where the clock was set back."""
        [(newest,)] = transaction.execute("SELECT MAX(id) FROM cotbuild_jobs")
        return next_job_id(newest or "", self._now_s(transaction))

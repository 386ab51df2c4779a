"""Rows of the table of jobs: between records and columns, and the ids of new ones."""

import secrets
import string
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from cotbuild.builder.service.jobs.states import HELD
from cotbuild.builder.service.jobs.store import (
    AddedJob,
    IdempotencyError,
    JobFilter,
    NewJob,
)
from cotbuild.schemas.json_text import parse_record_json
from cotbuild.schemas.service.job import JobRecord

Value = str | int | float | None
Row = tuple[Any, ...]

_DIGITS = string.digits + string.ascii_lowercase
_TIME_CHARS = 9
_ID_CHARS = 16
_MAX_SMALL_CHARS = 16 << 10
"""Longest record that is kept parsed."""


class Transaction(Protocol):
    """What runs inside one transaction."""

    def execute(self, statement: str, *values: Value) -> list[Row]:
        """Run a statement with a `?` for each value, and return all its rows."""


# -- ids and times -----------------------------------------------------------------------


def next_job_id(newest: str, now_s: float) -> str:
    """Return an id after `newest`, also where the clock was set back.

    It has 16 characters, and begins with the time in milliseconds.
    """
    at = _to_base_36(int(now_s * 1000), _TIME_CHARS)
    suffix = (secrets.choice(_DIGITS) for _ in range(_ID_CHARS - _TIME_CHARS))
    job_id = at + "".join(suffix)
    if job_id > newest:
        return job_id
    return _to_base_36(int(newest, 36) + 1, _ID_CHARS)


def _to_base_36(number: int, width: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits.rjust(width, "0")


def unix_time_s() -> float:
    """Return the Unix time of this machine."""
    return time.time()


def format_time(at_s: float) -> str:
    """Return a Unix time in RFC 3339, UTC, with milliseconds."""
    at = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z")


# -- rows --------------------------------------------------------------------------------


def is_held(job: JobRecord, attempt: int) -> bool:
    """Whether a server holds the job, as this attempt."""
    return job.state in HELD and job.attempt == attempt


def parse_row(row: Row) -> JobRecord:
    """Return the record of a row, which is (record, id of the job that it waits for)."""
    record, holder = row
    parse = _parse_small if len(record) <= _MAX_SMALL_CHARS else _parse_record
    job = parse(record)
    if holder is None:
        return job
    return job.model_copy(update={"waits_for": f"job {holder}"})


def _parse_record(record: str) -> JobRecord:
    return JobRecord.parse(parse_record_json(record), "table of jobs")


# Rows change seldom, and every list and watcher reads them: parsing took a third of the
# time of a list of 50 jobs.
_parse_small = lru_cache(maxsize=2048)(_parse_record)


def find_by_key(transaction: Transaction, new: NewJob) -> JobRecord | None:
    """Return the job that was added before with the same key of the same owner."""
    if new.idempotency_key is None:
        return None
    rows = transaction.execute(
        "SELECT record, NULL FROM cotbuild_jobs WHERE owner = ? AND idempotency_key = ?",
        new.owner,
        new.idempotency_key,
    )
    return parse_row(rows[0]) if rows else None


def replay(job: JobRecord, new: NewJob) -> AddedJob:
    """Answer a submit by an earlier job; raises IdempotencyError if they differ."""
    if job.request_digest != new.request_digest:
        raise IdempotencyError(
            f"Idempotency-Key {new.idempotency_key!r}: used before for job {job.id}, with "
            "another request. Use a new key for a new request."
        )
    return AddedJob(job, is_replayed=True)


def insert_row(transaction: Transaction, job: JobRecord) -> bool:
    """Insert a job with its labels; return whether its key was new."""
    columns = {"id": job.id, "idempotency_key": job.idempotency_key, **_columns(job)}
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    added = transaction.execute(
        f"INSERT INTO cotbuild_jobs ({names}) VALUES ({marks}) "
        "ON CONFLICT DO NOTHING RETURNING id",
        *columns.values(),
    )
    if not added:
        return False
    for name, value in job.labels.items():
        transaction.execute(
            "INSERT INTO cotbuild_labels (job_id, name, value) VALUES (?, ?, ?)",
            job.id,
            name,
            value,
        )
    return True


def update_row(transaction: Transaction, job: JobRecord) -> None:
    """Write a job over its row."""
    columns = _columns(job)
    assignments = ", ".join(f"{name} = ?" for name in columns)
    transaction.execute(
        f"UPDATE cotbuild_jobs SET {assignments} WHERE id = ?",
        *columns.values(),
        job.id,
    )


def _columns(job: JobRecord) -> dict[str, Value]:
    return {
        "owner": job.owner,
        "kind": job.kind.value,
        "target": job.target,
        "state": job.state.value,
        "priority": job.priority,
        "attempt": job.attempt,
        "not_before": job.not_before,
        "host": job.host,
        "record": job.model_dump_json(),
    }


def take_turn(transaction: Transaction, owner: str) -> None:
    """Put an owner at the end of the round."""
    transaction.execute(
        "INSERT INTO cotbuild_owners (owner, turn) "
        "SELECT ?, COALESCE(MAX(turn), 0) + 1 FROM cotbuild_owners WHERE 1 = 1 "
        "ON CONFLICT (owner) DO UPDATE SET turn = excluded.turn",
        owner,
    )


def filter_conditions(job_filter: JobFilter) -> tuple[list[str], list[Value]]:
    """Return the conditions of a filter, and their values."""
    conditions: list[str] = []
    values: list[Value] = []
    if job_filter.states is not None:
        marks = ", ".join("?" * len(job_filter.states))
        conditions.append(f"j.state IN ({marks or 'NULL'})")
        values += [state.value for state in job_filter.states]
    for name in ("kind", "target", "owner"):
        value = getattr(job_filter, name)
        if value is not None:
            conditions.append(f"j.{name} = ?")
            values.append(str(value))
    for label, value in (job_filter.labels or {}).items():
        conditions.append(
            "EXISTS (SELECT 1 FROM cotbuild_labels l "
            "WHERE l.job_id = j.id AND l.name = ? AND l.value = ?)"
        )
        values += [label, value]
    return conditions, values

"""Which state follows which: pure functions from one row of the table to the next.

Each returns the changed record, or raises `JobStateError` where the change makes no
sense for the state that the job is in. The stores call them inside a transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cotbuild.schemas.errors import CotbuildError
from cotbuild.schemas.event import Outcome
from cotbuild.schemas.service.job import (
    JobRecord,
    JobState,
    PauseReason,
    ProcessIdentity,
    StopMode,
)

Stop = Literal["pause", "cancel"]
HELD = (JobState.RUNNING, JobState.CANCELLING)
"""States in which a server holds the job and its target."""

TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset(
        {JobState.RUNNING, JobState.PAUSED, JobState.CANCELLED, JobState.FAILED}
    ),
    JobState.RUNNING: frozenset(
        {
            *(JobState.SUCCEEDED, JobState.FAILED, JobState.PAUSED),
            *(JobState.CANCELLING, JobState.QUEUED),
        }
    ),
    JobState.CANCELLING: frozenset(
        {JobState.CANCELLED, JobState.SUCCEEDED, JobState.FAILED}
    ),
    JobState.PAUSED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset({JobState.QUEUED}),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
}
"""The states that may follow each state."""

CRASH_WAIT_S = (0, 0, 1, 5, 20)
"""Wait before the next attempt after the first, second, … crash without progress."""


class JobStateError(CotbuildError):
    """A job cannot be changed so in the state that it is in."""


@dataclass(frozen=True)
class AttemptReport:
    """How the process of one attempt ended."""

    outcome: Outcome | None
    """From its `finished` event or exit code; None if it was killed or never began."""
    exit_code: int | None = None
    """As of subprocess: negative for the signal that killed it; None if not known."""
    is_crash: bool = True
    """Whether an end without an outcome is the job's own doing, and so counted: not
    that of a machine that was restarted."""
    reason: str | None = None
    """Why it paused: `budget` or `drained`."""
    error_code: str | None = None
    message: str | None = None
    """The error, on one line."""
    num_failed: int = 0
    waits_for: str | None = None
    """What it has to wait for: another process held the target, or the disk is full.
    It is queued again then."""
    wait_s: float = 1.0
    """How long it waits at least, if it has to."""
    journal_bytes: int = 0
    """Size of the journals of its target, to tell whether an answer came in."""


# -- by a user ---------------------------------------------------------------------------


def request_stop(job: JobRecord, stop: Stop, mode: StopMode, now: str) -> JobRecord:
    """Return the job paused or cancelled, or with the request to end so.

    A request to drain may be followed by one to stop now, a pause by a cancel; never
    the other way round.
    """
    if job.state is JobState.QUEUED or (
        job.state is JobState.PAUSED and stop == "cancel"
    ):
        return _stopped(job, stop, now)
    if job.state is JobState.CANCELLING and stop == "pause":
        raise _refusal(job, "paused", "It is being cancelled already.")
    if job.state not in HELD:
        verb = "paused" if stop == "pause" else "cancelled"
        raise _refusal(job, verb, "Only a queued or running job can be.")
    is_now = StopMode.NOW in (job.stop_mode, mode)
    state = JobState.CANCELLING if stop == "cancel" else job.state
    return _move(
        job,
        state,
        stop=stop,
        stop_mode=StopMode.NOW if is_now else StopMode.DRAIN,
    )


def resume(job: JobRecord, request: Mapping[str, Any] | None = None) -> JobRecord:
    """Return a paused job queued again, with another request where one is passed.

    A running job whose pause has not come yet cannot be resumed: it would be unclear
    whether its process has seen the signal.
    """
    if job.state is not JobState.PAUSED:
        raise _refusal(job, "resumed", "Only a paused job can be.")
    return _queued_again(job, request=dict(request or job.request))


def retry(job: JobRecord, *, failed: bool) -> JobRecord:
    """Return a job that is over queued again.

    With `failed` the requests that its server rejected are repeated too; only so is a
    job that succeeded worth another attempt.
    """
    if not job.state.is_final:
        raise _refusal(job, "retried", "Only a job that is over can be.")
    if job.state is JobState.SUCCEEDED and not failed:
        raise _refusal(
            job, "retried", "It is complete; retry it with its failed requests."
        )
    return _queued_again(job, retry_failed=failed)


def check_deletable(job: JobRecord) -> None:
    """Raise JobStateError unless the job is over."""
    if not job.state.is_final:
        raise _refusal(job, "deleted", "Cancel it first.")


# -- by a supervisor ---------------------------------------------------------------------


def start(job: JobRecord, host: str, now: str) -> JobRecord:
    """Return a queued job running on `host`, as its next attempt."""
    if job.state is not JobState.QUEUED:
        raise _refusal(job, "started", "Only a queued job can be.")
    return _move(
        job,
        JobState.RUNNING,
        attempt=job.attempt + 1,
        started_at=now,
        finished_at=None,
        host=host,
        process=None,
        not_before=None,
        waits_for=None,
        exit_code=None,
    )


def fail_queued(job: JobRecord, error_code: str, error: str, now: str) -> JobRecord:
    """Return a queued job failed: it cannot be started at all."""
    if job.state is not JobState.QUEUED:
        raise _refusal(job, "failed", "Only a queued job can be.")
    return _move(
        job,
        JobState.FAILED,
        error_code=error_code,
        error=error,
        waits_for=None,
        not_before=None,
        finished_at=now,
    )


def set_process(job: JobRecord, process: ProcessIdentity) -> JobRecord:
    """Return a held job with the process that was started for it."""
    return job.model_copy(update={"process": process, "revision": job.revision + 1})


def end_attempt(
    job: JobRecord, report: AttemptReport, now: str, now_s: float, max_crashes: int
) -> JobRecord:
    """Return a held job after the end of its process.

    What a user asked for decides where the process did not say how it ended, or that it
    was stopped. A job that was complete, or failed, before it could be stopped is just
    that.
    """
    if report.outcome is Outcome.SUCCEEDED:
        return _ended(job, JobState.SUCCEEDED, report, now)
    if report.outcome is Outcome.FAILED and report.waits_for is None:
        return _ended(job, JobState.FAILED, report, now)
    if job.stop is not None:
        stopped = _stopped(job, job.stop, now)
        return _with_report(stopped, report)
    if report.outcome is Outcome.PAUSED:
        is_budget = report.reason == "budget"
        reason = PauseReason.BUDGET if is_budget else PauseReason.USER
        paused = _move(job, JobState.PAUSED, pause_reason=reason, **_FREE)
        return _with_report(paused, report)
    if report.waits_for is not None:
        return _move(
            job,
            JobState.QUEUED,
            waits_for=report.waits_for,
            not_before=now_s + report.wait_s,
            **_FREE,
        )
    if report.outcome is Outcome.INTERRUPTED or not report.is_crash:
        # By somebody else's signal, as when a machine is shut down.
        return _with_report(_move(job, JobState.QUEUED, **_FREE), report)
    return _crashed(job, report, now, now_s, max_crashes)


def _crashed(
    job: JobRecord, report: AttemptReport, now: str, now_s: float, max_crashes: int
) -> JobRecord:
    """Return the job queued again, or failed after too many crashes in a row."""
    has_progress = report.journal_bytes > job.journal_bytes
    crashes = 0 if has_progress else job.crashes + 1
    if crashes >= max_crashes:
        failed = _ended(job, JobState.FAILED, report, now)
        last = f" {report.message}" if report.message else ""
        message = (
            f"its process ended without saying why, {crashes} times in a row without an "
            f"answer more.{last} Read its log, then retry the job."
        )
        return failed.model_copy(
            update={"error_code": "crashed", "error": message, "crashes": crashes}
        )
    wait_s = CRASH_WAIT_S[min(crashes, len(CRASH_WAIT_S) - 1)]
    queued = _move(
        job,
        JobState.QUEUED,
        crashes=crashes,
        not_before=now_s + wait_s if wait_s else None,
        **_FREE,
    )
    return _with_report(queued, report)


_FREE: Mapping[str, Any] = {"host": None, "process": None}
_NO_STOP: Mapping[str, Any] = {"stop": None, "stop_mode": None}


def _ended(
    job: JobRecord, state: JobState, report: AttemptReport, now: str
) -> JobRecord:
    ended = _move(job, state, finished_at=now, crashes=0, **_FREE, **_NO_STOP)
    return _with_report(ended, report)


def _stopped(job: JobRecord, stop: Stop, now: str) -> JobRecord:
    """Return the job as it was asked to end."""
    if stop == "pause":
        return _move(
            job,
            JobState.PAUSED,
            pause_reason=PauseReason.USER,
            waits_for=None,
            not_before=None,
            **_FREE,
            **_NO_STOP,
        )
    return _move(
        job,
        JobState.CANCELLED,
        pause_reason=None,
        waits_for=None,
        not_before=None,
        finished_at=now,
        **_FREE,
        **_NO_STOP,
    )


def _with_report(job: JobRecord, report: AttemptReport) -> JobRecord:
    """Add what the process said, which changes no state."""
    is_failed = job.state is JobState.FAILED
    return job.model_copy(
        update={
            "exit_code": report.exit_code,
            "num_failed": report.num_failed,
            "error_code": report.error_code or "failed" if is_failed else None,
            "error": report.message if is_failed else None,
            "journal_bytes": report.journal_bytes,
        }
    )


def _queued_again(job: JobRecord, **changes: Any) -> JobRecord:
    return _move(
        job,
        JobState.QUEUED,
        **{
            "pause_reason": None,
            "finished_at": None,
            "exit_code": None,
            "error_code": None,
            "error": None,
            "crashes": 0,
            "not_before": None,
            "waits_for": None,
            **_NO_STOP,
            **changes,
        },
    )


def _move(job: JobRecord, state: JobState, **changes: Any) -> JobRecord:
    """Return the job in another state, or in the same one with other fields."""
    if state is not job.state and state not in TRANSITIONS[job.state]:
        raise _refusal(job, state, "Look at it again: it has changed.")
    return job.model_copy(
        update={"state": state, "revision": job.revision + 1, **changes}
    )


def _refusal(job: JobRecord, verb: str, why: str) -> JobStateError:
    return JobStateError(f"job {job.id}: {job.state}, and cannot be {verb}. {why}")

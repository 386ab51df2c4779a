"""Which state follows which: every operation in every state."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from cotbuild.builder.service.jobs import states
from cotbuild.builder.service.jobs.states import (
    CRASH_WAIT_S,
    TRANSITIONS,
    AttemptReport,
    JobStateError,
)
from cotbuild.schemas.event import Outcome
from cotbuild.schemas.service.job import (
    JobKind,
    JobRecord,
    JobState,
    PauseReason,
    ProcessIdentity,
    StopMode,
)

NOW = "2026-11-29T02:00:00.000Z"
NOW_S = 1_000_000.0
PROCESS = ProcessIdentity(pid=7, start_ticks=8, boot_id="boot")
Operation = Callable[[JobRecord], JobRecord]
S = JobState


def job(state: JobState, stop: str | None = None, **changes: object) -> JobRecord:
    """A job in a state, with the fields that go with it."""
    fields: dict[str, object] = {
        "id": "0" * 16,
        "kind": JobKind.GENERATE,
        "target": "build",
        "owner": "ann",
        "request": {},
        "request_digest": "d",
        "created_at": NOW,
        "state": state,
        "stop": stop,
        "stop_mode": StopMode.DRAIN if stop else None,
        **changes,
    }
    if state in states.HELD:
        fields |= {"attempt": 1, "host": "here", "process": PROCESS}
    return JobRecord.model_validate(fields)


def ended(record: JobRecord, report: AttemptReport, max_crashes: int = 5) -> JobRecord:
    return states.end_attempt(record, report, NOW, NOW_S, max_crashes)


def operations() -> Iterator[tuple[str, Operation]]:
    for mode in StopMode:
        yield "pause", lambda r, m=mode: states.request_stop(r, "pause", m, NOW)  # type: ignore[misc]
        yield "cancel", lambda r, m=mode: states.request_stop(r, "cancel", m, NOW)  # type: ignore[misc]
    yield "resume", states.resume
    for failed in (False, True):
        yield "retry", lambda r, f=failed: states.retry(r, failed=f)  # type: ignore[misc]
    yield "start", lambda r: states.start(r, "here", NOW)
    yield "fail", lambda r: states.fail_queued(r, "code", "message", NOW)


def test_every_operation_in_every_state_follows_the_table_or_is_refused() -> None:
    for state in JobState:
        for name, operation in operations():
            before = job(state)
            after = before
            with suppress(JobStateError):
                after = operation(before)
            if after is before:
                continue
            assert after.state is state or after.state in TRANSITIONS[state], name
            assert after.revision == before.revision + 1
            assert after.state in states.HELD or after.process is None


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("pause", {S.QUEUED, S.RUNNING}),
        ("cancel", {S.QUEUED, S.RUNNING, S.PAUSED, S.CANCELLING}),
        ("resume", {S.PAUSED}),
        ("start", {S.QUEUED}),
        ("fail", {S.QUEUED}),
    ],
)
def test_what_is_possible_in_which_state(name: str, allowed: set[JobState]) -> None:
    for operation in [operation for key, operation in operations() if key == name]:
        for state in JobState:
            if state in allowed:
                operation(job(state))
            else:
                with pytest.raises(JobStateError, match=f": {state}, and cannot be"):
                    operation(job(state))


def test_a_job_that_succeeded_is_retried_for_its_failed_requests_alone() -> None:
    with pytest.raises(JobStateError, match="It is complete"):
        states.retry(job(S.SUCCEEDED), failed=False)
    again = states.retry(job(S.SUCCEEDED), failed=True)
    assert again.state is S.QUEUED
    assert again.retry_failed
    for state in (S.FAILED, S.CANCELLED):
        assert not states.retry(job(state), failed=False).retry_failed
    for state in (S.QUEUED, S.RUNNING, S.PAUSED, S.CANCELLING):
        with pytest.raises(JobStateError):
            states.retry(job(state), failed=True)


def test_only_what_is_over_is_deleted() -> None:
    for state in JobState:
        if state.is_final:
            states.check_deletable(job(state))
        else:
            with pytest.raises(JobStateError, match="Cancel it first"):
                states.check_deletable(job(state))


@pytest.mark.parametrize(
    ("stop", "outcome", "expected"),
    [
        (None, Outcome.SUCCEEDED, S.SUCCEEDED),
        (None, Outcome.PAUSED, S.PAUSED),
        (None, Outcome.FAILED, S.FAILED),
        (None, Outcome.INTERRUPTED, S.QUEUED),
        (None, None, S.QUEUED),
        ("pause", Outcome.SUCCEEDED, S.SUCCEEDED),
        ("pause", Outcome.PAUSED, S.PAUSED),
        ("pause", Outcome.FAILED, S.FAILED),
        ("pause", Outcome.INTERRUPTED, S.PAUSED),
        ("pause", None, S.PAUSED),
        ("cancel", Outcome.SUCCEEDED, S.SUCCEEDED),
        ("cancel", Outcome.PAUSED, S.CANCELLED),
        ("cancel", Outcome.FAILED, S.FAILED),
        ("cancel", Outcome.INTERRUPTED, S.CANCELLED),
        ("cancel", None, S.CANCELLED),
    ],
)
def test_how_an_attempt_ends(
    stop: str | None, outcome: Outcome | None, expected: JobState
) -> None:
    state = S.CANCELLING if stop == "cancel" else S.RUNNING
    after = ended(job(state, stop), AttemptReport(outcome, exit_code=1))
    assert after.state is expected
    assert after.state in TRANSITIONS[state]
    assert after.stop is None
    assert after.stop_mode is None
    assert after.process is None
    assert after.host is None
    assert (after.finished_at is not None) == after.state.is_final
    assert (after.pause_reason is not None) == (after.state is S.PAUSED)
    assert (after.error_code is not None) == (after.state is S.FAILED)


def test_a_budget_is_told_from_a_request_to_pause() -> None:
    budget = AttemptReport(Outcome.PAUSED, exit_code=4, reason="budget")
    drained = AttemptReport(Outcome.PAUSED, exit_code=4, reason="drained")
    assert ended(job(S.RUNNING), budget).pause_reason is PauseReason.BUDGET
    assert ended(job(S.RUNNING), drained).pause_reason is PauseReason.USER
    assert ended(job(S.RUNNING, "pause"), drained).pause_reason is PauseReason.USER


def test_crashes_without_progress_are_counted_and_waited_for() -> None:
    record = job(S.RUNNING)
    crash = AttemptReport(None, exit_code=-9, message="Killed.")
    waits = []
    for number in range(1, 5):
        record = ended(record, crash)
        assert record.state is S.QUEUED
        assert record.crashes == number
        waits.append((record.not_before or NOW_S) - NOW_S)
        record = states.start(record, "here", NOW)
    assert waits == list(CRASH_WAIT_S[1:])
    failed = ended(record, crash)
    assert failed.state is S.FAILED
    assert failed.error_code == "crashed"
    assert failed.error == (
        "its process ended without saying why, 5 times in a row without an answer more. "
        "Killed. Read its log, then retry the job."
    )


def test_a_crash_after_new_answers_counts_anew() -> None:
    record = job(S.RUNNING, crashes=4, journal_bytes=100)
    after = ended(record, AttemptReport(None, exit_code=-9, journal_bytes=101))
    assert after.state is S.QUEUED
    assert after.crashes == 0
    assert after.not_before is None
    assert after.journal_bytes == 101


def test_what_is_not_the_jobs_doing_is_no_crash() -> None:
    record = job(S.RUNNING, crashes=4)
    for report in (
        AttemptReport(None, is_crash=False),
        AttemptReport(Outcome.INTERRUPTED, exit_code=130),
    ):
        after = ended(record, report)
        assert after.state is S.QUEUED
        assert after.crashes == 4
        assert after.not_before is None


def test_a_job_whose_folder_is_held_waits_for_it() -> None:
    report = AttemptReport(Outcome.FAILED, exit_code=1, waits_for="pid 9")
    after = ended(job(S.RUNNING), report)
    assert after.state is S.QUEUED
    assert after.waits_for == "pid 9"
    assert after.not_before == NOW_S + 1
    assert ended(job(S.RUNNING, "pause"), report).state is S.PAUSED


def test_a_stop_is_made_stronger_and_never_weaker() -> None:
    running = job(S.RUNNING)
    draining = states.request_stop(running, "pause", StopMode.DRAIN, NOW)
    assert (draining.state, draining.stop_mode) == (S.RUNNING, StopMode.DRAIN)
    now = states.request_stop(draining, "pause", StopMode.NOW, NOW)
    assert now.stop_mode is StopMode.NOW
    still = states.request_stop(now, "cancel", StopMode.DRAIN, NOW)
    assert (still.state, still.stop, still.stop_mode) == (
        S.CANCELLING,
        "cancel",
        StopMode.NOW,
    )
    with pytest.raises(JobStateError, match="being cancelled already"):
        states.request_stop(still, "pause", StopMode.NOW, NOW)


def test_a_resumed_job_begins_with_a_clean_slate() -> None:
    paused = job(
        S.PAUSED, pause_reason=PauseReason.BUDGET, exit_code=4, crashes=3, attempt=2
    )
    after = states.resume(paused, {"budget": 2})
    assert after.state is S.QUEUED
    assert after.request == {"budget": 2}
    assert (after.pause_reason, after.exit_code, after.crashes) == (None, None, 0)
    assert after.attempt == 2
    assert states.resume(paused).request == paused.request

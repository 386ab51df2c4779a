"""What every table of jobs does, on SQLite and on a real PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from cotbuild.builder.service.jobs.open import open_job_store
from cotbuild.builder.service.jobs.states import AttemptReport, JobStateError
from cotbuild.builder.service.jobs.store import (
    IdempotencyError,
    JobFilter,
    JobStore,
    NewJob,
    NoJobError,
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
from tests.support.postgres import PostgresServer

OpenStore = Callable[[], JobStore]
LEASE_S = 1000.0
DONE = AttemptReport(Outcome.SUCCEEDED, exit_code=0)
CRASH = AttemptReport(None, exit_code=-9)


@pytest.fixture(params=["sqlite", "postgresql"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Opens the same table, as often as it is called."""
    url = f"sqlite:///{tmp_path / 'jobs.sqlite'}"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database()
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(open_job_store(url)))


@pytest.fixture
def store(open_store: OpenStore) -> JobStore:
    return open_store()


def new_job(target: str = "build", owner: str = "ann", **changes: object) -> NewJob:
    fields: dict[str, object] = {
        "kind": JobKind.GENERATE,
        "request": {"kind": "generate"},
        "request_digest": "digest",
        **changes,
    }
    return NewJob(target=target, owner=owner, **fields)  # type: ignore[arg-type]


def add(
    store: JobStore, target: str = "build", owner: str = "ann", **changes: object
) -> str:
    return store.add(new_job(target, owner, **changes)).job.id


def claim_next(store: JobStore, host: str = "here") -> JobRecord | None:
    for job in store.next_jobs():
        claimed = store.claim(job.id, host, LEASE_S)
        if claimed is not None:
            return claimed
    return None


def run_all(store: JobStore) -> list[str]:
    """Start and finish what can start, one after another; the ids in that order."""
    ids = []
    while (job := claim_next(store)) is not None:
        ids.append(job.id)
        assert store.end_attempt(job.id, job.attempt, DONE, 5) is not None
    return ids


def test_a_job_is_added_and_read_back(store: JobStore) -> None:
    added = store.add(new_job(labels={"team": "a"}, priority=3))
    assert not added.is_replayed
    assert added.job.state is JobState.QUEUED
    assert store.get(added.job.id) == added.job
    assert store.list_jobs() == [added.job]


@pytest.mark.parametrize("job_id", ["nope", "", "\0", "' OR 1=1 --", "0" * 16])
def test_an_unknown_id_is_one_line(store: JobStore, job_id: str) -> None:
    with pytest.raises(NoJobError) as refusal:
        store.get(job_id)
    assert str(refusal.value) == f"job {job_id!r}: there is none. Check its id."
    assert store.list_jobs(JobFilter(labels={"a": job_id}, owner=job_id)) == []


def test_the_same_key_of_an_owner_adds_one_job(store: JobStore) -> None:
    first = store.add(new_job(idempotency_key="k"))
    again = store.add(new_job(idempotency_key="k"))
    assert again.is_replayed
    assert again.job == first.job
    of_another = store.add(new_job(owner="bob", idempotency_key="k"))
    assert not of_another.is_replayed
    with pytest.raises(IdempotencyError, match="another request"):
        store.add(new_job(idempotency_key="k", request_digest="other"))


def test_of_many_submits_with_one_key_at_once_one_adds(open_store: OpenStore) -> None:
    stores = [open_store() for _ in range(4)]
    start = threading.Barrier(len(stores))

    def submit(store: JobStore) -> bool:
        start.wait()
        return store.add(new_job(idempotency_key="k")).is_replayed

    with ThreadPoolExecutor(len(stores)) as threads:
        replayed = list(threads.map(submit, stores))
    assert replayed.count(False) == 1
    assert len(stores[0].list_jobs()) == 1


def test_ids_rise_and_pages_follow_them(store: JobStore) -> None:
    ids = [add(store, f"b{i}") for i in range(7)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 7
    pages: list[list[str]] = []
    after = None
    while page := store.list_jobs(after=after, limit=3):
        pages.append([job.id for job in page])
        after = page[-1].id
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [job_id for page in pages for job_id in page] == ids[::-1]


def test_lists_are_filtered(store: JobStore) -> None:
    a = add(store, "a", "ann", labels={"team": "x", "run": "1"})
    b = add(store, "b", "bob", kind=JobKind.TRAIN, labels={"team": "x"})
    store.request_stop(b, "pause", StopMode.DRAIN)

    def ids(job_filter: JobFilter) -> list[str]:
        return [job.id for job in store.list_jobs(job_filter)]

    assert ids(JobFilter(states=[JobState.PAUSED])) == [b]
    assert ids(JobFilter(states=[JobState.PAUSED, JobState.QUEUED])) == [b, a]
    assert ids(JobFilter(states=[])) == []
    assert ids(JobFilter(kind=JobKind.TRAIN)) == [b]
    assert ids(JobFilter(target="a")) == [a]
    assert ids(JobFilter(owner="bob")) == [b]
    assert ids(JobFilter(labels={"team": "x"})) == [b, a]
    assert ids(JobFilter(labels={"team": "x", "run": "1"})) == [a]
    assert ids(JobFilter(labels={"team": "y"})) == []
    assert store.count_by_state()[JobState.QUEUED] == 1
    assert store.count_by_state("bob")[JobState.QUEUED] == 0
    assert store.count_by_state("bob")[JobState.PAUSED] == 1
    assert store.count_by_kind() == {
        (JobKind.GENERATE, JobState.QUEUED): 1,
        (JobKind.TRAIN, JobState.PAUSED): 1,
    }


def test_priority_comes_first_then_owners_in_turn_then_age(store: JobStore) -> None:
    ann = [add(store, f"a{i}", "ann") for i in range(3)]
    bob = [add(store, f"b{i}", "bob") for i in range(2)]
    urgent = add(store, "urgent", "cid", priority=10)
    expected = [urgent, ann[0], bob[0], ann[1], bob[1], ann[2]]
    assert store.queue() == expected
    assert [job.id for job in store.next_jobs()] == expected
    assert run_all(store) == expected
    # Whoever was served longest ago is first from now on.
    late_ann, late_bob = add(store, "a9", "ann"), add(store, "b9", "bob")
    assert run_all(store) == [late_bob, late_ann]


def test_a_job_waits_while_another_holds_its_target(store: JobStore) -> None:
    first, second = add(store), add(store)
    running = claim_next(store)
    assert running is not None
    assert running.id == first
    assert claim_next(store) is None
    assert store.claim(second, "here", LEASE_S) is None
    assert store.get(second).waits_for == f"job {first}"
    assert store.list_jobs()[0].waits_for == f"job {first}"
    store.end_attempt(first, running.attempt, DONE, 5)
    assert store.get(second).waits_for is None
    claimed = claim_next(store)
    assert claimed is not None
    assert claimed.id == second


def test_a_stale_attempt_changes_nothing(store: JobStore) -> None:
    job_id = add(store)
    first = claim_next(store)
    assert first is not None
    assert store.end_attempt(job_id, first.attempt, CRASH, 5) is not None
    # Queued again, and not held by anybody.
    assert store.end_attempt(job_id, first.attempt, DONE, 5) is None
    second = store.claim(job_id, "there", LEASE_S)
    assert second is not None
    assert second.attempt == first.attempt + 1
    process = ProcessIdentity(pid=1, start_ticks=2, boot_id="b")
    assert store.end_attempt(job_id, first.attempt, DONE, 5) is None
    assert store.set_process(job_id, first.attempt, process) is None
    assert store.get(job_id) == second
    assert store.set_process(job_id, second.attempt, process) is not None
    assert store.end_attempt(job_id, second.attempt, DONE, 5) is not None
    assert store.get(job_id).state is JobState.SUCCEEDED


def test_of_many_servers_each_takes_other_jobs(open_store: OpenStore) -> None:
    stores = [open_store() for _ in range(4)]
    for i in range(20):
        add(stores[0], f"t{i % 10}")
    start = threading.Barrier(len(stores))

    def take(number: int) -> list[str]:
        start.wait()
        taken = []
        while (job := claim_next(stores[number], f"host{number}")) is not None:
            taken.append(job.id)
        return taken

    with ThreadPoolExecutor(len(stores)) as threads:
        taken = [job_id for ids in threads.map(take, range(4)) for job_id in ids]
    assert len(taken) == len(set(taken)) == 10
    held = [job for number in range(4) for job in stores[0].list_held(f"host{number}")]
    assert sorted(job.id for job in held) == sorted(taken)
    # One for each target. Where two servers begin both at once, either may be first.
    assert {job.target for job in held} == {f"t{i}" for i in range(10)}


def test_leases_expire_unless_renewed(store: JobStore) -> None:
    add(store, "a")
    add(store, "b")
    for host in ("ours", "theirs"):
        job = store.next_jobs()[0]
        assert store.claim(job.id, host, -1) is not None
    assert len(store.list_expired()) == 2
    store.renew("ours", LEASE_S)
    expired = store.list_expired()
    assert [job.host for job in expired] == ["theirs"]


def test_a_queued_job_is_paused_and_cancelled_at_once(store: JobStore) -> None:
    job_id = add(store)
    paused = store.request_stop(job_id, "pause", StopMode.DRAIN)
    assert paused.state is JobState.PAUSED
    assert paused.pause_reason is PauseReason.USER
    assert claim_next(store) is None
    resumed = store.resume(job_id, {"kind": "generate", "budget": 2})
    assert resumed.state is JobState.QUEUED
    assert resumed.request == {"kind": "generate", "budget": 2}
    cancelled = store.request_stop(job_id, "cancel", StopMode.NOW)
    assert cancelled.state is JobState.CANCELLED
    assert cancelled.finished_at is not None
    with pytest.raises(JobStateError, match="cancelled, and cannot be paused"):
        store.request_stop(job_id, "pause", StopMode.NOW)
    assert store.retry(job_id).state is JobState.QUEUED


def test_only_a_job_that_is_over_is_deleted(store: JobStore) -> None:
    job_id = add(store, labels={"team": "x"}, idempotency_key="k")
    with pytest.raises(JobStateError, match="cannot be deleted"):
        store.delete(job_id)
    run_all(store)
    store.delete(job_id)
    with pytest.raises(NoJobError):
        store.get(job_id)
    # Its key and labels are free again.
    assert not store.add(new_job(labels={"team": "x"}, idempotency_key="k")).is_replayed


def test_what_a_queued_job_waits_for_is_said(store: JobStore) -> None:
    job_id = add(store)
    store.set_waits(job_id, "pid 7")
    store.set_waits(job_id, "pid 7")
    waiting = store.get(job_id)
    assert waiting.waits_for == "pid 7"
    assert waiting.revision == 1
    claimed = claim_next(store)
    assert claimed is not None
    assert claimed.waits_for is None
    store.set_waits(job_id, "pid 8")
    assert store.get(job_id).waits_for is None


def test_a_queued_job_is_put_off(store: JobStore) -> None:
    job_id = add(store)
    store.set_waits(job_id, "the disk is full", 100.0)
    assert store.next_jobs() == []
    assert claim_next(store) is None
    assert store.get(job_id).waits_for == "the disk is full"
    store.request_stop(job_id, "cancel", StopMode.NOW)
    store.retry(job_id)
    assert claim_next(store) is not None


def test_a_queued_job_that_cannot_start_fails(store: JobStore) -> None:
    job_id = add(store)
    failed = store.fail_queued(job_id, "no_model", "There is no such model.")
    assert failed is not None
    assert store.get(job_id).error == "There is no such model."
    assert store.fail_queued(job_id, "no_model", "Again.") is None


def test_texts_of_any_kind_come_back(store: JobStore) -> None:
    request = {"text": "Ω 'quoted' \" % %s ? \\ \x07", "deep": [[1.5, None, True]]}
    job_id = add(store, owner="a'; DROP TABLE cotbuild_jobs", request=request)
    assert store.get(job_id).request == request
    assert len(store.list_jobs(JobFilter(owner="a'; DROP TABLE cotbuild_jobs"))) == 1

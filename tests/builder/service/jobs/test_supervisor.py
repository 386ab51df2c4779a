"""Jobs with real processes: started, stopped, adopted, given on."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.process_identity import read_status
from cotbuild.builder.service.jobs.rows import Transaction
from cotbuild.builder.service.jobs.sqlite import SqliteJobStore
from cotbuild.builder.service.jobs.states import AttemptReport
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.service.job import (
    JobKind,
    JobRecord,
    JobState,
    PauseReason,
    StopMode,
)
from tests.support.jobs import Bench, pid_of
from tests.support.waiting import HANG_S, until, wait_until

S = JobState
FOREVER = "exec sleep 1000"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench whose processes do not outlive the test."""
    bench = Bench.on_sqlite(tmp_path / "root")
    yield bench
    for job in bench.store.list_held(bench.host):
        if job.process is not None and has_process(job):
            os.kill(job.process.pid, signal.SIGKILL)
    bench.store.close()


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, HANG_S))


def has_process(job: JobRecord) -> bool:
    status = read_status(pid_of(job))
    return status is not None and status.is_alive


@pytest.mark.parametrize(
    ("script", "state", "error"),
    [
        ("exit 0", S.SUCCEEDED, None),
        ("exit 3", S.SUCCEEDED, None),
        ("exit 4", S.PAUSED, None),
        ("echo 'error: no such model.' >&2; exit 1", S.FAILED, "no such model."),
        ("echo 'error: no such option.' >&2; exit 2", S.FAILED, "no such option."),
        ("finish succeeded 0", S.SUCCEEDED, None),
        ("finish paused 4", S.PAUSED, None),
    ],
)
def test_a_job_ends_as_its_process_says(
    bench: Bench, script: str, state: JobState, error: str | None
) -> None:
    async def check() -> None:
        job_id = bench.submit(script)
        async with bench.running():
            job = await bench.until_state(job_id, state)
        assert job.error == error
        assert job.attempt == 1
        assert job.process is None

    run(check())


def test_a_submit_wakes_it(bench: Bench) -> None:
    bench.settings["poll_s"] = 10 * HANG_S

    async def check() -> None:
        async with bench.running() as supervisor:
            await until(lambda: supervisor.fault is None)
            job_id = bench.submit()
            supervisor.wake()
            await bench.until_state(job_id, S.SUCCEEDED)

    run(check())


def test_no_more_run_than_there_are_slots(bench: Bench) -> None:
    bench.settings["max_jobs"] = 2

    async def check() -> None:
        ids = [bench.submit("wait_for go", f"b{number}") for number in range(3)]
        async with bench.running() as supervisor:
            for job_id in ids[:2]:
                await bench.until_process(job_id)
            assert supervisor.num_running == 2
            assert bench.store.get(ids[2]).state is S.QUEUED
            (bench.root / "go").touch()
            for job_id in ids:
                await bench.until_state(job_id, S.SUCCEEDED)

    run(check())


def test_a_job_waits_for_a_user_who_holds_its_build(bench: Bench) -> None:
    async def check() -> None:
        job_id = bench.submit(target="held")
        other = bench.submit(target="free")
        async with bench.running():
            with AnswerStore(bench.root / "held").lock():
                await until(lambda: bench.store.get(job_id).waits_for)
                job = bench.store.get(job_id)
                assert job.waits_for == f"pid {os.getpid()}, which holds its folder"
                await bench.until_state(other, S.SUCCEEDED)
                assert bench.store.get(job_id).attempt == 0
            await bench.until_state(job_id, S.SUCCEEDED)

    run(check())


def test_a_job_whose_folder_was_taken_meanwhile_waits_too(bench: Bench) -> None:
    script = (
        "[ -e again ] && exit 0; touch again; "
        "echo 'error: b: in use by another cotbuild process, pid 7. Wait.'; exit 1"
    )

    async def check() -> None:
        job_id = bench.submit(script)
        async with bench.running():
            job = await bench.until_state(job_id, S.SUCCEEDED)
        assert job.attempt == 2
        assert job.waits_for is None

    run(check())


def test_a_job_is_paused_and_goes_on(bench: Bench) -> None:
    script = "[ -e go ] && exit 0; trap 'finish paused 4' USR1; touch ready; while :; do sleep 0.02; done"

    async def check() -> None:
        job_id = bench.submit(script)
        async with bench.running():
            await until((bench.root / "ready").exists)
            asked = bench.store.request_stop(job_id, "pause", StopMode.DRAIN)
            assert asked.state is S.RUNNING
            paused = await bench.until_state(job_id, S.PAUSED)
            assert paused.pause_reason is PauseReason.USER
            (bench.root / "go").touch()
            bench.store.resume(job_id)
            job = await bench.until_state(job_id, S.SUCCEEDED)
            assert job.attempt == 2

    run(check())


@pytest.mark.parametrize("kind", [JobKind.GENERATE, JobKind.TRAIN])
@pytest.mark.parametrize("mode", list(StopMode))
def test_a_job_is_cancelled_and_may_be_retried(
    bench: Bench, mode: StopMode, kind: JobKind
) -> None:
    async def check() -> None:
        job_id = bench.submit(FOREVER, kind=kind)
        async with bench.running():
            await bench.until_process(job_id)
            asked = bench.store.request_stop(job_id, "cancel", mode)
            assert asked.state is S.CANCELLING
            job = await bench.until_state(job_id, S.CANCELLED)
            assert job.finished_at is not None
            bench.store.retry(job_id)
            assert (await bench.until_process(job_id)).attempt == 2

    run(check())


def test_what_ignores_sigterm_is_killed_with_its_session(bench: Bench) -> None:
    bench.settings["kill_after_s"] = 0.0
    script = "trap '' TERM; sleep 1000 & echo $! > other; touch ready; wait; wait; while :; do sleep 1; done"

    async def check() -> None:
        job_id = bench.submit(script)
        async with bench.running():
            await until((bench.root / "ready").exists)
            bench.store.request_stop(job_id, "cancel", StopMode.NOW)
            job = await bench.until_state(job_id, S.CANCELLED)
            assert job.exit_code == -signal.SIGKILL
        other = int((bench.root / "other").read_text())
        wait_until(
            lambda: (status := read_status(other)) is None or not status.is_alive
        )

    run(check())


def test_a_killed_process_is_started_again(bench: Bench) -> None:
    script = "[ -e again ] && exit 0; touch again; kill -9 $$"

    async def check() -> None:
        job_id = bench.submit(script)
        async with bench.running():
            job = await bench.until_state(job_id, S.SUCCEEDED)
        assert job.attempt == 2
        assert job.crashes == 0

    run(check())


def test_a_process_that_always_crashes_fails_its_job(bench: Bench) -> None:
    bench.settings["max_crashes"] = 2

    async def check() -> None:
        job_id = bench.submit("echo 'Segmentation fault'; kill -11 $$")
        async with bench.running():
            job = await bench.until_state(job_id, S.FAILED)
        assert job.error_code == "crashed"
        assert job.error is not None
        assert "2 times in a row" in job.error
        assert "Segmentation fault" in job.error
        assert job.exit_code == -11

    run(check())


def test_a_job_that_cannot_be_started_fails_with_the_reason(bench: Bench) -> None:
    async def check() -> None:
        job_id = bench.submit(request={"error": "No such upload. Send it first."})
        async with bench.running():
            job = await bench.until_state(job_id, S.FAILED)
        assert job.error == "No such upload. Send it first."
        assert job.error_code == "cannot_start"

    run(check())


def test_a_job_waits_for_a_disk_that_cannot_be_written(bench: Bench) -> None:
    async def check() -> None:
        job_id = bench.submit()
        jobs = bench.root / ".service" / "jobs"
        jobs.touch()  # a file where a folder has to be
        async with bench.running():
            await until(lambda: bench.store.get(job_id).waits_for)
        job = bench.store.get(job_id)
        assert job.state is S.QUEUED
        assert job.waits_for is not None
        assert str(jobs) in job.waits_for
        assert job.crashes == 0
        assert job.not_before is not None

    run(check())


# -- restarts ----------------------------------------------------------------------------


def test_processes_run_on_and_are_adopted(bench: Bench) -> None:
    async def check() -> None:
        ends_between = bench.submit(
            "touch ready1; wait_for go1; finish succeeded 0", "a"
        )
        ends_later = bench.submit("touch ready2; wait_for go2; finish succeeded 0", "b")
        async with bench.running():
            await until((bench.root / "ready1").exists)
            await until((bench.root / "ready2").exists)
        left = bench.store.get(ends_between)
        assert left.state is S.RUNNING
        (bench.root / "go1").touch()
        await until(lambda: not has_process(left))
        async with bench.running() as supervisor:
            job = await bench.until_state(ends_between, S.SUCCEEDED)
            assert job.attempt == 1
            assert job.exit_code == 0
            await until(lambda: supervisor.num_running == 1)
            assert bench.store.get(ends_later).state is S.RUNNING
            (bench.root / "go2").touch()
            assert (await bench.until_state(ends_later, S.SUCCEEDED)).attempt == 1

    run(check())


def test_an_adopted_process_is_stopped_too(bench: Bench) -> None:
    async def check() -> None:
        job_id = bench.submit(FOREVER)
        async with bench.running():
            await bench.until_process(job_id)
        bench.store.request_stop(job_id, "cancel", StopMode.NOW)
        async with bench.running():
            await bench.until_state(job_id, S.CANCELLED)

    run(check())


def test_a_process_that_is_gone_after_a_restart_is_started_again(bench: Bench) -> None:
    async def check() -> None:
        job_id = bench.submit("[ -e go ] && exit 0; exec sleep 1000")
        async with bench.running():
            job = await bench.until_process(job_id)
        os.kill(pid_of(job), signal.SIGKILL)
        (bench.root / "go").touch()
        async with bench.running():
            job = await bench.until_state(job_id, S.SUCCEEDED)
        assert job.attempt == 2

    run(check())


def test_a_claim_without_a_process_is_no_crash(bench: Bench) -> None:
    """The server was killed between the claim and the start."""

    async def check() -> None:
        job_id = bench.submit()
        assert bench.store.claim(job_id, bench.host, 60) is not None
        async with bench.running():
            job = await bench.until_state(job_id, S.SUCCEEDED)
        assert job.attempt == 2

    run(check())


@pytest.mark.parametrize("change", [{"start_ticks": 1}, {"boot_id": "earlier"}])
def test_another_process_with_the_pid_is_neither_adopted_nor_hurt(
    bench: Bench, change: dict[str, object]
) -> None:
    async def check() -> None:
        innocent_id = bench.submit(FOREVER, "innocent")
        job_id = bench.submit("[ -e go ] && exit 0; exec sleep 1000", "b")
        async with bench.running():
            innocent = await bench.until_process(innocent_id)
            job = await bench.until_process(job_id)
        os.kill(pid_of(job), signal.SIGKILL)
        (bench.root / "go").touch()
        assert innocent.process is not None
        reused = innocent.process.model_copy(update=change)
        bench.store.set_process(job_id, job.attempt, reused)
        async with bench.running():
            await bench.until_state(job_id, S.SUCCEEDED)
            assert has_process(innocent)

    run(check())


def test_there_is_one_supervisor_of_a_root(bench: Bench) -> None:
    async def check() -> None:
        async with bench.running() as supervisor:
            await until(lambda: supervisor._is_open)
            with pytest.raises(StoreError) as refusal:
                bench.supervisor().open()
            assert str(refusal.value) == (
                f"{bench.root}: another `cotbuild serve` runs on this root. Stop it, or "
                "pass another --root."
            )
        bench.supervisor().open()

    run(check())


def test_a_table_serves_one_root_alone(bench: Bench, tmp_path: Path) -> None:
    bench.supervisor().open()
    other = Bench(tmp_path / "other", bench.url, "there")
    with pytest.raises(StoreError, match="table of jobs is that of another root"):
        other.supervisor().open()
    bench.supervisor().open()
    other.store.close()


# -- faults of the table, other hosts ----------------------------------------------------


class BrokenStore(SqliteJobStore):
    """A table that cannot be written for a while."""

    is_broken = False

    @contextlib.contextmanager
    def _write(self) -> Iterator[Transaction]:
        if self.is_broken:
            raise StoreError("table of jobs: disk full.")
        with super()._write() as transaction:
            yield transaction


def test_a_table_that_cannot_be_written_ends_nothing(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    store = BrokenStore(bench.url.removeprefix("sqlite:///"))

    async def check() -> None:
        job_id = bench.submit("touch ready; wait_for go; finish succeeded 0")
        async with bench.running(bench.supervisor(store)) as supervisor:
            await until((bench.root / "ready").exists)
            store.is_broken = True
            (bench.root / "go").touch()
            await until(lambda: supervisor.fault is not None)
            assert supervisor.num_running == 1
            store.is_broken = False
            await bench.until_state(job_id, S.SUCCEEDED)
            await until(lambda: supervisor.fault is None)

    run(check())
    store.close()
    said = capsys.readouterr().err.splitlines()
    assert set(said) == {"jobs: table of jobs: disk full."}


def test_a_process_whose_job_was_given_on_is_killed(bench: Bench) -> None:
    # Its one slot is taken, so that this server does not start the job again itself.
    bench.settings["max_jobs"] = 1

    async def check() -> None:
        job_id = bench.submit(FOREVER)
        async with bench.running():
            job = await bench.until_process(job_id)
            lost = AttemptReport(None, is_crash=False)
            assert bench.store.end_attempt(job_id, job.attempt, lost, 5) is not None
            other = bench.store.claim(job_id, "there", 60)
            assert other is not None
            await until(lambda: not has_process(job))
        assert bench.store.get(job_id) == other

    run(check())


def test_a_job_of_another_host_is_taken_over_once_nobody_holds_its_folder(
    bench: Bench,
) -> None:
    async def check() -> None:
        job_id = bench.submit()
        alive = bench.submit(target="alive")
        theirs = bench.store.claim(job_id, "there", -1)
        assert theirs is not None
        assert bench.store.claim(alive, "there", 60) is not None
        lock = AnswerStore(bench.root / "build").lock()
        lock.__enter__()
        async with bench.running() as supervisor:
            first = bench.submit(target="c")
            await bench.until_state(first, S.SUCCEEDED)
            assert supervisor.num_running == 0
            assert bench.store.get(job_id) == theirs
            lock.__exit__(None, None, None)
            job = await bench.until_state(job_id, S.SUCCEEDED)
            assert job.attempt == 2
            assert bench.store.get(alive).host == "there"

    run(check())

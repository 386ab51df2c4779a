"""Waiting for jobs: one look for all who wait, none for nobody, and an end at the end."""

import asyncio
from typing import Any

import pytest
from anyio import CapacityLimiter

from cotbuild.builder.service.jobs.store import NoJobError
from cotbuild.builder.service.watch import JobSnapshot, JobWatcher
from cotbuild.schemas.service.job import JobKind, JobRecord

JOB = "0123456789abcdef"


def snapshot(revision: int, num_event_bytes: int = 0) -> JobSnapshot:
    record = JobRecord(
        id=JOB,
        kind=JobKind.GENERATE,
        target="mine",
        owner="alice",
        request={},
        request_digest="d",
        created_at="2026-01-01T00:00:00Z",
        revision=revision,
    )
    return JobSnapshot(record, num_event_bytes)


class Table:
    """A job that the test changes, and how often it was looked at."""

    def __init__(self) -> None:
        self.now: JobSnapshot | Exception = snapshot(0)
        self.num_looks = 0

    def look(self, job_id: str) -> JobSnapshot:
        assert job_id == JOB
        self.num_looks += 1
        if isinstance(self.now, Exception):
            raise self.now
        return self.now


def run(test: Any, every_s: float = 0.005) -> None:
    async def main() -> None:
        table = Table()
        await test(JobWatcher(table.look, CapacityLimiter(4), every_s), table)

    asyncio.run(main())


def test_all_who_wait_see_a_change() -> None:
    async def test(watcher: JobWatcher, table: Table) -> None:
        waits = [
            asyncio.create_task(watcher.wait(JOB, snapshot(0), 60)) for _ in range(100)
        ]
        while table.num_looks < 3:  # they wait, and share the looks
            await asyncio.sleep(0)
        table.now = snapshot(1)
        assert await asyncio.gather(*waits) == [snapshot(1)] * 100

    run(test)


def test_events_are_a_change_too_and_what_is_older_is_none() -> None:
    async def test(watcher: JobWatcher, table: Table) -> None:
        table.now = snapshot(3, 100)
        assert await watcher.wait(JOB, snapshot(3, 50), 60) == snapshot(3, 100)
        assert await watcher.wait(JOB, snapshot(4, 0), 0.01) is None

    run(test)


def test_nobody_is_looked_at_for_nobody() -> None:
    async def test(watcher: JobWatcher, table: Table) -> None:
        assert await watcher.wait(JOB, snapshot(0), 0.02) is None
        while watcher.num_watched:
            await asyncio.sleep(0.001)
        looks = table.num_looks
        await asyncio.sleep(0.02)
        assert table.num_looks == looks

    run(test)


def test_a_notice_is_looked_at_without_waiting() -> None:
    async def test(watcher: JobWatcher, table: Table) -> None:
        waits = asyncio.create_task(watcher.wait(JOB, snapshot(0), 120))
        while not table.num_looks:
            await asyncio.sleep(0)
        table.now = snapshot(1)
        watcher.notice(JOB)
        assert await waits == snapshot(1)

    run(test, every_s=3600)


def test_a_job_that_is_gone_is_told_to_all() -> None:
    async def test(watcher: JobWatcher, table: Table) -> None:
        waits = [
            asyncio.create_task(watcher.wait(JOB, snapshot(0), 60)) for _ in range(3)
        ]
        table.now = NoJobError("job: gone.")
        results = await asyncio.gather(*waits, return_exceptions=True)
        assert all(isinstance(result, NoJobError) for result in results)

    run(test)


def test_everyone_is_let_go_when_the_server_stops() -> None:
    async def test(watcher: JobWatcher, table: Table) -> None:
        waits = [
            asyncio.create_task(watcher.wait(JOB, snapshot(0), 3600)) for _ in range(3)
        ]
        while not table.num_looks:
            await asyncio.sleep(0)
        watcher.close()
        assert await asyncio.gather(*waits) == [None] * 3
        assert await watcher.wait(JOB, snapshot(0), 3600) is None

    run(test)


def test_a_client_that_goes_away_does_not_end_the_others() -> None:
    async def test(watcher: JobWatcher, table: Table) -> None:
        leaves = asyncio.create_task(watcher.wait(JOB, snapshot(0), 60))
        stays = asyncio.create_task(watcher.wait(JOB, snapshot(0), 60))
        while not table.num_looks:
            await asyncio.sleep(0)
        leaves.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaves
        table.now = snapshot(1)
        assert await stays == snapshot(1)

    run(test)

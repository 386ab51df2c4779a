"""Jobs that need a teacher of the service wait for it, get it, and give it back."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cotbuild.builder.service.teachers.pool import TeacherGrant, TeacherWait
from cotbuild.schemas.errors import StoreError, TeacherError
from cotbuild.schemas.service.job import JobRecord, JobState
from cotbuild.schemas.service.teacher import TeacherStatus
from cotbuild.schemas.teacher_config import TeacherConfig
from tests.support.jobs import Bench
from tests.support.waiting import HANG_S, until

S = JobState


class FakePool:
    """A pool whose answers a test sets."""

    def __init__(self) -> None:
        self.answer: Callable[[], TeacherGrant | TeacherWait] = lambda: TeacherWait(
            "the teacher big, used by 2 jobs"
        )
        self.asked: list[tuple[str, str, Path]] = []
        self.released: list[str] = []
        self.losses = 0
        self.calls: list[str] = []

    async def start(self) -> None:
        self.calls.append("start")

    async def acquire(
        self, job: JobRecord, config: TeacherConfig, target: Path
    ) -> TeacherGrant | TeacherWait:
        self.asked.append((job.id, config.model, target))
        return self.answer()

    def release(self, job_id: str) -> None:
        self.released.append(job_id)

    def retain(self, job_ids: Collection[str]) -> None:
        self.calls.append(f"retain {len(job_ids)}")

    def was_lost(self, job_id: str) -> bool:
        assert self.asked[-1][0] == job_id
        self.losses -= 1
        return self.losses >= 0

    def status(self) -> tuple[TeacherStatus, ...]:
        return ()

    def read_log(self, key: str, max_bytes: int) -> str:
        return f"{key} {max_bytes}"

    async def close(self) -> None:
        self.calls.append("close")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench.on_sqlite(tmp_path / "root")
    with closing(bench.store):
        yield bench


def generate(
    bench: Bench, script: str, model: str = "big", target: str = "build"
) -> str:
    """A job whose request names a teacher, and which runs a script."""
    request = {
        "kind": "generate",
        "target": target,
        "config": {"source": {"name": "bundled"}, "teacher": {"model": model}},
        "labels": {"script": script},
    }
    return bench.submit(target=target, request=request)


def test_a_job_waits_for_its_teacher_and_gets_its_socket(bench: Bench) -> None:
    pool = FakePool()

    async def check() -> None:
        job_id = generate(bench, 'echo "socket $COTBUILD_TEACHER_SOCKET"')
        async with bench.running(bench.supervisor(teachers=pool)) as supervisor:
            await until(lambda: bench.store.get(job_id).waits_for)
            waiting = bench.store.get(job_id)
            assert waiting.waits_for == "the teacher big, used by 2 jobs"
            assert waiting.state is S.QUEUED
            pool.answer = lambda: TeacherGrant(Path("/run/teacher.sock"))
            supervisor.wake()
            await bench.until_state(job_id, S.SUCCEEDED)
            await until(lambda: pool.released == [job_id])
        assert bench.log(job_id) == "socket /run/teacher.sock\n"
        assert pool.asked[0] == (job_id, "big", bench.root / "build")
        assert pool.calls == ["start", "retain 0", "close"]

    asyncio.run(asyncio.wait_for(check(), HANG_S))


def test_a_job_whose_teacher_was_lost_is_queued_again(bench: Bench) -> None:
    pool = FakePool()
    pool.answer = lambda: TeacherGrant(Path("/run/teacher.sock"))
    pool.losses = 1

    async def check() -> None:
        job_id = generate(bench, "echo 'error: no answer.'; exit 1")
        async with bench.running(bench.supervisor(teachers=pool)):
            job = await bench.until_state(job_id, S.FAILED)
        assert job.attempt == 2
        assert job.error == "no answer."

    asyncio.run(asyncio.wait_for(check(), HANG_S))


def test_a_teacher_that_there_is_not_fails_the_job(bench: Bench) -> None:
    pool = FakePool()

    def refuse() -> TeacherGrant | TeacherWait:
        raise TeacherError("There is no model big. Check its name.")

    pool.answer = refuse

    async def check() -> None:
        job_id = generate(bench, "exit 0")
        async with bench.running(bench.supervisor(teachers=pool)):
            job = await bench.until_state(job_id, S.FAILED)
        assert job.error == "There is no model big. Check its name."
        assert job.attempt == 0

    asyncio.run(asyncio.wait_for(check(), HANG_S))


def test_a_teacher_that_cannot_be_started_now_has_the_job_wait(bench: Bench) -> None:
    pool = FakePool()

    def refuse() -> TeacherGrant | TeacherWait:
        raise StoreError("spec.json: could not be written: No space left on device.")

    pool.answer = refuse

    async def check() -> None:
        job_id = generate(bench, "exit 0")
        async with bench.running(bench.supervisor(teachers=pool)) as supervisor:
            await until(lambda: bench.store.get(job_id).waits_for)
            job = bench.store.get(job_id)
            assert job.state is S.QUEUED
            assert job.not_before is not None
            assert job.waits_for is not None
            assert "No space left" in job.waits_for
            # Another job is started meanwhile.
            other = generate(bench, "exit 0", "scripted", "other")
            supervisor.wake()
            await bench.until_state(other, S.SUCCEEDED)
            assert len(pool.asked) == 1

    asyncio.run(asyncio.wait_for(check(), HANG_S))


def test_a_job_that_asks_no_model_of_ours_gets_no_socket(bench: Bench) -> None:
    pool = FakePool()

    async def check() -> None:
        job_id = generate(bench, 'echo "socket $COTBUILD_TEACHER_SOCKET"', "scripted")
        async with bench.running(bench.supervisor(teachers=pool)):
            await bench.until_state(job_id, S.SUCCEEDED)
        assert bench.log(job_id) == "socket \n"
        assert pool.asked == []

    asyncio.run(asyncio.wait_for(check(), HANG_S))

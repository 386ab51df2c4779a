"""One teacher for many jobs, over a stand-in for vLLM: real processes and sockets."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cotbuild.builder.service.teachers import managed_pool
from cotbuild.builder.service.teachers.claims import CLAIMS_JSON
from cotbuild.builder.service.teachers.host_folder import LOCK, SPEC_JSON, read_host
from cotbuild.builder.service.teachers.managed_pool import ManagedTeacherPool
from cotbuild.builder.service.teachers.pool import (
    MAX_LOSSES,
    TeacherWait,
    teacher_key,
)
from cotbuild.builder.teachers import teacher_identity
from cotbuild.builder.teachers.base import Teacher
from cotbuild.schemas.completion import Completion
from cotbuild.schemas.errors import ConfigError, StoreError, TeacherError
from cotbuild.schemas.service.teacher import TeacherState
from cotbuild.schemas.teacher_config import TeacherConfig
from tests.support.shared_teachers import SharedStage, ask, command_of, job
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SharedStage:
    return SharedStage(tmp_path, monkeypatch)


def host_pid(pool: ManagedTeacherPool, stage: SharedStage) -> int:
    [status] = [s for s in pool.status() if s.state != TeacherState.STOPPED]
    [folder] = (stage.folder / "teachers").glob(f"*/{status.key}")
    host = read_host(folder)
    assert host is not None
    return host.pid


async def ask_until_lost(teacher: Teacher) -> None:
    while True:
        await ask(teacher, "b")


@pytest.mark.slow
def test_restarts_in_vain_fail_the_jobs(
    stage: SharedStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The pool looks at a host too seldom to see this one fail before it has ended.
    monkeypatch.setattr(managed_pool, "WATCH_S", 4.0)
    stage.script("die:0")
    config = stage.config(max_restarts=1)

    async def main() -> None:
        async with stage.pool() as pool:
            socket = await stage.grant(pool, job(1), config)
            async with stage.open(config, socket) as teacher:
                with pytest.raises(TeacherError, match="after 1 restarts without"):
                    await ask(teacher, "a")
            assert not pool.was_lost(job(1).id), "the job has failed"
            pool.release(job(1).id)
            await until(lambda: pool.status()[0].state == TeacherState.FAILED)
            # The next one gets a new host.
            stage.script("ok")
            socket = await stage.grant(pool, job(2), config)
            async with stage.open(config, socket) as teacher:
                assert isinstance((await ask(teacher, "a"))[0], Completion)

    asyncio.run(main())


def test_a_killed_host_takes_its_server_along_and_the_job_is_lost(
    stage: SharedStage,
) -> None:
    config = stage.config()

    async def main() -> None:
        async with stage.pool() as pool:
            socket = await stage.grant(pool, job(1), config)
            async with stage.open(config, socket) as teacher:
                await ask(teacher, "a")
                assert not pool.was_lost(job(1).id)
                os.kill(host_pid(pool, stage), signal.SIGKILL)
                with pytest.raises(TeacherError, match="teacher has ended"):
                    await ask_until_lost(teacher)
            lost = [pool.was_lost(job(1).id) for _ in range(MAX_LOSSES + 1)]
            assert lost == [True] * MAX_LOSSES + [False]
            await stage.wait_until_nothing_is_left()
            pool.release(job(1).id)
            # The next attempt gets a host of its own.
            after = await stage.grant(pool, job(1), config)
            assert after.parent != socket.parent
            assert not socket.parent.exists()

    asyncio.run(main())


@pytest.mark.slow
def test_another_model_waits_until_the_first_has_drained(stage: SharedStage) -> None:
    config, other = stage.config(), stage.config("other")

    async def main() -> None:
        async with stage.pool() as pool:
            first = await stage.grant(pool, job(1), config)
            async with stage.open(config, first) as teacher:
                await ask(teacher, "a")
            waits = asyncio.create_task(stage.grant(pool, job(2), other))
            reason = ""
            while not reason.startswith("another teacher"):
                answer = await pool.acquire(job(2), other, stage.folder)
                assert isinstance(answer, TeacherWait)
                reason = answer.reason
                assert config.model not in reason
                await asyncio.sleep(0.02)
            assert not waits.done()
            pool.release(job(1).id)
            async with stage.open(other, await waits) as teacher:
                await ask(teacher, "a")
            states = {s.model: s.state for s in pool.status()}
            assert states["model"] == TeacherState.STOPPED

    asyncio.run(main())
    assert len(stage.lives()) == 2


@pytest.mark.slow
def test_a_server_stays_up_for_the_next_job(stage: SharedStage) -> None:
    config = stage.config()

    async def main() -> None:
        async with stage.pool() as pool:
            for number in range(3):
                socket = await stage.grant(pool, job(number), config)
                async with stage.open(config, socket) as teacher:
                    await ask(teacher, "a")
                pool.release(job(number).id)
        async with stage.pool(keep_s=0.0) as pool:
            socket = await stage.grant(pool, job(9), config)
            pool.release(job(9).id)
            await until(lambda: pool.status()[0].state == TeacherState.STOPPED)
            await until(lambda: not socket.parent.exists())

    asyncio.run(main())
    assert len(stage.lives()) == 1


def test_a_restarted_service_adopts_hosts_and_jobs(stage: SharedStage) -> None:
    config = stage.config()

    async def main() -> None:
        pool = ManagedTeacherPool(stage.folder / "teachers")
        await pool.start()
        sockets = [await stage.grant(pool, job(n), config) for n in range(3)]
        async with stage.open(config, sockets[0]) as teacher:
            await ask(teacher, "a")
            pid = host_pid(pool, stage)
            await pool.close()
            await ask(teacher, "b")
            async with stage.pool() as pool:
                assert host_pid(pool, stage) == pid
                pool.retain({job(0).id, job(1).id})
                await until(lambda: len(pool.status()[0].jobs) == 2)
                assert await stage.grant(pool, job(0), config) == sockets[0]
                await ask(teacher, "c")
                await pool.close()
                os.kill(pid, signal.SIGKILL)
                await until(lambda: not command_of(pid))
                # Died while no service was there to see it.
                async with stage.pool() as third:
                    assert third.was_lost(job(1).id)
                    assert not third.was_lost(job(2).id)

    asyncio.run(main())
    assert len(stage.lives()) == 1


def test_a_model_that_is_not_there_fails_the_job(stage: SharedStage) -> None:
    config = TeacherConfig(model=str(stage.folder / "nowhere"))

    async def main() -> None:
        async with stage.pool() as pool:
            with pytest.raises(ConfigError, match="nowhere"):
                await stage.grant(pool, job(1), config)
            assert pool.status() == ()

    asyncio.run(main())


def block_folder(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.touch()


def block_spec(folder: Path) -> None:
    (folder / SPEC_JSON).mkdir(parents=True)


def block_lock(folder: Path) -> None:
    (folder / LOCK).mkdir(parents=True)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (block_folder, "could not be written: File exists"),
        (block_spec, "could not be written: Is a directory"),
        (block_lock, "its host ended with code 74: .*Is a directory"),
    ],
)
def test_a_host_folder_that_cannot_be_used_has_jobs_wait(
    stage: SharedStage, block: Callable[[Path], None], reason: str
) -> None:
    """As on a full disk: once there is room, the teacher starts."""
    config = stage.config()
    key = teacher_key(teacher_identity(config, stage.folder), config)

    async def main() -> None:
        async with stage.pool() as pool:
            [hosts] = (stage.folder / "teachers").iterdir()
            block(hosts / key)
            with pytest.raises(StoreError, match=reason):
                await stage.grant(pool, job(1), config)
            assert [status.state for status in pool.status()] == [TeacherState.FAILED]
            (hosts / key).rename(hosts.parent / "blocked")
            assert (await stage.grant(pool, job(1), config)).name == job(1).id

    asyncio.run(main())


def test_a_host_that_cannot_be_started_has_jobs_wait(
    stage: SharedStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = stage.config()

    async def main() -> None:
        async with stage.pool() as pool:
            with monkeypatch.context() as patch:
                patch.setattr(sys, "executable", "/nowhere/python")
                with pytest.raises(StoreError, match="host could not be started: No"):
                    await stage.grant(pool, job(1), config)
            await stage.grant(pool, job(1), config)

    asyncio.run(main())


def test_a_claim_that_cannot_be_saved_is_made_again(stage: SharedStage) -> None:
    config = stage.config()

    async def main() -> None:
        async with stage.pool() as pool:
            [hosts] = (stage.folder / "teachers").iterdir()
            claims = hosts / CLAIMS_JSON
            claims.mkdir()
            with pytest.raises(StoreError, match="Is a directory"):
                await stage.grant(pool, job(1), config)
            claims.rmdir()
            await stage.grant(pool, job(1), config)
            await until(lambda: len(pool.status()[0].jobs) == 1)
            claims.unlink()
            claims.mkdir()
            pool.release(job(1).id)
            await until(lambda: not pool.status()[0].jobs)

    asyncio.run(main())

"""Two servers on hosts of their own share one table in PostgreSQL and one root."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cotbuild.builder.process_identity import read_status
from cotbuild.schemas.service.job import JobRecord, JobState
from tests.support.jobs import Bench, pid_of
from tests.support.postgres import PostgresServer
from tests.support.waiting import HANG_S, until

S = JobState
HOLD = 'exec 9> "$TARGET/.lock"; flock -n 9 || exit 99; '
"""As a command that holds its folder while it runs."""


@pytest.fixture
def benches(postgres: PostgresServer, tmp_path: Path) -> Iterator[tuple[Bench, Bench]]:
    url = postgres.create_database()
    settings = {"lease_s": 1.0, "max_jobs": 1}
    root = tmp_path / "root"
    here, there = (
        Bench(root, url, host, settings=settings) for host in ("here", "there")
    )
    with closing(here.store), closing(there.store):
        yield here, there


def is_alive(job: JobRecord) -> bool:
    status = read_status(pid_of(job))
    return status is not None and status.is_alive


def test_they_share_the_work_and_run_nothing_twice(
    benches: tuple[Bench, Bench],
) -> None:
    here, there = benches
    script = 'echo $$ >> "$TARGET/runs"; while [ ! -e go ]; do sleep 0.02; done'

    async def check() -> None:
        ids = [here.submit(HOLD + script, f"b{number}") for number in range(6)]
        async with here.running(), there.running():
            await until(lambda: len(here.store.list_held("here")) == 1)
            await until(lambda: len(here.store.list_held("there")) == 1)
            (here.root / "go").touch()
            for job_id in ids:
                job = await here.until_state(job_id, S.SUCCEEDED)
                assert job.attempt == 1
                runs = (here.root / job.target / "runs").read_text().splitlines()
                assert len(runs) == 1

    asyncio.run(asyncio.wait_for(check(), HANG_S))


def test_a_job_of_a_lost_server_is_given_on_once_its_process_is_gone(
    benches: tuple[Bench, Bench],
) -> None:
    """Its process, which holds the folder, lives on without its server."""
    here, there = benches
    script = HOLD + "[ -e again ] && exit 0; touch again; exec sleep 1000"

    async def check() -> None:
        job_id = here.submit(script)
        async with here.running():
            await until((here.root / "again").exists)
            job = await here.until_process(job_id)
        async with there.running():
            await until(lambda: there.store.list_expired() != [])
            # Other jobs are started meanwhile.
            await there.until_state(there.submit(target="other"), S.SUCCEEDED)
            assert there.store.get(job_id) == job
            # The server of another host never signals it.
            assert is_alive(job)
            os.kill(pid_of(job), signal.SIGKILL)
            done = await there.until_state(job_id, S.SUCCEEDED)
        assert done.attempt == 2
        # What the lost server still has to say does not count any more.
        async with here.running():
            await here.until_state(here.submit(target="last"), S.SUCCEEDED)
        assert here.store.get(job_id) == done

    asyncio.run(asyncio.wait_for(check(), HANG_S))

"""The file of the table: its versions, its faults, its clock."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from cotbuild.builder.service.jobs.schema import MIGRATIONS
from cotbuild.builder.service.jobs.sqlite import SqliteJobStore
from cotbuild.builder.service.jobs.states import AttemptReport
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.service.job import JobState
from tests.builder.service.jobs.test_store import add, new_job

NEXT = ("ALTER TABLE cotbuild_jobs ADD COLUMN colour TEXT",)
CRASH = AttemptReport(None, exit_code=-9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "service" / "jobs.sqlite"


def test_an_older_table_is_upgraded_with_its_jobs(path: Path) -> None:
    with closing(SqliteJobStore(path)) as store:
        job_id = add(store)
    for _ in range(2):
        with closing(SqliteJobStore(path, migrations=[*MIGRATIONS, NEXT])) as store:
            assert store.get(job_id).state is JobState.QUEUED
    with closing(sqlite3.connect(path)) as connection:
        columns = connection.execute("PRAGMA table_info(cotbuild_jobs)").fetchall()
        assert "colour" in {column[1] for column in columns}


def test_an_upgrade_that_fails_changes_nothing(path: Path) -> None:
    with closing(SqliteJobStore(path)) as store:
        job_id = add(store)
    broken = [*MIGRATIONS, NEXT, ("no statement",)]
    with pytest.raises(StoreError, match="syntax error"):
        SqliteJobStore(path, migrations=broken)
    with closing(SqliteJobStore(path)) as store:
        assert store.get(job_id).id == job_id


def test_a_newer_table_is_refused_in_one_line(path: Path) -> None:
    with closing(SqliteJobStore(path, migrations=[*MIGRATIONS, NEXT])):
        pass
    with pytest.raises(StoreError) as refusal:
        SqliteJobStore(path)
    assert str(refusal.value) == (
        f"{path}: table of jobs of version {len(MIGRATIONS) + 1}, written by a newer "
        f"cotbuild; this one reads versions up to {len(MIGRATIONS)}. Upgrade cotbuild."
    )


def test_only_its_user_may_read_it(path: Path) -> None:
    with closing(SqliteJobStore(path)) as store:
        add(store)
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


def test_a_file_of_another_kind_is_one_line(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("no database at all, but long enough to look like one\n" * 100)
    with pytest.raises(StoreError, match=r"jobs\.sqlite: table of jobs: file is not"):
        SqliteJobStore(path)


def test_a_full_disk_is_one_line_and_loses_nothing(path: Path) -> None:
    """SQLite's bound on pages stands in for it: the fault is the same."""
    with closing(SqliteJobStore(path)) as store:
        job_id = add(store)
        pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
        store._writer.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError) as fault:
            store.add(new_job(request={"text": "x" * 100_000}))
        assert str(fault.value) == (
            f"{path}: table of jobs: database or disk is full. Check the file, its "
            "permissions and the free space."
        )
        assert [job.id for job in store.list_jobs()] == [job_id]
        store._writer.execute("PRAGMA max_page_count = 1000000")
        assert add(store, "b") > job_id


def test_another_writer_is_waited_for(path: Path) -> None:
    with (
        closing(SqliteJobStore(path)) as store,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        assert store.list_jobs() == []
        other.execute("COMMIT")
        add(store)


class Clock:
    """A clock that is set back and forth."""

    def __init__(self) -> None:
        self.now_s = 2_000_000_000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_clock_that_is_set_back_changes_no_order(path: Path) -> None:
    clock = Clock()
    with closing(SqliteJobStore(path, clock=clock)) as store:
        ids = [add(store, "a")]
        clock.now_s -= 1e9
        ids += [add(store, "b"), add(store, "c")]
        clock.now_s += 2e9
        ids.append(add(store, "d"))
        assert ids == sorted(ids)
        assert store.queue() == ids


def test_a_wait_of_a_wrong_clock_does_not_last(path: Path) -> None:
    clock = Clock()
    with closing(SqliteJobStore(path, clock=clock)) as store:
        job_id = add(store)
        for _ in range(2):
            claimed = store.claim(job_id, "here", 60)
            assert claimed is not None
            store.end_attempt(job_id, claimed.attempt, CRASH, 5)
        assert store.next_jobs() == []
        clock.now_s += 2
        assert [job.id for job in store.next_jobs()] == [job_id]
        clock.now_s -= 1e9  # from now on it is right
        assert [job.id for job in store.next_jobs()] == [job_id]

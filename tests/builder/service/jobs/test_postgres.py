"""What is PostgreSQL's own: its versions, lost connections, what is said of them."""

import subprocess
import sys
from contextlib import closing

import pytest

from cotbuild.builder.service.jobs.open import open_job_store
from cotbuild.builder.service.jobs.postgres import PostgresJobStore
from cotbuild.builder.service.jobs.schema import MIGRATIONS
from cotbuild.schemas.errors import ConfigError, StoreError
from cotbuild.schemas.service.job import JobState
from tests.builder.service.jobs.test_store import add
from tests.support.postgres import PostgresServer

NEXT = ("ALTER TABLE cotbuild_jobs ADD COLUMN colour TEXT",)


def test_older_tables_are_upgraded_and_newer_ones_refused(
    postgres: PostgresServer,
) -> None:
    url = postgres.create_database()
    with closing(PostgresJobStore(url)) as store:
        job_id = add(store)
    newer = [*MIGRATIONS, NEXT]
    for _ in range(2):
        with closing(PostgresJobStore(url, migrations=newer)) as store:
            assert store.get(job_id).state is JobState.QUEUED
    with pytest.raises(
        StoreError, match=r"written by a newer cotbuild; this one reads"
    ):
        PostgresJobStore(url)


def test_a_lost_connection_is_opened_again(postgres: PostgresServer) -> None:
    with closing(PostgresJobStore(postgres.create_database())) as store:
        job_id = add(store)
        assert store.get(job_id).id == job_id
        postgres.cut_connections()
        with pytest.raises(StoreError, match="table of jobs"):
            add(store, "b")
        with pytest.raises(StoreError, match="table of jobs"):
            store.get(job_id)
        assert store.get(job_id).id == job_id
        assert add(store, "b") > job_id


def test_a_database_that_does_not_answer_is_one_line_without_its_password() -> None:
    url = "postgresql://ann:hunter2@127.0.0.1:1/jobs?connect_timeout=5"
    with pytest.raises(StoreError) as fault:
        open_job_store(url)
    message = str(fault.value)
    assert message.startswith("postgresql://127.0.0.1/jobs: table of jobs: connection")
    assert "hunter2" not in message
    assert "\n" not in message


def test_a_url_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="'mysql' is no kind of database"):
        open_job_store("mysql://here/jobs")


def test_without_psycopg_one_line_says_what_to_install() -> None:
    script = (
        "import sys\n"
        "sys.modules['psycopg'] = None\n"
        "from cotbuild.builder.service.jobs.open import open_job_store\n"
        "from cotbuild.schemas.errors import ConfigError\n"
        "try:\n"
        "    open_job_store('postgresql://here/jobs')\n"
        "except ConfigError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "a PostgreSQL database needs the extra 'postgres': psycopg is not installed. Run "
        "in a checkout of cotbuild: pip install '.[postgres]'\n"
    )

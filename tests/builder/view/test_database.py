"""A database that reads the files of its folders, and does nothing else."""

import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cotbuild.builder.view.database import Database, escape_glob
from cotbuild.builder.view.faults import QueryStopped
from cotbuild.schemas.errors import DataError

_RUNAWAY = (
    "SELECT count(*) FROM range(1000000000) a, range(1000000000) b "
    "WHERE (a.range * b.range) % 7 = 3"
)


def test_values_are_bound_and_never_sql(tmp_path: Path) -> None:
    hostile = "'); DROP TABLE x; -- \0 \u202e"
    with Database([tmp_path]) as database:
        assert database.query("SELECT ?, ?", [hostile, 3]) == [(hostile, 3)]
        assert database.query("SELECT * FROM range(5)", max_rows=2) == [(0,), (1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_parquet('http://127.0.0.1:1/x.parquet')",
        "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
        "SELECT * FROM read_text('FOLDER/../../../../../../etc/passwd')",
    ],
)
def test_nothing_outside_the_folders_is_read(tmp_path: Path, sql: str) -> None:
    with Database([tmp_path]) as database, pytest.raises(DataError) as raised:
        database.query(sql.replace("FOLDER", str(tmp_path)))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO 'FOLDER/out.csv'",
        "EXPORT DATABASE 'FOLDER/out'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "ATTACH 'FOLDER/other.db'",
        "CREATE TABLE t (a INT)",
        "SET enable_external_access = true",
        "SET GLOBAL memory_limit = '90GB'",
        "RESET lock_configuration",
        "PRAGMA enable_profiling",
        "CALL pragma_version()",
        "SELECT 1; SELECT 2",
        "",
    ],
)
def test_a_query_is_one_select(tmp_path: Path, sql: str) -> None:
    with (
        Database([tmp_path]) as database,
        pytest.raises(ValueError, match="one SELECT"),
    ):
        database.query(sql.replace("FOLDER", str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '/tmp/cotbuild-out.csv'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "ATTACH '/tmp/cotbuild-other.db'",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET GLOBAL allowed_directories = ['/']",
        "SET GLOBAL memory_limit = '90GB'",
    ],
)
def test_duckdb_itself_refuses_what_the_door_would_let_through(
    tmp_path: Path, sql: str
) -> None:
    """The second lock: what happens if a statement other than SELECT got in."""
    import duckdb

    with Database([tmp_path]) as database, pytest.raises(duckdb.Error):
        database._connection.execute(sql)


def test_a_runaway_query_is_stopped(tmp_path: Path) -> None:
    with Database([tmp_path], seconds=0.2) as database:
        with pytest.raises(QueryStopped, match=r"^stopped after 0\.2 s$"):
            database.query(_RUNAWAY)
        assert database.query("SELECT 1") == [(1,)]


def test_other_threads_go_on_while_one_query_is_stopped(tmp_path: Path) -> None:
    found: list[object] = []
    with Database([tmp_path], seconds=0.5) as database:

        def run(sql: str) -> None:
            try:
                found.append(database.query(sql))
            except QueryStopped as stopped:
                found.append(type(stopped))

        queries = [_RUNAWAY, *(f"SELECT {number}" for number in range(6))]
        threads = [threading.Thread(target=run, args=(sql,)) for sql in queries]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert QueryStopped in found
    assert len(found) == 7


def test_a_query_that_needs_too_much_memory_is_one_line(tmp_path: Path) -> None:
    sql = "SELECT list(repeat('x', 100000) || range) FROM range(100000)"
    with (
        Database([tmp_path], memory_mb=64, seconds=60) as database,
        pytest.raises(DataError, match="memory"),
    ):
        database.query(sql)
    assert list(tmp_path.iterdir()) == []


def test_a_path_is_read_literally(tmp_path: Path) -> None:
    """A folder whose name is a pattern does not stand for its neighbours."""
    folder, neighbour = tmp_path / "a[b]*?='x", tmp_path / "ab1='x"
    for number, place in enumerate((folder, neighbour)):
        place.mkdir()
        pq.write_table(pa.table({"n": [number]}), place / "f.parquet")
    sql = "SELECT n FROM read_parquet(?)"
    with Database([folder, neighbour]) as database:
        pattern = escape_glob(folder / "f.parquet")
        assert database.query(sql, [[pattern]]) == [(0,)]
        (folder / "f.parquet").unlink()
        with pytest.raises(DataError):
            database.query(sql, [[pattern]])


def test_what_is_no_parquet_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    path.write_bytes(b"PAR1" + b"\xff" * 40 + b"PAR1")
    with Database([tmp_path]) as database, pytest.raises(DataError) as raised:
        database.query("SELECT * FROM read_parquet(?)", [[str(path)]])
    assert "\n" not in str(raised.value)

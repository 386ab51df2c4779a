"""DuckDB behind one door: a locked database that reads the files of given folders.

Nothing that a user or a file says becomes SQL. Queries are texts of this package, and
values are bound. What remains possible is shut off all the same: no file outside the
folders, no network, no extension, no statement but SELECT, no change of these settings,
bounded memory and time, and nothing written to disk.

https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from cotbuild.builder.view.faults import QueryStopped
from cotbuild.builder.view.remembered import Remembered
from cotbuild.builder.web.packages import serve_packages
from cotbuild.schemas.errors import ConfigError, DataError

if TYPE_CHECKING:
    import duckdb

QUERY_SECONDS = 2.0
"""Longest time of one query."""
MAX_MEMORY_MB = 1024
"""Most memory of all queries together, in MB."""
MAX_THREADS = 4
MAX_QUERIES = 4
"""Queries that run at the same time; others wait, within their own time."""

MAX_COLUMN_BYTES = 512 << 20
"""Most memory of the columns that are kept."""
MAX_SEARCHES = 32
"""Searches that are kept: of a million rows, each takes 1 MB."""

_GLOB = frozenset("*?[")


class Database:
    """A database without tables, which reads parquet files below `folders`.

    A context manager. It may be used from several threads: each query has a connection
    of its own. Raises ConfigError if DuckDB is not installed.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        seconds: float = QUERY_SECONDS,
        memory_mb: int = MAX_MEMORY_MB,
        threads: int | None = None,
    ) -> None:
        self.seconds = seconds
        """Longest time of one query."""
        self.remembered = Remembered()
        """Results of queries over files that have not changed since."""
        self.columns = Remembered(max_bytes=MAX_COLUMN_BYTES)
        """Columns of such files, as arrays."""
        self.searches = Remembered(MAX_SEARCHES)
        """Searches in such files, as far as they got."""
        self._duckdb = _import_duckdb()
        self._slots = threading.BoundedSemaphore(MAX_QUERIES)
        num_threads = threads or min(MAX_THREADS, os.cpu_count() or 1)
        self._connection = self._duckdb.connect(
            ":memory:",
            config={
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_community_extensions": False,
                "memory_limit": f"{memory_mb}MB",
                "threads": num_threads,
                # An empty name: a query that needs more memory fails, and writes nothing.
                "temp_directory": "",
            },
        )
        self._lock_down(folders)

    def _lock_down(self, folders: Sequence[Path]) -> None:
        # Parquet footers are parsed once for each state of a file: of a build of a
        # million rows that took 60 ms of every query.
        self._connection.execute("SET GLOBAL parquet_metadata_cache = true")
        places = [os.path.abspath(folder) for folder in folders]  # noqa: PTH100 (links stay)
        names = dict.fromkeys([*places, *map(escape_glob, places)])
        allowed = ", ".join(_literal(name) for name in names)
        self._connection.execute(f"SET allowed_directories = [{allowed}]")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def query(
        self,
        sql: str,
        values: Sequence[Any] = (),
        *,
        seconds: float | None = None,
        max_rows: int = 100_000,
    ) -> list[tuple[Any, ...]]:
        """Return the rows of one SELECT, at most `max_rows`, with `values` for its `?`.

        `seconds` is the time it may take, by default and at most that of the database.
        Raises QueryStopped if it takes longer, DataError if a file cannot be read or
        the query needs more memory than there is.
        """
        with self._run(sql, values, seconds) as cursor:
            rows: list[tuple[Any, ...]] = cursor.fetchmany(max_rows)
            return rows

    def query_arrays(
        self, sql: str, values: Sequence[Any] = (), *, seconds: float | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return the columns of one SELECT by name; otherwise as `query`.

        The query must have a bound on its rows of its own, and no NULL in them.
        """
        with self._run(sql, values, seconds) as cursor:
            columns: dict[str, NDArray[Any]] = cursor.fetchnumpy()
            return columns

    @contextmanager
    def _run(
        self, sql: str, values: Sequence[Any], seconds: float | None
    ) -> Iterator["duckdb.DuckDBPyConnection"]:
        """Run a query and yield its result, which is to be read within the time."""
        allowed = self.seconds if seconds is None else min(seconds, self.seconds)
        end = time.monotonic() + allowed
        if allowed <= 0 or not self._slots.acquire(timeout=allowed):
            raise QueryStopped(self.seconds)
        try:
            with self._cursor() as cursor:
                statement = self._parse(cursor, sql)
                with self._deadline(cursor, end - time.monotonic()):
                    cursor.execute(statement, list(values))
                    yield cursor
        finally:
            self._slots.release()

    @contextmanager
    def _cursor(self) -> Iterator["duckdb.DuckDBPyConnection"]:
        """Yield a connection for one query; its errors become those of this class."""
        cursor = self._connection.cursor()
        try:
            yield cursor
        except self._duckdb.InterruptException:
            raise QueryStopped(self.seconds) from None
        except self._duckdb.OutOfMemoryException as fault:
            raise DataError(
                "a query needs more memory than it may take. Narrow the filter."
            ) from fault
        except self._duckdb.Error as fault:
            raise DataError(
                f"a file cannot be read: {_one_line(fault)}. Run `cotbuild verify` on the "
                "build."
            ) from fault
        finally:
            cursor.close()

    def _parse(
        self, cursor: "duckdb.DuckDBPyConnection", sql: str
    ) -> "duckdb.Statement":
        """Return the one SELECT that a text is; raises ValueError for anything else."""
        statements = cursor.extract_statements(sql)
        select = self._duckdb.StatementType.SELECT
        if len(statements) != 1 or statements[0].type != select:
            raise ValueError("a query is one SELECT")
        return statements[0]

    @contextmanager
    def _deadline(
        self, cursor: "duckdb.DuckDBPyConnection", seconds: float
    ) -> Iterator[None]:
        """Interrupt what the cursor does when the time is over."""
        timer = threading.Timer(max(seconds, 0.001), cursor.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            # It must not interrupt a cursor that is being closed.
            timer.join()

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def escape_glob(path: Path | str) -> str:
    """Return a path as DuckDB reads it literally: `*`, `?` and `[` in brackets."""
    return "".join(f"[{char}]" if char in _GLOB else char for char in str(path))


def _literal(text: str) -> str:
    """Return a text as a literal of SQL, for a statement that binds no values."""
    if "\0" in text:
        raise ConfigError("the path of a folder contains a NUL. Rename the folder.")
    return "'" + text.replace("'", "''") + "'"


def _one_line(fault: Exception) -> str:
    lines = str(fault).splitlines() or [type(fault).__name__]
    return lines[0][:300].rstrip(".")


def _import_duckdb() -> Any:
    with serve_packages():
        import duckdb
    return duckdb

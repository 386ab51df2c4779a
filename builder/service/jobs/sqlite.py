"""The table of jobs in a file of SQLite, for one server.

One connection writes, in transactions that are immediate from their beginning: one that
becomes a writer halfway fails at once where another writes, whatever its timeout
(https://www.sqlite.org/lang_transaction.html). Others read, and so never wait for a
commit, nor for each other: with a single one, the threads of a server with 200 clients
waited for it more than for anything else. A commit is on disk once it returns (`synchronous=FULL`).
"""

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cotbuild.builder.service.jobs.rows import Row, Transaction, Value, unix_time_s
from cotbuild.builder.service.jobs.schema import MIGRATIONS
from cotbuild.builder.service.jobs.sql import SqlJobStore
from cotbuild.schemas.errors import CotbuildError, StoreError

_BUSY_S = 10.0
"""Longest wait for another process that writes, such as a backup."""
_NUM_READERS = 4


class SqliteJobStore(SqlJobStore):
    """A `JobStore` in a file.

    Args:
        path: The file, which is created readable by its owner alone.
        clock: Returns the Unix time in seconds.
        migrations: The statements of each version of the tables.

    Raises:
        StoreError: It cannot be opened, is no SQLite file, or is a newer cotbuild's.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        clock: Callable[[], float] = unix_time_s,
        migrations: Sequence[Sequence[str]] = MIGRATIONS,
    ) -> None:
        self._path = Path(path)
        self._clock = clock
        self._connections: list[sqlite3.Connection] = []
        # The one that was used last, whose pages are in its cache, is used next.
        self._readers: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        try:
            with self._map_errors():
                self._create_file()
                self._writer = self._connect()
                self._writer.execute("PRAGMA journal_mode = WAL")
                self._writer.execute("PRAGMA synchronous = FULL")
                self._upgrade(migrations)
                for _ in range(_NUM_READERS):
                    self._readers.put(self._connect())
        except BaseException:
            self.close()
            raise
        self._write_lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        while self._connections:
            self._connections.pop().close()

    def _create_file(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # SQLite gives its -wal and -shm files the mode of this one.
        self._path.touch(mode=0o600)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        self._connections.append(connection)
        return connection

    def _upgrade(self, migrations: Sequence[Sequence[str]]) -> None:
        """Bring the tables to the newest version, all at once or not at all."""
        newest = len(migrations)
        with _transaction(self._writer, "BEGIN IMMEDIATE") as transaction:
            [(version,)] = transaction.execute("PRAGMA user_version")
            if version > newest:
                raise StoreError(
                    f"{self._path}: table of jobs of version {version}, written by a "
                    f"newer cotbuild; this one reads versions up to {newest}. Upgrade "
                    "cotbuild."
                )
            for statements in migrations[version:]:
                for statement in statements:
                    transaction.execute(statement)
            transaction.execute(f"PRAGMA user_version = {newest}")

    @contextlib.contextmanager
    def _read(self) -> Iterator[Transaction]:
        reader = self._readers.get()
        try:
            with self._map_errors(), _transaction(reader, "BEGIN") as transaction:
                yield transaction
        finally:
            self._readers.put(reader)

    @contextlib.contextmanager
    def _write(self) -> Iterator[Transaction]:
        with (
            self._write_lock,
            self._map_errors(),
            _transaction(self._writer, "BEGIN IMMEDIATE") as transaction,
        ):
            yield transaction

    def _now_s(self, transaction: Transaction) -> float:  # noqa: ARG002
        return self._clock()

    @contextlib.contextmanager
    def _map_errors(self) -> Iterator[None]:
        try:
            yield
        except CotbuildError:
            raise
        except (sqlite3.Error, OSError) as fault:
            reason = getattr(fault, "strerror", None) or fault
            raise StoreError(
                f"{self._path}: table of jobs: {reason}. Check the file, its permissions "
                "and the free space."
            ) from fault


class _SqliteTransaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, *values: Value) -> list[Row]:
        return self._connection.execute(statement, values).fetchall()


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[Transaction]:
    connection.execute(begin)
    try:
        yield _SqliteTransaction(connection)
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise

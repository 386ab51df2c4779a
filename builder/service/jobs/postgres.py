"""The table of jobs in PostgreSQL, which several servers may share.

A row is locked while it is changed (`FOR UPDATE`); a job that another server is about
to take is left out (`SKIP LOCKED`). Leases go by the clock of the database, so that
those of the servers need not agree.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from cotbuild.builder.packages import missing_package
from cotbuild.builder.service.jobs.rows import Row, Transaction, Value
from cotbuild.builder.service.jobs.schema import MIGRATIONS
from cotbuild.builder.service.jobs.sql import SqlJobStore, TargetHeldError
from cotbuild.schemas.errors import CotbuildError, StoreError

try:
    import psycopg
except ModuleNotFoundError as missing:
    raise missing_package(
        "a PostgreSQL database needs", "psycopg", "postgres"
    ) from missing

_CONNECT_S = 5
_STATEMENT_S = 30
"""Longest statement, as one that waits for a lock of a server that hangs."""
_SILENCE_S = 15
"""How long a database may be silent, as behind a network that was cut."""
_UPGRADE_LOCK = 0x636F7462
"""Key of the advisory lock that one server holds while it creates the tables."""


class PostgresJobStore(SqlJobStore):
    """A `JobStore` in a database of PostgreSQL, at its `postgresql://` URL.

    A connection that was lost is opened again at the next call. Raises StoreError if
    the database cannot be reached, or its tables are a newer cotbuild's.
    """

    _lock_row = " FOR UPDATE"
    _lock_free_row = " FOR UPDATE OF j SKIP LOCKED"

    def __init__(
        self, url: str, *, migrations: Sequence[Sequence[str]] = MIGRATIONS
    ) -> None:
        self._url = url
        self._where = _describe(url)
        self._writer = _Connection(url)
        self._reader = _Connection(url)
        try:
            with self._write() as transaction:
                self._upgrade(transaction, migrations)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connections."""
        self._writer.close()
        self._reader.close()

    def _upgrade(
        self, transaction: Transaction, migrations: Sequence[Sequence[str]]
    ) -> None:
        """Bring the tables to the newest version, all at once or not at all."""
        newest = len(migrations)
        transaction.execute("SELECT pg_advisory_xact_lock(?)", _UPGRADE_LOCK)
        transaction.execute(
            "CREATE TABLE IF NOT EXISTS cotbuild_version (version INTEGER NOT NULL)"
        )
        rows = transaction.execute("SELECT version FROM cotbuild_version")
        version = int(rows[0][0]) if rows else 0
        if version > newest:
            raise StoreError(
                f"{self._where}: table of jobs of version {version}, written by a newer "
                f"cotbuild; this one reads versions up to {newest}. Upgrade cotbuild."
            )
        for statements in migrations[version:]:
            for statement in statements:
                transaction.execute(statement)
        transaction.execute("DELETE FROM cotbuild_version")
        transaction.execute("INSERT INTO cotbuild_version (version) VALUES (?)", newest)

    def _read(self) -> contextlib.AbstractContextManager[Transaction]:
        return self._begin(self._reader)

    def _write(self) -> contextlib.AbstractContextManager[Transaction]:
        return self._begin(self._writer)

    @contextlib.contextmanager
    def _begin(self, connection: "_Connection") -> Iterator[Transaction]:
        try:
            with connection.begin() as transaction:
                yield transaction
        except CotbuildError:
            raise
        except psycopg.errors.UniqueViolation as fault:
            raise TargetHeldError from fault
        except psycopg.Error as fault:
            reason = str(fault).strip().partition("\n")[0] or type(fault).__name__
            raise StoreError(
                f"{self._where}: table of jobs: {reason}. Check that the database runs "
                "and that its URL is right."
            ) from fault

    def _now_s(self, transaction: Transaction) -> float:
        [(now_s,)] = transaction.execute(
            "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"
        )
        return float(now_s)


class _Connection:
    """One connection, for one thread at a time; opened when it is needed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Row] | None = None

    @contextlib.contextmanager
    def begin(self) -> Iterator[Transaction]:
        with self._lock:
            connection = self._open()
            try:
                with connection.transaction():
                    yield _PostgresTransaction(connection)
            finally:
                if connection.broken:
                    self._close()

    def close(self) -> None:
        with self._lock:
            self._close()

    def _open(self) -> "psycopg.Connection[Row]":
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=_CONNECT_S,
                keepalives_idle=_SILENCE_S,
                keepalives_interval=_CONNECT_S,
                keepalives_count=3,
                tcp_user_timeout=_SILENCE_S * 1_000,
                application_name="cotbuild",
            )
            self._connection.execute(f"SET statement_timeout = '{_STATEMENT_S}s'")
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _PostgresTransaction:
    def __init__(self, connection: "psycopg.Connection[Row]") -> None:
        self._connection = connection

    def execute(self, statement: str, *values: Value) -> list[Row]:
        query = statement.replace("?", "%s").encode()
        # PostgreSQL has no NUL in a text. What is written has none either; what somebody
        # looks for may have one, and is not found.
        texts = [v.replace("\0", "\ufffd") if isinstance(v, str) else v for v in values]
        cursor = self._connection.execute(query, texts)
        return cursor.fetchall() if cursor.description is not None else []


def _describe(url: str) -> str:
    """Return a URL for messages, without user, password and options."""
    parts = urlsplit(url)
    return f"postgresql://{parts.hostname or ''}{parts.path}"

"""Open the table of jobs at a URL."""

from cotbuild.builder.service.jobs.store import JobStore
from cotbuild.schemas.errors import ConfigError


def open_job_store(url: str) -> JobStore:
    """Open the table of jobs at a URL: `sqlite:///PATH` or `postgresql://…`.

    Creates it where it is missing and upgrades an older one. Raises ConfigError if the
    URL is of another kind or psycopg is missing, StoreError if it cannot be opened or
    was written by a newer cotbuild.
    """
    scheme, _, path = url.partition(":///")
    if scheme == "sqlite" and path:
        from cotbuild.builder.service.jobs.sqlite import SqliteJobStore

        return SqliteJobStore(path)
    if url.startswith(("postgresql://", "postgres://")):
        from cotbuild.builder.service.jobs.postgres import PostgresJobStore

        return PostgresJobStore(url)
    raise ConfigError(
        f"database: {url.partition(':')[0]!r} is no kind of database. Pass "
        "sqlite:///PATH or postgresql://HOST/NAME."
    )

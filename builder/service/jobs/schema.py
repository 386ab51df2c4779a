"""The tables of jobs, in SQL that both SQLite and PostgreSQL read."""

from collections.abc import Sequence

MIGRATIONS: Sequence[Sequence[str]] = (
    (
        """
        CREATE TABLE cotbuild_jobs (
            id TEXT PRIMARY KEY,
            owner TEXT NOT NULL,
            kind TEXT NOT NULL,
            target TEXT NOT NULL,
            state TEXT NOT NULL,
            priority INTEGER NOT NULL,
            attempt INTEGER NOT NULL,
            not_before DOUBLE PRECISION,
            host TEXT,
            lease_until DOUBLE PRECISION,
            idempotency_key TEXT,
            record TEXT NOT NULL
        )
        """,
        # No two jobs that run may have the same target, whatever the code does.
        """
        CREATE UNIQUE INDEX cotbuild_jobs_held ON cotbuild_jobs (target)
        WHERE state IN ('running', 'cancelling')
        """,
        """
        CREATE UNIQUE INDEX cotbuild_jobs_key ON cotbuild_jobs (owner, idempotency_key)
        WHERE idempotency_key IS NOT NULL
        """,
        "CREATE INDEX cotbuild_jobs_state ON cotbuild_jobs (state, id)",
        "CREATE INDEX cotbuild_jobs_owner ON cotbuild_jobs (owner, id)",
        "CREATE INDEX cotbuild_jobs_target ON cotbuild_jobs (target, id)",
        # When each owner was served last, in turns and not in time.
        """
        CREATE TABLE cotbuild_owners (
            owner TEXT PRIMARY KEY,
            turn BIGINT NOT NULL
        )
        """,
        """
        CREATE TABLE cotbuild_labels (
            job_id TEXT NOT NULL,
            name TEXT NOT NULL,
            value TEXT NOT NULL,
            PRIMARY KEY (job_id, name)
        )
        """,
        # The one root whose jobs these are.
        "CREATE TABLE cotbuild_root (id TEXT PRIMARY KEY)",
        "CREATE INDEX cotbuild_labels_value ON cotbuild_labels (name, value, job_id)",
    ),
)
"""Statements of each version of the tables; an older one gets those it lacks."""

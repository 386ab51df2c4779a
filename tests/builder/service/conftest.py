"""A PostgreSQL that all tests of the service share; each gets a database of its own."""

from collections.abc import Iterator

import pytest

from tests.support.postgres import (
    MISSING,
    PostgresServer,
    find_programs,
    serve_postgres,
)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    programs = find_programs()
    if programs is None:
        pytest.skip(MISSING)
    with serve_postgres(programs) as server:
        yield server

"""The packages of the extra `serve`, named in one line where one is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cotbuild.builder.packages import needed_packages

EXTRA: Final = frozenset(
    {"duckdb", "fastapi", "jinja2", "markupsafe", "prometheus_client", "starlette"}
    | {"uvicorn", "h11"}
)


@contextmanager
def serve_packages() -> Iterator[None]:
    """Raise ConfigError if an import inside lacks a package of the extra."""
    with needed_packages("serve", EXTRA, "the page needs"):
        yield

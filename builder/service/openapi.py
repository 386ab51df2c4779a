"""The OpenAPI of the service: FastAPI's, and the bodies that it does not read itself."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

import cotbuild
from cotbuild.schemas.service.api import (
    FailureLine,
    PreviewRequest,
    ResumeRequest,
    RetryRequest,
    StopRequest,
)
from cotbuild.schemas.service.problem import Problem
from cotbuild.schemas.service.requests import JOB_REQUEST
from cotbuild.schemas.service.tokens import NewToken

_REF: Final = "#/components/schemas/{model}"
_BODIES: Final = (
    FailureLine,
    NewToken,
    PreviewRequest,
    Problem,
    ResumeRequest,
    RetryRequest,
    StopRequest,
)
_DESCRIPTION: Final = """\
Build teacher-rationale datasets on this machine. Errors are `application/problem+json`
(RFC 9457): `detail` says what happened, `hint` what to do. Times are UTC, RFC 3339.
Lists are paged: pass `next` as `after`.
"""
_TAGS: Final = [
    {"name": "jobs", "description": "Commands that run here, one child process each."},
    {"name": "builds", "description": "What is under the root, also while a job runs."},
    {"name": "files", "description": "Questions, templates, rationales for jobs."},
    {"name": "tokens", "description": "Who may do what. For administrators."},
    {"name": "service", "description": "The service itself."},
]


def describe_api(app: FastAPI) -> None:
    """Have `app` answer /openapi.json with all of the API; it is made once."""

    def make() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = make_openapi(app)
        return app.openapi_schema

    app.openapi = make  # type: ignore[method-assign]


def make_openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI of an app."""
    document = get_openapi(
        title="cotbuild",
        version=cotbuild.__version__,
        description=_DESCRIPTION,
        routes=app.routes,
        tags=_TAGS,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for form in _BODIES:
        _add(schemas, form.__name__, TypeAdapter(form))
    _add(schemas, "JobRequest", JOB_REQUEST)
    return document


def _add(schemas: dict[str, Any], name: str, adapter: TypeAdapter[Any]) -> None:
    """Add a schema, and those it refers to, unless they are there."""
    schema = adapter.json_schema(ref_template=_REF, mode="validation")
    for inner, definition in schema.pop("$defs", {}).items():
        schemas.setdefault(inner, definition)
    schemas.setdefault(name, schema)

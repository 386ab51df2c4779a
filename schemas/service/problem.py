"""Errors of the HTTP API, as `application/problem+json` (RFC 9457)."""

from pydantic import Field

from cotbuild.schemas.record import Record

PROBLEM_TYPE = "application/problem+json"


class Problem(Record):
    """Why a request was refused, or why a job failed."""

    title: str = Field(description="The kind of problem, in a few words.")
    status: int = Field(ge=400, le=599, description="HTTP status.")
    code: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", description="Machine-readable kind of problem."
    )
    detail: str = Field(description="What happened with the value, on one line.")
    hint: str | None = Field(default=None, description="What to do.")

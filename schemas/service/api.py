"""Bodies of requests and responses of the API that are not jobs or files."""

from typing import Any

from pydantic import Field

from cotbuild.schemas.budget import Budget
from cotbuild.schemas.event import Event
from cotbuild.schemas.record import Record
from cotbuild.schemas.service.job import JobKind, JobView, StopMode
from cotbuild.schemas.service.principal import Principal
from cotbuild.schemas.service.teacher import TeacherStatus
from cotbuild.schemas.service.tokens import TokenView


class Health(Record):
    """Whether the service works."""

    status: str = Field(description="`ok`.")


class Limits(Record):
    """What the service accepts."""

    max_body_bytes: int = Field(description="Largest body of a request.")
    max_file_bytes: int = Field(description="Largest uploaded file.")
    max_files_bytes: int = Field(description="All uploaded files together.")
    max_page: int = Field(description="Most entries of one page of a list.")
    max_wait_s: int = Field(description="Longest `wait` of a request, seconds.")
    max_preview_rows: int = Field(description="Most rows of a preview.")
    max_jobs: int = Field(description="Jobs that run at once on this machine.")


class ServiceInfo(Record):
    """What the service is, and who asks it."""

    cotbuild: str = Field(description="Version of cotbuild.")
    api: str = Field(description="Version of the API.")
    kinds: tuple[JobKind, ...] = Field(description="Kinds of jobs it runs.")
    limits: Limits = Field(description="What it accepts.")
    principal: Principal = Field(description="Who makes this request.")


class JobPage(Record):
    """Some jobs, newest first."""

    jobs: tuple[JobView, ...] = Field(description="The jobs.")
    next: str | None = Field(
        default=None, description="`after` of the next page; None at the end."
    )


class EventPageView(Record):
    """Some events of a job, oldest first."""

    events: tuple[Event, ...] = Field(description="The events.")
    next: int = Field(ge=0, description="`after` of what follows, now or later.")
    is_final: bool = Field(description="Whether the job is over: no event follows.")


class StopRequest(Record):
    """How a job is to be stopped."""

    mode: StopMode = Field(
        default=StopMode.DRAIN,
        description="drain: requests in flight finish first; now: they are given up.",
    )


class ResumeRequest(Record):
    """How a paused job goes on."""

    budget: Budget | None = Field(
        default=None, description="The new budget; None: that of the job."
    )


class RetryRequest(Record):
    """How a job that is over is repeated."""

    failed: bool = Field(
        default=False,
        description="Whether requests that failed for good are sent again too.",
    )


class FailureLine(Record):
    """A request that failed, one line of failures.jsonl."""

    request_key: str = Field(description="Key of the request.")
    question_id: str | None = Field(
        default=None, description="Id of the question; None while it is not known."
    )
    code: str = Field(description="Kind of failure.")
    message: str = Field(description="What the server said, on one line.")
    is_final: bool = Field(
        description="Whether only a retry of failed requests sends it again."
    )


class TokenList(Record):
    """All tokens."""

    tokens: tuple[TokenView, ...] = Field(description="By name.")


class TeacherList(Record):
    """The teachers that jobs share."""

    teachers: tuple[TeacherStatus, ...] = Field(description="Those up, and newly gone.")


class PreviewRequest(Record):
    """A job, of which a few rows are asked now."""

    request: dict[str, Any] = Field(description="The JobRequest, of kind generate.")
    num_rows: int = Field(default=3, ge=1, le=10, description="Rows to ask.")

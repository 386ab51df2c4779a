"""What the pages of a service show and change, as a protocol.

`builder.service` implements it. Each method gets who asks: what they may not see raises
ProblemError 404, what they may not do 403, and what does not fit CotbuildError in one
line. Methods may block for some milliseconds, `plan` for a minute; pages call them in
threads.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Protocol

from cotbuild.schemas.budget import Budget
from cotbuild.schemas.service.api import FailureLine
from cotbuild.schemas.service.job import JobKind, JobState, JobView, StopMode
from cotbuild.schemas.service.principal import Principal
from cotbuild.schemas.service.requests import JobRequest, PlanView
from cotbuild.schemas.service.teacher import TeacherStatus
from cotbuild.schemas.service.tokens import MadeToken, NewToken, TokenView


class JobAction(StrEnum):
    """What a button on the page of a job does."""

    PAUSE = "pause"
    CANCEL = "cancel"
    RESUME = "resume"
    RETRY = "retry"
    DELETE = "delete"


@dataclass(frozen=True)
class JobQuery:
    """Which jobs a list shows."""

    states: tuple[JobState, ...] = ()
    """Empty for all."""
    kind: JobKind | None = None
    owner: str | None = None
    after: str | None = None
    """Id of the last job of the page before."""
    limit: int = 50


@dataclass(frozen=True)
class JobPage:
    """Jobs, the newest first."""

    jobs: tuple[JobView, ...]
    next: str | None
    """`after` of the next page; None on the last one."""


@dataclass(frozen=True)
class FormChoices:
    """What the form of a new job offers; other values may be typed."""

    builds: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """Known datasets, files in listed folders and uploads, as requests name them."""
    teachers: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    """Patterns of addresses that may be asked."""
    variables: tuple[str, ...] = ()
    """Names of environment variables that hold keys for endpoints."""
    repos: tuple[str, ...] = ()
    """Patterns of repos that may be published to."""


@dataclass(frozen=True)
class Limits:
    """What the service allows, for the page of settings: a name and its value."""

    rows: tuple[tuple[str, str], ...] = ()


class JobsSource(Protocol):
    """The jobs, teachers and tokens of a service."""

    def list_jobs(self, principal: Principal, query: JobQuery) -> JobPage:
        """Return the jobs that someone may see."""

    def get_job(self, principal: Principal, job_id: str) -> JobView:
        """Return a job."""

    def read_log(self, principal: Principal, job_id: str, max_bytes: int) -> str:
        """Return the end of what a job printed; an empty text where it did not begin."""

    def list_failures(
        self, principal: Principal, job_id: str, limit: int
    ) -> tuple[FailureLine, ...]:
        """Return the first failed requests of a job.

        May read all answers of its build. Raises StoreError if they cannot be read.
        """

    def choices(self, principal: Principal) -> FormChoices:
        """Return what the form of a new job offers."""

    async def upload(self, principal: Principal, name: str, file: BinaryIO) -> str:
        """Keep a file and return its reference for a request, `upload:SHA256/NAME`."""

    async def plan(self, principal: Principal, request: JobRequest) -> PlanView:
        """Return what a job would do.

        Raises ProblemError (503) if many others plan.
        """

    def submit(self, principal: Principal, request: JobRequest) -> JobView:
        """Queue a job; where an equal one is not over yet, return that one."""

    def act(
        self,
        principal: Principal,
        job_id: str,
        action: JobAction,
        *,
        mode: StopMode = StopMode.DRAIN,
        budget: Budget | None = None,
        failed: bool = False,
    ) -> None:
        """Change a job. `budget` is for resume, `failed` for retry."""

    def list_teachers(self, principal: Principal) -> tuple[TeacherStatus, ...]:
        """Return the teachers that the service runs."""

    def read_teacher_log(self, principal: Principal, key: str, max_bytes: int) -> str:
        """Return the end of the log of a teacher's server."""

    def log_in(self, token: str) -> Principal | None:
        """Return whose token a text is; None for any other text.

        Raises ProblemError (500) if tokens cannot be read.
        """

    def limits(self, principal: Principal) -> Limits:
        """Return what the service allows."""

    def list_tokens(self, principal: Principal) -> tuple[TokenView, ...]:
        """Return all tokens, for administrators."""

    def add_token(self, principal: Principal, new: NewToken) -> MadeToken:
        """Make a token."""

    def remove_token(self, principal: Principal, name: str) -> None:
        """Remove a token and end the sessions that it opened."""

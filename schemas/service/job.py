"""Jobs of the service: their states, the row of the table, what clients see."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from cotbuild.schemas.event import RunProgress
from cotbuild.schemas.record import Record

JOB_ID = r"^[a-z0-9]{16}$"
TARGET_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$"
TargetName = Annotated[
    str,
    Field(
        pattern=TARGET_NAME,
        description="Name of a folder under the root of the service.",
    ),
]
"""Name of a build, run, evaluation or study: one part of a path, never hidden."""
Labels = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,62}$")],
        Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")],
    ],
    Field(max_length=16, description="Labels to find the job by."),
]


class JobKind(StrEnum):
    """What a job does: the command of the same name."""

    GENERATE = "generate"
    IMPORT = "import"
    VARIANTS = "variants"
    PUBLISH = "publish"
    TRAIN = "train"
    EVALUATE = "evaluate"
    ATTRIBUTE = "attribute"
    STUDY = "study"


class JobState(StrEnum):
    """Where a job is. Phases say what a running one does."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job is over. A failed or cancelled one may be retried."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class StopMode(StrEnum):
    """How a running job is stopped."""

    DRAIN = "drain"
    """Send no further request, and wait for those in flight."""
    NOW = "now"


class PauseReason(StrEnum):
    """Why a job is paused."""

    BUDGET = "budget"
    USER = "user"


class ProcessIdentity(Record):
    """A process of one boot of one machine: a pid alone may be used again."""

    pid: int = Field(ge=1, description="Process id, and that of its session.")
    start_ticks: int = Field(
        ge=0, description="Start time, clock ticks since boot: /proc/PID/stat field 22."
    )
    boot_id: str = Field(description="/proc/sys/kernel/random/boot_id.")
    events_start: int = Field(
        default=0,
        ge=0,
        description="Size of the job's events.jsonl before it started, bytes.",
    )


class JobRecord(Record):
    """One row of the table of jobs."""

    id: str = Field(pattern=JOB_ID, description="Id, in the order of creation.")
    kind: JobKind = Field(description="What it does.")
    target: TargetName = Field(description="The folder it writes, under the root.")
    owner: str = Field(description="Name of the token that submitted it.")
    request: dict[str, Any] = Field(description="The JobRequest, as JSON.")
    priority: int = Field(default=0, ge=-100, le=100, description="Higher runs first.")
    labels: Labels = Field(default={}, description="Labels to find it by.")
    idempotency_key: str | None = Field(
        default=None, max_length=200, description="The client's key; None without one."
    )
    request_digest: str = Field(description="Digest of the request.")
    state: JobState = Field(default=JobState.QUEUED, description="Where it is.")
    stop: Literal["pause", "cancel"] | None = Field(
        default=None, description="What a running job was asked to end as."
    )
    stop_mode: StopMode | None = Field(
        default=None, description="How it was asked to stop."
    )
    pause_reason: PauseReason | None = Field(
        default=None, description="Why it is paused; None if it is not."
    )
    retry_failed: bool = Field(
        default=False, description="Whether its attempts repeat requests that failed."
    )
    attempt: int = Field(
        default=0,
        ge=0,
        description="Number of times it was started. It fences a process of an earlier "
        "attempt: what that reports no longer counts.",
    )
    created_at: str = Field(description="Time in UTC, RFC 3339.")
    started_at: str | None = Field(default=None, description="Of the newest attempt.")
    finished_at: str | None = Field(default=None, description="When it was over.")
    exit_code: int | None = Field(default=None, description="Of the newest attempt.")
    error_code: str | None = Field(default=None, description="Kind of the failure.")
    error: str | None = Field(default=None, description="The failure, on one line.")
    num_failed: int = Field(
        default=0, ge=0, description="Rationales unscored because a request failed."
    )
    waits_for: str | None = Field(
        default=None, description="What a queued job waits for; None for a free slot."
    )
    not_before: float | None = Field(
        default=None, description="Unix time before which it is not started again."
    )
    crashes: int = Field(
        default=0,
        ge=0,
        description="Attempts in a row that ended without an outcome and without an "
        "answer more in the store.",
    )
    journal_bytes: int = Field(
        default=0, ge=0, description="Size of the journals after the newest attempt."
    )
    host: str | None = Field(default=None, description="Where its process runs.")
    process: ProcessIdentity | None = Field(
        default=None, description="Its process; None before one was started."
    )
    revision: int = Field(default=0, ge=0, description="Number of changes of the row.")


class JobView(Record):
    """A job as its owner sees it."""

    id: str
    kind: JobKind
    target: str
    owner: str
    state: JobState
    stop_mode: StopMode | None = None
    pause_reason: PauseReason | None = None
    priority: int = 0
    labels: dict[str, str] = Field(default={})
    attempt: int = 0
    queue_position: int | None = Field(
        default=None, description="Jobs before it, for a queued one."
    )
    waits_for: str | None = None
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    exit_code: int | None = None
    error_code: str | None = None
    error: str | None = None
    num_failed: int = 0
    request: dict[str, Any] = Field(description="The JobRequest it was created from.")
    run: RunProgress = Field(default=RunProgress(), description="Its events, folded.")
    links: dict[str, str] = Field(default={}, description="Name to path.")

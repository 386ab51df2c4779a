"""Events: what a running command reports, as lines of JSON in events.jsonl.

A log of events is append-only. Each run of a command begins with `started` and ends
with `finished`; one that was killed has no end. Readers ignore a torn last line and
events of a kind that they do not know.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from cotbuild.schemas.budget import Account
from cotbuild.schemas.record import Record


class Phase(StrEnum):
    """What a command is doing."""

    PLANNING = "planning"
    STARTING_TEACHER = "starting_teacher"
    ASKING = "asking"
    DERIVING = "deriving"
    INSTALLING = "installing"
    UPLOADING = "uploading"
    DOWNLOADING = "downloading"
    TRAINING = "training"
    EVALUATING = "evaluating"
    ATTRIBUTING = "attributing"
    ANALYSING = "analysing"


class Outcome(StrEnum):
    """How a command ended."""

    SUCCEEDED = "succeeded"
    """Complete. `num_failed` may still count rationales that are unscored."""
    PAUSED = "paused"
    """Stopped before the end: by a budget, a request to drain, or for want of workers."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class _Event(Record):
    at: str = Field(description="Time in UTC, RFC 3339 with milliseconds.")


class StartedEvent(_Event):
    """A command began."""

    event: Literal["started"] = Field(default="started", description="Kind of event.")
    command: str = Field(description="Name of the command, such as generate.")
    pid: int = Field(ge=1, description="Process id.")
    host: str = Field(description="Host name of the machine.")
    cotbuild: str = Field(description="Version of cotbuild.")


class PhaseEvent(_Event):
    """A command began something else."""

    event: Literal["phase"] = Field(default="phase", description="Kind of event.")
    phase: Phase = Field(description="What it does from now on.")


class SayEvent(_Event):
    """A line was shown to the user."""

    event: Literal["say"] = Field(default="say", description="Kind of event.")
    line: str = Field(description="The line.")
    is_result: bool = Field(
        default=False,
        exclude_if=lambda is_result: not is_result,
        description="Whether it was on standard output, as a result is.",
    )


class StatusEvent(_Event):
    """The line that shows the current state changed, such as that of a training."""

    event: Literal["status"] = Field(default="status", description="Kind of event.")
    line: str = Field(description="The line.")


class ProgressEvent(_Event):
    """How far the current phase is; at most one a second, and one at its end."""

    event: Literal["progress"] = Field(default="progress", description="Kind of event.")
    unit: str = Field(description="What is counted: chains, rationales, bytes, …")
    done: int = Field(ge=0, description="Finished in this run.")
    total: int = Field(ge=0, description="All of this run; 0 while not known.")
    failed: int = Field(default=0, ge=0, description="Finished ones that failed.")
    requests: int = Field(default=0, ge=0, description="Requests answered, this run.")
    prompt_tokens: int = Field(default=0, ge=0, description="Prompt tokens, this run.")
    completion_tokens: int = Field(
        default=0, ge=0, description="Tokens generated, this run."
    )
    tokens_per_s: float | None = Field(
        default=None,
        ge=0,
        description="Tokens generated per second over the last minute; None if unknown.",
    )
    eta_s: tuple[float, float] | None = Field(
        default=None,
        description="Seconds left, lower and upper bound; None if unknown.",
    )
    verdicts: dict[str, int] = Field(
        default={},
        description="Chains of this run by verdict, those graded while it asked.",
    )
    in_flight: int | None = Field(
        default=None, ge=0, description="Requests under way; None if unknown."
    )
    servers_up: int | None = Field(
        default=None, ge=0, description="Servers that answer; None if unknown."
    )
    servers: int | None = Field(
        default=None, ge=0, description="Servers in use; None if unknown."
    )


class AccountEvent(_Event):
    """What the build has spent so far."""

    event: Literal["account"] = Field(default="account", description="Kind of event.")
    account: Account = Field(description="The account.")


class FinishedEvent(_Event):
    """A command ended."""

    event: Literal["finished"] = Field(default="finished", description="Kind of event.")
    outcome: Outcome = Field(description="How it ended.")
    exit_code: int = Field(ge=0, description="Its exit code.")
    reason: str | None = Field(
        default=None,
        description="Why it paused: budget, drained or no_workers; None for other "
        "outcomes.",
    )
    message: str | None = Field(
        default=None, description="The error on one line; None where there was none."
    )
    num_failed: int = Field(
        default=0,
        ge=0,
        description="Rationales that are unscored because a request failed.",
    )


Event = Annotated[
    StartedEvent
    | PhaseEvent
    | SayEvent
    | StatusEvent
    | ProgressEvent
    | AccountEvent
    | FinishedEvent,
    Field(discriminator="event"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)


class RunProgress(Record):
    """The state of a run, folded from its events."""

    command: str | None = Field(
        default=None, description="Name of the command; None before it began."
    )
    started_at: str | None = Field(
        default=None, description="When it began; None if it has not."
    )
    phase: Phase | None = Field(
        default=None, description="What it is doing; None if it has not said."
    )
    progress: ProgressEvent | None = Field(
        default=None, description="How far the phase is; None if not known."
    )
    status: str | None = Field(
        default=None, description="Its newest status line; None without one."
    )
    account: Account | None = Field(
        default=None, description="What its build has spent; None if not known."
    )
    lines: tuple[str, ...] = Field(
        default=(), description="The newest lines shown, oldest first."
    )
    finished: FinishedEvent | None = Field(
        default=None, description="How it ended; None while it runs or was killed."
    )

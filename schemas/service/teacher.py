"""Teachers that the service runs, each one vLLM server for many jobs."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.service.job import JOB_ID
from cotbuild.schemas.teacher_config import TeacherConfig

TEACHER_KEY = r"^[0-9a-f]{16}$"
SOCKET_VARIABLE = "COTBUILD_TEACHER_SOCKET"
"""Environment variable of a job's process with the path of its teacher's socket.

No part of a configuration: how a teacher is reached changes no request.
"""


class TeacherState(StrEnum):
    """Where a teacher is."""

    IDLE = "idle"
    """No job has had a request for it yet, so its server is not started."""
    STARTING = "starting"
    UP = "up"
    DRAINING = "draining"
    """It accepts no further job and is stopped after the last one."""
    FAILED = "failed"
    """Its server could not be started, or failed too often."""
    STOPPED = "stopped"


class TeacherLoad(Record):
    """What a vLLM server says of itself in its /metrics."""

    running: int = Field(default=0, ge=0, description="Requests being decoded.")
    waiting: int = Field(default=0, ge=0, description="Requests queued by the engine.")
    kv_cache_frac: float | None = Field(
        default=None,
        ge=0,
        description="Share of the KV cache in use; None if not told.",
    )
    prefix_hit_frac: float | None = Field(
        default=None,
        ge=0,
        description="Share of prompt tokens found in the prefix cache; None if not told.",
    )
    prompt_tokens: int = Field(
        default=0, ge=0, description="Prompt tokens since the server started."
    )
    generated_tokens: int = Field(
        default=0, ge=0, description="Tokens generated since the server started."
    )
    tokens_per_s: float | None = Field(
        default=None, ge=0, description="Tokens generated per second, lately."
    )


class TeacherJob(Record):
    """A job that shares a teacher."""

    id: str = Field(pattern=JOB_ID, description="Id of the job.")
    owner: str = Field(description="Who submitted it.")
    in_flight: int = Field(default=0, ge=0, description="Requests at the server.")
    queued: int = Field(default=0, ge=0, description="Requests that wait for a slot.")
    finished: int = Field(default=0, ge=0, description="Requests that were answered.")


class TeacherStatus(Record):
    """A teacher as the pages, the API and the metrics show it."""

    key: str = Field(
        pattern=TEACHER_KEY, description="Digest of model, weights and settings."
    )
    model: str = Field(description="Name of the model, without a path.")
    state: TeacherState = Field(description="Where it is.")
    message: str | None = Field(
        default=None, description="Why it failed, on one line; None if it did not."
    )
    engine: str | None = Field(
        default=None, description="The engine and its settings; None if not started."
    )
    started_at: str | None = Field(
        default=None, description="When its host process started, UTC."
    )
    slots: int = Field(default=0, ge=0, description="Most requests at the server.")
    in_flight: int = Field(default=0, ge=0, description="Requests at the server.")
    queued: int = Field(default=0, ge=0, description="Requests that wait for a slot.")
    finished: int = Field(default=0, ge=0, description="Requests that were answered.")
    restarts: int = Field(
        default=0, ge=0, description="Times that its server was started again."
    )
    jobs: tuple[TeacherJob, ...] = Field(default=(), description="Jobs that share it.")
    load: TeacherLoad | None = Field(
        default=None, description="Load of the server; None if it is not up."
    )
    lines: tuple[str, ...] = Field(
        default=(), description="Its newest lines about starts and restarts."
    )


# -- between the processes ---------------------------------------------------------------


class TeacherHostSpec(Record):
    """What a teacher host runs: spec.json in its folder."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    key: str = Field(
        pattern=TEACHER_KEY, description="Digest of model, weights and settings."
    )
    identity: str = Field(description="The teacher's identity, as in request keys.")
    config: TeacherConfig = Field(description="The model and the server's settings.")
    keep_s: float = Field(
        ge=0, description="Seconds that the server stays up after the last job."
    )


class TeacherHostFile(Record):
    """A running teacher host: host.json in its folder, while the folder's lock is held."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    pid: int = Field(ge=1, description="Process id.")
    pid_start: int = Field(
        ge=0, description="Start time of the process, clock ticks since boot."
    )
    sockets: str = Field(description="Folder of its sockets.")
    started_at: str = Field(description="When it started, UTC.")


class TeacherClaim(Record):
    """A job that was given a teacher: which host it has."""

    key: str = Field(pattern=TEACHER_KEY, description="Key of the teacher.")
    pid: int = Field(ge=1, description="Process id of the host.")
    pid_start: int = Field(ge=0, description="Start time of the host's process.")


class TeacherClaims(Record):
    """All jobs that have a teacher: claims.json, for the server's next start."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    jobs: dict[str, TeacherClaim] = Field(default={}, description="By id of the job.")


class HostedJob(Record):
    """A job that a teacher host serves."""

    id: str = Field(pattern=JOB_ID, description="Id of the job.")
    owner: str = Field(max_length=200, description="Who submitted it.")
    max_answer_s: float = Field(
        gt=0, description="Seconds that an answer may take once it has a slot."
    )


class TeacherOffer(Record):
    """What a teacher host answers to a job that opens its teacher."""

    identity: str = Field(description="The teacher's identity.")
    state: TeacherState = Field(description="Where the teacher is.")
    message: str | None = Field(default=None, description="Why it failed.")
    served_name: str = Field(description="The model's name in requests.")
    max_images: int = Field(
        default=0, ge=0, description="Most pictures of one request that it accepts."
    )
    slots: int = Field(
        default=0, ge=0, description="Sequences decoded together; 0 while not known."
    )
    facts: dict[str, Any] | None = Field(
        default=None, description="Engine and settings, as in provenance."
    )
    lines: tuple[str, ...] = Field(
        default=(), description="Lines about starts and restarts that are new."
    )
    next_line: int = Field(default=0, ge=0, description="Number of the next new line.")

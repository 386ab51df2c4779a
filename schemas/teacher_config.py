"""TeacherConfig: the settings of a build's teacher, and how it is reached."""

from typing import Any, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from cotbuild.schemas.body_edits import check_body_settings
from cotbuild.schemas.record import Record
from cotbuild.schemas.server_profiles import find_profile

BODY_SETTINGS = {"profile", "omit", "rename", "extra_body", "seed_bits"}
"""Fields of TeacherConfig that change the bodies of requests."""
MAX_ANSWER_S = 24 * 3600.0
"""Default of TeacherConfig.max_answer_s: a slow server may queue a window of requests for
hours.
"""


class ServerConfig(Record):
    """Settings of a managed vLLM server. None of them is part of the request key.

    A setting of None is chosen for the machine that the server starts on.
    """

    dtype: str | None = Field(
        default=None,
        description="Data type of the weights; None for vLLM's choice, but float32 on CPUs "
        "that emulate bfloat16.",
    )
    max_num_seqs: int | None = Field(
        default=None,
        ge=1,
        description="Maximum sequences decoded together; None to choose.",
    )
    max_model_len: int | None = Field(
        default=None,
        ge=16,
        description="Maximum tokens of prompt and completion together; None to choose.",
    )
    max_num_batched_tokens: int | None = Field(
        default=None,
        ge=16,
        description="Maximum tokens per engine step; None to choose.",
    )
    kv_cache_gib: int | None = Field(
        default=None,
        ge=1,
        description="GiB of memory for the KV cache, on CPU only; None to choose.",
    )
    enforce_eager: bool | None = Field(
        default=None, description="Skip compilation; None to skip it on CPU."
    )
    extra_args: tuple[str, ...] = Field(
        default=(),
        description="Additional arguments of vLLM's API server, passed unchanged.",
    )
    start_timeout_s: float = Field(
        default=900.0, gt=0, description="Maximum wait for a healthy server, seconds."
    )
    max_restarts: int = Field(
        default=3,
        ge=0,
        description="Maximum restarts without a completion in between.",
    )


class ScriptedConfig(Record):
    """Settings of the scripted teacher, a fake for dry runs and tests.

    It does not see targets, so its answers are correct only by chance. Provenance
    records that it is scripted.
    """

    no_answer_frac: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Fraction of completions that state no answer.",
    )
    length_frac: float = Field(
        default=0.0, ge=0, le=1, description="Fraction of completions truncated."
    )
    rejected_frac: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Fraction of requests that fail and are not retried.",
    )
    unavailable_frac: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Fraction of requests that fail and are retried by the next run.",
    )
    latency_s: float = Field(
        default=0.0, ge=0, description="Seconds before each answer."
    )

    @model_validator(mode="after")
    def _check_fractions(self) -> Self:
        total = (
            self.no_answer_frac
            + self.length_frac
            + self.rejected_frac
            + self.unavailable_frac
        )
        if total > 1:
            raise ValueError(f"the fractions add up to {total}, expected at most 1")
        return self


class TeacherConfig(Record):
    """The teacher, and how it is reached."""

    model: str = Field(
        default="embedded",
        min_length=1,
        description="embedded, scripted, a folder, a Hub id, or a served model name.",
    )
    endpoints: tuple[str, ...] = Field(
        default=(),
        description="Base URLs of running servers (…/v1) that all serve the same model; empty"
        " for a managed server.",
    )
    revision: str | None = Field(
        default=None,
        description="Commit or tag of a Hub id; for an endpoint, as the user states it; None "
        "if not stated.",
    )
    recorded: str | None = Field(
        default=None,
        exclude_if=lambda identity: identity is None,
        description="Identity of the teacher of a pulled release. Requests to it need "
        "endpoints or another model. None to resolve the identity from the model.",
    )
    window: int | None = Field(
        default=None,
        ge=1,
        description="Maximum requests in flight per server; None to choose.",
    )
    max_attempts: int = Field(
        default=6, ge=1, description="Attempts per request before it fails."
    )
    stall_s: float = Field(
        default=120.0,
        gt=0,
        description="Seconds without a new token before a server counts as hung.",
    )
    max_answer_s: float = Field(
        default=MAX_ANSWER_S,
        gt=0,
        exclude_if=lambda seconds: seconds == MAX_ANSWER_S,
        description="Seconds after which a request without a whole answer fails.",
    )
    profile: str | None = Field(
        default=None,
        exclude_if=lambda profile: profile is None,
        description="Kind of server, which decides what it is not sent, such as openai or "
        "openai@1; None to send every field.",
    )
    omit: tuple[str, ...] = Field(
        default=(),
        exclude_if=lambda names: not names,
        description="Fields of the body that are not sent; sampling.NAME: off adds to them.",
    )
    rename: dict[str, str] = Field(
        default={},
        exclude_if=lambda names: not names,
        description="Field of the body to the name under which it is sent.",
    )
    extra_body: dict[str, JsonValue] = Field(
        default={},
        exclude_if=lambda fields: not fields,
        description="Further fields of the body; they are published in build.json.",
    )
    seed_bits: int | None = Field(
        default=None,
        ge=1,
        le=53,
        exclude_if=lambda bits: bits is None,
        description="Bits of the seed of a request; None for those that the server reads, "
        "53 unless the profile says otherwise.",
    )
    server: ServerConfig = Field(
        default=ServerConfig(), description="Settings of a managed server."
    )
    scripted: ScriptedConfig = Field(
        default=ScriptedConfig(), description="Settings of the scripted teacher."
    )

    @property
    def body_settings(self) -> dict[str, Any]:
        """The settings that change the bodies of requests, without those at default."""
        return self.model_dump(mode="json", include=BODY_SETTINGS)

    @field_validator("profile")
    @classmethod
    def _pin_profile(cls, profile: str | None) -> str | None:
        """Name the version, so that a newer one changes no request of this build."""
        return None if profile is None else find_profile(profile).ref

    @model_validator(mode="after")
    def _check_body(self) -> Self:
        check_body_settings(self.omit, self.rename, self.extra_body)
        return self

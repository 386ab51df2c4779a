"""BuildConfig: everything that decides a build, resolved; build.json holds one."""

from typing import Literal, Self

from pydantic import Field, model_validator

from cotbuild.schemas.completion import MAX_SEED, Sampling
from cotbuild.schemas.import_recipe import ImportConfig
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.record import FORMAT_VERSION, Record


class SourceConfig(Record):
    """Which questions enter the build."""

    name: str = Field(
        default="bundled",
        min_length=1,
        description="bundled, a known dataset, a file, a folder of split files, or a dataset's Hub id.",
    )
    config_name: str | None = Field(
        default=None, description="The Hub's config, for a dataset given by its Hub id."
    )
    revision: str | None = Field(
        default=None, description="Branch, tag or commit of a Hub id; None: main."
    )
    split: str | None = Field(
        default=None,
        description="Split to ask about; None: the file's own, else train.",
    )
    rows: str | None = Field(
        default=None,
        pattern=r"^\d*:\d*$",
        description="Only these rows, START:END from 0, END not included; None: all.",
    )
    sample: int | None = Field(
        default=None,
        ge=1,
        description="Only so many questions, drawn by sample_seed and id; a larger draw holds it.",
    )
    sample_seed: int = Field(default=0, ge=0, description="Seed of the draw.")
    limit: int | None = Field(
        default=None,
        ge=1,
        description="Only the first so many questions of those; None: all.",
    )
    eval_splits: tuple[str, ...] = Field(
        default=(), description="Splits that enter without a request."
    )
    columns: dict[str, str] = Field(
        default={},
        description="Question field to column of the file, for unknown shapes.",
    )
    kind: QuestionKind | None = Field(
        default=None, description="Kind of every question; None: told by the columns."
    )
    on_bad_row: Literal["stop", "drop"] = Field(
        default="stop", description="Stop at a bad row, or leave it out, counted."
    )
    drop_overlap: bool = Field(
        default=False,
        description="Leave out, counted, what also stands in an evaluation split; else only report it.",
    )


class ExemplarsConfig(Record):
    """Worked examples drawn for each question in place of the template's own."""

    split: str = Field(
        min_length=1,
        description="Split of the source whose rows bring their own rationales.",
    )
    count: int = Field(default=3, ge=1, le=64, description="How many a prompt.")
    seed: int = Field(default=0, ge=0, description="Seed of the draw.")


class ServerConfig(Record):
    """Settings of a managed vLLM server; None: chosen for the machine it starts on.
    none enters a request_key.
    """

    dtype: str | None = Field(
        default=None,
        description="Weights' type; None: float32 on CPUs that emulate bfloat16.",
    )
    max_num_seqs: int | None = Field(
        default=None, ge=1, description="Sequences decoded together."
    )
    max_model_len: int | None = Field(
        default=None, ge=16, description="Tokens of prompt and completion together."
    )
    max_num_batched_tokens: int | None = Field(
        default=None, ge=16, description="Tokens per engine step."
    )
    kv_cache_gib: int | None = Field(
        default=None, ge=1, description="CPU only: GiB kept for the KV cache."
    )
    enforce_eager: bool | None = Field(
        default=None, description="Skip compilation; None: skipped on CPU."
    )
    extra_args: tuple[str, ...] = Field(
        default=(), description="Further arguments for vLLM's API server, as they are."
    )
    start_timeout_s: float = Field(
        default=900.0, gt=0, description="Longest wait for a healthy server, seconds."
    )
    max_restarts: int = Field(
        default=3,
        ge=0,
        description="Restarts without a completion between before the run ends.",
    )


class ScriptedConfig(Record):
    """Dials of the scripted teacher, a fake for dry runs and tests that says so in
    provenance.

    It cannot see targets, so right and wrong answers fall as they may.
    """

    no_answer_frac: float = Field(
        default=0.0, ge=0, le=1, description="Share that names no answer."
    )
    length_frac: float = Field(
        default=0.0, ge=0, le=1, description="Share cut for length."
    )
    rejected_frac: float = Field(
        default=0.0, ge=0, le=1, description="Share that fails for good."
    )
    unavailable_frac: float = Field(
        default=0.0, ge=0, le=1, description="Share that fails, to be asked again."
    )
    latency_s: float = Field(default=0.0, ge=0, description="Seconds before an answer.")

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        total = (
            self.no_answer_frac
            + self.length_frac
            + self.rejected_frac
            + self.unavailable_frac
        )
        if total > 1:
            raise ValueError(f"the shares add up to {total}, expected at most 1")
        return self


class TeacherConfig(Record):
    """Who answers, and over what."""

    model: str = Field(
        default="embedded",
        min_length=1,
        description="embedded, scripted, a folder, a Hub id, or a served name.",
    )
    endpoints: tuple[str, ...] = Field(
        default=(),
        description="Base URLs of running servers, such as …/v1, all with the same model; none: managed.",
    )
    revision: str | None = Field(
        default=None,
        description="Commit or tag of a Hub id; for an endpoint, what the user states.",
    )
    recorded: str | None = Field(
        default=None,
        exclude_if=lambda identity: identity is None,
        description="Identity of a pulled release's teacher, which cannot be asked: only endpoints, or naming a model "
        "anew, make it one that can. None: resolved from the model.",
    )
    window: int | None = Field(
        default=None,
        ge=1,
        description="Most requests in flight at one server; None: chosen.",
    )
    max_attempts: int = Field(
        default=6, ge=1, description="Tries of one request before it counts as failed."
    )
    stall_s: float = Field(
        default=120.0,
        gt=0,
        description="Seconds without any new token before a server counts as hung.",
    )
    server: ServerConfig = Field(
        default=ServerConfig(), description="For a managed server."
    )
    scripted: ScriptedConfig = Field(
        default=ScriptedConfig(), description="For the scripted teacher."
    )


class BuildConfig(Record):
    """A whole build.

    The answer store outlives it: another config in the same folder reuses what still
    fits.
    """

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    source: SourceConfig = Field(default=SourceConfig(), description="The questions.")
    teacher: TeacherConfig = Field(default=TeacherConfig(), description="The teacher.")
    imported: ImportConfig | None = Field(
        default=None,
        description="Rationales made elsewhere, in place of asking a teacher; None: ask.",
    )
    mode: Literal["elicit", "rationalize", "elicit-then-rationalize"] = Field(
        default="elicit",
        description="Ask with the target hidden; shown; or hidden, then shown where that went wrong.",
    )
    decode: Literal["free", "json", "choice"] = Field(
        default="free",
        description="Free text; JSON of rationale and answer; or free text, then an answer held to the choices.",
    )
    on_length: Literal["keep", "longer"] = Field(
        default="keep",
        description="Keep a text cut by max_tokens, or ask once more with longer_tokens.",
    )
    longer_tokens: int | None = Field(
        default=None, ge=1, description="For on_length longer; None: 4 × max_tokens."
    )
    exemplars: ExemplarsConfig | None = Field(
        default=None,
        description="Exemplars drawn from a split; None: the template's own.",
    )
    templates: tuple[str, ...] = Field(
        default=(),
        description="name@version or a file, at most one a kind; empty: defaults.",
    )
    system: str | None = Field(
        default=None,
        description="System prompt in place of the template's; None: the template's.",
    )
    sampling: Sampling = Field(default=Sampling(), description="Sampling fields.")
    samples: int = Field(default=1, ge=1, description="Requests per question.")
    seed: int = Field(
        default=0,
        ge=0,
        le=MAX_SEED,
        description="Build seed, from which each request's seed is derived.",
    )

    @model_validator(mode="after")
    def _samples_differ(self) -> Self:
        if self.samples > 1 and self.sampling.temperature == 0:
            raise ValueError(
                f"samples is {self.samples} at temperature 0, where all samples are the same; expected 1"
            )
        return self

    @model_validator(mode="after")
    def _longer_is_longer(self) -> Self:
        if self.longer_tokens is not None and self.on_length != "longer":
            raise ValueError(
                "longer_tokens is set while on_length is keep; expected on_length longer"
            )
        if (
            self.longer_tokens is not None
            and self.longer_tokens <= self.sampling.max_tokens
        ):
            raise ValueError(
                f"longer_tokens is {self.longer_tokens}, expected more than max_tokens {self.sampling.max_tokens}"
            )
        return self

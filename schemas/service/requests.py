"""Requests for jobs: what each kind of job does, as clients send it.

Each is the settings of a command without any path. `target` is the folder under the
root that the job writes; other folders under the root are named by their names, and
files by references (`schemas.service.references`), also inside a `config`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from cotbuild.schemas.attribution import AttributionMethod
from cotbuild.schemas.budget import Budget
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.names import ConfigName, SplitName
from cotbuild.schemas.rationale import Rationale
from cotbuild.schemas.record import Record, explain_validation_error, short_repr
from cotbuild.schemas.service.job import (
    TARGET_NAME,
    JobKind,
    Labels,
    TargetName,
)
from cotbuild.schemas.service.references import (
    FileReference,
    TargetRef,
    parse_reference,
)
from cotbuild.schemas.study.parse import AnyStudy
from cotbuild.schemas.training import Precision, TrainConfig
from cotbuild.schemas.variant import Selection, VariantSpec

MAX_PREVIEW_ROWS = 10
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
ShortText = Annotated[str, Field(min_length=1, max_length=500)]


class _Request(Record):
    target: TargetName
    priority: int = Field(default=0, ge=-100, le=100, description="Higher runs first.")
    labels: Labels = Field(default={}, description="Labels to find the job by.")

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the other folders under the root that the job reads."""
        return ()


class GenerateRequest(_Request):
    """Ask a teacher about every question and build the dataset."""

    kind: Literal["generate"] = "generate"
    config: BuildConfig = Field(description="All settings of the build.")
    budget: Budget | None = Field(
        default=None, description="The most that the build may spend; None: no limit."
    )
    allow_unscored: bool = Field(
        default=False, description="Exit with code 0, not 3, where requests failed."
    )
    retry_failed: bool = Field(
        default=False, description="Also retry requests that failed for good."
    )
    api_key_from: VariableName | None = Field(
        default=None,
        description="Environment variable of the service that holds the key for the "
        "endpoints; None for no key.",
    )

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(_targets_in(self.config))

    @model_validator(mode="after")
    def _check_config(self) -> Self:
        if self.config.imported is not None:
            raise ValueError("config.imported is set, which is for kind import")
        return self


class ImportRequest(_Request):
    """Import rationales that were written elsewhere."""

    kind: Literal["import"] = "import"
    config: BuildConfig = Field(description="All settings, `imported` among them.")

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(_targets_in(self.config))

    @model_validator(mode="after")
    def _check_config(self) -> Self:
        if self.config.imported is None:
            raise ValueError("config.imported is not set, which says what to import")
        return self


class VariantsRequest(_Request):
    """Derive training sets from the rationales of the build `target`."""

    kind: Literal["variants"] = "variants"
    variants: tuple[ConfigName, ...] = Field(
        default=(),
        max_length=1_000,
        description="Names of variants and sets that ship, or of `specs`; empty for all "
        "of `specs`, or the default set without any.",
    )
    specs: tuple[VariantSpec, ...] = Field(
        default=(), max_length=1_000, description="Variants of your own."
    )
    selection: Selection = Field(
        default=Selection(), description="Filters of rationales."
    )
    seed: int = Field(default=0, ge=0, description="Seed of every random draw.")
    files: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], FileReference] = (
        Field(
            default={},
            description="File name in a spec to the file; target:RUN is the scores that "
            "were attributed with that run.",
        )
    )

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(_targets_named(self.files.values()))


class PublishRequest(_Request):
    """Check the build `target` and publish it on the Hub."""

    kind: Literal["publish"] = "publish"
    repo: str = Field(
        pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$",
        max_length=200,
        description="ORG/NAME of a dataset on the Hub.",
    )
    tag: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,95}$",
        description="Tag of this release; None for none.",
    )
    private: bool = Field(default=False, description="Make a new repo private.")
    configs: tuple[ConfigName, ...] = Field(
        default=(), description="Variants to publish; empty for all."
    )
    license: ShortText | None = Field(
        default=None, description="Licence; None for what the sources allow."
    )
    languages: tuple[Annotated[str, Field(pattern=r"^[a-z]{2,8}$")], ...] = Field(
        default=(), description="ISO 639 codes; empty for what the card says."
    )
    allow_partial: bool = Field(
        default=False, description="Publish although some requests failed."
    )
    move_tag: bool = Field(default=False, description="Move an existing tag.")
    message: ShortText | None = Field(
        default=None, description="Commit message; None for the usual one."
    )
    source: FileReference | ShortText | None = Field(
        default=None,
        description="Source of the questions, if exemplars were drawn from a split of "
        "it; None: the build's own.",
    )
    files: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], FileReference] = (
        Field(default={}, description="Files that variants were derived with.")
    )
    dry_run: bool = Field(default=False, description="Check and plan; send nothing.")

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(_targets_named(self.files.values()))


class TrainRequest(_Request):
    """Fine-tune a student on a variant of a build; `target` is the folder of the run."""

    kind: Literal["train"] = "train"
    build: TargetName
    config: TrainConfig = Field(description="All settings of the training.")

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.build,)


class EvaluateRequest(_Request):
    """Evaluate a student; `target` is the folder of the results."""

    kind: Literal["evaluate"] = "evaluate"
    run: TargetName | None = Field(
        default=None, description="A trained student; None to evaluate `model`."
    )
    model: ShortText | None = Field(
        default=None,
        description="A model: embedded, a Hub id or folder:NAME/PATH; None for `run`.",
    )
    revision: ShortText | None = Field(
        default=None, description="Branch, tag or commit of a Hub id; None for main."
    )
    variant: ConfigName | None = Field(
        default=None,
        description="For a model: the variant whose prompts to use; None for the default.",
    )
    spec: VariantSpec | None = Field(
        default=None,
        description="For a model: a variant of your own; None for one that ships.",
    )
    build: TargetName | None = Field(
        default=None,
        description="Build with the questions; None for `source`, or that of the run.",
    )
    source: ShortText | None = Field(
        default=None,
        description="A known dataset, Hub id or file with the questions; None for "
        "`build`, or that of the run.",
    )
    split: SplitName = Field(default="test", description="Split of the questions.")
    config_name: ShortText | None = Field(
        default=None, description="Config of a dataset; None if it has one."
    )
    limit: int | None = Field(
        default=None, ge=1, description="Evaluate the first N questions; None for all."
    )
    mapping: dict[ShortText, Annotated[str, Field(max_length=500)]] = Field(
        default={},
        description="question=INPUT asks with an input in place of the text.",
    )
    base: ShortText | None = Field(
        default=None,
        description="The model that the run was trained from, if it was in a folder; "
        "None if the run names it.",
    )
    teacher_rationales: bool = Field(
        default=False, description="Give the run the teacher's rationales."
    )
    rationales_from: TargetName | None = Field(
        default=None,
        description="Run or evaluation whose student's rationales it is given; None "
        "for its own.",
    )
    batch_tokens: int = Field(
        default=8_192, ge=1, description="Maximum tokens in memory at once."
    )
    precision: Precision = Field(
        default=Precision.FLOAT32,
        description="Precision of the student, and of the untrained model beside it.",
    )

    @property
    def reads(self) -> tuple[str, ...]:
        named = (self.run, self.build, self.rationales_from)
        direct = [name for name in named if name is not None]
        references = [text for text in (self.source, self.base, self.model) if text]
        return tuple(dict.fromkeys([*direct, *_targets_named(references)]))

    @model_validator(mode="after")
    def _check_student(self) -> Self:
        if (self.run is None) == (self.model is None):
            raise ValueError("name either run or model")
        if self.build is not None and self.source is not None:
            raise ValueError("build and source are both set; leave one of them out")
        has_source = self.build is not None or self.source is not None
        if self.model is not None and not has_source:
            raise ValueError("a model needs questions: name build or source")
        return self


class AttributeRequest(_Request):
    """Attribute the label of the run `target` to the tokens of its rationales."""

    kind: Literal["attribute"] = "attribute"
    build: TargetName | None = Field(
        default=None,
        description="Build it was trained on; None for the one that the run records.",
    )
    method: AttributionMethod = Field(
        default=AttributionMethod.INTEGRATED_GRADIENTS,
        description="Scores of tokens by Integrated Gradients, or of words by leaving "
        "each out.",
    )
    steps: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Steps of the path integral tried first; None for the default.",
    )
    max_steps: int | None = Field(
        default=None,
        ge=2,
        le=100_000,
        description="Most steps; a rationale that has not converged by then is refused.",
    )
    max_error: float | None = Field(
        default=None,
        gt=0,
        description="Largest completeness error; None for the default.",
    )
    min_rank_correlation: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="Smallest rank correlation with half the steps; None for the default.",
    )
    limit: int | None = Field(
        default=None, ge=1, description="Attribute at most N rationales; None for all."
    )
    batch_tokens: int | None = Field(
        default=None,
        ge=1,
        description="Maximum tokens in memory at once; None for the method's default.",
    )

    @property
    def reads(self) -> tuple[str, ...]:
        return () if self.build is None else (self.build,)


class StudyRequest(_Request):
    """Run or resume a study; `target` is its folder."""

    kind: Literal["study"] = "study"
    study: AnyStudy = Field(
        description="The content of STUDY.yaml, in which `source` is the name of a build."
    )
    keep: bool = Field(default=False, description="Keep the weights of finished cells.")

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.study.source,)

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if re.fullmatch(TARGET_NAME, self.study.source) is None:
            raise ValueError(
                f"study.source is {short_repr(self.study.source)}, expected the name of a "
                "build under the root"
            )
        return self


JobRequest = Annotated[
    GenerateRequest
    | ImportRequest
    | VariantsRequest
    | PublishRequest
    | TrainRequest
    | EvaluateRequest
    | AttributeRequest
    | StudyRequest,
    Field(discriminator="kind"),
]
JOB_REQUEST: TypeAdapter[JobRequest] = TypeAdapter(JobRequest)


def parse_request(value: Mapping[str, Any], where: str = "request") -> JobRequest:
    """Build a request from plain JSON values.

    Raises ConfigError in one line that starts with `where` if the values do not fit.
    """
    try:
        return JOB_REQUEST.validate_python(value, strict=False)
    except ValidationError as fault:
        raise ConfigError(
            f"{where}: {explain_validation_error(fault, JobRequest)}"
        ) from fault


def request_digest(request: JobRequest) -> str:
    """Return the digest of what a request asks for: equal ones are the same job."""
    return digest("job request/1", request.model_dump(mode="json"))


def request_kind(request: JobRequest) -> JobKind:
    """Return the kind of job that a request is for."""
    return JobKind(request.kind)


def _targets_in(config: BuildConfig) -> Iterator[str]:
    if config.attempts is not None:
        yield from _targets_named([config.attempts.file])


def _targets_named(texts: Iterable[str]) -> Iterator[str]:
    """Yield the names under the root that references lead to."""
    for text in texts:
        try:
            reference = parse_reference(text)
        except ValueError:
            continue  # refused elsewhere, with the field that has it
        if isinstance(reference, TargetRef):
            yield reference.name


# -- what is answered before a job is submitted ------------------------------------------


class PlanView(Record):
    """What a job would do: the dry run of its command. Nothing was asked."""

    kind: JobKind = Field(description="Kind of the job.")
    target: TargetName
    to_send: int | None = Field(
        default=None,
        description="First requests to send; None where it is not known or none are.",
    )
    answered: int | None = Field(
        default=None, description="Requests answered already; None where not known."
    )
    questions: int | None = Field(
        default=None, description="Questions to ask about; None where not known."
    )
    max_output_tokens: int | None = Field(
        default=None,
        description="Most tokens that the first requests may generate; None where not "
        "known.",
    )
    cost: float | None = Field(
        default=None,
        description="Cost of `max_output_tokens`, by the budget's price; None without "
        "one. The lines say what is expected.",
    )
    first_request: dict[str, Any] | None = Field(
        default=None, description="Body of the first request as sent; None for none."
    )
    lines: tuple[str, ...] = Field(
        default=(), description="What the dry run prints, a line each."
    )
    problems: tuple[str, ...] = Field(
        default=(),
        description="Why the job would fail, a line each; empty if it would not.",
    )

    @property
    def is_possible(self) -> bool:
        """Whether nothing is known that would make the job fail."""
        return not self.problems


class PreviewView(Record):
    """Rows that a preview asked for. A job finds their answers and pays nothing."""

    rows: tuple[Rationale, ...] = Field(
        description="The rows, in the order of the plan, as the build will have them."
    )
    lines: tuple[str, ...] = Field(default=(), description="What was said meanwhile.")

"""Students: how one is trained, what a run was, how its completions are laid out."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Literal, NamedTuple

from pydantic import Field, JsonValue

from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.variant import TrainingRow, VariantSpec

PartName = Literal["label", "rationale"]


class Loss(StrEnum):
    """What is minimised, an example."""

    PARTS = "parts"  # mean over the label's tokens + rationale_weight × mean over the rationale's
    PLAIN = "plain"  # mean over all supervised tokens, as the paper and most trainers have it


class Precision(StrEnum):
    """Of matrix products in training; weights, and what is read of a trained student,
    have their own.
    """

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"  # torch's autocast


class TrainConfig(Record):
    """All that decides a training run but the data, the student's weights and the
    machine.
    """

    variant: str = Field(description="Config of the build that is trained on.")
    student: str = Field(
        default="embedded", min_length=1, description="embedded, a folder, or a Hub id."
    )
    revision: str | None = Field(
        default=None, description="Branch, tag or commit of a Hub id; None: main."
    )
    seed: int = Field(
        default=0,
        ge=0,
        description="Seed of the order of rows, of dropout and of LoRA's first weights.",
    )
    rows: int | None = Field(
        default=None,
        ge=1,
        description="Only so many rationales, the first drawn by id; None: all.",
    )
    epochs: float = Field(default=2.0, gt=0, description="Passes over the rows.")
    lr: float | None = Field(
        default=None,
        gt=0,
        description="Peak learning rate; None: 5e-5, with LoRA 2e-4.",
    )
    warmup_frac: float = Field(
        default=0.05, ge=0, lt=1, description="Of the steps, in which the rate rises."
    )
    weight_decay: float = Field(default=0.0, ge=0, description="AdamW's.")
    batch_rows: int = Field(
        default=16,
        ge=1,
        description="Rationales an update; the same for every variant.",
    )
    batch_tokens: int = Field(
        default=2048,
        ge=1,
        description="Most tokens, padding included, that are run at once.",
    )
    gradient_checkpointing: bool = Field(
        default=False, description="Less memory, a third slower, the same result."
    )
    checkpoint_every: int | None = Field(
        default=None, ge=1, description="Updates between two; None: ten in a run."
    )
    max_tokens: int = Field(
        default=1024,
        ge=8,
        description="Longest row; longer ones are left out and counted.",
    )
    loss: Loss = Field(default=Loss.PARTS, description="What is minimised.")
    rationale_weight: float = Field(
        default=1.0, ge=0, description="Of the rationale's mean, with loss parts."
    )
    lora_rank: int | None = Field(
        default=None,
        ge=1,
        description="Rank of LoRA's matrices; None: all weights train.",
    )
    precision: Precision | None = Field(
        default=None,
        description="Of matrix products; None: bfloat16 where the machine has units for it, else float32.",
    )


class Layout(Record):
    """The parts of a variant's completions, and the text between them.

    If there are two labels, the first one is evaluated.
    """

    order: tuple[PartName, ...] = Field(
        min_length=1, description="The parts, first to last."
    )
    opening: str = Field(description="Before the first part.")
    joints: tuple[str, ...] = Field(description="Between one part and the next.")

    @property
    def label_first(self) -> bool:
        """Whether nothing has to be generated before the label."""
        return self.order[0] == "label"

    @property
    def behind_label(self) -> str:
        """What follows the label that is evaluated; empty: the end of the text."""
        at = self.order.index("label")
        return self.joints[at] if at < len(self.joints) else ""

    @property
    def before_label(self) -> str:
        """What stands between the rationale and the label, or before a label that comes
        first.
        """
        at = self.order.index("label")
        return self.joints[at - 1] if at else self.opening


class VariantRows(NamedTuple):
    """One split of one variant of a build: what a student is trained on."""

    build: str
    """Fingerprint of the build."""
    config_digest: str
    """Digest of the variant's rows, as in the manifest."""
    spec: VariantSpec
    split: str
    rows: Sequence[TrainingRow]
    """In the order of the build."""
    question_texts: Mapping[str, str]
    """Text of the question of every row, by question id."""


class RowsInfo(Record):
    """The rows a student was trained on."""

    build: str = Field(description="Fingerprint of the build or release.")
    config_digest: str = Field(
        description="Digest of the config's rows, as in the manifest."
    )
    split: str = Field(description="The split trained on.")
    spec: VariantSpec = Field(description="The variant.")
    fingerprint: str = Field(
        description="Digest of the rows really trained on, in order."
    )
    num_rows: int = Field(ge=1, description="Rows trained on.")
    too_long: int = Field(ge=0, description="Rows left out for max_tokens.")
    rationale_tokens_p99: int = Field(
        ge=0,
        description="99th percentile of the tokens between prompt and label; 0: none.",
    )
    question_digests: tuple[str, ...] = Field(
        description="16 hex digits of each different normalised question text."
    )


class StudentRun(Record):
    """run.json: a training run.

    Where `finished`, the model folder holds its student.
    """

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    config: TrainConfig = Field(description="What was asked for, resolved.")
    student: str = Field(
        description="Identity of the student before training: weights by digest or commit."
    )
    data: RowsInfo = Field(description="What it was trained on.")
    layout: Layout = Field(description="How its completions are put together.")
    versions: dict[str, str] = Field(
        description="Of cotbuild and the libraries that matter."
    )
    finished: bool = Field(default=False, description="Whether it trained to its end.")
    result: dict[str, JsonValue] = Field(
        default={}, description="Steps, tokens, seconds, last losses."
    )


class UpdateMetrics(NamedTuple):
    """One optimiser update of a training run: a line of metrics.jsonl.

    `label_loss` and `rationale_loss` are means over the update's examples, whichever
    loss is minimised.
    """

    step: int
    steps: int
    epoch: float
    loss: float
    label_loss: float
    rationale_loss: float
    lr: float
    grad_norm: float
    tokens: int
    """Tokens of this update, without padding."""
    seconds: float
    tokens_per_s: float

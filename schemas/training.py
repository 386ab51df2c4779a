"""Training of students: configuration, run record, layout of completions."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Literal, NamedTuple

from pydantic import Field, JsonValue

from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.variant import (
    VariantSpec,
)
from cotbuild.schemas.variant_rows import (
    VariantRow,
)

PartName = Literal["label", "rationale"]


class Loss(StrEnum):
    """The loss of one example."""

    # Mean over the label's tokens + rationale_weight × mean over the rationale's.
    PARTS = "parts"
    # Mean over all supervised tokens, as in the paper and most trainers.
    PLAIN = "plain"


class Precision(StrEnum):
    """Precision of matrix products.

    In training, weights are float32 either way. In evaluation, they have it too.
    """

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Optimizer(StrEnum):
    """An implementation of AdamW, as transformers names it."""

    ADAMW = "adamw_torch"
    FUSED_ADAMW = "adamw_torch_fused"  # all weights in one pass


class TrainConfig(Record):
    """Settings of a training run.

    Together with the rows, the student's weights and the machine they determine it.
    """

    variant: str = Field(description="Variant to train on: a config of the build.")
    student: str = Field(
        default="embedded", min_length=1, description="embedded, a folder, or a Hub id."
    )
    revision: str | None = Field(
        default=None, description="Branch, tag or commit of a Hub id; None for main."
    )
    seed: int = Field(
        default=0,
        ge=0,
        description="Seed of the order of rows, dropout and LoRA's initial weights.",
    )
    rows: int | None = Field(
        default=None,
        ge=1,
        description="Number of rationales, drawn by id; None for all.",
    )
    epochs: float = Field(default=2.0, gt=0, description="Passes over the rows.")
    lr: float | None = Field(
        default=None,
        gt=0,
        description="Peak learning rate; None for 5e-5, or 2e-4 with LoRA.",
    )
    warmup_frac: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="Fraction of the updates in which the learning rate rises.",
    )
    weight_decay: float = Field(default=0.0, ge=0, description="Weight decay of AdamW.")
    batch_rows: int = Field(
        default=16,
        ge=1,
        description="Rationales per update, the same for every variant.",
    )
    batch_tokens: int = Field(
        default=2048,
        ge=1,
        description="Maximum tokens per forward pass, padding included.",
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Trade a third of the speed for less memory; same result.",
    )
    compile_layers: bool = Field(
        default=False,
        exclude_if=lambda compiled: not compiled,
        description="Compile the model's layers with torch.compile when training starts, "
        "which takes about half a minute; results differ by rounding.",
    )
    checkpoint_every: int | None = Field(
        default=None,
        ge=1,
        description="Updates between two checkpoints; None for ten checkpoints per run.",
    )
    max_tokens: int = Field(
        default=1024,
        ge=8,
        description="Maximum tokens per row; longer rows are dropped and counted.",
    )
    loss: Loss = Field(default=Loss.PARTS, description="Loss to minimise.")
    rationale_weight: float = Field(
        default=1.0, ge=0, description="Weight of the rationale's mean in loss parts."
    )
    lora_rank: int | None = Field(
        default=None,
        ge=1,
        description="Rank of LoRA's matrices; None to train all weights.",
    )
    precision: Precision | None = Field(
        default=None,
        description="Precision of matrix products; None for bfloat16 if the machine has units"
        " for it, else float32.",
    )


class Layout(Record):
    """The parts of a variant's completions, and the text between them.

    If there are two labels, the first one is evaluated.
    """

    order: tuple[PartName, ...] = Field(
        min_length=1, description="Parts, first to last."
    )
    opening: str = Field(description="Text before the first part.")
    joints: tuple[str, ...] = Field(description="Text between each part and the next.")
    ending: str = Field(
        default="",
        exclude_if=lambda text: not text,
        description="Text after the last part; empty for the end of text.",
    )

    @property
    def has_label(self) -> bool:
        """Whether the label is a part, so that there is something to score."""
        return "label" in self.order

    @property
    def label_first(self) -> bool:
        """Whether the label comes first, so that nothing is generated before it."""
        return self.order[0] == "label"

    @property
    def text_after_label(self) -> str:
        """The text after the evaluated label; empty if the end of text follows."""
        at = self.order.index("label")
        return self.joints[at] if at < len(self.joints) else self.ending

    @property
    def text_before_label(self) -> str:
        """The text between the rationale and the label, or before a first label."""
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
    rows: Sequence[VariantRow]
    """In the order of the build."""
    question_texts: Mapping[str, str]
    """Text of the question of every row, by question id."""


class TokenLengths(Record):
    """How many tokens one part of the rows has, over the rows that have the part."""

    mean: float = Field(ge=0, description="Mean tokens.")
    p99: int = Field(ge=0, description="99th percentile of the tokens.")
    max: int = Field(ge=0, description="Most tokens.")


class Execution(Record):
    """How a run computes its updates on its machine.

    It changes the result of a run by rounding alone, so it is no setting; a resumed run
    goes on as it began.
    """

    eager_attention: bool = Field(
        description="Whether attention is computed by plain matrix products; else by the "
        "model's default kernel."
    )
    micro_batch_cost: int = Field(
        ge=0,
        description="Cost of one more micro-batch, in tokens: less padding than that is "
        "cheaper.",
    )
    optimizer: Optimizer = Field(description="Implementation of AdamW.")
    measured: bool = Field(
        default=False,
        description="Whether attention and cost were measured when the run began; else "
        "they are defaults.",
    )


class RowsInfo(Record):
    """The rows a student was trained on."""

    build: str = Field(description="Fingerprint of the build or release.")
    config_digest: str = Field(
        description="Digest of the config's rows, as in the manifest."
    )
    split: str = Field(description="Split trained on.")
    spec: VariantSpec = Field(description="Variant trained on.")
    fingerprint: str = Field(description="Digest of the rows trained on, in order.")
    num_rows: int = Field(ge=1, description="Rows trained on.")
    too_long: int = Field(ge=0, description="Rows dropped because of max_tokens.")
    rationale_tokens_p99: int = Field(
        ge=0,
        description="99th percentile of the tokens between prompt and label; 0 if there are "
        "none.",
    )
    label_tokens: TokenLengths | None = Field(
        default=None,
        description="Tokens of a label and the token that ends it; None if no row has a "
        "label or the run did not record it.",
    )
    rationale_tokens: TokenLengths | None = Field(
        default=None,
        description="Tokens of a completion that do not belong to a label; None if no row has "
        "any or the run did not record it.",
    )
    multiline_labels: bool | None = Field(
        default=None,
        description="Whether a label contains a line break; None if the run did not record "
        "it.",
    )
    merged_label_ends: int | None = Field(
        default=None,
        exclude_if=lambda count: count is None,
        description="Labels whose last token reaches past them, as a token of a full stop "
        "and a line break does; None if the run did not record it.",
    )
    question_digests: tuple[str, ...] = Field(
        description="Digests of the distinct normalised question texts, 16 hex digits each."
    )


class StudentRun(Record):
    """The content of run.json: a training run.

    If it is `finished`, the model folder holds its student.
    """

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    config: TrainConfig = Field(description="Settings of the run, resolved.")
    student: str = Field(
        description="Identity of the student before training: digest or commit of its "
        "weights."
    )
    data: RowsInfo = Field(description="Rows it was trained on.")
    layout: Layout = Field(description="Layout of its completions.")
    execution: Execution | None = Field(
        default=None,
        exclude_if=lambda execution: execution is None,
        description="How updates are computed; None if the run did not record it.",
    )
    versions: dict[str, str] = Field(
        description="Versions of cotbuild and the libraries that affect results, when the "
        "run began."
    )
    resumed_with: dict[str, str] = Field(
        default={},
        exclude_if=lambda versions: not versions,
        description="Versions at the last resumption, if they were others.",
    )
    finished: bool = Field(default=False, description="Whether training is finished.")
    result: dict[str, JsonValue] = Field(
        default={}, description="Updates, tokens, seconds and final losses."
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
    label_tokens: int = 0
    """Tokens of this update that the label's loss is over; 0 if not recorded."""
    rationale_tokens: int = 0
    """The same for the rationale's loss."""

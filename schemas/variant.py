"""VariantSpec: what a student is trained on, declared; the training row that comes of
it.
"""

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.rationale import Flag, Verdict
from cotbuild.schemas.record import Record

Task = Literal["predict", "explain"]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)]
Share = Annotated[float, Field(ge=0, le=1)]
Unit = Literal["word", "piece", "sentence"]
"""word: a run of non-space; piece: of the spec's tokenizer, joined until it is valid
UTF-8; sentence: see units.py.
"""


class Shuffle(Record):
    """Another order of the units."""

    do: Literal["shuffle"]
    unit: Unit = Field(default="word", description="What is moved.")
    within: Literal["rationale", "sentence"] = Field(
        default="rationale", description="How far it may move."
    )
    block: int = Field(
        default=1, ge=1, description="Units that move together, an n-gram block."
    )

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.unit == "sentence" and self.within == "sentence":
            raise ValueError(
                "unit sentence within a sentence moves nothing, expected within rationale"
            )
        return self


class Reverse(Record):
    """The units from last to first."""

    do: Literal["reverse"]
    unit: Unit = Field(default="word", description="What is reversed.")


class Sort(Record):
    """The units in alphabetical order, case-folded; equal ones stay in order."""

    do: Literal["sort"]
    unit: Unit = Field(default="word", description="What is sorted.")


class Mask(Record):
    """Words replaced by a symbol, or dropped: a share of them, or all of a class."""

    do: Literal["mask"]
    words: Literal["any", "stop", "content", "number", "mention"] = Field(
        default="any",
        description="Which may be masked; mention: those that name an option.",
    )
    share: Share = Field(
        default=1.0, description="Of them, rounded to a whole number, half up."
    )
    layout: Literal["scattered", "contiguous"] = Field(
        default="scattered", description="How the masked ones lie."
    )
    symbol: str | None = Field(
        default=None,
        pattern=r"^\S+$",
        description="What stands in their place; None: nothing.",
    )


class Cut(Record):
    """Only the first or last words: a number, a share, or as many as another transform
    leaves.
    """

    do: Literal["cut"]
    end: Literal["first", "last"] = Field(
        default="first", description="Which end is kept."
    )
    count: int | None = Field(
        default=None, ge=0, description="Words kept; None: see share and like."
    )
    share: Share | None = Field(
        default=None,
        description="Of the words, rounded half up; None: see count and like.",
    )
    like: "Transform | None" = Field(
        default=None,
        description="Kept: as many as this one leaves; None: see the others.",
    )

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        _check_one_of(self, "count", "share", "like")
        return self


class Top(Record):
    """The k words that matter most, by some measure."""

    do: Literal["top"]
    by: Literal["scores", "tfidf", "question", "options", "list"] = Field(
        description="scores: a file of attributions; tfidf: over the build; question, options: words shared with them; "
        "list: words in a file."
    )
    count: int = Field(
        ge=1, description="Words kept; all that qualify where there are fewer."
    )
    order: Literal["text", "score"] = Field(
        default="text", description="As in the text, or the best first."
    )
    mentions: Literal["with", "without"] = Field(
        default="with", description="Whether words naming an option may count."
    )
    file: str | None = Field(
        default=None,
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Name that --file binds to a path; None: by needs none.",
    )

    @model_validator(mode="after")
    def _file_fits(self) -> Self:
        if (self.by in ("scores", "list")) != (self.file is not None):
            raise ValueError(
                f"by {self.by!r} and file {self.file!r}: expected a file for scores and list, else none"
            )
        return self


class Sample(Record):
    """Random words of the same rationale, in their order: how many, or as many as
    another transform leaves.
    """

    do: Literal["sample"]
    count: int | None = Field(
        default=None, ge=0, description="Words kept; None: see like."
    )
    like: "Transform | None" = Field(
        default=None, description="Kept: as many as this one leaves; None: see count."
    )
    mentions: Literal["with", "without"] = Field(
        default="with", description="Whether words naming an option may count."
    )

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        _check_one_of(self, "count", "like")
        return self


class Vocabulary(Record):
    """Random words of the whole build, as many as there are, or as another transform
    leaves.
    """

    do: Literal["vocabulary"]
    weights: Literal["uniform", "corpus"] = Field(
        default="uniform",
        description="Every different word alike, or as often as it stands in the build.",
    )
    like: "Transform | None" = Field(
        default=None,
        description="As many as this one leaves; None: as the rationale has.",
    )


class Swap(Record):
    """The rationale of another question."""

    do: Literal["swap"]
    label: Literal["any", "same", "other"] = Field(
        default="any", description="Whose label is any, the same, another."
    )


class Filler(Record):
    """One word, as often as the rationale has words, or as another transform leaves."""

    do: Literal["filler"]
    word: str = Field(default="…", pattern=r"^\S+$", description="The word.")
    like: "Transform | None" = Field(
        default=None,
        description="As often as this one leaves; None: as the rationale has.",
    )


class Echo(Record):
    """The question's own words over and over, as many as the rationale has."""

    do: Literal["echo"]


class Constant(Record):
    """The same text in every row."""

    do: Literal["constant"]
    text: str = Field(min_length=1, pattern=r"\S", description="The text.")


class Strip(Record):
    """Words that name the target, or any option, taken out; random: as many words,
    wherever they are.
    """

    do: Literal["strip"]
    what: Literal["target", "options"] = Field(description="Whose mentions.")
    random: bool = Field(
        default=False,
        description="The control: as many words as that takes, drawn from those it leaves, if enough.",
    )


class LeakOnly(Record):
    """Only the words that name the target."""

    do: Literal["leak_only"]


Transform = Annotated[
    Shuffle
    | Reverse
    | Sort
    | Mask
    | Cut
    | Top
    | Sample
    | Vocabulary
    | Swap
    | Filler
    | Echo
    | Constant
    | Strip
    | LeakOnly,
    Field(discriminator="do"),
]
for _model in (Cut, Sample, Vocabulary, Filler):
    _model.model_rebuild()


class LabelSource(StrEnum):
    """Where the label comes from."""

    TARGET = "target"
    ANSWER = "answer"  # what the teacher said, right or wrong


class LabelForm(StrEnum):
    """How a choice question's label is written; other kinds are always written as text."""

    LETTER = "letter"
    TEXT = "text"
    BOTH = "both"


class Placement(StrEnum):
    """Where the rationale stands in what the student is trained to say."""

    LABEL_ONLY = "label_only"
    PRE_COT = "pre_cot"  # rationale, then label
    POST_COT = "post_cot"  # label, then rationale
    EXPLANATION = "explanation"  # label because rationale, one sentence
    RATIONALE_ONLY = "rationale_only"
    TWO_TASKS = "two_tasks"  # a row that predicts and a row that explains, told apart by a prefix of the prompt
    BOTH_SIDES = "both_sides"  # label, rationale, label


class Selection(Record):
    """Which rationales become rows; the same for every variant of a set."""

    verdicts: tuple[Verdict, ...] = Field(
        default=(Verdict.CORRECT,), min_length=1, description="Verdicts kept."
    )
    having: tuple[Flag, ...] = Field(
        default=(), description="Flags that a rationale must have, all of them."
    )
    without: tuple[Flag, ...] = Field(
        default=(), description="Flags that leave a rationale out."
    )
    min_words: int = Field(default=1, ge=0, description="Fewest words of a rationale.")
    max_words: int | None = Field(
        default=None, ge=1, description="Most words; None: any number."
    )
    per_question: int | None = Field(
        default=None,
        ge=1,
        description="Rationales a question, drawn by seed; questions with fewer go; None: all.",
    )
    share: Share = Field(
        default=1.0,
        gt=0,
        description="Of the questions, drawn by seed; a larger share holds a smaller.",
    )
    near_duplicates: Share | None = Field(
        default=None,
        gt=0,
        description="Leave out rationales this similar (Jaccard of word 3-grams) to an earlier; None: keep.",
    )


class VariantSpec(Record):
    """One ablation, name@version. Any change is a new version."""

    name: Name = Field(description="What it is called; also the config on the Hub.")
    version: int = Field(
        default=1, ge=1, description="Counts up with every change of what it makes."
    )
    about: str = Field(
        min_length=1, description="One line for people; not part of the fingerprint."
    )
    placement: Placement = Field(description="Where the rationale stands.")
    label_source: LabelSource = Field(
        default=LabelSource.TARGET, description="The target, or the teacher's answer."
    )
    label_form: LabelForm = Field(
        default=LabelForm.TEXT, description="Of a choice question's label."
    )
    options: bool = Field(
        default=True, description="Whether the prompt lists the options."
    )
    transforms: tuple[Transform, ...] = Field(
        default=(), description="What is done to the rationale, in this order."
    )
    tokenizer: str | None = Field(
        default=None, description="For pieces: embedded, or a folder; None: no pieces."
    )
    aligned: bool = Field(
        default=True,
        description="Whether its rows are those that every variant of the set has; else all that it can make itself.",
    )

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all that decides what it makes of a rationale."""
        return digest("variant/1", self.model_dump(mode="json", exclude={"about"}))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.placement is Placement.LABEL_ONLY and self.transforms:
            raise ValueError(
                "label_only has no rationale, and transforms are given: expected none"
            )
        pieces = any(getattr(step, "unit", None) == "piece" for step in self.transforms)
        if pieces != (self.tokenizer is not None):
            raise ValueError(
                "a tokenizer and the unit piece go together: expected both or neither"
            )
        if not self.aligned and not self.name.endswith("_all"):
            raise ValueError(
                f"{self.name!r} is not aligned with the set: expected a name that ends in _all"
            )
        return self


class TrainingRow(Record):
    """A row of a variant: plain strings that TRL and others train on as they are.

    The prompt never ends in white space, the completion begins with it, and neither
    holds an end-of-text token. Rows of evaluation splits have the same columns, as a
    config's splits must: their completion is the label alone.
    """

    question_id: str = Field(description="Id of the question.")
    sample_index: int = Field(ge=0, description="n-th rationale of this question.")
    task: Task | None = Field(description="Of two tasks, which; None: there is one.")
    prompt: str = Field(description="What the student reads.")
    completion: str = Field(description="What it is trained to say.")
    choices: tuple[str, ...] = Field(
        description="What it may say for a label, one an option; empty unless a choice."
    )
    target: str | None = Field(
        description="Reference answer; None where it is not published."
    )
    label_start: int | None = Field(
        description="Label in the completion: first character; None: it says none."
    )
    label_end: int | None = Field(
        description="Behind its last character; None: it says none."
    )
    rationale_start: int | None = Field(
        description="Rationale in the completion: first character; None: none."
    )
    rationale_end: int | None = Field(
        description="Behind its last character; None: none."
    )


def _check_one_of(record: Record, *names: str) -> None:
    given = [name for name in names if getattr(record, name) is not None]
    if len(given) != 1:
        raise ValueError(
            f"{' and '.join(given) or 'none of ' + ', '.join(names)} given, expected one of {list(names)}"
        )


class VariantSet(Record):
    """What `cotbuild variants` makes, resolved."""

    specs: tuple[VariantSpec, ...] = Field(min_length=1, description="The variants.")
    selection: Selection = Field(
        default=Selection(), description="Which rationales become rows."
    )
    seed: int = Field(default=0, ge=0, description="Seed of every draw.")
    files: dict[str, str] = Field(
        default={}, description="Name in a spec to sha256 of the file bound to it."
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [spec.name for spec in self.specs]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"specs name {repeated} more than once, expected different names"
            )
        return self


class VariantEntry(Record):
    """What one variant came to."""

    name: str = Field(description="The variant's name, which is its config's.")
    fingerprint: str = Field(
        description="Digest of spec, selection, seed, files and the rationales it was made of."
    )
    num_rows: int = Field(ge=0, description="Training rows.")
    dropped: int = Field(
        ge=0,
        description="Rationales that it cannot have; all aligned variants go without them.",
    )
    num_empty: int = Field(
        ge=0, description="Rows in which it leaves nothing of the rationale."
    )
    words: float = Field(ge=0, description="Mean words of what it leaves.")
    names_target: float = Field(
        ge=0,
        le=1,
        description="Share of rows that still name the target, of those looked at.",
    )
    names_other: float = Field(
        ge=0, le=1, description="Share of rows that name another option."
    )
    loosely_target: float = Field(
        ge=0,
        le=1,
        description="Share that names the target by a looser rule, stems of its content words.",
    )
    loosely_other: float = Field(
        ge=0, le=1, description="Share that names another option by it."
    )


class VariantsEntry(Record):
    """The variants of a build."""

    made: VariantSet = Field(description="What was asked for.")
    rationales: str = Field(description="Digest of the rationales they were made of.")
    num_in: int = Field(ge=0, description="Rationales there were.")
    dropped: dict[str, int] = Field(
        description="Rationales left out before any transform, by reason."
    )
    num_looked_at: int = Field(
        ge=0, description="Rows in which names were looked for, the first ones."
    )
    variants: tuple[VariantEntry, ...] = Field(description="Each variant.")

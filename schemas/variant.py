"""Variants: their declaration, training rows and counts.

Each transform is a record with the parameters of one function of the same name in
`builder/variants/transforms`.
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
"""What a transform moves, masks or counts.

A word is a run of non-space characters, a piece one or more tokens of the spec's
tokenizer that decode to valid UTF-8, a sentence as `transforms/units.py` splits them.
"""


class Shuffle(Record):
    """Shuffle the units."""

    do: Literal["shuffle"]
    unit: Unit = Field(default="word", description="Unit to move.")
    within: Literal["rationale", "sentence"] = Field(
        default="rationale", description="Range within which units move."
    )
    block: int = Field(
        default=1, ge=1, description="Number of units that move together, as an n-gram."
    )

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.unit == "sentence" and self.within == "sentence":
            raise ValueError(
                "unit sentence within a sentence moves nothing, "
                "expected within rationale"
            )
        return self


class Reverse(Record):
    """Reverse the order of the units."""

    do: Literal["reverse"]
    unit: Unit = Field(default="word", description="Unit to reverse.")


class Sort(Record):
    """Sort the units alphabetically, case-folded and stable."""

    do: Literal["sort"]
    unit: Unit = Field(default="word", description="Unit to sort.")


class Mask(Record):
    """Replace or drop words: a fraction of them, or all of a class."""

    do: Literal["mask"]
    words: Literal["any", "stop", "content", "number", "mention"] = Field(
        default="any",
        description="Words that may be masked; mention is words that name an option.",
    )
    share: Share = Field(
        default=1.0, description="Fraction of those words to mask, rounded half up."
    )
    layout: Literal["scattered", "contiguous"] = Field(
        default="scattered", description="Whether masked words are scattered or contiguous."
    )
    symbol: str | None = Field(
        default=None,
        pattern=r"^\S+$",
        description="Replacement of each masked word; None to drop it.",
    )


class Cut(Record):
    """Keep the first or last words: a number, a fraction, or as many as another
    transform keeps.
    """

    do: Literal["cut"]
    end: Literal["first", "last"] = Field(
        default="first", description="End of the rationale to keep."
    )
    count: int | None = Field(
        default=None, ge=0, description="Number of words to keep; None to use share or like."
    )
    share: Share | None = Field(
        default=None,
        description="Fraction of the words to keep, rounded half up; None to use count or like.",
    )
    like: "Transform | None" = Field(
        default=None,
        description="Transform whose number of words to keep; None to use count or share.",
    )

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        _check_one_of(self, "count", "share", "like")
        return self


class Top(Record):
    """Keep the k most important words by some measure."""

    do: Literal["top"]
    by: Literal["scores", "tfidf", "question", "options", "list"] = Field(
        description="Measure of importance. scores: a file of attribution scores; tfidf: over the build; "
        "question, options: words shared with them; list: words in a file."
    )
    count: int = Field(
        ge=1, description="Maximum number of words to keep."
    )
    order: Literal["text", "score"] = Field(
        default="text", description="Order of the kept words: as in the text, or by score."
    )
    mentions: Literal["with", "without"] = Field(
        default="with", description="Whether words naming an option may count."
    )
    file: str | None = Field(
        default=None,
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Name that --file binds to a path; None if no file is needed.",
    )

    @model_validator(mode="after")
    def _check_file(self) -> Self:
        if (self.by in ("scores", "list")) != (self.file is not None):
            raise ValueError(
                f"by {self.by!r} and file {self.file!r}: "
                "expected a file for scores and list, else none"
            )
        return self


class Sample(Record):
    """Keep random words of the rationale in their order: a number, or as many as another
    transform keeps.
    """

    do: Literal["sample"]
    count: int | None = Field(
        default=None, ge=0, description="Number of words to keep; None to use like."
    )
    like: "Transform | None" = Field(
        default=None, description="Transform whose number of words to keep; None to use count."
    )
    mentions: Literal["with", "without"] = Field(
        default="with", description="Whether words naming an option may count."
    )

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        _check_one_of(self, "count", "like")
        return self


class Vocabulary(Record):
    """Replace the rationale by random words of the build: as many as it has, or as another
    transform keeps.
    """

    do: Literal["vocabulary"]
    weights: Literal["uniform", "corpus"] = Field(
        default="uniform",
        description="Probability of a word: uniform over distinct words, or by its frequency in the "
        "build.",
    )
    like: "Transform | None" = Field(
        default=None,
        description="Transform whose number of words to draw; None for the rationale's own number.",
    )


class Swap(Record):
    """Replace the rationale by that of another question."""

    do: Literal["swap"]
    label: Literal["any", "same", "other"] = Field(
        default="any", description="Label of the other question: any, the same, or another one."
    )


class Filler(Record):
    """Replace the rationale by one word, repeated as often as the rationale, or another
    transform's result, has words.
    """

    do: Literal["filler"]
    word: str = Field(default="…", pattern=r"^\S+$", description="The word to repeat.")
    like: "Transform | None" = Field(
        default=None,
        description="Transform whose number of words to use; None for the rationale's own number.",
    )


class Echo(Record):
    """Replace the rationale by the question's words, repeated to the same number of words."""

    do: Literal["echo"]


class Constant(Record):
    """Replace the rationale by the same text in every row."""

    do: Literal["constant"]
    text: str = Field(min_length=1, pattern=r"\S", description="The text.")


class Strip(Record):
    """Remove words that name the target or any option; or, as a control, as many random
    words.
    """

    do: Literal["strip"]
    what: Literal["target", "options"] = Field(description="Whose mentions to remove.")
    random: bool = Field(
        default=False,
        description="Remove as many words as that would, drawn from the other words as far as they "
        "suffice.",
    )


class LeakOnly(Record):
    """Keep only the words that name the target."""

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
    """The source of the label."""

    TARGET = "target"
    ANSWER = "answer"  # the teacher's answer, right or wrong


class LabelForm(StrEnum):
    """How the label of a choice question is written; other labels are always text."""

    LETTER = "letter"
    TEXT = "text"
    BOTH = "both"


class Placement(StrEnum):
    """The position of the rationale in the completion."""

    LABEL_ONLY = "label_only"
    PRE_COT = "pre_cot"  # rationale, then label
    POST_COT = "post_cot"  # label, then rationale
    EXPLANATION = "explanation"  # "label because rationale", one sentence
    RATIONALE_ONLY = "rationale_only"
    # One row predicts, one explains, distinguished by a prefix of the prompt.
    TWO_TASKS = "two_tasks"
    BOTH_SIDES = "both_sides"  # label, rationale, label


class Selection(Record):
    """Filters of rationales, the same for every variant of a set."""

    verdicts: tuple[Verdict, ...] = Field(
        default=(Verdict.CORRECT,), min_length=1, description="Verdicts to keep."
    )
    having: tuple[Flag, ...] = Field(
        default=(), description="Flags that a rationale must all have."
    )
    without: tuple[Flag, ...] = Field(
        default=(), description="Flags that exclude a rationale."
    )
    min_words: int = Field(default=1, ge=0, description="Minimum words of a rationale.")
    max_words: int | None = Field(
        default=None, ge=1, description="Maximum words of a rationale; None for no limit."
    )
    per_question: int | None = Field(
        default=None,
        ge=1,
        description="Rationales per question, drawn by seed; questions with fewer are dropped. None "
        "for all.",
    )
    share: Share = Field(
        default=1.0,
        gt=0,
        description="Fraction of the questions, drawn by seed; a larger one contains a smaller one.",
    )
    near_duplicates: Share | None = Field(
        default=None,
        gt=0,
        description="Drop rationales at least this similar to an earlier one (Jaccard similarity of "
        "word 3-grams); None to keep them.",
    )


class VariantSpec(Record):
    """One ablation, identified by name@version. Any change is a new version."""

    name: Name = Field(description="Name of the variant and of its config on the Hub.")
    version: int = Field(
        default=1, ge=1, description="Version, increased with every change of its rows."
    )
    about: str = Field(
        min_length=1, description="One line of description; not part of the fingerprint."
    )
    placement: Placement = Field(description="Position of the rationale.")
    label_source: LabelSource = Field(
        default=LabelSource.TARGET, description="Source of the label: the target, or the teacher's answer."
    )
    label_form: LabelForm = Field(
        default=LabelForm.TEXT, description="Form of a choice question's label."
    )
    options: bool = Field(
        default=True, description="Whether the prompt lists the options."
    )
    transforms: tuple[Transform, ...] = Field(
        default=(), description="Transforms of the rationale, in order."
    )
    tokenizer: str | None = Field(
        default=None, description="Tokenizer of unit piece: embedded, or a folder; None if no transform uses pieces."
    )
    aligned: bool = Field(
        default=True,
        description="Whether to keep only rows that every variant of the set has, instead of all that "
        "this one can derive.",
    )

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything that determines its rows."""
        return digest("variant/1", self.model_dump(mode="json", exclude={"about"}))

    @model_validator(mode="after")
    def _check_spec(self) -> Self:
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
    """A row of a variant, in the prompt-completion format that TRL and others train on.

    The prompt never ends in white space, the completion begins with it, and neither
    holds an end-of-text token. Rows of evaluation splits have the same columns, since
    all splits of a config must, and their completion is the label alone.
    """

    question_id: str = Field(description="Id of the question.")
    sample_index: int = Field(ge=0, description="Index of the sample for this question, from 0.")
    task: Task | None = Field(description="Task of the row in two_tasks; None for other placements.")
    prompt: str = Field(description="Prompt of the student.")
    completion: str = Field(description="Completion that the student is trained on.")
    choices: tuple[str, ...] = Field(
        description="Possible labels, one per option; empty unless it is a choice question."
    )
    target: str | None = Field(
        description="Reference answer; None if it is not published."
    )
    label_start: int | None = Field(
        description="Index of the label's first character in the completion; None without a label."
    )
    label_end: int | None = Field(
        description="Index after the label's last character; None without a label."
    )
    rationale_start: int | None = Field(
        description="Index of the rationale's first character in the completion; None without one."
    )
    rationale_end: int | None = Field(
        description="Index after the rationale's last character; None without one."
    )


def _check_one_of(record: Record, *names: str) -> None:
    given = [name for name in names if getattr(record, name) is not None]
    if len(given) != 1:
        raise ValueError(
            f"{' and '.join(given) or 'none of ' + ', '.join(names)} given, expected one of {list(names)}"
        )


class VariantSet(Record):
    """The variants of a build with selection and seed, resolved."""

    specs: tuple[VariantSpec, ...] = Field(min_length=1, description="The variants.")
    selection: Selection = Field(
        default=Selection(), description="Filters of rationales."
    )
    seed: int = Field(default=0, ge=0, description="Seed of all draws.")
    files: dict[str, str] = Field(
        default={}, description="File name in a spec to the SHA-256 of the file bound to it."
    )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [spec.name for spec in self.specs]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(
                f"specs name {repeated} more than once, expected different names"
            )
        return self


class VariantEntry(Record):
    """Counts of one derived variant."""

    name: str = Field(description="Name of the variant and of its config.")
    fingerprint: str = Field(
        description="Digest of spec, selection, seed, files and the rationales it was derived from."
    )
    num_rows: int = Field(ge=0, description="Number of training rows.")
    dropped: int = Field(
        ge=0,
        description="Rationales that it cannot be derived from; all aligned variants omit them.",
    )
    num_empty: int = Field(
        ge=0, description="Rows whose transformed rationale is empty."
    )
    words: float = Field(ge=0, description="Mean words per transformed rationale.")
    names_target: float = Field(
        ge=0,
        le=1,
        description="Fraction of the checked rows whose rationale names the target.",
    )
    names_other: float = Field(
        ge=0, le=1, description="Fraction of the checked rows whose rationale names another option."
    )
    loosely_target: float = Field(
        ge=0,
        le=1,
        description="Fraction that names the target by a looser rule: stems of its content words.",
    )
    loosely_other: float = Field(
        ge=0, le=1, description="Fraction that names another option by the looser rule."
    )


class VariantsEntry(Record):
    """The variants of a build, as its manifest records them."""

    made: VariantSet = Field(description="Specs, selection and seed.")
    rationales: str = Field(description="Digest of the rationales they were derived from.")
    num_in: int = Field(ge=0, description="Rationales of the build.")
    dropped: dict[str, int] = Field(
        description="Rationales dropped before any transform, by reason."
    )
    num_looked_at: int = Field(
        ge=0, description="Rows checked for mentions of options, from the start."
    )
    variants: tuple[VariantEntry, ...] = Field(description="Counts of each variant.")

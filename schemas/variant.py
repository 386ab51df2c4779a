"""Variants: their declaration, and the selection of rationales."""

from enum import StrEnum
from functools import cached_property
from typing import Literal, Self

from pydantic import Field, model_validator

from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.names import VariantName
from cotbuild.schemas.prompt_form import (
    MAX_FORM_CHARS,
    OPTIONS,
    check_prompt_form,
    form_variables,
)
from cotbuild.schemas.rationale import Flag, Verdict
from cotbuild.schemas.record import Record
from cotbuild.schemas.transform import Share, Transform


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
    # The rationale is in the prompt, the completion is the label alone.
    GIVEN_RATIONALE = "given_rationale"
    MIX = "mix"  # each rationale has the placement of one of the variant's parts


class RowFormat(StrEnum):
    """The form of a row's prompt and completion."""

    TEXT = "text"
    MESSAGES = "messages"  # lists of {role, content}, for chat templates


class TrainOn(StrEnum):
    """The assistant's turns that are completions, of rows with several of them."""

    LAST = "last"
    ALL = "all"  # one row for each


class Selection(Record):
    """Filters of rationales, the same for every variant of a set."""

    verdicts: tuple[Verdict, ...] = Field(
        default=(Verdict.CORRECT,),
        min_length=1,
        description="Verdicts to keep; correct also keeps scored, which prose has in its "
        "place.",
    )
    having: tuple[Flag, ...] = Field(
        default=(), description="Flags that a rationale must all have."
    )
    without: tuple[Flag, ...] = Field(
        default=(), description="Flags that exclude a rationale."
    )
    min_words: int = Field(default=1, ge=0, description="Minimum words of a rationale.")
    max_words: int | None = Field(
        default=None,
        ge=1,
        description="Maximum words of a rationale; None for no limit.",
    )
    per_question: int | None = Field(
        default=None,
        ge=1,
        description="Rationales per question, drawn by seed; questions with fewer are "
        "dropped. None for all.",
    )
    share: Share = Field(
        default=1.0,
        gt=0,
        description="Fraction of the questions, drawn by seed; a larger one contains a "
        "smaller one.",
    )
    min_chrf2: float | None = Field(
        default=None,
        ge=0,
        le=100,
        exclude_if=lambda limit: limit is None,
        description="Minimum chrF2 of a scored answer, 0 to 100; one without scores is "
        "dropped. None for no limit.",
    )
    min_bleu: float | None = Field(
        default=None,
        ge=0,
        le=100,
        exclude_if=lambda limit: limit is None,
        description="The same for BLEU.",
    )
    min_rouge_l: float | None = Field(
        default=None,
        ge=0,
        le=100,
        exclude_if=lambda limit: limit is None,
        description="The same for ROUGE-L.",
    )
    near_duplicates: Share | None = Field(
        default=None,
        gt=0,
        description="Drop rationales at least this similar to an earlier one (Jaccard "
        "similarity of word 3-grams); None to keep them.",
    )
    attempt: tuple[Verdict, ...] = Field(
        default=(),
        exclude_if=lambda verdicts: not verdicts,
        description="Verdicts on the evaluated attempt to keep; empty for all.",
    )
    evaluation: tuple[Literal["accept", "refine"], ...] = Field(
        default=(),
        exclude_if=lambda evaluations: not evaluations,
        description="Evaluations of an attempt to keep; empty for all.",
    )
    agrees: bool | None = Field(
        default=None,
        exclude_if=lambda agrees: agrees is None,
        description="Keep evaluations that agree with the verdict on the attempt (true), or "
        "that do not (false); None for all.",
    )
    balance: Literal["target"] | None = Field(
        default=None,
        exclude_if=lambda balance: balance is None,
        description="Keep equally many rationales of each target, as many as the rarest "
        "has, drawn by seed after all other filters; None for all.",
    )

    @property
    def kept_verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts that are kept: with correct also scored."""
        if Verdict.CORRECT in self.verdicts and Verdict.SCORED not in self.verdicts:
            return (*self.verdicts, Verdict.SCORED)
        return self.verdicts

    @property
    def selects_evaluations(self) -> bool:
        """Whether it depends on evaluations of attempts."""
        return bool(self.attempt or self.evaluation) or self.agrees is not None

    @property
    def min_scores(self) -> dict[str, float]:
        """The minimum score of answers in prose, by metric."""
        limits = {
            "chrf2": self.min_chrf2,
            "bleu": self.min_bleu,
            "rouge_l": self.min_rouge_l,
        }
        return {name: limit for name, limit in limits.items() if limit is not None}


class VariantSpec(Record):
    """One ablation, identified by name@version. Any change is a new version."""

    name: VariantName = Field(
        description="Name of the variant and of its config on the Hub."
    )
    version: int = Field(
        default=1, ge=1, description="Version, increased with every change of its rows."
    )
    about: str = Field(
        min_length=1,
        description="One line of description; not part of the fingerprint.",
    )
    placement: Placement = Field(description="Position of the rationale.")
    label_source: LabelSource = Field(
        default=LabelSource.TARGET,
        description="Source of the label: the target, or the teacher's answer.",
    )
    label_form: LabelForm = Field(
        default=LabelForm.TEXT, description="Form of a choice question's label."
    )
    options: bool = Field(
        default=True, description="Whether the prompt lists the options."
    )
    prompt: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_FORM_CHARS,
        exclude_if=lambda prompt: prompt is None,
        description="Form of the prompt before its last line, with $question, $options and "
        "the names of inputs; None for lines with each input, the question and its options.",
    )
    cue: str | None = Field(
        default=None,
        max_length=200,
        exclude_if=lambda cue: cue is None,
        description="Last line of a prompt that has a form; empty for none, None for the "
        "usual one.",
    )
    transforms: tuple[Transform, ...] = Field(
        default=(), description="Transforms of the rationale, in order."
    )
    draws: Literal[1, 2] = Field(
        default=1,
        exclude_if=lambda version: version == 1,
        description="Version of the random draws of its transforms: 2 is faster, 1 is that of "
        "older variants.",
    )
    tokenizer: str | None = Field(
        default=None,
        description="Tokenizer of unit piece: embedded, or a folder; None if no transform "
        "uses pieces.",
    )
    aligned: bool = Field(
        default=True,
        description="Whether to keep only rows that every variant of the set has, instead of "
        "all that this one can derive.",
    )
    format: RowFormat = Field(
        default=RowFormat.TEXT,
        exclude_if=lambda value: value is RowFormat.TEXT,
        description="Form of prompts and completions: text, or messages for a chat template.",
    )
    train_on: TrainOn = Field(
        default=TrainOn.LAST,
        exclude_if=lambda value: value is TrainOn.LAST,
        description="The assistant's turns to train on: the last one, or all. Needs format "
        "messages.",
    )
    mix: tuple["MixPart", ...] = Field(
        default=(),
        exclude_if=lambda parts: not parts,
        description="Parts of a mix. An evaluation uses the prompts and labels of the first.",
    )

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"

    @cached_property
    def fingerprint(self) -> str:
        """Digest of everything that determines its rows."""
        values = self.model_dump(mode="json", exclude={"about"})
        for part in values.get("mix", []):
            del part["spec"]["about"]
        return digest("variant/1", values)

    @property
    def parts(self) -> tuple["VariantSpec", ...]:
        """The variants that its rows are of: those of a mix, or itself."""
        return tuple(part.spec for part in self.mix) or (self,)

    @property
    def evaluated(self) -> "VariantSpec":
        """The variant whose prompts and labels an evaluation uses."""
        return self.parts[0]

    @property
    def tokenizers(self) -> tuple[str, ...]:
        """The tokenizers that its transforms need, each once."""
        named = (spec.tokenizer for spec in self.parts if spec.tokenizer is not None)
        return tuple(dict.fromkeys(named))

    @property
    def gives_rationale(self) -> bool:
        """Whether the prompts of some of its rows hold the rationale."""
        return any(spec.placement is Placement.GIVEN_RATIONALE for spec in self.parts)

    @model_validator(mode="after")
    def _check_spec(self) -> Self:
        if self.train_on is TrainOn.ALL and self.format is RowFormat.TEXT:
            raise ValueError(
                "train_on is all, but rows of format text have one turn: expected format "
                "messages"
            )
        if (self.placement is Placement.MIX) != bool(self.mix):
            raise ValueError(
                "placement mix and the parts of a mix go together: expected both or neither"
            )
        self._check_mix()
        if self.placement is Placement.LABEL_ONLY and self.transforms:
            raise ValueError(
                "label_only has no rationale, and transforms are given: expected none"
            )
        if self.prompt is not None:
            check_prompt_form(self.prompt)
            self._check_options(self.prompt)
        self._check_cue()
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

    def _check_options(self, prompt: str) -> None:
        if OPTIONS in form_variables(prompt) and not self.options:
            raise ValueError("prompt shows $options, and options is false")

    def _check_cue(self) -> None:
        if self.cue is None:
            return
        if self.prompt is None:
            raise ValueError("cue is given without a prompt; give both or no cue")
        if self.cue != self.cue.strip() or len(self.cue.splitlines()) > 1:
            raise ValueError(
                f"cue {self.cue!r} has white space around it or several lines"
            )

    def _check_mix(self) -> None:
        """Check that the parts of a mix fit together and say all that there is to say."""
        if not self.mix:
            return
        fields = type(self).model_fields
        differing = [
            name
            for name in fields.keys() - MIX_FIELDS
            if getattr(self, name) != fields[name].default
        ]
        if differing:
            raise ValueError(
                f"a mix states {sorted(differing)}, which its parts state: expected "
                f"{sorted(MIX_FIELDS)} alone"
            )
        if any(part.spec.mix for part in self.mix):
            raise ValueError("a part of the mix is a mix itself")
        if any(part.spec.format is not self.format for part in self.mix):
            raise ValueError(
                f"its format is {self.format.value}: expected parts of that format"
            )
        total = sum(part.share for part in self.mix)
        if abs(total - 1) > MAX_SHARES_ERROR:
            raise ValueError(f"the shares of its parts sum to {total:g}: expected 1")


MIX_FIELDS = frozenset(
    {"name", "version", "about", "placement", "aligned", "format", "mix"}
)
"""What a mix states itself."""
MAX_SHARES_ERROR = 1e-3
"""How far from 1 the shares of a mix may sum to, such as thirds that were rounded."""


class MixPart(Record):
    """One variant of a mix, and the share of the rationales that take its form."""

    spec: VariantSpec = Field(description="The variant.")
    share: Share = Field(gt=0, description="Fraction of the rationales.")

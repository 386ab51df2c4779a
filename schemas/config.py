"""BuildConfig: every setting of a build, resolved, as build.json holds it."""

import re
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from cotbuild.schemas.attempts import AttemptsConfig
from cotbuild.schemas.body_edits import move_off_to_omit
from cotbuild.schemas.completion import MAX_SEED, Sampling
from cotbuild.schemas.grading import DEFAULT_GRADING, GradingConfig
from cotbuild.schemas.import_recipe import ImportConfig
from cotbuild.schemas.names import SplitName
from cotbuild.schemas.question import INPUT_NAME, QuestionKind
from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.row_files import FormatField, HeaderField, RowsUnderField
from cotbuild.schemas.server_profiles import BodyRules, resolve_body_rules
from cotbuild.schemas.teacher_config import TeacherConfig

TargetForm = Literal["label", "text", "index0", "index1"]
"""How the targets of choice questions are published: the label or the text of a choice,
or its position, counted from 0 or 1.
"""
BUNDLED = ("bundled", "bundled_tasks")
"""Names of the question sets that come with cotbuild."""
MAX_LABELS = 26
"""Most labels that all questions can share."""


class SourceConfig(Record):
    """The questions of a build."""

    name: str = Field(
        default="bundled",
        min_length=1,
        description="bundled, a known dataset, a file, a folder of split files, text files "
        "side by side such as question=q.txt,target=a.txt, or a dataset's Hub id.",
    )
    config_name: str | None = Field(
        default=None,
        description="Config of a dataset given by its Hub id, or of published files that "
        "can be read in several ways, such as a direction of translation; None if there is "
        "only one.",
    )
    revision: str | None = Field(
        default=None, description="Branch, tag or commit of a Hub id; None for main."
    )
    split: SplitName | None = Field(
        default=None,
        description="Split that rationales are generated for; None for the file's own, else "
        "train.",
    )
    rows: str | None = Field(
        default=None,
        pattern=r"^\d*:\d*$",
        description="Rows to use, START:END from 0 without END; None for all.",
    )
    sample: int | None = Field(
        default=None,
        ge=1,
        description="Number of questions to sample by sample_seed and id; a larger sample "
        "contains a smaller one. None for all.",
    )
    sample_seed: int = Field(default=0, ge=0, description="Seed of `sample`.")
    limit: int | None = Field(
        default=None,
        ge=1,
        description="Maximum number of questions, the first of those; None for all.",
    )
    eval_splits: tuple[SplitName, ...] = Field(
        default=(),
        description="Evaluation splits to include; no rationales are generated for them.",
    )
    file_format: FormatField = None
    header: HeaderField = ()
    rows_under: RowsUnderField = None
    columns: dict[str, str] = Field(
        default={},
        description="Field or input of questions to column, for files with other column "
        "names, and for what questions are asked with besides their text.",
    )
    tags: dict[str, str] = Field(
        default={},
        exclude_if=lambda tags: not tags,
        description="Tag to column: facts about questions to report by, such as subject, "
        "which nobody is shown.",
    )
    kind: QuestionKind | None = Field(
        default=None,
        description="Kind of all questions; None to infer it from the columns.",
    )
    target_is: TargetForm | None = Field(
        default=None,
        exclude_if=lambda form: form is None,
        description="What the targets of choice questions are: label or text of a choice, "
        "or its position from 0 (index0) or 1 (index1); None to infer it from all rows.",
    )
    labels: tuple[str, ...] = Field(
        default=(),
        exclude_if=lambda labels: not labels,
        description="Choices that all questions share, such as entailment, neutral and "
        "contradiction; empty where rows have their own, or none.",
    )
    images: str | None = Field(
        default=None,
        exclude_if=lambda folder: folder is None,
        description="Folder in which the paths of pictures begin; None for that of the "
        "source's file.",
    )
    fetch_images: bool = Field(
        default=False,
        exclude_if=lambda fetches: not fetches,
        description="Whether pictures at http(s) URLs are fetched.",
    )
    on_bad_row: Literal["stop", "drop"] = Field(
        default="stop", description="Stop at a malformed row, or drop and count it."
    )
    drop_overlap: bool = Field(
        default=False,
        description="Drop and count questions whose text is also in an evaluation split, "
        "whatever their options, instead of only reporting them.",
    )

    @field_validator("tags")
    @classmethod
    def _check_tags(cls, tags: dict[str, str]) -> dict[str, str]:
        for name, column in tags.items():
            if re.fullmatch(INPUT_NAME, name) is None or not column:
                raise ValueError(
                    f"tag {name}={column} is not NAME=COLUMN with a name of small letters, "
                    "digits and _, such as subject=Subject"
                )
        return tags

    @field_validator("labels")
    @classmethod
    def _check_labels(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        texts = [label.strip() for label in labels]
        if labels and (len(set(texts)) < max(2, len(texts)) or "" in texts):
            raise ValueError(
                f"labels are {texts}, expected at least 2 different ones, none empty"
            )
        if len(texts) > MAX_LABELS:
            raise ValueError(
                f"{len(texts)} labels, expected at most {MAX_LABELS}, which are lettered "
                "from A; leave them out to have the names as texts"
            )
        return tuple(texts)

    @model_validator(mode="after")
    def _check_choices(self) -> Self:
        is_choice = self.kind in (None, QuestionKind.CHOICE)
        for name, value in (("labels", self.labels), ("target_is", self.target_is)):
            if value and not is_choice:
                raise ValueError(
                    f"kind is {self.kind} and {name} is set, which is for choice "
                    "questions; leave one of them out"
                )
        mapped = self.columns.get("choices") or self.columns.get("distractors")
        if self.labels and mapped:
            raise ValueError(
                f"labels are set and the choices are mapped to {mapped!r}; leave one of "
                "them out"
            )
        return self


class ExemplarsConfig(Record):
    """Exemplars drawn for each question in place of the template's own."""

    split: SplitName = Field(
        description="Split of the source whose rows have rationales of their own.",
    )
    count: int = Field(default=3, ge=1, le=64, description="Exemplars per prompt.")
    seed: int = Field(default=0, ge=0, description="Seed of the draw.")


class BuildConfig(Record):
    """Configuration of a build.

    The answer store is independent of it: another configuration in the same folder
    reuses every answer whose request is unchanged.
    """

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    source: SourceConfig = Field(default=SourceConfig(), description="The questions.")
    teacher: TeacherConfig = Field(default=TeacherConfig(), description="The teacher.")
    imported: ImportConfig | None = Field(
        default=None,
        description="Imported rationales, instead of a teacher; None to generate them.",
    )
    mode: Literal["elicit", "rationalize", "elicit-then-rationalize", "reflect"] = (
        Field(
            default="elicit",
            description="Generate with the target hidden (elicit), shown (rationalize), or "
            "hidden first and shown for wrong answers; or evaluate attempts (reflect).",
        )
    )
    attempts: AttemptsConfig | None = Field(
        default=None,
        exclude_if=lambda attempts: attempts is None,
        description="Attempts to evaluate, for mode reflect; None for other modes.",
    )
    decode: Literal["free", "json", "choice"] = Field(
        default="free",
        description="Free text; JSON with rationale and answer; or free text, then an answer "
        "constrained to the choices.",
    )
    on_length: Literal["keep", "longer"] = Field(
        default="keep",
        description="Keep a completion truncated at max_tokens, or retry once with "
        "longer_tokens.",
    )
    longer_tokens: int | None = Field(
        default=None,
        ge=1,
        description="Maximum new tokens of that retry; None for 4 × max_tokens.",
    )
    choice_tokens: int | None = Field(
        default=None,
        ge=1,
        exclude_if=lambda tokens: tokens is None,
        description="Maximum new tokens of the constrained answer of decode choice, for "
        "teachers that reason before it; None for 64.",
    )
    exemplars: ExemplarsConfig | None = Field(
        default=None,
        description="Exemplars drawn from a split; None for the template's own.",
    )
    templates: tuple[str, ...] = Field(
        default=(),
        description="name@version or a file, at most one per kind; empty for the defaults.",
    )
    system: str | None = Field(
        default=None,
        description="System prompt, empty to send none; None for the template's.",
    )
    sampling: Sampling = Field(default=Sampling(), description="Sampling parameters.")
    samples: int = Field(default=1, ge=1, description="Samples per question.")
    seed: int = Field(
        default=0,
        ge=0,
        le=MAX_SEED,
        description="Seed of the build, from which the seed of each request is derived.",
    )
    grading: GradingConfig = Field(
        default=DEFAULT_GRADING,
        exclude_if=lambda grading: grading == DEFAULT_GRADING,
        description="Optional rules and metrics of grading.",
    )

    @property
    def body_rules(self) -> BodyRules:
        """What the bodies of this build's requests leave out, rename and add.

        Raises ValueError where two fields would have the same name.
        """
        teacher = self.teacher
        return resolve_body_rules(
            profile=teacher.profile,
            omit=teacher.omit,
            rename=teacher.rename,
            extra_body=teacher.extra_body,
            seed_bits=teacher.seed_bits,
            sampling=self.sampling,
        )

    @model_validator(mode="before")
    @classmethod
    def _leave_out_fields_that_are_off(cls, values: Any) -> Any:
        return move_off_to_omit(values) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _check_body_rules(self) -> Self:
        rules = self.body_rules
        if self.on_length == "longer" and "max_tokens" in rules.omitted:
            raise ValueError(
                "on_length is longer, but max_tokens is not sent, so the longer request "
                "would be the same; set on_length to keep, or send max_tokens"
            )
        return self

    @model_validator(mode="after")
    def _check_attempts(self) -> Self:
        if (self.mode == "reflect") != (self.attempts is not None):
            raise ValueError(
                f"mode is {self.mode} and attempts are "
                f"{'not given' if self.attempts is None else 'given'}; mode reflect and "
                "attempts go together"
            )
        return self

    @model_validator(mode="after")
    def _check_samples(self) -> Self:
        if self.samples > 1 and self.sampling.temperature == 0:
            raise ValueError(
                f"samples is {self.samples} at temperature 0, where all samples are the same; "
                "expected 1"
            )
        return self

    @model_validator(mode="after")
    def _check_choice_tokens(self) -> Self:
        if self.choice_tokens is not None and self.decode != "choice":
            raise ValueError(
                f"choice_tokens is set while decode is {self.decode}; expected decode choice"
            )
        return self

    @model_validator(mode="after")
    def _check_longer_tokens(self) -> Self:
        if self.longer_tokens is None:
            return self
        if self.on_length != "longer":
            raise ValueError(
                "longer_tokens is set while on_length is keep; expected on_length longer"
            )
        if self.longer_tokens <= self.sampling.max_tokens:
            raise ValueError(
                f"longer_tokens is {self.longer_tokens}, "
                f"expected more than max_tokens {self.sampling.max_tokens}"
            )
        return self

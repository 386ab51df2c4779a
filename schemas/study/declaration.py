"""What both versions of STUDY.yaml declare before the first cell.

A *recipe* is a student, a variant, a number of rationales and a loss. A *cell* is a
recipe with one seed: one trained student, evaluated. All recipes of a *setting*
(student, rows, loss) see the same rationales in the same order and number of updates.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    Discriminator,
    Field,
    JsonValue,
    StringConstraints,
    Tag,
    ValidationError,
)

from cotbuild.schemas.names import ConfigName, SplitName
from cotbuild.schemas.record import Record, explain_validation_error
from cotbuild.schemas.training import Loss, TrainConfig

UNTRAINED = 0
"""`rows` of a cell whose student was not trained."""
PER_CELL_SETTINGS = ("variant", "student", "revision", "seed", "rows", "loss")
"""Fields of TrainConfig that differ from cell to cell."""
MAX_HELD_OUT = 1_000_000
"""Most questions that a study may hold out from training."""
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@.+)?", re.ASCII)
OneLine = Annotated[
    str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\n\r]+$")
]


def without_folders(name: str) -> str:
    """Return a Hub id as it is, and the last part of a path."""
    return name if _HUB_ID.fullmatch(name) else name.rstrip("/").rpartition("/")[2]


class StudyMetric(StrEnum):
    """The metric that is compared. The others are reported too."""

    # Forced choice by raw log-likelihood; without options, the free answer.
    ACCURACY = "accuracy"
    NORMALISED = "normalised"  # forced choice by log-likelihood per character
    FREE = "free"  # free greedy answers
    # Probability of the target among the options: a softmax of their log-likelihoods.
    TARGET_PROBABILITY = "target_probability"
    # Of questions that share their options: mean F1 of the classes that are a target.
    MACRO_F1 = "macro_f1"  # forced choice
    FREE_MACRO_F1 = "free_macro_f1"  # free greedy answers
    # Of prose: free greedy answers against their references, all together.
    CHRF2 = "chrf2"
    BLEU = "bleu"
    ROUGE_L = "rouge_l"

    @property
    def is_accuracy(self) -> bool:
        """Whether it is a fraction of correct answers."""
        return self in (
            StudyMetric.ACCURACY,
            StudyMetric.NORMALISED,
            StudyMetric.FREE,
        )

    @property
    def is_macro_f1(self) -> bool:
        """Whether it needs questions that share their options."""
        return self in (StudyMetric.MACRO_F1, StudyMetric.FREE_MACRO_F1)

    @property
    def is_prose(self) -> bool:
        """Whether it scores answers in prose."""
        return self in (StudyMetric.CHRF2, StudyMetric.BLEU, StudyMetric.ROUGE_L)

    @property
    def is_question_mean(self) -> bool:
        """Whether it is a mean over questions of a value from 0 to 1."""
        return self.is_accuracy or self is StudyMetric.TARGET_PROBABILITY


class StudyQuestions(Record):
    """Questions of an evaluation split of the build, in its order."""

    split: SplitName = Field(description="Evaluation split of the build: dev, test.")
    skip: int = Field(
        default=0, ge=0, description="Number of questions to skip at the start."
    )
    first: int | None = Field(
        default=None,
        ge=2,
        description="Maximum number of questions after those; None for all.",
    )


class HeldOutQuestions(Record):
    """Questions of the split that the build has rationales of, held out from training.

    No cell of the study trains on one of them, or on a question with the same text.
    """

    split: SplitName = Field(
        description="Split of the build's rationales, such as train."
    )
    unseen: Literal[True] = Field(description="That no cell trains on them: true.")
    count: int = Field(ge=2, le=MAX_HELD_OUT, description="Number of questions.")
    by: Literal["id_digest"] = Field(
        default="id_digest",
        description="Order in which they are taken: id_digest, by a digest of their ids.",
    )


def _questions_kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "held_out" if "unseen" in value else "in_order"
    return "held_out" if isinstance(value, HeldOutQuestions) else "in_order"


AnyQuestions = Annotated[
    Annotated[StudyQuestions, Tag("in_order")]
    | Annotated[HeldOutQuestions, Tag("held_out")],
    Discriminator(_questions_kind),
]
"""Questions of an evaluation split, or with `unseen` some held out from training."""


class Claim(StrEnum):
    """A claim of a study of version 1, made before the first cell is trained."""

    BEATS = "beats"
    AS_GOOD = "as_good"


class PlannedComparison(Record):
    """A claim about two recipes of the main setting, made before the first cell."""

    name: ConfigName = Field(description="Name of the comparison.")
    says: OneLine = Field(description="The claim in words.")
    a: ConfigName = Field(description="Variant A.")
    b: ConfigName = Field(description="Variant B, which A is compared with.")
    claim: Claim = Field(description="beats; or as_good: better or within the margin.")


class Gate(Record):
    """A condition on dev that must hold before any test question is used.

    If training does not help at all, the study cannot compare anything.
    """

    variant: ConfigName = Field(
        default="label_only",
        description="Variant that must beat the untrained student on the primary metric.",
    )
    standard_errors: float = Field(
        default=2.0, ge=0, description="Minimum difference, in standard errors."
    )


class StudyStage(Record):
    """A set of cells: every variant with every seed, size, loss and student."""

    name: OneLine = Field(description="Name of the stage.")
    variants: tuple[ConfigName, ...] = Field(
        min_length=1, description="Variants: configs of the build."
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        min_length=1, description="Training seeds."
    )
    rows: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        min_length=1, description="Rationales trained on."
    )
    losses: tuple[Loss, ...] = Field(
        default=(Loss.PARTS,), min_length=1, description="Losses to minimise."
    )
    students: tuple[str, ...] = Field(
        default=("embedded",),
        min_length=1,
        description="Students: embedded, a folder, or a Hub id.",
    )


class TrainingSetting(Record):
    """The part of a recipe that compared recipes share."""

    student: str = Field(
        min_length=1, description="Student: embedded, a folder, or a Hub id."
    )
    rows: int = Field(
        ge=0, description="Number of rationales trained on; 0 if not trained."
    )
    loss: Loss = Field(description="Loss to minimise.")

    @property
    def student_name(self) -> str:
        """The student's name for a published report: a path by its last part alone."""
        return without_folders(self.student)


class TrainingRecipe(TrainingSetting):
    """A variant trained in a setting."""

    variant: ConfigName = Field(description="Variant: a config of the build.")

    @property
    def setting(self) -> TrainingSetting:
        return TrainingSetting(student=self.student, rows=self.rows, loss=self.loss)


class CellKey(TrainingRecipe):
    """The identity of a cell: a recipe with a seed."""

    seed: int = Field(
        ge=0, description="Seed of the order of rows and all randomness in training."
    )

    @property
    def recipe(self) -> TrainingRecipe:
        return TrainingRecipe.model_validate(
            self.model_dump(exclude={"seed"}), strict=False
        )

    @property
    def name(self) -> str:
        """Name of the cell's file, such as `post_cot.embedded.500.parts.s0`."""
        last_part = self.student.rstrip("/").rpartition("/")[2]
        student = re.sub(r"[^A-Za-z0-9-]+", "-", last_part) or "student"
        if self.rows == UNTRAINED:
            return f"{self.variant}.{student}.untrained"
        return f"{self.variant}.{student}.{self.rows}.{self.loss.value}.s{self.seed}"


class Study(Record):
    """What the content of STUDY.yaml has in both versions.

    The first cell fixes all of it but the stages; the report lists later changes.
    """

    format_version: int = Field(description="Format version.")
    name: OneLine = Field(description="Title of the report.")
    source: str = Field(
        min_length=1, description="Folder of a build, or a release as ORG/NAME@TAG."
    )
    dev: AnyQuestions = Field(
        description="Dev questions, for the gate and hyperparameters."
    )
    test: AnyQuestions = Field(
        description="Test questions, used once per cell for the results."
    )
    metric: StudyMetric = Field(
        default=StudyMetric.ACCURACY, description="Primary metric."
    )
    gate: Gate = Field(default=Gate(), description="Gate on dev.")
    train: dict[str, JsonValue] = Field(
        default={}, description="Settings of `cotbuild train` for all cells."
    )
    stages: tuple[StudyStage, ...] = Field(
        min_length=1, description="Stages, in the order in which they run."
    )

    @property
    def main(self) -> TrainingSetting:
        """The setting of the planned comparisons: the first of the first stage."""
        first = self.stages[0]
        return TrainingSetting(
            student=first.students[0], rows=first.rows[0], loss=first.losses[0]
        )

    @property
    def source_name(self) -> str:
        """The source's name for a published report: a path by its last part alone."""
        return without_folders(self.source)

    @property
    def search_grid(self) -> Mapping[str, tuple[JsonValue, ...]]:
        """The values that are tried on dev, by the name of the setting."""
        return {}

    def cells(self, stage: StudyStage) -> Iterator[CellKey]:
        """Return the cells of a stage in the order in which they run: seed by seed."""
        for student in stage.students:
            for rows in stage.rows:
                for loss in stage.losses:
                    for seed in stage.seeds:
                        for variant in stage.variants:
                            yield CellKey(
                                variant=variant,
                                student=student,
                                rows=rows,
                                loss=loss,
                                seed=seed,
                            )

    def all_cells(self) -> list[CellKey]:
        """Return the cells of all stages in order, each once."""
        cells = [cell for stage in self.stages for cell in self.cells(stage)]
        return list(dict.fromkeys(cells))

    def gate_cells(self) -> list[CellKey]:
        """Return the cells that decide the gate, in the main setting."""
        cells = [
            cell
            for cell in self.cells(self.stages[0])
            if cell.variant == self.gate.variant and cell.setting == self.main
        ]
        return list(dict.fromkeys(cells))


def check_stages(study: Study) -> None:
    """Raise ValueError unless the stages and the gate fit each other."""
    check_unique("stages", [stage.name for stage in study.stages])
    _check_student_names(study)
    if study.gate.variant not in study.stages[0].variants:
        raise ValueError(
            f"the gate needs {study.gate.variant!r}, expected it in the first stage"
        )


def _check_student_names(study: Study) -> None:
    """Check that cells of different students have files of different names."""
    students: dict[str, str] = {}
    for cell in study.all_cells():
        student = students.setdefault(cell.name, cell.student)
        if student != cell.student:
            raise ValueError(
                f"students {student!r} and {cell.student!r}: "
                "expected last parts that differ"
            )


def check_unique(field: str, names: Sequence[str]) -> None:
    """Raise ValueError if a name occurs twice."""
    if len(set(names)) < len(names):
        raise ValueError(
            f"{field} {list(names)} are not all named differently, expected a name each"
        )


def check_settings(
    train: Mapping[str, JsonValue],
    grid: Mapping[str, tuple[JsonValue, ...]],
    fields: str = "train and grid",
) -> None:
    """Raise ValueError unless both hold settings of `cotbuild train`, none in both.

    `fields` is what an error calls them.
    """
    known = sorted(set(TrainConfig.model_fields) - set(PER_CELL_SETTINGS))
    for name in [*train, *grid]:
        if name not in known:
            raise ValueError(f"{fields} have {name!r}, expected one of {known}")
    for name, value in train.items():
        _check_setting(name, value)
    for name, values in grid.items():
        if not values:
            raise ValueError(f"grid {name!r} has no values, expected at least one")
        for value in values:
            _check_setting(name, value)
    both = sorted(set(train) & set(grid))
    if both:
        raise ValueError(f"{fields} both have {both}, expected each in one of them")


def _check_setting(name: str, value: JsonValue) -> None:
    """Raise ValueError unless TrainConfig accepts the value."""
    try:
        TrainConfig.model_validate({"variant": "any", name: value}, strict=False)
    except ValidationError as fault:
        raise ValueError(explain_validation_error(fault, TrainConfig)) from fault

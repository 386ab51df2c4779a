"""A study as STUDY.yaml declares it before the first cell.

A *recipe* is a student, a variant, a number of rationales and a loss. A *cell* is a
recipe with one seed: one trained student, evaluated. All recipes of a *setting*
(student, rows, loss) see the same rationales in the same order and number of updates.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Self

from pydantic import (
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    model_validator,
)

from cotbuild.schemas.names import ConfigName, SplitName
from cotbuild.schemas.record import FORMAT_VERSION, Record, explain_validation_error
from cotbuild.schemas.training import Loss, TrainConfig

UNTRAINED = 0
"""`rows` of a cell whose student was not trained."""
PER_CELL_SETTINGS = ("variant", "student", "revision", "seed", "rows", "loss")
"""Fields of TrainConfig that differ from cell to cell."""
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@.+)?", re.ASCII)
OneLine = Annotated[
    str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\n\r]+$")
]


def _without_folders(name: str) -> str:
    """Return a Hub id as it is, and the last part of a path."""
    return name if _HUB_ID.fullmatch(name) else name.rstrip("/").rpartition("/")[2]


class StudyMetric(StrEnum):
    """The metric that is compared. The others are reported too."""

    # Forced choice by raw log-likelihood; without options, the free answer.
    ACCURACY = "accuracy"
    NORMALISED = "normalised"  # forced choice by log-likelihood per character
    FREE = "free"  # free greedy answers
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
        return not (self.is_accuracy or self.is_macro_f1)


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


class Claim(StrEnum):
    """A claim about recipes A and B, made before the first cell is trained."""

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
        return _without_folders(self.student)


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
    """The content of STUDY.yaml.

    The first cell fixes all of it but the stages; the report lists later changes.
    """

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    name: OneLine = Field(description="Title of the report.")
    source: str = Field(
        min_length=1, description="Folder of a build, or a release as ORG/NAME@TAG."
    )
    dev: StudyQuestions = Field(description="Dev questions, for the gate and the grid.")
    test: StudyQuestions = Field(
        description="Test questions, used once per cell for the results."
    )
    metric: StudyMetric = Field(
        default=StudyMetric.ACCURACY, description="Primary metric."
    )
    margin: float = Field(
        default=2.0,
        gt=0,
        description="Difference up to which two recipes count as equally good, points.",
    )
    paired: bool = Field(
        default=False,
        description="Whether to pair runs with the same seed.",
    )
    comparisons: tuple[PlannedComparison, ...] = Field(
        min_length=1, description="Planned comparisons."
    )
    gate: Gate = Field(default=Gate(), description="Gate on dev.")
    train: dict[str, JsonValue] = Field(
        default={}, description="Settings of `cotbuild train` for all cells."
    )
    grid: dict[str, tuple[JsonValue, ...]] = Field(
        default={},
        description="Setting to the values that every variant tries on dev, with the first seed.",
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
        return _without_folders(self.source)

    def cells(self, stage: StudyStage) -> Iterator[CellKey]:
        """Return the cells of a stage in the order in which they run.

        The gate's variant comes first, then seed by seed, so that a part of the stage
        can be compared already.
        """
        cells = [
            CellKey(variant=variant, student=student, rows=rows, loss=loss, seed=seed)
            for student in stage.students
            for rows in stage.rows
            for loss in stage.losses
            for seed in stage.seeds
            for variant in stage.variants
        ]
        return iter(sorted(cells, key=lambda cell: cell.variant != self.gate.variant))

    def all_cells(self) -> list[CellKey]:
        """Return the cells of all stages in order, each once."""
        cells = [cell for stage in self.stages for cell in self.cells(stage)]
        return list(dict.fromkeys(cells))

    @model_validator(mode="after")
    def _check_study(self) -> Self:
        _check_unique("comparisons", [claim.name for claim in self.comparisons])
        _check_unique("stages", [stage.name for stage in self.stages])
        self._check_settings()
        self._check_comparisons()
        self._check_student_names()
        if self.gate.variant not in self.stages[0].variants:
            raise ValueError(
                f"the gate needs {self.gate.variant!r}, expected it in the first stage"
            )
        return self

    def _check_settings(self) -> None:
        known = sorted(set(TrainConfig.model_fields) - set(PER_CELL_SETTINGS))
        for name in [*self.train, *self.grid]:
            if name not in known:
                raise ValueError(
                    f"train and grid have {name!r}, expected one of {known}"
                )
        for name, value in self.train.items():
            _check_setting(name, value)
        for name, values in self.grid.items():
            if not values:
                raise ValueError(f"grid {name!r} has no values, expected at least one")
            for value in values:
                _check_setting(name, value)
        both = sorted(set(self.train) & set(self.grid))
        if both:
            raise ValueError(
                f"train and grid both have {both}, expected each in one of them"
            )

    def _check_comparisons(self) -> None:
        """Check that the stages train every compared variant in the main setting."""
        main = self.main
        trained = {cell.variant for cell in self.all_cells() if cell.setting == main}
        for comparison in self.comparisons:
            missing = sorted({comparison.a, comparison.b} - trained)
            if missing:
                raise ValueError(
                    f"comparison {comparison.name!r} needs {missing}, which no stage trains "
                    f"with {main.student}, {main.rows} rows and loss {main.loss.value}, "
                    "expected one that does"
                )

    def _check_student_names(self) -> None:
        """Check that cells of different students have files of different names."""
        students: dict[str, str] = {}
        for cell in self.all_cells():
            student = students.setdefault(cell.name, cell.student)
            if student != cell.student:
                raise ValueError(
                    f"students {student!r} and {cell.student!r}: "
                    "expected last parts that differ"
                )


def _check_unique(field: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise ValueError(
            f"{field} {names} are not all named differently, expected a name each"
        )


def _check_setting(name: str, value: JsonValue) -> None:
    """Raise ValueError unless TrainConfig accepts the value."""
    try:
        TrainConfig.model_validate({"variant": "any", name: value}, strict=False)
    except ValidationError as fault:
        raise ValueError(explain_validation_error(fault)) from fault

"""A study as STUDY.yaml declares it, before the first cell.

A *recipe* is a student trained on a variant with so many rationales and one loss. A
*cell* is a recipe with one seed: one trained student, evaluated. All recipes of a
*setting* (student, rows, loss) meet the same rationales in the same order in as many
updates.
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

from cotbuild.schemas.record import FORMAT_VERSION, Record, explain_validation_error
from cotbuild.schemas.study.comparison import Claim
from cotbuild.schemas.training import Loss, TrainConfig
from cotbuild.schemas.variant import Name

UNTRAINED = 0
"""Rows of a cell whose student was not trained."""
OF_A_CELL = ("variant", "student", "revision", "seed", "rows", "loss")
"""Fields of TrainConfig that each cell has its own."""
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@.+)?", re.ASCII)
Line = Annotated[
    str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\n\r]+$")
]


def _without_folders(name: str) -> str:
    return name if _HUB_ID.fullmatch(name) else name.rstrip("/").rpartition("/")[2]


class StudyMetric(StrEnum):
    """What is compared; the others are reported beside it."""

    ACCURACY = "accuracy"  # forced choice by raw log-likelihood; of questions without options the free answer
    NORMALISED = "normalised"  # forced choice by log-likelihood a character
    FREE = "free"  # free greedy answers


class StudyQuestions(Record):
    """Questions of an evaluation split of the build, in its order."""

    split: str = Field(
        min_length=1, description="Evaluation split of the build: dev, test."
    )
    skip: int = Field(default=0, ge=0, description="Leave out the first so many.")
    first: int | None = Field(
        default=None,
        ge=2,
        description="Of the others only the first so many; None: all.",
    )


class PlannedComparison(Record):
    """A claim on two recipes of the main setting, made before the first cell."""

    name: Name = Field(description="What it is called.")
    says: Line = Field(description="The claim in words.")
    a: Name = Field(description="Variant.")
    b: Name = Field(description="Variant it is compared to.")
    claim: Claim = Field(description="beats, or as_good: within the margin, or better.")


class Gate(Record):
    """What must hold on dev before any test question is asked, or the study could say
    nothing.
    """

    variant: Name = Field(
        default="label_only",
        description="Must beat the untrained student on the primary metric.",
    )
    standard_errors: float = Field(
        default=2.0, ge=0, description="By so many of the difference."
    )


class StudyStage(Record):
    """Cells that are trained together: every variant with every seed, size, loss and
    student.
    """

    name: Line = Field(description="What it is called.")
    variants: tuple[Name, ...] = Field(
        min_length=1, description="Configs of the build."
    )
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        min_length=1, description="Seeds."
    )
    rows: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        min_length=1, description="Rationales trained on."
    )
    losses: tuple[Loss, ...] = Field(
        default=(Loss.PARTS,), min_length=1, description="What is minimised."
    )
    students: tuple[str, ...] = Field(
        default=("embedded",), min_length=1, description="embedded, a folder, a Hub id."
    )


class TrainingSetting(Record):
    """What recipes that are compared have in common."""

    student: str = Field(min_length=1, description="embedded, a folder, or a Hub id.")
    rows: int = Field(ge=0, description="Rationales trained on; 0: not trained.")
    loss: Loss = Field(description="What is minimised.")

    @property
    def student_name(self) -> str:
        """As a report shows it: ORG/NAME as it is, of a folder's path the last part,
        since reports are published.
        """
        return _without_folders(self.student)


class TrainingRecipe(TrainingSetting):
    """A variant in a setting."""

    variant: Name = Field(description="Config of the build.")

    @property
    def setting(self) -> TrainingSetting:
        return TrainingSetting(student=self.student, rows=self.rows, loss=self.loss)


class CellKey(TrainingRecipe):
    """Which cell."""

    seed: int = Field(
        ge=0, description="Of the order of rows, and of all that training draws."
    )

    @property
    def recipe(self) -> TrainingRecipe:
        return TrainingRecipe.model_validate(
            self.model_dump(exclude={"seed"}), strict=False
        )

    @property
    def name(self) -> str:
        """Of its file: `post_cot.embedded.500.parts.s0`."""
        student = (
            re.sub(r"[^A-Za-z0-9-]+", "-", self.student.rstrip("/").rpartition("/")[2])
            or "student"
        )
        if self.rows == UNTRAINED:
            return f"{self.variant}.{student}.untrained"
        return f"{self.variant}.{student}.{self.rows}.{self.loss.value}.s{self.seed}"


class Study(Record):
    """STUDY.yaml.

    All but the stages is fixed by the first cell; what is changed later is told in the
    report.
    """

    format_version: int = Field(
        default=FORMAT_VERSION, description="Version of this form."
    )
    name: Line = Field(description="What the report is called.")
    source: str = Field(
        min_length=1, description="Folder of a build, or a release: ORG/NAME@TAG."
    )
    dev: StudyQuestions = Field(description="Asked for the gate and the grid.")
    test: StudyQuestions = Field(description="Asked once a cell, for the results.")
    metric: StudyMetric = Field(
        default=StudyMetric.ACCURACY, description="The primary metric."
    )
    margin: float = Field(
        default=2.0,
        gt=0,
        description="Points within which two recipes count as equally good.",
    )
    paired: bool = Field(
        default=False,
        description="Whether runs of one seed are set against each other.",
    )
    comparisons: tuple[PlannedComparison, ...] = Field(
        min_length=1, description="The claims."
    )
    gate: Gate = Field(default=Gate(), description="What must hold on dev first.")
    train: dict[str, JsonValue] = Field(
        default={}, description="Settings of `cotbuild train` for all cells."
    )
    grid: dict[str, tuple[JsonValue, ...]] = Field(
        default={},
        description="Setting to the values that every variant tries on dev, with the first seed.",
    )
    stages: tuple[StudyStage, ...] = Field(
        min_length=1, description="In the order in which they run."
    )

    @property
    def main(self) -> TrainingSetting:
        """The setting that the comparisons are made in: the first of the first stage."""
        first = self.stages[0]
        return TrainingSetting(
            student=first.students[0], rows=first.rows[0], loss=first.losses[0]
        )

    @property
    def source_name(self) -> str:
        """As a report shows it: see `Setting.student_name`."""
        return _without_folders(self.source)

    def cells(self, stage: StudyStage) -> Iterator[CellKey]:
        """The cells of a stage: the gate's variant first, then seed by seed, so that a
        part of them compares too.
        """
        found = [
            CellKey(variant=variant, student=student, rows=rows, loss=loss, seed=seed)
            for student in stage.students
            for rows in stage.rows
            for loss in stage.losses
            for seed in stage.seeds
            for variant in stage.variants
        ]
        return iter(sorted(found, key=lambda cell: cell.variant != self.gate.variant))

    def all_cells(self) -> list[CellKey]:
        """The cells of all stages in order, each once."""
        return list(
            dict.fromkeys(cell for stage in self.stages for cell in self.cells(stage))
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for what, names in (
            ("comparisons", [one.name for one in self.comparisons]),
            ("stages", [one.name for one in self.stages]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(
                    f"{what} {names} are not all named differently, expected a name each"
                )
        for name in [*self.train, *self.grid]:
            if name in OF_A_CELL or name not in TrainConfig.model_fields:
                known = sorted(set(TrainConfig.model_fields) - set(OF_A_CELL))
                raise ValueError(
                    f"train and grid have {name!r}, expected one of {known}"
                )
        self._check_settings()
        self._check_variants()
        return self

    def _check_settings(self) -> None:
        for name, values in {
            **{name: (value,) for name, value in self.train.items()},
            **self.grid,
        }.items():
            if not values:
                raise ValueError(f"grid {name!r} has no values, expected at least one")
            for value in values:
                try:
                    TrainConfig.model_validate(
                        {"variant": "any", name: value}, strict=False
                    )
                except ValidationError as fault:
                    raise ValueError(explain_validation_error(fault)) from fault
        if both := sorted(set(self.train) & set(self.grid)):
            raise ValueError(
                f"train and grid both have {both}, expected each in one of them"
            )

    def _check_variants(self) -> None:
        main = {cell.variant for cell in self.all_cells() if cell.setting == self.main}
        for one in self.comparisons:
            if missing := sorted({one.a, one.b} - main):
                raise ValueError(
                    f"comparison {one.name!r} needs {missing}, which no stage trains with {self.main.student}, "
                    f"{self.main.rows} rows and loss {self.main.loss.value}, expected one that does"
                )
        files = {cell.name: cell.student for cell in self.all_cells()}
        if clash := next(
            (cell for cell in self.all_cells() if files[cell.name] != cell.student),
            None,
        ):
            raise ValueError(
                f"students {clash.student!r} and {files[clash.name]!r}: expected last parts that differ"
            )
        if self.gate.variant not in self.stages[0].variants:
            raise ValueError(
                f"the gate needs {self.gate.variant!r}, expected it in the first stage"
            )

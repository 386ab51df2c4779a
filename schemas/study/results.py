"""What a study comes to: computed from its cells and its record alone, by nobody's
hand.
"""

from enum import StrEnum

from pydantic import Field, JsonValue

from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.study.comparison import ClaimOutcome, Comparison, RecipeAccuracy
from cotbuild.schemas.study.declaration import (
    PlannedComparison,
    TrainingRecipe,
    TrainingSetting,
)
from cotbuild.schemas.study.record import Curve
from cotbuild.schemas.training import Precision


class ComparisonStatus(StrEnum):
    """How far a comparison is."""

    NOT_RUN = "not_run"  # fewer than two seeds of one recipe
    INTERIM = "interim"  # seeds are missing that the stages name
    FINAL = "final"


class RecipeResult(Record):
    """A recipe on the test questions, over its seeds."""

    recipe: TrainingRecipe = Field(description="Which.")
    seeds: tuple[int, ...] = Field(
        min_length=1, description="Finished ones, rising; of the untrained student 0."
    )
    accuracy: RecipeAccuracy = Field(
        description="By the primary metric, a seed each in the order of `seeds`."
    )
    raw: float = Field(
        description="Mean percent right by forced choice on raw log-likelihood."
    )
    normalised: float | None = Field(
        description="The same by log-likelihood a character; None: no options."
    )
    free: float = Field(description="Mean percent right of the free greedy answers.")
    forced: float | None = Field(
        description="Mean percent of questions without a separator; None: label first."
    )
    parse_failures: float = Field(
        description="Mean percent of free answers that name no single answer."
    )
    tokens_per_question: float = Field(
        description="Generated at test time: rationale and free answer."
    )
    rationale_tokens_per_question: float = Field(
        description="Of these, before the label."
    )
    seen: int = Field(
        ge=0,
        description="Test questions whose text stands in the training rows; most over the seeds.",
    )
    num_rows: int = Field(ge=0, description="Rows trained on.")
    train_tokens: int = Field(ge=0, description="Tokens read in training, a cell.")
    train_seconds: float = Field(
        ge=0, description="Mean, a cell, on whichever machine trained it."
    )
    precisions: tuple[Precision, ...] = Field(
        description="Of its cells' training, each once; empty: not trained."
    )
    settings: dict[str, JsonValue] = Field(
        description="What it took of the grid; empty: none."
    )
    curve: Curve | None = Field(description="Of its first seed; None: not trained.")


class ComparisonResult(Record):
    """A comparison, planned or not."""

    planned: PlannedComparison = Field(description="What was claimed.")
    setting: TrainingSetting = Field(description="Where.")
    exploratory: bool = Field(
        description="Whether it was not named before the first cell, or not for this setting."
    )
    standing: ComparisonStatus = Field(description="How far it is.")
    comparison: Comparison | None = Field(description="None: not run.")
    p_holm: float | None = Field(
        description="Over all comparisons that were named first; None: exploratory, not run."
    )
    equivalent: bool | None = Field(
        description="Whether the 90 % interval lies within the margin; None: not run."
    )
    outcome: ClaimOutcome | None = Field(
        description="How the claim ends, or would if it ended now; None: not run."
    )


class VariantFacts(Record):
    """What a variant holds, told by the build."""

    name: str = Field(description="The variant.")
    about: str = Field(description="One line.")
    num_rows: int = Field(description="Rows in the build.")
    words: float = Field(description="Mean words of the rationale as it leaves it.")
    names_target: float = Field(
        description="Share of rows whose rationale names the target."
    )
    names_other: float = Field(description="Share that names another option.")
    loosely_target: float = Field(
        description="Share that names the target by a looser rule."
    )


class StageResult(Record):
    """How far a stage is."""

    name: str = Field(description="The stage.")
    done: int = Field(ge=0, description="Cells with test results.")
    total: int = Field(ge=1, description="Cells.")


class StudyResults(Record):
    """report/results.json."""

    format_version: int = Field(
        default=FORMAT_VERSION, description="Version of this form."
    )
    num_questions: int = Field(description="Test questions.")
    stages: tuple[StageResult, ...] = Field(description="In order.")
    untrained: tuple[RecipeResult, ...] = Field(
        description="The untrained student, one of each student."
    )
    recipes: tuple[RecipeResult, ...] = Field(
        description="Main setting first, in the order of the stages."
    )
    comparisons: tuple[ComparisonResult, ...] = Field(
        description="Planned ones in order, then exploratory ones."
    )
    variants: tuple[VariantFacts, ...] = Field(
        description="Of those trained on; empty: the build was not at hand."
    )
    touches: int = Field(
        ge=0, description="Times that a cell began to ask the test questions."
    )
    touched_twice: tuple[str, ...] = Field(
        description="Cells that began more than once with another fingerprint."
    )

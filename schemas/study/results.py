"""Results of a study, computed from its cells and registration alone.

Accuracies are in percent, differences in points: 100 × a difference of two fractions of
correct answers. Where the primary metric is no accuracy, `accuracy` and differences are
of that metric, on its scale from 0 to 100. A comparison is always A minus B. A claim of
format version 2 is about a weighted sum of the variants' means: A minus B, or what A has
beyond the share of a gain that it is said to keep.
"""

from enum import StrEnum

from pydantic import Field, JsonValue

from cotbuild.schemas.record import FORMAT_VERSION, Record
from cotbuild.schemas.study.claims import AnyClaim
from cotbuild.schemas.study.declaration import (
    PlannedComparison,
    StudyMetric,
    TrainingRecipe,
    TrainingSetting,
)
from cotbuild.schemas.study.record import Curve, VariantFacts
from cotbuild.schemas.training import Precision

Interval = tuple[float, float]
"""Lower and upper end."""


class ClaimOutcome(StrEnum):
    """The outcome of a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"
    NO_ASSAY_SENSITIVITY = "no_assay_sensitivity"  # the baseline is as good
    NOT_TESTED = "not_tested"  # a claim that opens its tier is not supported


class RecipeAccuracy(Record):
    """Accuracy of one recipe over its seeds."""

    per_seed: tuple[float, ...] = Field(
        min_length=1, description="Accuracy of each seed, percent, in the order given."
    )
    mean: float = Field(description="Mean accuracy, percent.")
    interval_95: Interval | None = Field(
        description="95 % interval of the mean over other seeds and questions, percent; None "
        "with one seed, which shows no spread."
    )


class Comparison(Record):
    """Recipe A compared with recipe B."""

    num_seeds: tuple[int, int] = Field(description="Number of seeds of A and of B.")
    num_questions: int = Field(
        ge=2, description="Questions that every student of both answered."
    )
    paired: bool = Field(description="Whether the n-th seeds of A and B were paired.")
    difference: float = Field(description="Difference A minus B, points.")
    standard_error: float = Field(
        ge=0, description="Standard error over other seeds and questions, points."
    )
    df: float = Field(
        gt=0, description="Degrees of freedom of the standard error (Satterthwaite)."
    )
    interval_95: Interval = Field(description="95 % interval, points.")
    interval_90: Interval = Field(
        description="90 % interval, points, which decides equivalence."
    )
    p: float = Field(
        ge=0,
        le=1,
        description="Two-sided p-value of no difference, not corrected for multiple "
        "comparisons.",
    )
    smallest_difference: float = Field(
        ge=0,
        description="Minimum detectable difference, points: found at the 5 % level with 80 % "
        "power.",
    )


class CheckpointComparison(Record):
    """One trained student compared with another. It does not compare their recipes."""

    num_questions: int = Field(ge=1, description="Questions that both answered.")

    difference: float = Field(description="Difference A minus B, points.")
    interval_95: Interval = Field(
        description="95 % interval over other questions, points. It covers no other "
        "training runs."
    )
    only_a: int = Field(ge=0, description="Questions that only A answered correctly.")
    only_b: int = Field(ge=0, description="Questions that only B answered correctly.")
    p: float = Field(
        ge=0, le=1, description="Two-sided p-value of McNemar's exact test."
    )


class ComparisonStatus(StrEnum):
    """The progress of a comparison."""

    NOT_RUN = "not_run"  # a recipe has fewer than two seeds
    INTERIM = "interim"  # some seeds of the stages are missing
    FINAL = "final"


class RecipeClass(Record):
    """One class of questions that share their options, over the seeds of a recipe."""

    label: str = Field(description="Label of the class.")
    text: str = Field(description="Text of the class.")
    support: int = Field(ge=1, description="Questions whose target is the class.")
    f1: RecipeAccuracy = Field(description="F1 of the forced choices, percent.")


class RecipeClasses(Record):
    """Forced choices of a recipe as a classification, over its seeds."""

    macro_f1: RecipeAccuracy = Field(
        description="Mean F1 of the classes that are a target, percent."
    )
    classes: tuple[RecipeClass, ...] = Field(
        description="Classes that are a target, in the order of the options."
    )
    confusion: tuple[tuple[int, ...], ...] = Field(
        description="Questions by target (rows) and choice (columns) over all seeds, both "
        "in the order of the options; the last column is of no choice."
    )


class RecipeResult(Record):
    """Results of a recipe on the test questions, over its seeds."""

    recipe: TrainingRecipe = Field(description="The recipe.")
    seeds: tuple[int, ...] = Field(
        min_length=1,
        description="Finished seeds in rising order; 0 for the untrained student.",
    )
    accuracy: RecipeAccuracy = Field(
        description="Accuracy by the primary metric, in the order of `seeds`."
    )
    raw: float | None = Field(
        description="Mean accuracy by forced choice on raw log-likelihood, percent; None for "
        "prose."
    )
    normalised: float | None = Field(
        description="The same by log-likelihood per character; None without options."
    )
    free: float | None = Field(
        description="Mean accuracy of the free greedy answers, percent; None for prose."
    )
    forced: float | None = Field(
        description="Mean percentage of rationales without a separator; None if the label "
        "comes first."
    )
    parse_failures: float = Field(
        description="Mean percentage of free answers that state no single answer."
    )
    tokens_per_question: float = Field(
        description="Tokens generated per test question: rationale and free answer."
    )
    rationale_tokens_per_question: float = Field(
        description="Tokens generated per test question before the label."
    )
    seen: int = Field(
        ge=0,
        description="Test questions whose text is in the training rows, maximum over the "
        "seeds.",
    )
    num_rows: int = Field(ge=0, description="Rows trained on.")
    train_tokens: int = Field(ge=0, description="Tokens read in training per cell.")
    train_seconds: float = Field(
        ge=0,
        description="Mean training time per cell, seconds, on the machine that trained it.",
    )
    precisions: tuple[Precision, ...] = Field(
        description="Distinct precisions of its cells' training; empty if not trained."
    )
    settings: dict[str, JsonValue] = Field(
        description="Settings chosen from the grid; empty if there were none."
    )
    curve: Curve | None = Field(
        description="Training curve of the first seed; None if not trained."
    )
    classes: RecipeClasses | None = Field(
        default=None,
        exclude_if=lambda classes: classes is None,
        description="Metrics of each class; None unless the questions share their options.",
    )


class ComparisonResult(Record):
    """The result of a comparison, planned or exploratory."""

    planned: PlannedComparison = Field(description="The comparison and its claim.")
    setting: TrainingSetting = Field(description="Setting of both recipes.")
    exploratory: bool = Field(
        description="Whether it was not planned before the first cell, or not for this "
        "setting."
    )
    standing: ComparisonStatus = Field(description="Progress of the comparison.")
    comparison: Comparison | None = Field(
        description="Statistics of the comparison; None if not run."
    )
    p_holm: float | None = Field(
        description="Holm-adjusted p-value over all planned comparisons; None if exploratory "
        "or not run."
    )
    equivalent: bool | None = Field(
        description="Whether the 90 % interval is within the margin; None if not run."
    )
    outcome: ClaimOutcome | None = Field(
        description="Outcome of the claim, which is provisional until final; None if not run."
    )


class ClaimEstimate(Record):
    """What a claim is decided by, at the last look that was reached."""

    seeds: tuple[int, ...] = Field(
        min_length=2, description="Seeds, the same ones of every variant."
    )
    num_questions: int = Field(ge=2, description="Questions that all answered.")
    estimate: float = Field(description="Weighted sum of the variants' means, points.")
    bar: float = Field(
        description="What the estimate must be above to support the claim, points: minus "
        "the margin of `not_worse` and `equivalent`, else 0."
    )
    standard_error: float = Field(
        ge=0, description="Standard error over other seeds and questions, points."
    )
    df: float = Field(gt=0, description="Degrees of freedom of the standard error.")
    is_wide: bool = Field(
        description="Whether there were too few seeds, below 5, to subtract the error of "
        "single answers. Such tests can be too strict or too lax."
    )
    interval_95: Interval = Field(description="95 % interval, points.")
    interval_90: Interval = Field(description="90 % interval, points.")
    smallest_difference: float = Field(
        ge=0,
        description="Distance from the bar, points, that is found with 80 % power at this "
        "look, after the corrections for looks and tiers. For `equivalent` it is the "
        "margin that can be shown of equal variants.",
    )


class SecondaryResult(Record):
    """The contrast of a claim by a secondary metric, which decides nothing."""

    metric: StudyMetric = Field(description="Metric.")
    estimate: float = Field(description="Weighted sum of the variants' means, points.")
    interval_95: Interval = Field(description="95 % interval, points.")
    p: float = Field(
        ge=0, le=1, description="Two-sided p-value of no difference, uncorrected."
    )


class ClaimResult(Record):
    """The result of a claim."""

    claim: AnyClaim = Field(description="The claim.")
    tier: str | None = Field(
        description="Name of its tier; None for a secondary claim, which is not corrected."
    )
    exploratory: bool = Field(
        description="Whether seeds are in it that were not registered for the claims."
    )
    standing: ComparisonStatus = Field(
        description="Progress: `not_run` before the first look, `final` at the last one."
    )
    look: int = Field(ge=0, description="Number of planned looks that were reached.")
    estimate: ClaimEstimate | None = Field(
        description="Statistics at the last look reached; None if not run."
    )
    p: float | None = Field(
        description="P-value that decides the claim, corrected for the looks; None if not "
        "run."
    )
    p_against: float | None = Field(
        default=None,
        description="P-value of the opposite of the claim, which decides whether it is "
        "contradicted, corrected for the looks; None if not run.",
    )
    p_adjusted: float | None = Field(
        description="`p`, corrected by Holm's method over the tier and at least that of "
        "the claims that open the tier; None if not run, not tested, or outside the tiers."
    )
    outcome: ClaimOutcome | None = Field(
        description="Outcome, which is provisional until final; None if not run."
    )
    secondary: tuple[SecondaryResult, ...] = Field(
        default=(), description="The same contrast by the secondary metrics."
    )


class SensitivityResult(Record):
    """A variant with the hyperparameters that it chose for itself."""

    variant: str = Field(description="The variant.")
    settings: dict[str, JsonValue] = Field(description="Settings that it chose.")
    seeds: tuple[int, ...] = Field(
        min_length=1, description="Finished seeds in rising order."
    )
    accuracy: RecipeAccuracy = Field(
        description="Accuracy with these settings by the primary metric, in the order of "
        "`seeds`."
    )
    common: RecipeAccuracy | None = Field(
        description="The same with the settings of all variants; None while it lacks a seed."
    )


class StageResult(Record):
    """The progress of a stage."""

    name: str = Field(description="Name of the stage.")
    done: int = Field(ge=0, description="Cells with test results.")
    total: int = Field(ge=1, description="All cells.")


class StudyResults(Record):
    """The content of report/results.json."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    metric: StudyMetric = Field(
        default=StudyMetric.ACCURACY,
        exclude_if=lambda metric: metric is StudyMetric.ACCURACY,
        description="Primary metric, that of `accuracy` and of the comparisons.",
    )
    num_questions: int = Field(description="Number of test questions.")
    stages: tuple[StageResult, ...] = Field(description="Stages in order.")
    untrained: tuple[RecipeResult, ...] = Field(
        description="Results of each student before training."
    )
    recipes: tuple[RecipeResult, ...] = Field(
        description="Results of each recipe: the main setting first, then in the order of the"
        " stages."
    )
    comparisons: tuple[ComparisonResult, ...] = Field(
        description="Planned comparisons in order, then exploratory ones; of format version "
        "2 exploratory ones alone."
    )
    claims: tuple[ClaimResult, ...] = Field(
        default=(),
        exclude_if=lambda claims: not claims,
        description="Claims of format version 2: those of the tiers in order, the "
        "secondary ones, then planned ones again with seeds that were not registered.",
    )
    sensitivity: tuple[SensitivityResult, ...] = Field(
        default=(),
        exclude_if=lambda results: not results,
        description="Variants of the sensitivity stage; empty without one.",
    )
    swapped: tuple[str, ...] = Field(
        default=(),
        exclude_if=lambda names: not names,
        description="Variants of format version 2 that train on rationales of other "
        "questions.",
    )
    variants: tuple[VariantFacts, ...] = Field(
        description="Variants trained on; empty if the build was never available."
    )
    touches: int = Field(
        ge=0,
        description="Number of times that a cell started to use the test questions.",
    )
    touched_twice: tuple[str, ...] = Field(
        description="Cells that did so more than once, with different fingerprints."
    )

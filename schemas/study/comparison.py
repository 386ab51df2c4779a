"""What the statistics of a study find: comparisons of recipes and of checkpoints,
claims and how they end.

Accuracies are percent, differences points: 100 × a difference of two fractions of right
answers. A comparison is always A minus B.
"""

from enum import StrEnum

from pydantic import Field

from cotbuild.schemas.record import Record

Interval = tuple[float, float]


class Claim(StrEnum):
    """What a study file may claim of recipes A and B before the first cell is trained."""

    BEATS = "beats"
    AS_GOOD = "as_good"


class ClaimOutcome(StrEnum):
    """How a claim ends."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"


class RecipeAccuracy(Record):
    """Accuracy of one recipe over its seeds."""

    per_seed: tuple[float, ...] = Field(
        min_length=1, description="Percent, one a seed, in the order given."
    )
    mean: float = Field(description="Percent.")
    interval_95: Interval | None = Field(
        description="Of the mean over other seeds and other questions; None with one seed, whose spread nobody saw."
    )


class Comparison(Record):
    """Recipe A against recipe B."""

    num_seeds: tuple[int, int] = Field(description="Of A and of B.")
    num_questions: int = Field(ge=2, description="Answered by every student of both.")
    paired: bool = Field(
        description="Whether the n-th seed of A was set against the n-th of B."
    )
    difference: float = Field(description="Points.")
    standard_error: float = Field(
        ge=0, description="Points, over other seeds and other questions."
    )
    df: float = Field(
        gt=0, description="Degrees of freedom of the standard error (Satterthwaite)."
    )
    interval_95: Interval = Field(description="Points.")
    interval_90: Interval = Field(description="Points; what equivalence is judged by.")
    p: float = Field(
        ge=0,
        le=1,
        description="Two-sided, of no difference; not corrected for other comparisons.",
    )
    smallest_difference: float = Field(
        ge=0,
        description="Points: what this design finds at the 95 % level with a chance of 80 %.",
    )


class CheckpointComparison(Record):
    """One trained student against another. Says nothing of their recipes."""

    num_questions: int = Field(ge=1, description="Answered by both.")
    difference: float = Field(description="Points.")
    only_a: int = Field(ge=0, description="Questions that A alone answered right.")
    only_b: int = Field(ge=0, description="Questions that B alone answered right.")
    p: float = Field(ge=0, le=1, description="Two-sided, McNemar's exact test.")

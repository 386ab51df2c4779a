"""Scores of the parts of rationales: what attribution finds, and what key words are
picked by.
"""

from itertools import pairwise
from typing import Self

from pydantic import Field, model_validator

from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.record import FORMAT_VERSION, Record


class ScoredSpan(Record):
    """A part of a rationale, such as a token of the student, and its score."""

    start: int = Field(ge=0, description="First character.")
    end: int = Field(ge=1, description="Behind the last character.")
    score: float = Field(description="Signed: above 0 speaks for the target.")
    option: bool = Field(description="Whether it names an option.")


class ScoredRationale(Record):
    """A row of a scores file."""

    question_id: str = Field(description="Id of the question.")
    sample_index: int = Field(ge=0, description="n-th rationale of this question.")
    rationale_digest: str = Field(
        description="`rationale_digest` of the text that was scored."
    )
    spans: tuple[ScoredSpan, ...] = Field(
        description="In order of their starts and of their ends. They may overlap, as two tokens of one character do, "
        "and leave gaps."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for span in self.spans:
            if span.start >= span.end:
                raise ValueError(
                    f"span {span.start}-{span.end}, expected its end behind its start"
                )
        for one, other in pairwise(self.spans):
            if one.start > other.start or one.end > other.end:
                raise ValueError(
                    f"span {other.start}-{other.end} after {one.start}-{one.end}, expected starts and ends in order"
                )
        return self


class ScoresInfo(Record):
    """What made a scores file."""

    format_version: int = Field(
        default=FORMAT_VERSION, description="Version of the format."
    )
    student: str = Field(description="The student, and its revision or digest.")
    method: str = Field(description="How a score was computed: integrated_gradients, …")
    steps: int | None = Field(
        ge=1, description="Steps along the path; None: the method has none."
    )
    baseline: str | None = Field(
        description="What a token is compared with; None: the method has none."
    )
    completeness_median: float | None = Field(
        default=None,
        ge=0,
        description="Median over the rationales of |sum of scores − change of f| as a share of |change of f|, f being "
        "what is explained; None: not measured.",
    )
    completeness_p95: float | None = Field(
        default=None, ge=0, description="95th percentile of the same."
    )
    compared_steps: int | None = Field(
        default=None, ge=1, description="More steps, to see whether these suffice."
    )
    rank_correlation: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="Spearman's, of the scores under both: mean; None: not measured.",
    )
    num_compared: int | None = Field(
        default=None, ge=0, description="Rationales that this is the mean of."
    )


def rationale_digest(rationale: str) -> str:
    """What tells a changed rationale, 64 hex digits."""
    return digest("rationale/1", rationale)

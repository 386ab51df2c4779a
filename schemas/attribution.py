"""Attribution scores of the parts of rationales, by which key words are selected."""

from itertools import pairwise
from typing import Self

from pydantic import Field, model_validator

from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.record import FORMAT_VERSION, Record


class ScoredSpan(Record):
    """A span of a rationale, such as a token of the student, with its score."""

    start: int = Field(ge=0, description="Index of its first character.")
    end: int = Field(ge=1, description="Index after its last character.")
    score: float = Field(
        description="Signed score; positive if it supports the target."
    )
    option: bool = Field(description="Whether the span names an option.")


class ScoredRationale(Record):
    """A row of a scores file."""

    question_id: str = Field(description="Id of the question.")
    sample_index: int = Field(
        ge=0, description="Index of the sample for this question, from 0."
    )
    rationale_digest: str = Field(
        description="`rationale_digest` of the text that was scored."
    )
    spans: tuple[ScoredSpan, ...] = Field(
        description="Spans ordered by start and by end. They may overlap, as two tokens of "
        "one character do, and leave gaps."
    )

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        for span in self.spans:
            if span.start >= span.end:
                raise ValueError(
                    f"span {span.start}-{span.end}, expected its end after its start"
                )
        for previous, span in pairwise(self.spans):
            if previous.start > span.start or previous.end > span.end:
                raise ValueError(
                    f"span {span.start}-{span.end} after {previous.start}-{previous.end}, "
                    "expected starts and ends in order"
                )
        return self


class ScoresInfo(Record):
    """How the scores of a file were computed."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    student: str = Field(
        description="Identity of the student, with its revision or digest."
    )
    method: str = Field(description="Attribution method: integrated_gradients, …")
    steps: int | None = Field(
        ge=1, description="Integration steps; None if the method has none."
    )
    baseline: str | None = Field(
        description="Baseline that tokens are compared with; None if the method has none."
    )
    completeness_median: float | None = Field(
        default=None,
        ge=0,
        description="Median over the rationales of |sum of scores − change of f| / |change of"
        " f|, where f is the explained function; None if not measured.",
    )
    completeness_p95: float | None = Field(
        default=None,
        ge=0,
        description="95th percentile of the same; None if not measured.",
    )
    compared_steps: int | None = Field(
        default=None,
        ge=1,
        description="Steps of a comparison run that checks whether `steps` suffice; None if "
        "not run.",
    )
    rank_correlation: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="Mean Spearman correlation of the scores with both numbers of steps; None"
        " if not measured.",
    )
    num_compared: int | None = Field(
        default=None,
        ge=0,
        description="Rationales in the comparison run; None if not run.",
    )


def rationale_digest(rationale: str) -> str:
    """Return a digest of a rationale's text, 64 hex digits."""
    return digest("rationale/1", rationale)

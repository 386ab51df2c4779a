"""Attribution scores of the parts of rationales, by which key words are selected."""

from collections.abc import Iterable
from enum import StrEnum
from itertools import pairwise
from typing import Self

from pydantic import Field, model_validator

from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.record import Record

SCORES_VERSION = 2
"""Version of a scores file. Version 1 had no bounds, and refused no rationale."""


DIGEST_CHARS = 12
"""Hex digits that a scores file keeps of the digest of a question's text. Two of a
million questions share them with a probability of 0.002.
"""
MAX_TRAINED_ON = 200_000
"""Most questions that a scores file names, which take 2.4 MB."""


class AttributionMethod(StrEnum):
    """How tokens or words are scored."""

    INTEGRATED_GRADIENTS = "integrated-gradients"
    LEAVE_ONE_WORD_OUT = "leave-one-word-out"


class Refusal(StrEnum):
    """Why a rationale has no scores: mostly a bound failed at the most steps allowed."""

    COMPLETENESS = "completeness"
    RANK_CORRELATION = "rank_correlation"
    UNCHANGED = "unchanged"
    """The explained function is the same at both ends of the path, so that no
    completeness error can be stated.
    """
    TOKENS = "tokens"
    """No token is the rationale's alone whichever option follows, so that none can be
    scored.
    """


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
        "one character do, and leave gaps. None if the rationale is refused."
    )
    steps: int | None = Field(
        default=None,
        ge=1,
        description="Integration steps at which doubling stopped; None if the method has "
        "none.",
    )
    completeness_error: float | None = Field(
        default=None,
        ge=0,
        description="|sum of scores − change of f| / |change of f|, where f is the "
        "explained function; None if the method has no such error or f does not change.",
    )
    rank_correlation: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="Spearman's, with the scores of half the steps; None if the method has "
        "no steps, or all scores are equal.",
    )
    refused: Refusal | None = Field(
        default=None, description="Why it has no scores; None: they passed all bounds."
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
        if self.refused is not None and self.spans:
            raise ValueError(
                f"refused for {self.refused.value}, but it has {len(self.spans)} spans; "
                "expected none"
            )
        return self


ROW_FIELDS_OF_VERSION_2 = (
    "steps",
    "completeness_error",
    "rank_correlation",
    "refused",
)
"""Fields of a `ScoredRationale` that files of version 1 do not have."""


class ConvergenceBounds(Record):
    """When the scores of a rationale count as converged."""

    max_steps: int = Field(
        ge=2, description="Most integration steps; more are not tried."
    )
    max_completeness_error: float = Field(
        gt=0, description="Largest completeness error, as a share of the change of f."
    )
    min_rank_correlation: float = Field(
        ge=-1, le=1, description="Smallest rank correlation with half the steps."
    )

    def find_refusal(
        self, completeness_error: float | None, rank_correlation: float | None
    ) -> Refusal | None:
        """Return the first bound that scores fail, or None if they pass.

        `rank_correlation` None passes: equal scores have no order to get wrong.
        """
        if completeness_error is None:
            return Refusal.UNCHANGED
        # NaN, as of a damaged student, compares with nothing and must not pass.
        if not completeness_error <= self.max_completeness_error:
            return Refusal.COMPLETENESS
        if rank_correlation is not None and not (
            rank_correlation >= self.min_rank_correlation
        ):
            return Refusal.RANK_CORRELATION
        return None

    def last_steps(self, first: int) -> int:
        """Return the most steps that are tried, if `first` are and then they double."""
        steps = first
        while 2 * steps <= self.max_steps:
            steps *= 2
        return steps

    @property
    def is_loose(self) -> bool:
        """Whether they let scores pass that `DEFAULT_BOUNDS` refuse."""
        return (
            self.max_completeness_error > DEFAULT_BOUNDS.max_completeness_error
            or self.min_rank_correlation < DEFAULT_BOUNDS.min_rank_correlation
        )


DEFAULT_BOUNDS = ConvergenceBounds(
    max_steps=1_024, max_completeness_error=0.05, min_rank_correlation=0.95
)
"""The bounds of `cotbuild attribute` where no others are passed."""


class ScoresInfo(Record):
    """How the scores of a file were computed, and how many rationales were refused."""

    format_version: int = Field(default=SCORES_VERSION, description="Format version.")
    student: str = Field(
        description="Identity of the student, with its revision or digest."
    )
    method: str = Field(
        description="Attribution method: integrated-gradients, leave-one-word-out, …"
    )
    steps: int | None = Field(
        ge=1,
        description="Integration steps tried first, or, in version 1, those of every "
        "rationale; None if the method has none.",
    )
    baseline: str | None = Field(
        description="Baseline that tokens are compared with; None if the method has none."
    )
    bounds: ConvergenceBounds | None = Field(
        default=None,
        description="Bounds that scores had to pass; None if the method needs none, or in "
        "version 1.",
    )
    num_scored: int | None = Field(
        default=None,
        ge=0,
        description="Rationales with scores; None in version 1.",
    )
    refused: dict[Refusal, int] = Field(
        default={}, description="Rationales without scores, by reason."
    )
    steps_reached: dict[int, int] = Field(
        default={},
        description="Integration steps to the number of rationales whose doubling ended "
        "there, refused ones too.",
    )
    completeness_median: float | None = Field(
        default=None,
        ge=0,
        description="Median completeness error of the rationales that have one, refused "
        "ones too; None if not measured.",
    )
    completeness_p95: float | None = Field(
        default=None,
        ge=0,
        description="95th percentile of the same; None if not measured.",
    )
    compared_steps: int | None = Field(
        default=None,
        ge=1,
        description="Of version 1: steps of a comparison run; None if not run.",
    )
    rank_correlation: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="Mean of the rank correlations with half the steps, or, in version 1, "
        "with the steps of the comparison run; None if not measured.",
    )
    num_compared: int | None = Field(
        default=None,
        ge=0,
        description="Rationales with a rank correlation; None if not measured.",
    )
    trained_on: str | None = Field(
        default=None,
        exclude_if=lambda digests: digests is None,
        pattern=rf"^([0-9a-f]{{{DIGEST_CHARS}}})*$",
        max_length=DIGEST_CHARS * MAX_TRAINED_ON,
        description="Questions that the student was trained on: the first 12 hex digits of "
        "the digest of each text, sorted and joined; None if they are too many or the file "
        "is older.",
    )

    @property
    def trained_on_digests(self) -> frozenset[str] | None:
        """`trained_on`, apart; None if it is not recorded."""
        if self.trained_on is None:
            return None
        starts = range(0, len(self.trained_on), DIGEST_CHARS)
        return frozenset(self.trained_on[at : at + DIGEST_CHARS] for at in starts)

    @property
    def needs_bounds(self) -> bool:
        """Whether the scores must have passed bounds, as those of an integral must.

        Version 1 had none; its methods were written with underscores.
        """
        is_integral = (
            self.method.replace("_", "-") == AttributionMethod.INTEGRATED_GRADIENTS
        )
        return is_integral and self.format_version >= SCORES_VERSION

    @property
    def num_refused(self) -> int:
        """Rationales that have no scores."""
        return sum(self.refused.values())


def shorten_digest(text_digest: str) -> str:
    """Return the part of the digest of a question's text that `trained_on` keeps."""
    return text_digest[:DIGEST_CHARS]


def join_digests(text_digests: Iterable[str]) -> str | None:
    """Return the digests of questions as `trained_on`; None if they are too many."""
    shortened = sorted(set(map(shorten_digest, text_digests)))
    return "".join(shortened) if len(shortened) <= MAX_TRAINED_ON else None


def rationale_digest(rationale: str) -> str:
    """Return a digest of a rationale's text, 64 hex digits."""
    return digest("rationale/1", rationale)

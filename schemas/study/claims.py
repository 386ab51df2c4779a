"""The claims of a study in format version 2, and the tiers in which they are tested.

Accuracies are in percent and differences in points, all on the primary metric. A claim
is about variants of the main setting, and is made before the first cell.
"""

from abc import abstractmethod
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cotbuild.schemas.names import ConfigName
from cotbuild.schemas.record import Record
from cotbuild.schemas.study.declaration import OneLine

MAX_MARGIN = 100.0
"""Largest margin, points: the whole scale of a metric."""
MAX_TIERS, MAX_CLAIMS = 20, 50
"""Most tiers of a study, and most claims of a tier."""


class Gain(Record):
    """What one variant gains over another: the accuracy of `full` minus that of `base`."""

    full: ConfigName = Field(description="Variant with the whole gain.")
    base: ConfigName = Field(description="Variant without it.")

    @model_validator(mode="after")
    def _check_gain(self) -> Self:
        if self.full == self.base:
            raise ValueError(
                f"full and base are both {self.full!r}, expected two variants"
            )
        return self


class GainShare(Record):
    """A margin that is a share of a gain, which the study's own cells measure."""

    share: float = Field(gt=0, lt=1, description="Share of the gain, such as 0.5.")
    of: Gain = Field(description="The gain.")


PointMargin = Annotated[float, Field(gt=0, le=MAX_MARGIN)]
"""A margin in points."""


class StudyClaim(Record):
    """A claim, made before the first cell is trained."""

    name: ConfigName = Field(description="Name of the claim.")
    says: OneLine = Field(description="The claim in words.")

    @property
    @abstractmethod
    def variants(self) -> tuple[str, ...]:
        """The variants that the claim is about, each once."""


class _PairClaim(StudyClaim):
    """A claim about variant A in comparison with variant B."""

    a: ConfigName = Field(description="Variant A.")
    b: ConfigName = Field(description="Variant B, which A is compared with.")

    @property
    def variants(self) -> tuple[str, ...]:
        return (self.a, self.b)

    @model_validator(mode="after")
    def _check_pair(self) -> Self:
        if self.a == self.b:
            raise ValueError(f"a and b are both {self.a!r}, expected two variants")
        return self


class BeatsClaim(_PairClaim):
    """A is better than B (superiority)."""

    claim: Literal["beats"] = Field(description="Kind of claim: beats.")


class NotWorseClaim(_PairClaim):
    """A is better than B, or worse by less than the margin (non-inferiority)."""

    claim: Literal["not_worse"] = Field(description="Kind of claim: not_worse.")
    margin: PointMargin | GainShare = Field(
        description="Difference that does not count: points, or a share of a gain."
    )

    @property
    def variants(self) -> tuple[str, ...]:
        if isinstance(self.margin, float):
            return super().variants
        of = self.margin.of
        return tuple(dict.fromkeys((self.a, self.b, of.full, of.base)))


class EquivalentClaim(_PairClaim):
    """A differs from B by less than the margin in both directions (equivalence)."""

    claim: Literal["equivalent"] = Field(description="Kind of claim: equivalent.")
    margin: PointMargin = Field(description="Difference that does not count, points.")


class KeepsClaim(StudyClaim):
    """A keeps more than a share of what `full` gains over `base`."""

    claim: Literal["keeps"] = Field(description="Kind of claim: keeps.")
    a: ConfigName = Field(description="Variant A.")
    base: ConfigName = Field(description="Variant without the gain.")
    full: ConfigName = Field(description="Variant with the whole gain.")
    share: float = Field(gt=0, lt=1, description="Share of the gain, such as 0.5.")

    @property
    def variants(self) -> tuple[str, ...]:
        return (self.a, self.base, self.full)

    @model_validator(mode="after")
    def _check_keeps(self) -> Self:
        if len(set(self.variants)) < len(self.variants):
            raise ValueError(
                f"a, base and full are {list(self.variants)}, expected three variants"
            )
        return self


AnyClaim = Annotated[
    BeatsClaim | NotWorseClaim | EquivalentClaim | KeepsClaim,
    Field(discriminator="claim"),
]


class ClaimTier(Record):
    """Claims that are tested together.

    Their p-values are Holm-adjusted over the tier. A tier after the first is tested only
    if the claims that open it are supported.
    """

    name: OneLine = Field(description="Name of the tier.")
    opens_with: tuple[ConfigName, ...] | None = Field(
        default=None,
        description="Claims of earlier tiers that must be supported before this tier is "
        "tested; None for every claim of the tier before.",
    )
    claims: tuple[AnyClaim, ...] = Field(
        min_length=1, max_length=MAX_CLAIMS, description="Claims of the tier."
    )

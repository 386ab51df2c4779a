"""The variants of a build: those derived together, and their counts."""

from typing import Self

from pydantic import Field, model_validator

from cotbuild.schemas.attribution import ScoresInfo
from cotbuild.schemas.names import VariantName
from cotbuild.schemas.record import Record
from cotbuild.schemas.variant import Selection, VariantSpec


class VariantSet(Record):
    """The variants of a build with selection and seed, resolved."""

    specs: tuple[VariantSpec, ...] = Field(min_length=1, description="The variants.")
    selection: Selection = Field(
        default=Selection(), description="Filters of rationales."
    )
    seed: int = Field(default=0, ge=0, description="Seed of all draws.")
    files: dict[str, str] = Field(
        default={},
        description="File name in a spec to the SHA-256 of the file bound to it.",
    )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [spec.name for spec in self.specs]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(
                f"specs name {repeated} more than once, expected different names"
            )
        return self


class VariantEntry(Record):
    """Counts of one derived variant."""

    name: VariantName = Field(description="Name of the variant and of its config.")
    fingerprint: str = Field(
        description="Digest of spec, selection, seed, files and the rationales it was derived"
        " from."
    )
    num_rows: int = Field(ge=0, description="Number of training rows.")
    dropped: int = Field(
        ge=0,
        description="Rationales that it cannot be derived from; all aligned variants omit "
        "them.",
    )
    num_empty: int = Field(
        ge=0, description="Rows whose transformed rationale is empty."
    )
    words: float = Field(ge=0, description="Mean words per transformed rationale.")
    names_target: float = Field(
        ge=0,
        le=1,
        description="Fraction of the checked rows whose rationale names the target.",
    )
    names_other: float = Field(
        ge=0,
        le=1,
        description="Fraction of the checked rows whose rationale names another option.",
    )
    loosely_target: float = Field(
        ge=0,
        le=1,
        description="Fraction that names the target by a looser rule: stems of its content "
        "words.",
    )
    loosely_other: float = Field(
        ge=0, le=1, description="Fraction that names another option by the looser rule."
    )


class ScoresEntry(Record):
    """A scores file that variants of a set were derived with."""

    info: ScoresInfo = Field(
        description="How its scores were computed, and how many rationales were refused."
    )
    refused: tuple[str, ...] = Field(
        default=(), description="The first refused rationales, by question and sample."
    )


class VariantsEntry(Record):
    """The variants of a build, as its manifest records them."""

    made: VariantSet = Field(description="Specs, selection and seed.")
    rationales: str = Field(
        description="Digest of the rationales they were derived from."
    )
    num_in: int = Field(ge=0, description="Rationales of the build.")
    dropped: dict[str, int] = Field(
        description="Rationales dropped before any transform, by reason."
    )
    num_looked_at: int = Field(
        ge=0,
        description="Selected rationales checked for mentions of options; 0 if all answers "
        "are prose.",
    )
    looked_at_every: int | None = Field(
        default=None,
        ge=1,
        exclude_if=lambda step: step is None,
        description="One in how many selected rationales is checked; None if none is, or, "
        "in older builds, the first ones of each variant.",
    )
    num_unspaced: int = Field(
        default=0,
        ge=0,
        exclude_if=lambda count: not count,
        description="Selected rationales that are mostly in a script without spaces between "
        "words, whose words are not told apart; not recorded if there is none.",
    )
    scores: dict[str, ScoresEntry] = Field(
        default={},
        exclude_if=lambda scores: not scores,
        description="Scores files by their names in specs; none in older builds.",
    )
    variants: tuple[VariantEntry, ...] = Field(description="Counts of each variant.")

    @property
    def num_selected(self) -> int:
        """Rationales that the filters kept."""
        return self.num_in - sum(self.dropped.values())

    @property
    def has_mostly_unspaced(self) -> bool:
        """Whether most selected rationales are in a script without spaces."""
        return 2 * self.num_unspaced > self.num_selected

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [variant.name for variant in self.variants]
        specs = [spec.name for spec in self.made.specs]
        unknown = sorted(set(names) - set(specs))
        if unknown:
            raise ValueError(f"variants {unknown} have no spec among made.specs")
        if len(set(names)) < len(names):
            raise ValueError(f"variants {names} name one more than once")
        return self

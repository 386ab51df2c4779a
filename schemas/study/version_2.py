"""STUDY.yaml of format version 2: claims in tiers, seeds in pairs, planned looks.

Seeds are paired: a seed is the same order of the same rationales for every variant.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from cotbuild.schemas.names import ConfigName
from cotbuild.schemas.record import Record
from cotbuild.schemas.study.claims import (
    MAX_CLAIMS,
    MAX_TIERS,
    AnyClaim,
    ClaimTier,
)
from cotbuild.schemas.study.declaration import (
    CellKey,
    OneLine,
    Study,
    StudyMetric,
    check_settings,
    check_stages,
    check_unique,
)
from cotbuild.schemas.training import Precision

GATE_SEEDS = 3
"""Most seeds that decide the gate."""

Seed = Annotated[int, Field(ge=0)]
Grid = dict[str, tuple[JsonValue, ...]]


class RowsPerSeed(StrEnum):
    """Which rationales a seed is trained on."""

    SHARED = "shared"  # every seed the same ones
    OWN = "own"  # each seed draws its own, the same for every variant


class StudyPrecision(Record):
    """Precision of matrix products. A machine that lacks units for it runs no cell."""

    training: Precision = Field(
        default=Precision.FLOAT32, description="Precision in training."
    )
    evaluation: Precision = Field(
        default=Precision.FLOAT32, description="Precision in evaluation."
    )


class HyperparameterSearch(Record):
    """The choice of one setting for all variants, by their mean on dev."""

    grid: Grid = Field(
        min_length=1, description="Setting to the values that are tried on dev."
    )
    variants: tuple[ConfigName, ...] = Field(
        min_length=1, description="Variants that try every value."
    )
    seeds: tuple[Seed, ...] = Field(
        default=(0, 1), min_length=1, description="Seeds that try every value."
    )


class Sensitivity(Record):
    """A stage of its own, in which each variant chooses from a grid for itself.

    It shows how far the results depend on the hyperparameters. It is reported apart and
    decides no claim.
    """

    name: OneLine = Field(default="sensitivity", description="Name of the stage.")
    grid: Grid = Field(
        min_length=1,
        description="Setting to the values that each variant tries on dev.",
    )
    variants: tuple[ConfigName, ...] = Field(
        min_length=1, description="Variants of the stage."
    )
    seeds: tuple[Seed, ...] = Field(
        default=(0, 1),
        min_length=1,
        description="Seeds that try every value and are evaluated on the test questions.",
    )


class StudyV2(Study):
    """The content of STUDY.yaml, format version 2.

    The first cell fixes it. Stages and seeds added later are exploratory.
    """

    format_version: Literal[2] = Field(description="Format version.")
    secondary_metrics: tuple[StudyMetric, ...] = Field(
        default=(),
        description="Metrics that are compared too and decide nothing.",
    )
    free_answers: int | None = Field(
        default=None,
        ge=1,
        description="Number of test questions that are also answered freely, the first by "
        "a digest of their ids; None for all.",
    )
    precision: StudyPrecision | None = Field(
        default=None, description="Precision; None for the machine's own in training."
    )
    rows_per_seed: RowsPerSeed = Field(
        default=RowsPerSeed.SHARED,
        description="shared: all seeds train on the same rationales; own: each seed draws "
        "its own, the same for every variant.",
    )
    looks: tuple[Annotated[int, Field(ge=2)], ...] = Field(
        default=(),
        description="Numbers of seeds at which the claims are tested; empty for one look at "
        "all seeds.",
    )
    hoped: dict[ConfigName, float] = Field(
        default={},
        description="Variant to the points that it is hoped to lie above the gate's "
        "variant, for the power that a dry run prints; 0 for the others.",
    )
    hyperparameters: HyperparameterSearch | None = Field(
        default=None,
        description="Choice of hyperparameters on dev; None for those of `train` alone.",
    )
    tiers: tuple[ClaimTier, ...] = Field(
        min_length=1,
        max_length=MAX_TIERS,
        description="Claims, in the order of testing.",
    )
    secondary: tuple[AnyClaim, ...] = Field(
        default=(),
        max_length=MAX_CLAIMS,
        description="Claims outside the tiers: reported with interval and uncorrected "
        "p-value.",
    )
    sensitivity: Sensitivity | None = Field(
        default=None,
        description="Stage in which each variant chooses hyperparameters for itself; None "
        "for none.",
    )

    @property
    def search_grid(self) -> Mapping[str, tuple[JsonValue, ...]]:
        """The values that are tried on dev for all variants, by the setting's name."""
        return self.hyperparameters.grid if self.hyperparameters else {}

    @property
    def tier_claims(self) -> tuple[AnyClaim, ...]:
        """The claims of all tiers, in order."""
        return tuple(claim for tier in self.tiers for claim in tier.claims)

    @property
    def num_planned(self) -> int:
        """The number of claims in the tiers."""
        return len(self.tier_claims)

    @property
    def planned_seeds(self) -> tuple[int, ...]:
        """The seeds by which the tiers are decided, in the order in which they run.

        They are those that all variants of the tiers share, up to the last look.
        """
        return self.shared_seeds[: self.looks[-1]] if self.looks else self.shared_seeds

    @cached_property
    def shared_seeds(self) -> tuple[int, ...]:
        """The seeds that all variants of the tiers share in the main setting."""
        main = self.main
        every = dict.fromkeys(
            cell.seed for cell in self.all_cells() if cell.setting == main
        )
        variants = {name for claim in self.tier_claims for name in claim.variants}
        shared = set.intersection(*(set(self.main_seeds[name]) for name in variants))
        return tuple(seed for seed in every if seed in shared)

    @property
    def planned_looks(self) -> tuple[int, ...]:
        """The numbers of `planned_seeds` at which the claims are tested, rising."""
        return self.looks or (len(self.planned_seeds),)

    @property
    def main_variants(self) -> tuple[str, ...]:
        """The variants that are trained in the main setting, in order."""
        return tuple(self.main_seeds)

    @cached_property
    def main_seeds(self) -> dict[str, tuple[int, ...]]:
        """Variant to its seeds in the main setting, both in order."""
        main, seeds = self.main, dict[str, tuple[int, ...]]()
        for cell in self.all_cells():
            if cell.setting == main:
                seeds[cell.variant] = (*seeds.get(cell.variant, ()), cell.seed)
        return seeds

    def opening_claims(self, position: int) -> tuple[str, ...]:
        """Return the claims that must be supported before a tier is tested.

        `position` is that of the tier, from 0; the first one is always tested.
        """
        if position == 0:
            return ()
        opens_with = self.tiers[position].opens_with
        if opens_with is not None:
            return opens_with
        return tuple(claim.name for claim in self.tiers[position - 1].claims)

    def gate_cells(self) -> list[CellKey]:
        """Return the cells that decide the gate: its variant's first `GATE_SEEDS`."""
        return super().gate_cells()[:GATE_SEEDS]

    # -- checks -------------------------------------------------------------------------

    @model_validator(mode="after")
    def _check_study(self) -> Self:
        check_stages(self)
        self._check_metrics()
        self._check_settings()
        self._check_names()
        self._check_openings()
        self._check_variants()
        self._check_seeds()
        self._check_looks()
        return self

    def _check_metrics(self) -> None:
        metrics = [self.metric, *self.secondary_metrics]
        check_unique(
            "metric and secondary_metrics", [metric.value for metric in metrics]
        )
        if self.metric is StudyMetric.TARGET_PROBABILITY:
            raise ValueError(
                "metric is 'target_probability', expected an accuracy, a macro-F1 or a "
                "score of prose; write it under secondary_metrics"
            )
        free = (StudyMetric.FREE, StudyMetric.FREE_MACRO_F1)
        of_free_answers = [one.value for one in metrics if one in free or one.is_prose]
        if self.free_answers is not None and of_free_answers:
            raise ValueError(
                f"free_answers is {self.free_answers}, and {of_free_answers} need the free "
                "answers to all test questions, expected no free_answers"
            )

    def _check_settings(self) -> None:
        fields = "train and hyperparameters.grid"
        check_settings(self.train, self.search_grid, fields)
        if self.sensitivity is not None:
            check_settings({}, self.sensitivity.grid, "sensitivity.grid")
        settings = [*self.train, *self.search_grid]
        if self.sensitivity is not None:
            settings += self.sensitivity.grid
        if self.precision is not None and "precision" in settings:
            raise ValueError(
                "precision is given as a setting of training too, expected it once"
            )

    def _check_names(self) -> None:
        check_unique("tiers", [tier.name for tier in self.tiers])
        claims = [*self.tier_claims, *self.secondary]
        check_unique("claims", [claim.name for claim in claims])

    def _check_openings(self) -> None:
        earlier: list[str] = []
        for position, tier in enumerate(self.tiers):
            if tier.opens_with is not None:
                unknown = sorted(set(tier.opens_with) - set(earlier))
                if position == 0 or unknown or not tier.opens_with:
                    raise ValueError(
                        f"tier {tier.name!r} opens with {list(tier.opens_with)}, expected "
                        f"some of the claims of earlier tiers, {earlier}"
                    )
            earlier += [claim.name for claim in tier.claims]

    def _check_variants(self) -> None:
        """Check that the stages train every variant that is named elsewhere."""
        claims = [*self.tier_claims, *self.secondary]
        for claim in claims:
            self._check_trained(f"claim {claim.name!r}", claim.variants)
        if self.hyperparameters is not None:
            self._check_trained("hyperparameters", self.hyperparameters.variants)
            _check_each_once("hyperparameters", self.hyperparameters)
        if self.sensitivity is not None:
            self._check_trained("sensitivity", self.sensitivity.variants)
            _check_each_once("sensitivity", self.sensitivity)
        self._check_trained("hoped", self.hoped)

    def _check_trained(self, what: str, variants: Iterable[str]) -> None:
        missing = sorted(set(variants) - set(self.main_variants))
        if missing:
            main = self.main
            raise ValueError(
                f"{what} needs {missing}, which no stage trains with {main.student}, "
                f"{main.rows} rows and loss {main.loss.value}, expected one that does"
            )

    def _check_seeds(self) -> None:
        """Check that the variants of a claim share seeds, at least two.

        Those of the tiers have all seeds of the first stage; what they have beyond that
        in later stages need not be the same.
        """
        first = sorted(set(self.stages[0].seeds))
        for claim in self.tier_claims:
            for variant in claim.variants:
                seeds = self.main_seeds[variant]
                if not set(first) <= set(seeds):
                    raise ValueError(
                        f"claim {claim.name!r}: {variant!r} has seeds {sorted(seeds)}, "
                        f"expected {first}, the seeds of the first stage"
                    )
        if len(self.shared_seeds) < 2:
            raise ValueError(
                f"the claims have seeds {list(self.shared_seeds)}, expected at least 2"
            )
        for claim in self.secondary:
            every = [set(self.main_seeds[variant]) for variant in claim.variants]
            shared = sorted(set.intersection(*every))
            if len(shared) < 2:
                raise ValueError(
                    f"claim {claim.name!r}: its variants share the seeds {shared}, "
                    "expected at least 2"
                )

    def _check_looks(self) -> None:
        looks = list(self.looks)
        fewest, most = len(set(self.stages[0].seeds)), len(self.shared_seeds)
        is_rising = sorted(set(looks)) == looks
        if looks and not (is_rising and fewest <= looks[-1] <= most):
            numbers = f"{most}" if fewest == most else f"{fewest} to {most}"
            raise ValueError(
                f"looks is {looks}, expected rising numbers of seeds that end with "
                f"{numbers}, the seeds of the claims"
            )


def _check_each_once(field: str, trials: HyperparameterSearch | Sensitivity) -> None:
    """Raise ValueError if a variant or seed is named twice: it would count twice."""
    for what, values in (("variants", trials.variants), ("seeds", trials.seeds)):
        if len(set(values)) < len(values):
            raise ValueError(
                f"{field}.{what} is {list(values)}, expected each of them once"
            )

"""From the cells of a study in format version 2 to its claims. Pure.

The claims are judged as they were registered, at the planned looks, on the planned
seeds alone: the n-th look has the first seeds of the plan, whatever else has run. Seeds
outside the plan cannot change what was decided. A claim with all its seeds is reported
beside it, as exploratory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cotbuild.builder.study.claim_tests import (
    ClaimTests,
    ContrastTest,
    claim_seeds,
    claim_tests,
)
from cotbuild.builder.study.decisions import (
    ClaimDecision,
    ClaimEvidence,
    PlannedTier,
    decide_alone,
    decide_tiers,
)
from cotbuild.builder.study.evidence import (
    ContrastEstimate,
    contrast_p_value,
    weigh_claim,
)
from cotbuild.builder.study.looks import look_fractions
from cotbuild.builder.study.measures import Measure, Measurements
from cotbuild.builder.study.power import planned_tiers, smallest_difference
from cotbuild.builder.study.statistics import interval_of, two_sided
from cotbuild.builder.study.two_way import Floats, StandardError, standard_error
from cotbuild.schemas.study.claims import AnyClaim
from cotbuild.schemas.study.declaration import StudyMetric
from cotbuild.schemas.study.record import Measurement
from cotbuild.schemas.study.results import (
    ClaimEstimate,
    ClaimResult,
    ComparisonStatus,
    SecondaryResult,
)
from cotbuild.schemas.study.version_2 import StudyV2

SeedRuns = Mapping[str, Mapping[int, Measurement]]
"""Variant to seed to its answers to the test questions, in the main setting."""


class ClaimCells(NamedTuple):
    """What the claims of a study are computed from."""

    registered: StudyV2
    measure: Measure
    """Of the primary metric."""
    secondary: Mapping[StudyMetric, Measure]
    runs: SeedRuns


def claim_results(cells: ClaimCells, current: StudyV2) -> tuple[ClaimResult, ...]:
    """Return the results of all claims: of the tiers, secondary and exploratory ones.

    `current` is STUDY.yaml as of now, whose claims that were not registered are
    exploratory.
    """
    return (
        *_planned_results(cells),
        *(_result_alone(cells, claim) for claim in cells.registered.secondary),
        *_exploratory_results(cells, current),
    )


def contrast_estimate(
    measure: Measure, runs: SeedRuns, weights: Mapping[str, float], seeds: Sequence[int]
) -> ContrastEstimate:
    """Return the estimate of a contrast from at least two seeds of each variant."""
    recipes: list[tuple[float, Measurements]] = [
        (weight, [runs[variant][seed] for seed in seeds])
        for variant, weight in weights.items()
    ]
    found = measure.contrast(recipes)
    standard = standard_error(found.variance)
    return ContrastEstimate(
        estimate=100 * found.mean,
        standard=standard._replace(error=100 * standard.error),
        num_seeds=found.variance.num_seeds,
        num_questions=found.variance.num_questions,
    )


# -- the tiers --------------------------------------------------------------------------


class _LookedClaim(NamedTuple):
    """A claim at the planned looks that were reached."""

    claim: AnyClaim
    tests: ClaimTests
    look: int
    """Number of looks reached."""
    evidence: ClaimEvidence


def _planned_results(cells: ClaimCells) -> Iterator[ClaimResult]:
    study = cells.registered
    looked = {claim.name: _look_at(cells, claim) for claim in study.tier_claims}
    evidence = {name: one.evidence for name, one in looked.items()}
    tiers = planned_tiers(study)
    decisions = decide_tiers(tiers, evidence)
    for tier, planned in zip(study.tiers, tiers, strict=True):
        for name in planned.claims:
            yield _planned_result(
                cells, tier.name, planned, looked[name], decisions[name]
            )


def _look_at(cells: ClaimCells, claim: AnyClaim) -> _LookedClaim:
    """Weigh a claim at every planned look whose cells are finished."""
    study = cells.registered
    tests = claim_tests(claim, study.gate.variant)
    finished = _shared_seeds(cells.runs, claim.variants)
    planned, looks = study.planned_seeds, study.planned_looks
    reached = [look for look in looks if set(planned[:look]) <= set(finished)]
    evidence = _weigh(
        cells, tests, [planned[:look] for look in reached], look_fractions(looks)
    )
    return _LookedClaim(claim, tests, len(reached), evidence)


def _weigh(
    cells: ClaimCells,
    tests: ClaimTests,
    seeds_of_looks: Sequence[Sequence[int]],
    fractions: Sequence[float],
) -> ClaimEvidence:
    """Weigh a claim at looks, whose seeds are given and have cells of its variants."""

    def p_value_of(test: ContrastTest) -> Floats:
        estimates = [
            contrast_estimate(cells.measure, cells.runs, test.weights, seeds)
            for seeds in seeds_of_looks
        ]
        return np.array(contrast_p_value(test, estimates, fractions))

    def above_bar_of(test: ContrastTest) -> Floats:
        last = seeds_of_looks[-1] if seeds_of_looks else []
        seeds = _shared_seeds(cells.runs, test.weights, last)
        if len(seeds) < 2:
            # The baseline, which is no variant of the claim, lacks cells.
            return np.array(np.nan)
        found = contrast_estimate(cells.measure, cells.runs, test.weights, seeds)
        return np.array(found.estimate - test.bar)

    return weigh_claim(tests, p_value_of, above_bar_of)


def _shared_seeds(
    runs: SeedRuns, variants: Iterable[str], among: Sequence[int] | None = None
) -> list[int]:
    """Return the finished seeds that variants share, in the order of `among`."""
    shared = set.intersection(*(set(runs.get(variant, {})) for variant in variants))
    order = sorted(shared) if among is None else among
    return [seed for seed in order if seed in shared]


def _planned_result(
    cells: ClaimCells,
    tier: str,
    planned: PlannedTier,
    looked: _LookedClaim,
    decision: ClaimDecision,
) -> ClaimResult:
    study, look = cells.registered, looked.look
    if look == 0:
        return _not_run(looked.claim, tier)
    looks = study.planned_looks
    seeds = study.planned_seeds[: looks[look - 1]]
    is_last = look == len(looks)
    corrected = _Correction(len(planned.claims), look_fractions(looks), look)
    return ClaimResult(
        claim=looked.claim,
        tier=tier,
        exploratory=False,
        standing=ComparisonStatus.FINAL if is_last else ComparisonStatus.INTERIM,
        look=look,
        estimate=_estimate(cells, looked.tests, seeds, corrected),
        p=looked.evidence.p.item(),
        p_against=looked.evidence.p_against.item(),
        p_adjusted=decision.p_adjusted.item() if decision.is_tested.item() else None,
        outcome=decision.outcome(),
        secondary=_secondary_results(cells, looked.tests, seeds),
    )


# -- claims outside the tiers -----------------------------------------------------------


def _result_alone(cells: ClaimCells, claim: AnyClaim) -> ClaimResult:
    """Return the result of a registered claim outside the tiers, on registered seeds."""
    planned = sorted(claim_seeds(cells.registered, claim))
    seeds = _shared_seeds(cells.runs, claim.variants, planned)
    return _decided_alone(
        cells, claim, seeds, exploratory=False, is_final=len(seeds) == len(planned)
    )


def _exploratory_results(cells: ClaimCells, current: StudyV2) -> Iterator[ClaimResult]:
    """Yield what was not planned and has cells.

    These are registered claims with seeds that were not registered for them, and claims
    that were declared later.
    """
    registered = cells.registered
    known = [*registered.tier_claims, *registered.secondary]
    later = [*current.tier_claims, *current.secondary]
    for claim in (*known, *(one for one in later if one not in known)):
        seeds = _shared_seeds(cells.runs, claim.variants)
        planned = tuple[int, ...]()
        if claim in registered.tier_claims:
            planned = registered.planned_seeds
        elif claim in registered.secondary:
            planned = claim_seeds(registered, claim)
        if len(seeds) > 1 and set(seeds) - set(planned):
            is_final = set(claim_seeds(current, claim)) <= set(seeds)
            yield _decided_alone(
                cells, claim, seeds, exploratory=True, is_final=is_final
            )


def _decided_alone(
    cells: ClaimCells,
    claim: AnyClaim,
    seeds: Sequence[int],
    *,
    exploratory: bool,
    is_final: bool,
) -> ClaimResult:
    """Return the result of a claim by its own p-value, which nothing corrects."""
    if len(seeds) < 2:
        return _not_run(claim, None)
    tests = claim_tests(claim, cells.registered.gate.variant)
    evidence = _weigh(cells, tests, [seeds], (1.0,))
    return ClaimResult(
        claim=claim,
        tier=None,
        exploratory=exploratory,
        standing=ComparisonStatus.FINAL if is_final else ComparisonStatus.INTERIM,
        look=0,
        estimate=_estimate(cells, tests, seeds, _Correction(1, (1.0,), 1)),
        p=evidence.p.item(),
        p_against=evidence.p_against.item(),
        p_adjusted=None,
        outcome=decide_alone(evidence).outcome(),
        secondary=_secondary_results(cells, tests, seeds),
    )


# -- records ----------------------------------------------------------------------------


class _Correction(NamedTuple):
    """What the p-value of a claim is corrected for."""

    num_claims: int
    fractions: Sequence[float]
    """Shares of all seeds at the planned looks."""
    look: int
    """Number of looks reached."""


def _not_run(claim: AnyClaim, tier: str | None) -> ClaimResult:
    return ClaimResult(
        claim=claim,
        tier=tier,
        exploratory=False,
        standing=ComparisonStatus.NOT_RUN,
        look=0,
        estimate=None,
        p=None,
        p_adjusted=None,
        outcome=None,
    )


def _estimate(
    cells: ClaimCells, tests: ClaimTests, seeds: Sequence[int], corrected: _Correction
) -> ClaimEstimate:
    test = tests.shown[0]
    found = contrast_estimate(cells.measure, cells.runs, test.weights, seeds)
    standard = found.standard
    return ClaimEstimate(
        seeds=tuple(seeds),
        num_questions=found.num_questions,
        estimate=found.estimate,
        bar=test.bar,
        standard_error=standard.error,
        df=standard.df,
        is_wide=standard.is_wide,
        interval_95=_interval(found.estimate, standard, 0.95),
        interval_90=_interval(found.estimate, standard, 0.90),
        smallest_difference=smallest_difference(
            tests,
            standard,
            corrected.num_claims,
            corrected.fractions,
            corrected.look,
        ),
    )


def _secondary_results(
    cells: ClaimCells, tests: ClaimTests, seeds: Sequence[int]
) -> tuple[SecondaryResult, ...]:
    results = []
    for metric, measure in cells.secondary.items():
        weights = tests.shown[0].weights
        found = contrast_estimate(measure, cells.runs, weights, seeds)
        standard = found.standard
        results.append(
            SecondaryResult(
                metric=metric,
                estimate=found.estimate,
                interval_95=_interval(found.estimate, standard, 0.95),
                p=two_sided(found.estimate, standard.error, standard.df),
            )
        )
    return tuple(results)


def _interval(
    estimate: float, standard: StandardError, level: float
) -> tuple[float, float]:
    """Return the interval of a level, in points as the estimate."""
    return interval_of(estimate / 100, standard.error / 100, standard.df, level)

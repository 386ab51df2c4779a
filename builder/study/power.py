"""What a study can be expected to find, before it is run. Pure.

From the parts of the variance of a pilot or of an earlier study (`components`), studies
are simulated whole: looks, Holm's correction, tiers and assay sensitivity, decided by
the code that decides the real ones. Results of seeds, questions and single answers are
drawn from normal distributions; that questions and single answers vary as they do on
average is taken for granted, since there are many of them.

Dimensions: N simulated studies, S seeds, V variants.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from cotbuild.builder.study.claim_tests import (
    LEVEL,
    ClaimTests,
    ContrastTest,
    claim_seeds,
    claim_tests,
)
from cotbuild.builder.study.components import VarianceComponents
from cotbuild.builder.study.decisions import (
    ClaimDecision,
    ClaimEvidence,
    PlannedTier,
    decide_alone,
    decide_tiers,
    partly_opened,
)
from cotbuild.builder.study.evidence import weigh_claim
from cotbuild.builder.study.looks import (
    look_bounds,
    look_fractions,
    look_p_values,
    normal_scores,
)
from cotbuild.builder.study.two_way import (
    Floats,
    StandardError,
    combine_parts,
    standard_error,
)
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.study.claims import AnyClaim
from cotbuild.schemas.study.version_2 import StudyV2

POWER = 0.8
"""Chance to find the smallest difference that a design is said to be able to show."""

NUM_SIMULATED = 4000
"""Simulated studies: a chance of 80 % is then known to ± 0.6 points, one of 5 % to ± 0.3
(standard errors)."""


class ClaimPower(NamedTuple):
    """What a design can find out about a claim."""

    name: str
    tier: str | None
    """None outside the tiers."""
    num_in_tier: int
    smallest_difference: float
    """Points: see `smallest_difference`."""
    is_margin: bool
    """Whether that is a margin that can be shown of equal variants."""
    if_no_effect: float
    """Chance that it is supported if all variants are equally good, from 0 to 1."""
    if_hoped: float | None
    """The same with the gains that STUDY.yaml hopes for; None if it names none."""


def planned_tiers(study: StudyV2) -> list[PlannedTier]:
    """Return the tiers of a study, by the names of their claims."""
    return [
        PlannedTier(
            claims=tuple(claim.name for claim in tier.claims),
            opens_with=study.opening_claims(position),
        )
        for position, tier in enumerate(study.tiers)
    ]


def claim_powers(
    study: StudyV2, num_questions: int, components: VarianceComponents
) -> list[ClaimPower]:
    """Return what a study can find out about each claim, those of the tiers first.

    `num_questions` are the test questions. The components may be of other variants.
    """
    variants = list(dict.fromkeys([study.gate.variant, *study.main_variants]))
    known = components.of_variants(variants)
    no_effect = simulate_study(study, num_questions, known, {})
    hoped = {}
    if study.hoped:
        hoped = simulate_study(study, num_questions, known, study.hoped)
    looks = look_fractions(study.planned_looks)
    tier_of = {claim.name: tier for tier in study.tiers for claim in tier.claims}
    powers = []
    for claim in (*study.tier_claims, *study.secondary):
        tier = tier_of.get(claim.name)
        tests = claim_tests(claim, study.gate.variant)
        parts = known.of_contrast(_weight_vector(tests.shown[0], variants))
        # Those of a claim in a tier may be more than the plan has.
        num_seeds = len(study.planned_seeds if tier else claim_seeds(study, claim))
        expected = parts.expected(num_seeds, num_questions)
        num_in_tier = len(tier.claims) if tier else 1
        fractions = looks if tier else (1.0,)
        powers.append(
            ClaimPower(
                name=claim.name,
                tier=tier.name if tier else None,
                num_in_tier=num_in_tier,
                smallest_difference=smallest_difference(
                    tests,
                    standard_error(expected),
                    num_in_tier,
                    fractions,
                    len(fractions),
                ),
                is_margin=len(tests.shown) > 1,
                if_no_effect=no_effect[claim.name],
                if_hoped=hoped.get(claim.name),
            )
        )
    return powers


def smallest_difference(
    tests: ClaimTests,
    standard: StandardError,
    num_in_tier: int,
    fractions: Sequence[float],
    look: int,
) -> float:
    """Return the smallest distance from the bar that is found with 80 % power, points.

    It is found at a look, which counts from 1, as the first of the tier's claims to be
    supported, which Holm's correction treats most strictly. For two tests, as of
    equivalence, it is the smallest margin that can be shown of variants that are equal.
    `standard` is the standard error at this look, points.
    """
    sides = 2 if tests.is_two_sided else 1
    level = look_bounds(LEVEL / num_in_tier / sides, fractions)[look - 1]
    power = POWER if len(tests.shown) == 1 else (1 + POWER) / 2
    quantiles = special.stdtrit(standard.df, [1 - level, power])
    return float(standard.error * quantiles.sum())


def power_lines(
    powers: Sequence[ClaimPower], study: StudyV2, source: str
) -> Iterator[str]:
    """Yield the lines of `--dry-run`; `source` names where the variances are from."""
    num_looks = len(study.planned_looks)
    yield f"what this design can find, by the variances of {source}:"
    for one in powers:
        corrections = []
        if one.tier is not None and num_looks > 1:
            corrections.append(pluralize(num_looks, "look"))
        if one.num_in_tier > 1:
            corrections.append(f"{one.num_in_tier} claims")
        corrected = (
            f", corrected for {' and '.join(corrections)}" if corrections else ""
        )
        kind = "margin" if one.is_margin else "difference"
        hoped = ""
        if one.if_hoped is not None:
            hoped = f", {one.if_hoped:.0%} with the gains hoped for"
        yield (
            f"  {one.name}: smallest {kind} {one.smallest_difference:.1f} points (80 % "
            f"power{corrected}); supported in {one.if_no_effect:.1%} of studies without "
            f"any effect{hoped}"
        )
    yield f"  {error_line(study)}"


def error_line(study: StudyV2) -> str:
    """Return how likely any false support is, in a tier and in all tiers together."""
    level = f"some claim is supported falsely in at most {100 * LEVEL:g} % of studies"
    partly = partly_opened(planned_tiers(study))
    if not partly:
        return f"{level}, over all tiers together"
    names = ", ".join(repr(study.tiers[position].name) for position in partly)
    return (
        f"{level} in each tier, and {100 * LEVEL * (1 + len(partly)):g} % over all tiers "
        f"together, because {names} {'opens' if len(partly) == 1 else 'open'} with a part "
        "of the claims before"
    )


# -- simulation -------------------------------------------------------------------------


def simulate_study(
    study: StudyV2,
    num_questions: int,
    components: VarianceComponents,
    gains: Mapping[str, float],
    num_simulated: int = NUM_SIMULATED,
) -> dict[str, float]:
    """Return the share of simulated studies that support each claim, by its name.

    The arguments are those of `simulate_decisions`.
    """
    decisions = simulate_decisions(
        study, num_questions, components, gains, num_simulated
    )
    return {name: float(one.is_supported.mean()) for name, one in decisions.items()}


def simulate_decisions(
    study: StudyV2,
    num_questions: int,
    components: VarianceComponents,
    gains: Mapping[str, float],
    num_simulated: int = NUM_SIMULATED,
) -> dict[str, ClaimDecision]:
    """Return how each claim ends in simulated studies, by its name.

    `components` are of all variants of the study. `gains` are the true means of
    variants, in points above the others.
    """
    simulated = _SimulatedStudies(num_questions, components, gains, num_simulated)
    looks = study.planned_looks
    evidence = {
        claim.name: simulated.weigh(claim, study.gate.variant, looks)
        for claim in study.tier_claims
    }
    decisions = decide_tiers(planned_tiers(study), evidence)
    for claim in study.secondary:
        looks = (len(claim_seeds(study, claim)),)
        found = simulated.weigh(claim, study.gate.variant, looks)
        decisions[claim.name] = decide_alone(found)
    return decisions


def _weight_vector(test: ContrastTest, variants: Sequence[str]) -> Floats:
    return np.array([test.weights.get(variant, 0.0) for variant in variants])


class _SimulatedStudies:
    """Means of the seeds of each variant, in many studies of one design."""

    def __init__(
        self,
        num_questions: int,
        components: VarianceComponents,
        gains: Mapping[str, float],
        num_simulated: int,
    ) -> None:
        self._num_questions = num_questions
        self._components = components
        self._rng = np.random.default_rng(0)
        self._num_simulated = num_simulated
        self._gain_V = np.array([gains.get(name, 0.0) for name in components.variants])
        self._question_NV = self._draw(components.question_VV / num_questions, 1)[:, 0]
        self._seed_NSV = self._draw(components.seed_VV, 0)

    def _draw(self, covariance_VV: Floats, number: int) -> Floats:
        """Return (N, number, V) normal values."""
        values_V, vectors_VV = np.linalg.eigh(covariance_VV)
        root_VV = vectors_VV * np.sqrt(np.maximum(values_V, 0.0))
        shape = (self._num_simulated, number, len(covariance_VV))
        drawn: Floats = self._rng.standard_normal(shape) @ root_VV.T
        return drawn

    def _seeds(self, number: int) -> Floats:
        """Return the means of the first seeds without questions' part, (N, number, V)."""
        missing = number - self._seed_NSV.shape[1]
        if missing > 0:
            covariance_VV = (
                self._components.seed_VV
                + self._components.error_VV / self._num_questions
            )
            more_NSV = self._draw(covariance_VV, missing)
            self._seed_NSV = np.concatenate([self._seed_NSV, more_NSV], axis=1)
        return self._seed_NSV[:, :number]

    def weigh(
        self, claim: AnyClaim, baseline: str, looks: Sequence[int]
    ) -> ClaimEvidence:
        """Return the evidence for a claim after all looks."""
        fractions = look_fractions(looks)

        def p_value_of(test: ContrastTest) -> Floats:
            scores = [self._scores(test, look) for look in looks]
            return look_p_values(np.stack(scores, axis=-1), fractions)

        def above_bar_of(test: ContrastTest) -> Floats:
            return self._estimates(test, looks[-1]) - test.bar

        return weigh_claim(claim_tests(claim, baseline), p_value_of, above_bar_of)

    def _estimates(self, test: ContrastTest, num_seeds: int) -> Floats:
        """Return the contrast that is estimated in each study."""
        weight_V = _weight_vector(test, self._components.variants)
        true_N = (self._question_NV + self._gain_V) @ weight_V
        estimate_N: Floats = true_N + (self._seeds(num_seeds) @ weight_V).mean(axis=1)
        return estimate_N

    def _scores(self, test: ContrastTest, num_seeds: int) -> Floats:
        """Return the z of a test in each study."""
        weight_V = _weight_vector(test, self._components.variants)
        parts = self._components.of_contrast(weight_V)
        expected = parts.expected(num_seeds, self._num_questions)
        seed_NS = self._seeds(num_seeds) @ weight_V
        error_N, df_N = combine_parts(
            seed_NS.var(axis=1, ddof=1) / num_seeds,
            np.full(self._num_simulated, expected.of_questions),
            np.full(self._num_simulated, expected.of_error),
            num_seeds,
            self._num_questions,
        )
        above_bar_N = self._estimates(test, num_seeds) - test.bar
        return normal_scores(above_bar_N, error_N, df_N)

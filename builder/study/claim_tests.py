"""What the claims of a study test: weighted sums of the variants' means. Pure.

A claim is shown if a weighted sum of the variants' means, a contrast, is above a bar:

| claim | contrast | bar | p-value that decides |
|---|---|---|---|
| A beats B | A − B | 0 | two-sided |
| A is not worse than B by a margin | A − B | −margin | one-sided |
| ... by a share f of a gain | A − B + f (full − base) | 0 | one-sided |
| A and B are equivalent within a margin | A − B, and B − A | −margin | larger one-sided |
| A keeps more than a share f of a gain | A − (1 − f) base − f full | 0 | one-sided |

Equivalence is two one-sided tests (Schuirmann 1987). All are tested at `LEVEL`. So what
decides is a 95 % interval for `beats` and a 90 % interval for the others. A claim is
contradicted by the same tests of its opposite.

**Assay sensitivity.** A study that can't tell variants apart shows that all are equally
good. So a margin in points counts only if the study's baseline, put in the place of A,
is estimated to lie outside it, at the last look so far: one within the margin would pass
the test, given enough data. A share of a gain counts only if there is a gain: `full` beats `base`.
"""

from typing import NamedTuple

from cotbuild.schemas.study.claims import (
    AnyClaim,
    BeatsClaim,
    EquivalentClaim,
    Gain,
    GainShare,
    KeepsClaim,
)
from cotbuild.schemas.study.version_2 import StudyV2

LEVEL = 0.05
"""Of all claims of a tier together."""


class ContrastTest(NamedTuple):
    """The test of whether a contrast is above a bar, one-sided."""

    weights: dict[str, float]
    """Variant to its weight."""
    bar: float = 0.0
    """Points."""

    @property
    def opposite(self) -> "ContrastTest":
        """The test of whether the contrast is below the bar."""
        weights = {variant: -weight for variant, weight in self.weights.items()}
        return ContrastTest(weights, -self.bar)


class ClaimTests(NamedTuple):
    """The tests that decide a claim."""

    shown: tuple[ContrastTest, ...]
    """All of them support it; the first one's contrast is the estimate."""
    is_two_sided: bool = False
    """Whether p-values count both directions."""
    must_fail: tuple[ContrastTest, ...] = ()
    """For assay sensitivity, the estimate of one of them must be below its bar."""
    must_hold: tuple[ContrastTest, ...] = ()
    """Each must pass for assay sensitivity, two-sided."""

    @property
    def against(self) -> tuple[ContrastTest, ...]:
        """Any of them contradicts the claim."""
        return tuple(test.opposite for test in self.shown)


def claim_seeds(study: StudyV2, claim: AnyClaim) -> tuple[int, ...]:
    """Return the seeds that a study declares for all variants of a claim, in order.

    Variants that the study does not train in the main setting have none.
    """
    first, *others = (study.main_seeds.get(one, ()) for one in claim.variants)
    return tuple(seed for seed in first if all(seed in seeds for seeds in others))


def claim_tests(claim: AnyClaim, baseline: str) -> ClaimTests:
    """Return the tests of a claim; `baseline` is the variant without any rationale."""
    if isinstance(claim, BeatsClaim):
        return ClaimTests((_difference(claim.a, claim.b),), is_two_sided=True)
    if isinstance(claim, KeepsClaim):
        weights = {
            claim.a: 1.0,
            claim.base: claim.share - 1,
            claim.full: -claim.share,
        }
        gain = _difference(claim.full, claim.base)
        return ClaimTests((ContrastTest(weights),), must_hold=(gain,))
    if isinstance(claim.margin, GainShare):
        test = _difference(claim.a, claim.b)
        kept = _plus_gain(test, claim.margin.share, claim.margin.of)
        gain = _difference(claim.margin.of.full, claim.margin.of.base)
        return ClaimTests((kept,), must_hold=(gain,))
    is_equivalence = isinstance(claim, EquivalentClaim)
    shown = _margin_tests(claim.a, claim.b, claim.margin, both=is_equivalence)
    if baseline in (claim.a, claim.b):
        return ClaimTests(shown)
    of_baseline = _margin_tests(baseline, claim.b, claim.margin, both=is_equivalence)
    return ClaimTests(shown, must_fail=of_baseline)


def _margin_tests(
    a: str, b: str, margin: float, *, both: bool
) -> tuple[ContrastTest, ...]:
    """Return the test of whether A is not worse than B; with `both` also the reverse."""
    pairs = [(a, b), (b, a)] if both else [(a, b)]
    return tuple(_difference(*pair)._replace(bar=-margin) for pair in pairs)


def _difference(a: str, b: str) -> ContrastTest:
    return ContrastTest({a: 1.0, b: -1.0})


def _plus_gain(test: ContrastTest, share: float, gain: Gain) -> ContrastTest:
    weights = dict(test.weights)
    weights[gain.full] = weights.get(gain.full, 0.0) + share
    weights[gain.base] = weights.get(gain.base, 0.0) - share
    return ContrastTest(weights, test.bar)

"""Deciding the claims of a study: looks, Holm's correction, tiers and gates. Pure.

Every claim has a p-value after its looks (`looks`). Over the claims of a tier they are
corrected by Holm's method (1979), which keeps the chance of any false support among
them at `LEVEL`. A tier is tested only if the claims that it opens with are supported
(fixed-sequence gatekeeping: Maurer, Hothorn and Lehmacher 1995). Where these are all
claims of the tier before, as they are by default, the level holds for all tiers
together; where they are a part of them, it holds for each tier (`partly_opened`).

Functions take arrays of any one shape, an entry for each study, so that simulated
studies are decided by the same code as real ones.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cotbuild.builder.study.claim_tests import LEVEL
from cotbuild.builder.study.two_way import Floats
from cotbuild.schemas.study.results import ClaimOutcome

Flags = NDArray[np.bool_]


class ClaimEvidence(NamedTuple):
    """What a claim is decided by."""

    p: Floats
    """P-value that decides it, after the looks so far; 1 where no look was reached."""
    p_against: Floats
    """That of its opposite."""
    is_sensitive: Flags
    """Whether the study has assay sensitivity for it."""


class ClaimDecision(NamedTuple):
    """How a claim ended."""

    p_adjusted: Floats
    """Smallest level at which it is supported, with Holm's correction and the gates."""
    is_tested: Flags
    """Whether its tier was open."""
    is_supported: Flags
    is_contradicted: Flags
    is_sensitive: Flags

    def outcome(self) -> ClaimOutcome:
        """Return the outcome of a single study, whose arrays have one entry."""
        if not self.is_tested.item():
            return ClaimOutcome.NOT_TESTED
        if self.is_supported.item():
            return ClaimOutcome.SUPPORTED
        if self.is_contradicted.item():
            return ClaimOutcome.CONTRADICTED
        if self.p_adjusted.item() <= LEVEL and not self.is_sensitive.item():
            return ClaimOutcome.NO_ASSAY_SENSITIVITY
        return ClaimOutcome.UNDECIDED


class PlannedTier(NamedTuple):
    """The claims of a tier, by name."""

    claims: tuple[str, ...]
    opens_with: tuple[str, ...]
    """Claims of earlier tiers that must be supported; none for the first tier."""


def partly_opened(tiers: Sequence[PlannedTier]) -> list[int]:
    """Return the positions of tiers that open with a part of the claims before them.

    Each of these begins tiers that have `LEVEL` for themselves. All tiers together have
    at most the sum of these levels.
    """
    return [
        position
        for position in range(1, len(tiers))
        if not set(tiers[position - 1].claims) <= set(tiers[position].opens_with)
    ]


def decide_tiers(
    tiers: Sequence[PlannedTier], evidence: Mapping[str, ClaimEvidence]
) -> dict[str, ClaimDecision]:
    """Decide the claims of all tiers, by name."""
    decided: dict[str, ClaimDecision] = {}
    for tier in tiers:
        found = [evidence[name] for name in tier.claims]
        p_TN = adjust_by_holm(np.stack([one.p for one in found]))
        against_TN = adjust_by_holm(np.stack([one.p_against for one in found]))
        gates = [decided[name] for name in tier.opens_with]
        for name, one, p, against in zip(
            tier.claims, found, p_TN, against_TN, strict=True
        ):
            decided[name] = _decide(one, p, against, gates)
    return decided


def decide_alone(evidence: ClaimEvidence) -> ClaimDecision:
    """Decide a claim outside the tiers, by uncorrected p-values."""
    return _decide(evidence, evidence.p, evidence.p_against, [])


def _decide(
    evidence: ClaimEvidence,
    p: Floats,
    p_against: Floats,
    gates: Sequence[ClaimDecision],
) -> ClaimDecision:
    is_tested = np.ones_like(p, dtype=bool)
    for gate in gates:
        is_tested &= gate.is_supported
        p = np.maximum(p, gate.p_adjusted)
    holds, fails = p <= LEVEL, p_against <= LEVEL
    return ClaimDecision(
        p_adjusted=p,
        is_tested=is_tested,
        # Looks that show first the one and later the other leave it undecided.
        is_supported=is_tested & holds & ~fails & evidence.is_sensitive,
        is_contradicted=is_tested & fails & ~holds,
        is_sensitive=evidence.is_sensitive,
    )


def adjust_by_holm(p_TN: Floats) -> Floats:
    """Return Holm-adjusted p-values of T claims, each in N studies."""
    num_claims = len(p_TN)
    order_TN = np.argsort(p_TN, axis=0, kind="stable")
    factors = np.arange(num_claims, 0, -1).reshape(-1, *[1] * (p_TN.ndim - 1))
    stepped_TN = np.take_along_axis(p_TN, order_TN, axis=0) * factors
    stepped_TN = np.minimum(np.maximum.accumulate(stepped_TN, axis=0), 1.0)
    adjusted_TN = np.empty_like(p_TN)
    np.put_along_axis(adjusted_TN, order_TN, stepped_TN, axis=0)
    return adjusted_TN

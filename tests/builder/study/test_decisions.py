"""How claims end: what each tests, Holm's correction, tiers and assay sensitivity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from cotbuild.builder.study.claim_tests import ContrastTest, claim_tests
from cotbuild.builder.study.decisions import (
    ClaimEvidence,
    PlannedTier,
    adjust_by_holm,
    decide_alone,
    decide_tiers,
    partly_opened,
)
from cotbuild.builder.study.evidence import (
    ContrastEstimate,
    contrast_p_value,
    weigh_claim,
)
from cotbuild.builder.study.statistics import holm
from cotbuild.builder.study.two_way import Floats, StandardError
from cotbuild.schemas.study.claims import AnyClaim
from cotbuild.schemas.study.results import ClaimOutcome

PAIR = {"name": "x", "says": "x", "a": "a", "b": "b"}
GAIN = {"share": 0.25, "of": {"full": "full", "base": "base"}}
FIRST = PlannedTier(("one", "two"), ())
DIFFERENCE = ContrastTest({"a": 1.0, "b": -1.0})


def claim(kind: str, **fields: object) -> AnyClaim:
    values = {"claim": kind, **PAIR, **fields}
    if kind == "keeps":
        del values["b"]
        values |= {"base": "base", "full": "full", "share": 0.25}
    parsed: AnyClaim = TypeAdapter(AnyClaim).validate_python(values)
    return parsed


@pytest.mark.parametrize(
    ("tested", "shown"),
    [
        (claim("beats"), [({"a": 1, "b": -1}, 0)]),
        (claim("not_worse", margin=2.0), [({"a": 1, "b": -1}, -2)]),
        (
            claim("not_worse", margin=GAIN),
            [({"a": 1, "b": -1, "full": 0.25, "base": -0.25}, 0)],
        ),
        (
            claim("equivalent", margin=2.0),
            [({"a": 1, "b": -1}, -2), ({"b": 1, "a": -1}, -2)],
        ),
        (claim("keeps"), [({"a": 1, "base": -0.75, "full": -0.25}, 0)]),
    ],
)
def test_what_a_claim_tests(
    tested: AnyClaim, shown: list[tuple[dict[str, float], float]]
) -> None:
    found = claim_tests(tested, "none")
    assert [(one.weights, one.bar) for one in found.shown] == shown
    for one, opposite in zip(found.shown, found.against, strict=True):
        assert opposite.opposite == one


def evidence(
    tested: AnyClaim, means: dict[str, float], error: float = 1.0
) -> ClaimEvidence:
    """What variants with these means show, known with the same error in any contrast."""

    def estimate_of(test: ContrastTest) -> float:
        return sum(
            weight * means.get(name, 0.0) for name, weight in test.weights.items()
        )

    def p_value_of(test: ContrastTest) -> Floats:
        standard = StandardError(error, 1e9, False)
        found = ContrastEstimate(estimate_of(test), standard, 9, 9)
        return np.array(contrast_p_value(test, [found], (1.0,)))

    def above_bar_of(test: ContrastTest) -> Floats:
        return np.array(estimate_of(test) - test.bar)

    return weigh_claim(claim_tests(tested, "none"), p_value_of, above_bar_of)


SUPPORTED, CONTRADICTED = ClaimOutcome.SUPPORTED, ClaimOutcome.CONTRADICTED
UNDECIDED, INSENSITIVE = ClaimOutcome.UNDECIDED, ClaimOutcome.NO_ASSAY_SENSITIVITY


@pytest.mark.parametrize(
    ("tested", "means", "p", "outcome"),
    [
        # A win is tested two-sided, and a margin one-sided.
        (claim("beats"), {"a": 1.96}, 0.05, SUPPORTED),
        (claim("beats"), {"a": 1.9}, 0.0574, UNDECIDED),
        (claim("beats"), {"a": -1.97}, 1.0, CONTRADICTED),
        (claim("not_worse", margin=2.0), {"a": -0.3, "none": -5}, 0.0446, SUPPORTED),
        (claim("not_worse", margin=2.0), {"a": -1.0, "none": -5}, 0.1587, UNDECIDED),
        (claim("not_worse", margin=2.0), {"a": -4.0, "none": -5}, 0.9772, CONTRADICTED),
        # One that is too good is not worse, but not equivalent.
        (claim("not_worse", margin=2.0), {"a": 9.0, "none": -5}, 0.0, SUPPORTED),
        (claim("equivalent", margin=2.0), {"a": 9.0, "none": -5}, 1.0, CONTRADICTED),
        (claim("equivalent", margin=2.0), {"a": 0.3, "none": -5}, 0.0446, SUPPORTED),
        # The baseline lies within the margin as well.
        (claim("not_worse", margin=2.0), {"a": 0.5, "none": 0.0}, 0.0062, INSENSITIVE),
        (claim("equivalent", margin=2.0), {"none": 0.2}, 0.0228, INSENSITIVE),
        (claim("not_worse", margin=2.0), {"none": -1.9}, 0.0228, INSENSITIVE),
        (claim("not_worse", margin=2.0), {"none": -2.1}, 0.0228, SUPPORTED),
        (claim("equivalent", margin=2.0), {"none": 2.1}, 0.0228, SUPPORTED),
        # Above a quarter of the gain, where there is one.
        (claim("keeps"), {"a": 3.0, "full": 4.0}, 0.0228, SUPPORTED),
        (claim("keeps"), {"a": 1.5, "full": 4.0}, 0.3085, UNDECIDED),
        (claim("keeps"), {"a": -1.0, "full": 4.0}, 0.9772, CONTRADICTED),
        (claim("keeps"), {"a": 3.0, "full": 1.9}, 0.0058, INSENSITIVE),
        (claim("not_worse", margin=GAIN), {"a": 1.0, "full": 4.0}, 0.0228, SUPPORTED),
        (claim("not_worse", margin=GAIN), {"a": 2.0, "full": 1.0}, 0.0122, INSENSITIVE),
    ],
)
def test_outcomes_of_single_claims(
    tested: AnyClaim, means: dict[str, float], p: float, outcome: ClaimOutcome
) -> None:
    found = evidence(tested, means)
    assert found.p.item() == pytest.approx(p, abs=2e-4)
    assert decide_alone(found).outcome() is outcome


def test_a_margin_of_the_baseline_itself_needs_no_other_baseline() -> None:
    tests = claim_tests(claim("not_worse", a="none", margin=2.0), "none")
    assert tests.must_fail == ()


@pytest.mark.parametrize(
    ("baseline", "is_sensitive"), [(-2.9, True), (-1.1, False), (-2.0, False)]
)
def test_assay_sensitivity_is_judged_by_the_estimate_at_the_last_look(
    baseline: float, is_sensitive: bool
) -> None:
    """Whatever the p-values of the looks are, which are of the most extreme one."""
    found = weigh_claim(
        claim_tests(claim("not_worse", margin=2.0), "none"),
        lambda _: np.array(0.01),
        lambda test: np.array(baseline - test.bar),
    )
    assert found.is_sensitive.item() == is_sensitive


@pytest.mark.parametrize(
    ("opens_with", "partly"),
    [
        ((("one", "two"), ("three",)), []),
        ((("one",), ("three",)), [1]),
        ((("one", "two"), ("two",)), [2]),
        ((("one",), ("one", "two")), [1, 2]),
    ],
)
def test_tiers_that_open_with_a_part_have_a_level_of_their_own(
    opens_with: tuple[tuple[str, ...], tuple[str, ...]], partly: list[int]
) -> None:
    second, third = opens_with
    tiers = [FIRST, PlannedTier(("three",), second), PlannedTier(("four",), third)]
    assert partly_opened(tiers) == partly


def plain(p: float, p_against: float = 1.0) -> ClaimEvidence:
    return ClaimEvidence(np.array(p), np.array(p_against), np.array(True))


@pytest.mark.parametrize(
    ("opens_with", "ps", "outcomes", "third"),
    [
        # Holm over the first tier: 0.02 × 2 and 0.04.
        (("one", "two"), (0.02, 0.04, 0.03), (SUPPORTED, SUPPORTED, SUPPORTED), 0.04),
        # The second claim fails, and with it the gate.
        (
            ("one", "two"),
            (0.02, 0.06, 0.001),
            (SUPPORTED, UNDECIDED, ClaimOutcome.NOT_TESTED),
            0.06,
        ),
        (("one",), (0.02, 0.06, 0.001), (SUPPORTED, UNDECIDED, SUPPORTED), 0.04),
        (("one",), (0.02, 0.06, 0.9), (SUPPORTED, UNDECIDED, UNDECIDED), 0.9),
    ],
)
def test_tiers_open_with_claims_that_are_supported(
    opens_with: tuple[str, ...],
    ps: tuple[float, float, float],
    outcomes: tuple[ClaimOutcome, ...],
    third: float,
) -> None:
    found = decide_tiers(
        [FIRST, PlannedTier(("three",), opens_with)],
        dict(zip(("one", "two", "three"), map(plain, ps), strict=True)),
    )
    assert tuple(one.outcome() for one in found.values()) == outcomes
    assert found["three"].p_adjusted.item() == pytest.approx(third)


def test_looks_that_show_both_directions_leave_a_claim_undecided() -> None:
    assert decide_alone(plain(0.01, 0.02)).outcome() is UNDECIDED


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1))
def test_holm_of_many_studies_is_that_of_each(studies: list[list[float]]) -> None:
    found = adjust_by_holm(np.array(studies).T).T
    for ps, adjusted in zip(studies, found, strict=True):
        assert list(adjusted) == pytest.approx(holm(ps))

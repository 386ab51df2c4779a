"""What a dry run says that a study can find, against the error that it will have."""

import numpy as np
import pytest

from cotbuild.builder.study.claim_tests import ClaimTests, ContrastTest
from cotbuild.builder.study.first_study import FIRST_STUDY
from cotbuild.builder.study.power import (
    claim_powers,
    error_line,
    power_lines,
    simulate_study,
    smallest_difference,
)
from cotbuild.builder.study.two_way import StandardError
from tests.support.studies.cells_made import beats, make_tiers

KNOWN = StandardError(1.0, 1e9, False)
TEST = ContrastTest({"a": 1.0, "b": -1.0})


@pytest.mark.parametrize(
    ("tests", "num_in_tier", "fractions", "look", "expected"),
    [
        # Sums of normal quantiles: the level that decides, and 80 % power.
        (ClaimTests((TEST,), is_two_sided=True), 1, (1.0,), 1, 1.960 + 0.842),
        (ClaimTests((TEST,), is_two_sided=True), 2, (1.0,), 1, 2.241 + 0.842),
        (ClaimTests((TEST,)), 1, (1.0,), 1, 1.645 + 0.842),
        (ClaimTests((TEST,), is_two_sided=True), 1, (0.5, 1.0), 2, 1.977 + 0.842),
        (ClaimTests((TEST,), is_two_sided=True), 1, (0.5, 1.0), 1, 2.797 + 0.842),
        # Two one-sided tests both hold with 80 % if each fails in 10 %.
        (ClaimTests((TEST, TEST)), 1, (1.0,), 1, 1.645 + 1.282),
    ],
)
def test_the_smallest_difference_counts_looks_and_claims(
    tests: ClaimTests,
    num_in_tier: int,
    fractions: tuple[float, ...],
    look: int,
    expected: float,
) -> None:
    found = smallest_difference(tests, KNOWN, num_in_tier, fractions, look)
    assert found == pytest.approx(expected, abs=0.001)


def test_a_study_is_simulated_whole() -> None:
    study = make_tiers(hoped={"post_cot": 30.0, "post_cot_shuffled": 30.0})
    found = {one.name: one for one in claim_powers(study, 3000, FIRST_STUDY)}
    # Supported claims are half of the two-sided 5 %, shared by two of them.
    for name in ("after", "help"):
        assert 0.0 < found[name].if_no_effect < 0.03
        assert found[name].if_hoped == 1.0
    # Both of its gate and its own test would have to fail.
    assert found["half"].if_no_effect < 0.01
    assert found["half"].if_hoped == 1.0


def test_the_smallest_difference_is_found_with_80_percent_power() -> None:
    tier = {"name": "first", "claims": [beats("help", "post_cot", "label_only")]}
    study = make_tiers(tiers=[tier], looks=[6])
    [power] = claim_powers(study, 3000, FIRST_STUDY)
    variants = [study.gate.variant, *study.main_variants]
    known = FIRST_STUDY.of_variants(list(dict.fromkeys(variants)))
    gains = {"post_cot": power.smallest_difference}
    found = simulate_study(study, 3000, known, gains, num_simulated=4000)
    assert found["help"] == pytest.approx(0.8, abs=0.05)


def test_lines_of_a_dry_run() -> None:
    study = make_tiers(
        hoped={"post_cot": 2.0}, secondary=[beats("more", "post_cot", "pre_cot")]
    )
    powers = claim_powers(study, 3000, FIRST_STUDY)
    rounded = [
        one._replace(smallest_difference=2.0, if_no_effect=0.0123, if_hoped=0.5)
        for one in powers
    ]
    rounded[2] = rounded[2]._replace(if_hoped=None, is_margin=True)
    assert list(power_lines(rounded, study, "the first study")) == [
        "what this design can find, by the variances of the first study:",
        "  after: smallest difference 2.0 points (80 % power, corrected for 2 looks and "
        "2 claims); supported in 1.2% of studies without any effect, 50% with the gains "
        "hoped for",
        "  help: smallest difference 2.0 points (80 % power, corrected for 2 looks and 2 "
        "claims); supported in 1.2% of studies without any effect, 50% with the gains "
        "hoped for",
        "  half: smallest margin 2.0 points (80 % power, corrected for 2 looks); "
        "supported in 1.2% of studies without any effect",
        "  more: smallest difference 2.0 points (80 % power); supported in 1.2% of "
        "studies without any effect, 50% with the gains hoped for",
        "  some claim is supported falsely in at most 5 % of studies in each tier, and 10 % "
        "over all tiers together, because 'second' opens with a part of the claims before",
    ]


def test_tiers_that_open_with_all_claims_before_have_one_level_together() -> None:
    first, second = (tier.model_dump(mode="json") for tier in make_tiers().tiers)
    study = make_tiers(tiers=[first, {**second, "opens_with": None}])
    assert error_line(study) == (
        "some claim is supported falsely in at most 5 % of studies, over all tiers together"
    )


def test_the_same_design_has_the_same_power_each_time() -> None:
    study = make_tiers()
    known = FIRST_STUDY.of_variants(study.main_variants)
    first = simulate_study(study, 500, known, {}, num_simulated=100)
    assert first == simulate_study(study, 500, known, {}, num_simulated=100)
    assert np.all(np.array(list(first.values())) <= 1)

"""From cells to the claims of version 2: looks, tiers, seeds outside the plan."""

import pytest
from scipy.special import stdtrit

from cotbuild.builder.study.looks import look_bounds
from cotbuild.builder.study.results import study_results
from cotbuild.builder.study.statistics import compare
from cotbuild.schemas.study.declaration import CellKey, StudyMetric
from cotbuild.schemas.study.record import Cell
from cotbuild.schemas.study.results import (
    ClaimOutcome,
    ClaimResult,
    ComparisonStatus,
    StudyResults,
)
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.schemas.transform import Swap
from tests.support.studies.cells_made import (
    beats,
    make_cell,
    make_cells,
    make_record,
    make_tiers,
)

CHANCES = {
    "label_only": 0.3,
    "pre_cot": 0.3,
    "post_cot": 0.45,
    "post_cot_shuffled": 0.43,
}
Cells = dict[CellKey, Cell]


def results(
    cells: Cells, registered: StudyV2 | None = None, current: StudyV2 | None = None
) -> StudyResults:
    study = registered or make_tiers()
    return study_results(current or study, make_record(study), cells, [])


def by_name(found: StudyResults) -> dict[str, ClaimResult]:
    return {one.claim.name: one for one in found.claims if not one.exploratory}


def first_seeds(cells: Cells, number: int, but: str = "") -> Cells:
    return {
        key: cell
        for key, cell in cells.items()
        if key.seed < number or key.variant == but
    }


@pytest.fixture(scope="module")
def cells() -> Cells:
    return make_cells(make_tiers(), CHANCES)


def test_all_tiers_are_decided_at_the_last_look(cells: Cells) -> None:
    found = results(cells)
    assert {name: one.outcome for name, one in by_name(found).items()} == {
        "after": ClaimOutcome.SUPPORTED,
        "help": ClaimOutcome.SUPPORTED,
        "half": ClaimOutcome.SUPPORTED,
    }
    assert {(one.look, one.standing) for one in found.claims} == {
        (2, ComparisonStatus.FINAL)
    }
    half = by_name(found)["half"]
    assert half.tier == "second"
    assert half.estimate is not None
    assert half.estimate.seeds == (0, 1, 2, 3, 4, 5)
    assert half.estimate.bar == 0
    means = {one.recipe.variant: one.accuracy.mean for one in found.recipes}
    middle = (means["label_only"] + means["post_cot"]) / 2
    assert half.estimate.estimate == pytest.approx(means["post_cot_shuffled"] - middle)


def test_a_look_has_the_first_seeds_of_the_plan_alone(cells: Cells) -> None:
    at_first_look = results(first_seeds(cells, 5))
    ahead = results(first_seeds(cells, 5, but="post_cot"))
    assert ahead.claims == at_first_look.claims
    help_ = by_name(ahead)["help"]
    assert (help_.look, help_.standing) == (1, ComparisonStatus.INTERIM)
    assert help_.estimate is not None
    assert help_.estimate.seeds == (0, 1, 2, 3, 4)
    assert help_.p is not None
    assert help_.p_adjusted is not None
    assert help_.p <= help_.p_adjusted


def test_before_the_first_look_nothing_is_decided(cells: Cells) -> None:
    for one in results(first_seeds(cells, 4)).claims:
        assert one.standing is ComparisonStatus.NOT_RUN
        assert (one.look, one.estimate, one.p, one.outcome) == (0, None, None, None)


def test_a_tier_is_closed_until_what_opens_it_is_supported() -> None:
    same = dict.fromkeys(CHANCES, 0.4)
    found = by_name(results(make_cells(make_tiers(), same)))
    assert found["help"].outcome is not ClaimOutcome.SUPPORTED
    assert found["half"].outcome is ClaimOutcome.NOT_TESTED
    assert found["half"].p is not None
    assert found["half"].p_adjusted is None
    assert found["help"].p_adjusted is not None


def test_what_contradicts_a_claim_is_recorded(cells: Cells) -> None:
    swapped = {"post_cot": "pre_cot", "pre_cot": "post_cot"}
    reverse = {
        renamed: cell.model_copy(update={"key": renamed})
        for key, cell in cells.items()
        for renamed in [
            key.model_copy(update={"variant": swapped.get(key.variant, key.variant)})
        ]
    }
    after = by_name(results(reverse))["after"]
    assert after.outcome is ClaimOutcome.CONTRADICTED
    assert after.p == 1.0
    assert after.p_against is not None
    assert after.p_against < 0.05


def test_seeds_outside_the_plan_change_no_verdict_and_are_exploratory(
    cells: Cells,
) -> None:
    stage = make_tiers().stages[0].model_dump()
    later = {**stage, "name": "later", "seeds": [6, 7]}
    current = make_tiers(stages=[stage, later], looks=[5, 8])
    more = {**make_cells(current, CHANCES, seed=1), **cells}
    found = results(more, current=current)
    assert by_name(found) == by_name(results(cells))
    extra = [one for one in found.claims if one.exploratory]
    assert [one.claim.name for one in extra] == ["after", "help", "half"]
    for one in extra:
        assert one.estimate is not None
        assert one.estimate.seeds == (0, 1, 2, 3, 4, 5, 6, 7)
        assert (one.tier, one.look, one.p_adjusted) == (None, 0, None)


def test_a_secondary_claim_has_its_own_p_value_and_one_declared_later_is_exploratory(
    cells: Cells,
) -> None:
    registered = make_tiers(
        secondary=[beats("shuffled", "post_cot", "post_cot_shuffled")]
    )
    late = beats("late", "post_cot_shuffled", "pre_cot")
    current = make_tiers(secondary=[late])
    found = results(cells, registered, current)
    assert by_name(found)["shuffled"].p_adjusted is None
    assert by_name(found)["shuffled"].outcome is not None
    assert [one.claim.name for one in found.claims if one.exploratory] == ["late"]


def test_secondary_metrics_and_comparisons_with_the_gate_decide_nothing(
    cells: Cells,
) -> None:
    registered = make_tiers(secondary_metrics=["normalised"])
    found = results(cells, registered)
    for one in found.claims:
        assert one.estimate is not None
        assert [other.metric for other in one.secondary] == [StudyMetric.NORMALISED]
        # The cells of these tests are right by both metrics or by none.
        assert one.secondary[0].estimate == pytest.approx(one.estimate.estimate)
    # post_cot against label_only is a claim.
    assert [one.planned.a for one in found.comparisons] == [
        "pre_cot",
        "post_cot_shuffled",
    ]
    assert all(one.exploratory for one in found.comparisons)


def test_a_recipe_has_a_narrower_interval_than_in_version_1(cells: Cells) -> None:
    found = results(cells).recipes[0]
    tables = [
        [float(one) for one in cell.test.answers.correct]
        for key, cell in cells.items()
        if key.recipe == found.recipe and cell.test
    ]
    wide = compare(tables, [[0.0] * 500] * 6, paired=True)
    assert found.accuracy.interval_95 is not None
    low, high = found.accuracy.interval_95
    assert high - low <= wide.interval_95[1] - wide.interval_95[0]


def test_without_cells_of_the_baseline_there_is_no_assay_sensitivity(
    cells: Cells,
) -> None:
    tier = {
        "name": "first",
        "claims": [
            {
                "name": "same",
                "says": "Shuffled words are as good.",
                "claim": "not_worse",
                "a": "post_cot_shuffled",
                "b": "post_cot",
                "margin": 90.0,
            }
        ],
    }
    study = make_tiers(tiers=[tier])
    assert by_name(results(cells, study))["same"].outcome is (
        ClaimOutcome.NO_ASSAY_SENSITIVITY
    )
    for number in (0, 1):
        few = {
            key: cell
            for key, cell in cells.items()
            if key.variant != "label_only" or (key.rows > 0 and key.seed < number)
        }
        assert by_name(results(few, study))["same"].outcome is (
            ClaimOutcome.NO_ASSAY_SENSITIVITY
        )


def test_assay_sensitivity_can_change_with_the_last_look() -> None:
    """The baseline is outside the margin at the first look, and within at the last."""
    tier = {"name": "first", "claims": [margin_claim("not_worse", 1.0)]}
    study = make_tiers(tiers=[tier])
    alike = dict.fromkeys(CHANCES, [True] * 240 + [False] * 260)
    cells = same_answers(study, alike)
    for key, cell in cells.items():
        if key.variant == "label_only" and key.rows:
            num_right = 200 if key.seed < 5 else 440
            cells[key] = make_cell(
                key, [True] * num_right + [False] * (500 - num_right)
            )
        else:
            cells[key] = cell
    at_first = by_name(results(first_seeds(cells, 5), study))["same"]
    at_last = by_name(results(cells, study))["same"]
    assert at_first.outcome is ClaimOutcome.SUPPORTED
    assert at_last.outcome is ClaimOutcome.NO_ASSAY_SENSITIVITY


def margin_claim(kind: str, margin: float) -> dict[str, object]:
    return {
        "name": "same",
        "says": "Shuffled words are as good.",
        "claim": kind,
        "a": "post_cot_shuffled",
        "b": "post_cot",
        "margin": margin,
    }


def same_answers(study: StudyV2, right: dict[str, list[bool]]) -> Cells:
    """Cells whose answers are the same with every seed."""
    return {key: make_cell(key, right[key.variant]) for key in study.all_cells()}


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7])
def test_students_with_the_same_answers_leave_a_claim_undecided(share: float) -> None:
    second = make_tiers().tiers[1].model_dump(mode="json")
    [half] = second["claims"]
    alone = {"name": "first", "claims": [{**half, "share": share}]}
    study = make_tiers(tiers=[alone], secondary_metrics=["normalised"])
    right = dict.fromkeys(CHANCES, [True, False] * 250)
    half_found = by_name(results(same_answers(study, right), study))["half"]
    assert half_found.outcome is ClaimOutcome.UNDECIDED
    assert half_found.estimate is not None
    assert half_found.estimate.estimate == half_found.estimate.standard_error == 0
    assert half_found.secondary[0].p == 1


def test_the_smallest_difference_is_that_of_the_look_reached(cells: Cells) -> None:
    at_first = by_name(results(first_seeds(cells, 5)))["half"].estimate
    assert at_first is not None
    level, _ = look_bounds(0.05, (5 / 6, 1.0))
    expected = at_first.standard_error * stdtrit(at_first.df, [1 - level, 0.8]).sum()
    assert at_first.smallest_difference == pytest.approx(expected)


def test_seeds_that_were_not_registered_are_no_secondary_claim_of_the_plan() -> None:
    stage = make_tiers().stages[0].model_dump()
    other = {**stage, "name": "two", "variants": ["other"], "seeds": [4, 5]}
    registered = make_tiers(
        stages=[stage, other], secondary=[beats("more", "other", "post_cot")]
    )
    later = {**other, "name": "three", "seeds": [0, 1]}
    fields = registered.model_dump(mode="json")
    current = StudyV2.model_validate(
        {**fields, "stages": [stage, other, later]}, strict=False
    )
    made = make_cells(current, {**CHANCES, "other": 0.3})
    without = {
        key: cell
        for key, cell in made.items()
        if key.variant != "other" or key.seed < 2
    }
    found = results(without, registered, current)
    [planned, exploratory] = [one for one in found.claims if one.claim.name == "more"]
    assert planned.standing is ComparisonStatus.NOT_RUN
    assert exploratory.exploratory
    assert exploratory.standing is ComparisonStatus.INTERIM
    assert exploratory.estimate is not None
    assert exploratory.estimate.seeds == (0, 1)


def test_comparisons_with_the_gate_are_interim_while_seeds_are_missing(
    cells: Cells,
) -> None:
    for number, standing in (
        (5, ComparisonStatus.INTERIM),
        (6, ComparisonStatus.FINAL),
    ):
        found = results(first_seeds(cells, number)).comparisons
        assert {one.standing for one in found} == {standing}


def test_variants_with_the_rationales_of_other_questions_are_named(
    cells: Cells,
) -> None:
    def swapped(cell: Cell) -> Cell:
        assert cell.training is not None
        spec = cell.training.spec.model_copy(update={"transforms": (Swap(do="swap"),)})
        training = cell.training.model_copy(update={"spec": spec})
        return cell.model_copy(update={"training": training})

    changed = {
        key: swapped(cell) if key.variant == "pre_cot" else cell
        for key, cell in cells.items()
    }
    assert results(cells).swapped == ()
    assert results(changed).swapped == ("pre_cot",)

"""Results in words: roundings that lie to nobody, outcomes that name the right recipe."""

import pytest
from pydantic import JsonValue

from cotbuild.builder.study.report import wording
from cotbuild.builder.study.report.sections import describe_method, list_limitations
from cotbuild.schemas.study.declaration import Claim
from cotbuild.schemas.study.results import ClaimOutcome, ComparisonResult
from cotbuild.schemas.training import Precision
from tests.support.studies.kinds import nothing_run
from tests.support.studies.made import whole


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.25, "+1.2"),
        (-0.44, "−0.4"),
        (0.04, "0.0"),
        (-0.04, "0.0"),
        (0.0, "0.0"),
        (-12.0, "−12.0"),
    ],
)
def test_points_have_a_sign_unless_they_round_to_nothing(
    value: float, shown: str
) -> None:
    assert wording.format_signed(value) == shown


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (0.0, "< 0.001"),
        (0.0009999, "< 0.001"),
        (0.001, "0.001"),
        (0.0496, "0.050"),
        (1.0, "1.000"),
    ],
)
def test_no_p_value_is_shown_as_nought(p: float, shown: str) -> None:
    assert wording.format_p(p) == shown


@pytest.mark.parametrize(
    ("parts", "shown"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")],
)
def test_lists(parts: list[str], shown: str) -> None:
    assert wording.join_words(parts) == shown


def test_settings_and_grids() -> None:
    settings: dict[str, JsonValue] = {
        "lr": 3e-4,
        "max_tokens": 256,
        "loss": "parts\x1b",
    }
    shown = 'lr 0.0003, max_tokens 256, loss "parts\\u001b"'
    assert wording.format_settings(settings) == shown
    grid = {"lr": (1e-4, 3e-4), "epochs": (1.0,)}
    assert wording.format_grid(grid) == "lr 0.0001 or 0.0003; epochs 1.0"


def ended(claim: Claim, outcome: ClaimOutcome, equivalent: bool) -> ComparisonResult:
    """post_cot against pre_cot."""
    one = whole()[1].comparisons[0]
    planned = one.planned.model_copy(update={"claim": claim})
    return one.model_copy(
        update={"planned": planned, "outcome": outcome, "equivalent": equivalent}
    )


@pytest.mark.parametrize(
    ("claim", "outcome", "equivalent", "starts"),
    [
        (
            Claim.BEATS,
            ClaimOutcome.SUPPORTED,
            False,
            "post_cot is significantly better than pre_cot",
        ),
        (
            Claim.BEATS,
            ClaimOutcome.SUPPORTED,
            True,
            "post_cot is significantly better than pre_cot",
        ),
        (
            Claim.BEATS,
            ClaimOutcome.CONTRADICTED,
            False,
            "pre_cot is significantly better than post_cot",
        ),
        (
            Claim.BEATS,
            ClaimOutcome.CONTRADICTED,
            True,
            "post_cot and pre_cot are equivalent",
        ),
        (Claim.BEATS, ClaimOutcome.UNDECIDED, False, "Neither is significantly better"),
        (
            Claim.AS_GOOD,
            ClaimOutcome.SUPPORTED,
            True,
            "post_cot and pre_cot are equivalent",
        ),
        (
            Claim.AS_GOOD,
            ClaimOutcome.SUPPORTED,
            False,
            "post_cot is significantly better than pre_cot",
        ),
        (
            Claim.AS_GOOD,
            ClaimOutcome.CONTRADICTED,
            False,
            "pre_cot is significantly better than post_cot",
        ),
        (
            Claim.AS_GOOD,
            ClaimOutcome.UNDECIDED,
            False,
            "Neither is significantly better",
        ),
    ],
)
def test_an_outcome_names_the_recipe_that_won(
    claim: Claim, outcome: ClaimOutcome, equivalent: bool, starts: str
) -> None:
    assert wording.explain_outcome(ended(claim, outcome, equivalent), 2.0).startswith(
        starts
    )


def test_limits_name_what_each_comparison_could_not_have_found() -> None:
    record, results, _ = whole()
    lines = list_limitations(record, results)
    for one in results.comparisons:
        if not one.exploratory and one.comparison:
            size = f"{one.comparison.smallest_difference:.1f} points"
            assert any(
                line.startswith(f"{one.planned.a} against {one.planned.b}")
                and size in line
                for line in lines
            )
    assert any("up to 3 of the 300 test questions are in" in line for line in lines)


def test_rows_left_out_and_cells_of_two_students_are_told() -> None:
    record, results, _ = whole()
    first, *others = results.recipes
    fewer = first.model_copy(update={"num_rows": first.recipe.rows - 9})
    results = results.model_copy(
        update={
            "recipes": (fewer, *others),
            "touched_twice": ("post_cot.embedded.500",),
        }
    )
    assert any(
        line.startswith("1 recipe trained on fewer rows") and "491 of 500" in line
        for line in list_limitations(record, results)
    )
    assert (
        "by two different students under one name: post_cot.embedded.500"
        in dict(describe_method(record, results))["Evaluations on test"]
    )


def test_cells_trained_in_two_precisions_are_told() -> None:
    record, results, _ = whole()
    assert not any("float32" in line for line in list_limitations(record, results))
    first, second, *others = results.recipes
    both = first.model_copy(
        update={"precisions": (Precision.BFLOAT16, Precision.FLOAT32)}
    )
    mixed = results.model_copy(update={"recipes": (both, second, *others)})
    sentence = f"Some cells were trained in bfloat16, others in float32 ({first.recipe.variant} in both)."
    assert list_limitations(record, mixed)[-1] == sentence
    assert dict(describe_method(record, mixed))["Training"].endswith(
        "in bfloat16 and float32."
    )


def test_a_study_without_cells_has_limits_too() -> None:
    record, results, _ = nothing_run()
    lines = list_limitations(record, results)
    assert sum("not run, so nothing can be concluded" in line for line in lines) == 3
    assert not any("seed" in line for line in lines)

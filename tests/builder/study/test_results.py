"""From cells to claims: seeds, families, what is missing, what was not declared."""

import pytest

from cotbuild.builder.study.registration import find_changes
from cotbuild.builder.study.report.lines import claim_lines
from cotbuild.builder.study.results import study_results
from cotbuild.builder.study.statistics import compare, holm
from cotbuild.schemas.study.declaration import CellKey, Claim, StudyStage
from cotbuild.schemas.study.record import Cell, QuestionAccess
from cotbuild.schemas.study.results import (
    ClaimOutcome,
    ComparisonResult,
    ComparisonStatus,
    StudyResults,
)
from cotbuild.schemas.study.version_1 import StudyV1
from tests.support.studies.cells_made import (
    VARIANTS,
    comparison,
    make_cells,
    make_record,
    make_study,
)

CHANCES = {"label_only": 0.3, "pre_cot": 0.3, "post_cot": 0.45}


def results(
    study: StudyV1, cells: dict[CellKey, Cell], of: StudyV1 | None = None
) -> StudyResults:
    return study_results(study, make_record(of or study), cells, [])


def declared(found: StudyResults) -> list[ComparisonResult]:
    return [one for one in found.comparisons if not one.exploratory]


def named(found: StudyResults, name: str) -> ComparisonResult:
    return next(one for one in found.comparisons if one.planned.name == name)


def test_a_comparison_is_that_of_its_cells_corrected_over_the_family() -> None:
    study = make_study()
    cells = make_cells(study, CHANCES)
    found = results(study, cells)

    def table(variant: str) -> list[list[float]]:
        of = [
            cell for key, cell in cells.items() if key.variant == variant and key.rows
        ]
        return [
            [float(one) for one in cell.test.answers.correct]
            for cell in of
            if cell.test
        ]

    plain = [
        compare(table("post_cot"), table(b), paired=False)
        for b in ("pre_cot", "label_only")
    ]
    assert [one.comparison for one in declared(found)] == plain
    assert [one.p_holm for one in declared(found)] == pytest.approx(
        holm([one.p for one in plain])
    )
    assert [one.outcome for one in declared(found)] == [ClaimOutcome.SUPPORTED] * 2
    assert {one.standing for one in found.comparisons} == {ComparisonStatus.FINAL}
    assert [(one.recipe.variant, one.seeds) for one in found.recipes] == [
        (name, (0, 1, 2)) for name in VARIANTS
    ]
    assert found.untrained[0].seeds == (0,)
    assert found.untrained[0].accuracy.interval_95 is None


def test_a_comparison_without_its_cells_is_not_run_and_counts_in_the_family() -> None:
    study = make_study()
    whole = results(study, make_cells(study, CHANCES))
    part = results(
        study,
        make_cells(study, {name: CHANCES[name] for name in ("label_only", "post_cot")}),
    )
    after, helps = named(part, "after"), named(part, "help")
    assert (after.standing, after.comparison, after.p_holm, after.outcome) == (
        ComparisonStatus.NOT_RUN,
        None,
        None,
        None,
    )
    assert helps.comparison is not None
    assert helps.p_holm == pytest.approx(2 * helps.comparison.p)
    assert named(whole, "help").standing is ComparisonStatus.FINAL
    assert "after: not run" in list(claim_lines(part))


def test_with_seeds_missing_it_is_interim_and_with_one_seed_not_run() -> None:
    study = make_study()
    cells = make_cells(study, CHANCES)
    two = {
        key: cell
        for key, cell in cells.items()
        if key.seed < 2 or key.variant != "post_cot"
    }
    assert {one.standing for one in declared(results(study, two))} == {
        ComparisonStatus.INTERIM
    }
    one = {
        key: cell
        for key, cell in cells.items()
        if key.seed < 1 or key.variant != "post_cot"
    }
    found = results(study, one)
    assert {one.standing for one in declared(found)} == {ComparisonStatus.NOT_RUN}
    assert (
        next(
            one for one in found.recipes if one.recipe.variant == "post_cot"
        ).accuracy.interval_95
        is None
    )


def test_paired_only_seeds_that_both_have_count() -> None:
    study = make_study(paired=True)
    cells = make_cells(study, CHANCES)
    some = {
        key: cell
        for key, cell in cells.items()
        if (key.variant, key.seed) != ("pre_cot", 1)
    }
    found = named(results(study, some), "after").comparison
    assert found is not None
    assert (found.paired, found.num_seeds) == (True, (2, 2))


def test_what_was_declared_later_is_exploratory_and_changes_no_p_value() -> None:
    first = make_study()
    later = make_study(
        comparisons=(
            *first.comparisons,
            comparison("late", "label_only", "pre_cot", Claim.AS_GOOD),
        )
    )
    cells = make_cells(first, CHANCES)
    before, after = results(first, cells), results(later, cells, first)
    assert declared(after) == declared(before)
    late = named(after, "late")
    assert late.exploratory
    assert late.p_holm is None
    assert late.outcome is not None


def test_metric_margin_and_pairing_are_those_of_the_first_cell() -> None:
    first = make_study()
    cells = make_cells(first, CHANCES)
    changed = make_study(margin=50.0, metric="free", paired=True)
    assert results(changed, cells, first) == results(first, cells)
    fields = {
        one.field: (one.was, one.now)
        for one in find_changes(make_record(first), changed, "now", 3)
    }
    assert fields == {
        "margin": (2.0, 50.0),
        "metric": ("accuracy", "free"),
        "paired": (False, True),
    }


def test_each_variant_is_set_against_the_gates_and_each_claim_in_other_settings_as_exploratory() -> (
    None
):
    more = StudyStage(name="sizes", variants=VARIANTS, seeds=(0, 1), rows=(50,))
    first = make_study()
    study = make_study([*first.stages, more])
    found = results(study, make_cells(study, CHANCES))
    told = [
        (one.planned.name, one.setting.rows)
        for one in found.comparisons
        if one.exploratory
    ]
    assert told == [("after", 50), ("help", 50), ("pre_cot_vs_label_only", 100)]
    assert [one.recipe.rows for one in found.recipes] == [100, 100, 100, 50, 50, 50]
    assert [(one.done, one.total) for one in found.stages] == [(9, 9), (6, 6)]


def test_no_cells_no_results() -> None:
    study = make_study()
    found = results(study, {})
    assert (found.recipes, found.untrained) == ((), ())
    assert [one.standing for one in found.comparisons] == [ComparisonStatus.NOT_RUN] * 2


def test_a_cell_that_met_the_test_questions_as_two_students_is_named() -> None:
    study = make_study()
    touches = [
        QuestionAccess(cell="a", fingerprint=print_, at="")
        for print_ in ("1", "1", "2")
    ]
    touches.append(QuestionAccess(cell="b", fingerprint="1", at=""))
    found = study_results(study, make_record(study), {}, touches)
    assert (found.touches, found.touched_twice) == (4, ("a",))

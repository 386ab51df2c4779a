"""From the cells of a study in format version 1 to its comparisons. Pure."""

from typing import NamedTuple

from cotbuild.builder.study.finished import (
    FinishedCells,
    cells_of,
    order_recipes,
    test_of,
)
from cotbuild.builder.study.measures import Measure
from cotbuild.builder.study.statistics import decide, equivalent, holm
from cotbuild.schemas.study.declaration import (
    UNTRAINED,
    Claim,
    PlannedComparison,
    TrainingRecipe,
    TrainingSetting,
)
from cotbuild.schemas.study.record import Cell, StudyRegistration
from cotbuild.schemas.study.results import (
    Comparison,
    ComparisonResult,
    ComparisonStatus,
)
from cotbuild.schemas.study.version_1 import StudyV1, need_version_1


class MeasuredCells(NamedTuple):
    """The finished cells of a study, and the metric that they are compared by."""

    study: StudyV1
    measure: Measure
    finished: FinishedCells


class _UncorrectedComparison(NamedTuple):
    """A comparison before its p-value is corrected for the family."""

    planned: PlannedComparison
    setting: TrainingSetting
    status: ComparisonStatus
    comparison: Comparison | None
    """None: not run."""


def planned_comparisons(
    measured: MeasuredCells, record: StudyRegistration
) -> list[ComparisonResult]:
    """Return the comparisons declared before the first cell, corrected as one family.

    One that is not run counts as p = 1.
    """
    registered = need_version_1(record.study)
    main = registered.main
    family = [
        _compare_recipes(measured, planned, main) for planned in registered.comparisons
    ]
    ps = [one.comparison.p if one.comparison else 1.0 for one in family]
    return [
        _planned_result(one, p_holm, measured.study.margin)
        for one, p_holm in zip(family, holm(ps), strict=True)
    ]


def exploratory_comparisons(
    measured: MeasuredCells, record: StudyRegistration
) -> list[ComparisonResult]:
    """Return all other comparisons that are run.

    These are claims declared later, the claims in other settings, and each variant
    against the gate's.
    """
    study, finished = measured.study, measured.finished
    main = record.study.main
    registered = need_version_1(record.study).comparisons
    trained = [key.setting for key in finished if key.rows != UNTRAINED]
    others = [setting for setting in dict.fromkeys(trained) if setting != main]
    candidates = [(one, main) for one in study.comparisons if one not in registered]
    candidates += [(one, setting) for setting in others for one in registered]
    candidates += [(one, main) for one in _against_gate(study, finished, main)]
    results = []
    for planned, setting in candidates:
        found = _compare_recipes(measured, planned, setting)
        if found.comparison is not None:
            results.append(_exploratory_result(found, found.comparison, study.margin))
    return results


def _against_gate(
    study: StudyV1, finished: FinishedCells, main: TrainingSetting
) -> list[PlannedComparison]:
    """Return a comparison with the gate's variant for each variant without one."""
    base = study.gate.variant
    claimed = {frozenset((one.a, one.b)) for one in study.comparisons}
    recipes = order_recipes(study, finished)
    variants = dict.fromkeys(one.variant for one in recipes if one.setting == main)
    return [
        PlannedComparison(
            name=f"{variant}_vs_{base}"[:80],
            says=f"{variant} beats {base}.",
            a=variant,
            b=base,
            claim=Claim.BEATS,
        )
        for variant in variants
        if variant != base and frozenset((variant, base)) not in claimed
    ]


def _compare_recipes(
    measured: MeasuredCells, planned: PlannedComparison, setting: TrainingSetting
) -> _UncorrectedComparison:
    study, finished = measured.study, measured.finished
    recipe_a = TrainingRecipe(**setting.model_dump(), variant=planned.a)
    recipe_b = TrainingRecipe(**setting.model_dump(), variant=planned.b)
    a, b = cells_of(finished, recipe_a), cells_of(finished, recipe_b)
    if study.paired:
        a, b = _with_same_seeds(a, b)
    if min(len(a), len(b)) < 2:
        status = ComparisonStatus.NOT_RUN
        return _UncorrectedComparison(planned, setting, status, None)
    is_complete = all(
        key in finished
        for key in study.all_cells()
        if key.recipe in (recipe_a, recipe_b)
    )
    status = ComparisonStatus.FINAL if is_complete else ComparisonStatus.INTERIM
    comparison = measured.measure.compare(
        [test_of(cell) for cell in a],
        [test_of(cell) for cell in b],
        paired=study.paired,
    )
    return _UncorrectedComparison(planned, setting, status, comparison)


def _with_same_seeds(a: list[Cell], b: list[Cell]) -> tuple[list[Cell], list[Cell]]:
    shared = {cell.key.seed for cell in a} & {cell.key.seed for cell in b}
    return (
        [cell for cell in a if cell.key.seed in shared],
        [cell for cell in b if cell.key.seed in shared],
    )


def _planned_result(
    found: _UncorrectedComparison, p_holm: float, margin: float
) -> ComparisonResult:
    planned, comparison = found.planned, found.comparison
    if comparison is None:
        return ComparisonResult(
            planned=planned,
            setting=found.setting,
            exploratory=False,
            standing=found.status,
            comparison=None,
            p_holm=None,
            equivalent=None,
            outcome=None,
        )
    return ComparisonResult(
        planned=planned,
        setting=found.setting,
        exploratory=False,
        standing=found.status,
        comparison=comparison,
        p_holm=p_holm,
        equivalent=equivalent(comparison, margin),
        outcome=decide(planned.claim, comparison, p_holm, margin),
    )


def _exploratory_result(
    found: _UncorrectedComparison, comparison: Comparison, margin: float
) -> ComparisonResult:
    return ComparisonResult(
        planned=found.planned,
        setting=found.setting,
        exploratory=True,
        standing=found.status,
        comparison=comparison,
        p_holm=None,
        equivalent=equivalent(comparison, margin),
        outcome=decide(found.planned.claim, comparison, comparison.p, margin),
    )

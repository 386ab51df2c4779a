"""From the cells of a study to its results: recipes, comparisons, the gate. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pydantic import JsonValue

from cotbuild.builder.study.classes import recipe_classes
from cotbuild.builder.study.measures import Measure, make_measure
from cotbuild.builder.study.statistics import decide, equivalent, holm
from cotbuild.schemas.evaluation import StudentMetrics
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.study.declaration import (
    UNTRAINED,
    CellKey,
    Claim,
    PlannedComparison,
    Study,
    StudyMetric,
    StudyStage,
    TrainingRecipe,
    TrainingSetting,
)
from cotbuild.schemas.study.record import (
    Cell,
    GateResult,
    Measurement,
    QuestionAccess,
    QuestionSet,
    StudyRegistration,
    TrainingRecord,
    VariantFacts,
)
from cotbuild.schemas.study.results import (
    Comparison,
    ComparisonResult,
    ComparisonStatus,
    RecipeResult,
    StageResult,
    StudyResults,
)

FinishedCells = dict[CellKey, Cell]
"""Cells with answers to the test questions."""


def study_results(
    study: Study,
    record: StudyRegistration,
    cells: Mapping[CellKey, Cell],
    touches: Sequence[QuestionAccess],
) -> StudyResults:
    """Compute all results, with metric, margin and pairing as registered.

    `study` is STUDY.yaml as of now, `record` study.json, and `touches` the lines of
    touches.jsonl.
    """
    registered = record.study
    study = study.model_copy(
        update={
            "metric": registered.metric,
            "margin": registered.margin,
            "paired": registered.paired,
        }
    )
    finished = {key: cell for key, cell in cells.items() if cell.test is not None}
    measured = _Measured(study, make_measure(study.metric, record.test), finished)
    recipes = _order_recipes(study, finished)
    results = [_recipe_result(measured, record.test, recipe) for recipe in recipes]
    return StudyResults(
        metric=study.metric,
        num_questions=len(record.test.ids),
        stages=tuple(_stage_result(study, stage, finished) for stage in study.stages),
        untrained=tuple(one for one in results if one.recipe.rows == UNTRAINED),
        recipes=tuple(one for one in results if one.recipe.rows != UNTRAINED),
        comparisons=(
            *_planned_results(measured, record),
            *_exploratory_results(measured, record),
        ),
        variants=_facts_of_recipes(record, recipes),
        touches=len(touches),
        touched_twice=_find_touched_twice(touches),
    )


class _Measured(NamedTuple):
    """The finished cells of a study, and the metric that they are compared by."""

    study: Study
    measure: Measure
    finished: FinishedCells


def _order_recipes(study: Study, finished: FinishedCells) -> list[TrainingRecipe]:
    """Return the recipes of all finished cells, those of the main setting first.

    Then they follow the order of the stages, and those of no stage their names.
    """
    keys = study.all_cells()
    positions: dict[TrainingRecipe, int] = {}
    for position, key in enumerate(keys):
        positions.setdefault(key.recipe, position)

    def order(recipe: TrainingRecipe) -> tuple[bool, int, str]:
        position = positions.get(recipe, len(keys))
        return recipe.setting != study.main, position, recipe.variant

    return sorted(dict.fromkeys(key.recipe for key in finished), key=order)


def _cells_of(finished: FinishedCells, recipe: TrainingRecipe) -> list[Cell]:
    """Return the recipe's cells by rising seed."""
    keys = sorted(finished, key=lambda key: key.seed)
    return [finished[key] for key in keys if key.recipe == recipe]


def _test_of(cell: Cell) -> Measurement:
    assert cell.test is not None, "only finished cells are compared"
    return cell.test


def _stage_result(
    study: Study, stage: StudyStage, finished: FinishedCells
) -> StageResult:
    keys = list(study.cells(stage))
    num_done = sum(key in finished for key in keys)
    return StageResult(name=stage.name, done=num_done, total=len(keys))


# -- recipes ----------------------------------------------------------------------------


def _recipe_result(
    measured: _Measured, questions: QuestionSet, recipe: TrainingRecipe
) -> RecipeResult:
    cells = _cells_of(measured.finished, recipe)
    tests = [_test_of(cell) for cell in cells]
    metrics = [test.figures for test in tests]
    trainings = [cell.training for cell in cells if cell.training]
    first = trainings[0] if trainings else None
    return RecipeResult(
        recipe=recipe,
        seeds=tuple(cell.key.seed for cell in cells),
        accuracy=measured.measure.score(tests),
        raw=_mean_percent(tests, StudyMetric.ACCURACY),
        normalised=_mean_normalised(tests),
        free=_mean_percent(tests, StudyMetric.FREE),
        forced=_mean_forced(metrics),
        parse_failures=_mean(
            100 * one.parse_failures.share for one in metrics if one.parse_failures
        ),
        tokens_per_question=_mean(one.tokens_per_question for one in metrics),
        rationale_tokens_per_question=_mean(
            one.rationale_tokens_per_question for one in metrics
        ),
        seen=max(one.seen for one in metrics),
        num_rows=first.num_rows if first else 0,
        train_tokens=first.tokens if first else 0,
        train_seconds=_mean_seconds(trainings),
        precisions=tuple(sorted({one.precision for one in trainings})),
        settings=_grid_settings(measured.study, first),
        curve=first.curve if first else None,
        classes=recipe_classes(tests, questions),
    )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _mean_percent(tests: Sequence[Measurement], metric: StudyMetric) -> float | None:
    """Return the mean accuracy; None for prose, which has none."""
    if any(test.prose for test in tests):
        return None
    return _mean(test.answers.percent_correct(metric) for test in tests)


def _mean_normalised(tests: Sequence[Measurement]) -> float | None:
    """Return the mean normalised accuracy; None if a question has no options."""
    if any("-" in test.answers.normalised for test in tests):
        return None
    return _mean_percent(tests, StudyMetric.NORMALISED)


def _mean_forced(metrics: Sequence[StudentMetrics]) -> float | None:
    """Return the mean percent of forced separators; None if the label comes first."""
    percents = [100 * one.forced.share for one in metrics if one.forced]
    return _mean(percents) if percents else None


def _mean_seconds(trainings: Sequence[TrainingRecord]) -> float:
    return _mean(one.seconds for one in trainings) if trainings else 0.0


def _grid_settings(
    study: Study, training: TrainingRecord | None
) -> dict[str, JsonValue]:
    """Return the settings that the recipe chose from the grid."""
    if training is None:
        return {}
    config = training.config.model_dump(mode="json")
    return {name: config[name] for name in study.grid}


# -- comparisons ------------------------------------------------------------------------


class _UncorrectedComparison(NamedTuple):
    """A comparison before its p-value is corrected for the family."""

    planned: PlannedComparison
    setting: TrainingSetting
    status: ComparisonStatus
    comparison: Comparison | None
    """None: not run."""


def _planned_results(
    measured: _Measured, record: StudyRegistration
) -> list[ComparisonResult]:
    """Return the comparisons declared before the first cell, corrected as one family.

    One that is not run counts as p = 1.
    """
    main = record.study.main
    family = [
        _compare_recipes(measured, planned, main)
        for planned in record.study.comparisons
    ]
    ps = [one.comparison.p if one.comparison else 1.0 for one in family]
    return [
        _planned_result(one, p_holm, measured.study.margin)
        for one, p_holm in zip(family, holm(ps), strict=True)
    ]


def _exploratory_results(
    measured: _Measured, record: StudyRegistration
) -> list[ComparisonResult]:
    """Return all other comparisons that are run.

    These are claims declared later, the claims in other settings, and each variant
    against the gate's.
    """
    study, finished = measured.study, measured.finished
    main, registered = record.study.main, record.study.comparisons
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
    study: Study, finished: FinishedCells, main: TrainingSetting
) -> list[PlannedComparison]:
    """Return a comparison with the gate's variant for each variant without one."""
    base = study.gate.variant
    claimed = {frozenset((one.a, one.b)) for one in study.comparisons}
    recipes = _order_recipes(study, finished)
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
    measured: _Measured, planned: PlannedComparison, setting: TrainingSetting
) -> _UncorrectedComparison:
    study, finished = measured.study, measured.finished
    recipe_a = TrainingRecipe(**setting.model_dump(), variant=planned.a)
    recipe_b = TrainingRecipe(**setting.model_dump(), variant=planned.b)
    a, b = _cells_of(finished, recipe_a), _cells_of(finished, recipe_b)
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
        [_test_of(cell) for cell in a],
        [_test_of(cell) for cell in b],
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


# -- the gate ---------------------------------------------------------------------------


def decide_gate(
    study: Study,
    measure: Measure,
    trained: Sequence[Measurement],
    untrained: Measurement,
) -> GateResult:
    """Compare the gate's variant, one run for each seed, with the untrained student."""
    gain = measure.gain(trained, untrained)
    needed = study.gate.standard_errors
    is_enough = gain.difference >= needed * gain.standard_error
    return GateResult(
        passed=gain.difference > 0 and is_enough,
        trained=tuple(measure.value(one) for one in trained),
        untrained=measure.value(untrained),
        difference=gain.difference,
        standard_error=gain.standard_error,
        needed=needed,
    )


# -- the build and the log --------------------------------------------------------------


def variant_facts(study: Study, manifest: Manifest) -> tuple[VariantFacts, ...]:
    """Return the build's figures of the variants that a study trains on."""
    if manifest.variants is None:
        return ()
    entries = {entry.name: entry for entry in manifest.variants.variants}
    abouts = {spec.name: spec.about for spec in manifest.variants.made.specs}
    names = dict.fromkeys(key.variant for key in study.all_cells())
    return tuple(
        VariantFacts(
            name=name,
            about=abouts[name],
            num_rows=entries[name].num_rows,
            words=entries[name].words,
            names_target=entries[name].names_target,
            names_other=entries[name].names_other,
            loosely_target=entries[name].loosely_target,
        )
        for name in names
        if name in entries
    )


def _facts_of_recipes(
    record: StudyRegistration, recipes: Sequence[TrainingRecipe]
) -> tuple[VariantFacts, ...]:
    facts = {one.name: one for one in record.variants}
    names = dict.fromkeys(recipe.variant for recipe in recipes)
    return tuple(facts[name] for name in names if name in facts)


def _find_touched_twice(touches: Sequence[QuestionAccess]) -> tuple[str, ...]:
    """Return the cells that evaluated the test questions as two different students."""
    fingerprints: dict[str, set[str]] = {}
    for touch in touches:
        fingerprints.setdefault(touch.cell, set()).add(touch.fingerprint)
    return tuple(name for name, found in fingerprints.items() if len(found) > 1)

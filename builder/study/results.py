"""From the cells of a study to its results: recipes, comparisons, the gate. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np
from pydantic import JsonValue

from cotbuild.builder.study.claim_results import ClaimCells, SeedRuns, claim_results
from cotbuild.builder.study.classes import ScoreSamples, recipe_classes
from cotbuild.builder.study.comparisons import (
    MeasuredCells,
    exploratory_comparisons,
    planned_comparisons,
)
from cotbuild.builder.study.finished import (
    FinishedCells,
    cells_of,
    order_recipes,
    test_of,
)
from cotbuild.builder.study.measures import Measure, make_measure
from cotbuild.builder.study.paired import (
    compare_with_gate,
    paired_accuracy,
    score_paired_samples,
)
from cotbuild.builder.study.sample_statistics import score_samples
from cotbuild.builder.study.sensitivity_results import sensitivity_results
from cotbuild.schemas.evaluation import StudentMetrics
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.study.declaration import (
    UNTRAINED,
    CellKey,
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
    StudyRegistration,
    TrainingRecord,
    VariantFacts,
)
from cotbuild.schemas.study.results import (
    ClaimResult,
    RecipeAccuracy,
    RecipeClasses,
    RecipeResult,
    StageResult,
    StudyResults,
)
from cotbuild.schemas.study.version_1 import StudyV1, need_version_1
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.schemas.transform import Swap


def study_results(
    study: Study,
    record: StudyRegistration,
    cells: Mapping[CellKey, Cell],
    touches: Sequence[QuestionAccess],
    sensitivity: Mapping[CellKey, Cell] = MappingProxyType({}),
) -> StudyResults:
    """Compute all results, by the rules that were registered.

    `study` is STUDY.yaml as of now, `record` study.json, `touches` the lines of
    touches.jsonl, and `sensitivity` the cells of that stage.
    """
    finished = {key: cell for key, cell in cells.items() if cell.test is not None}
    measure = make_measure(record.study.metric, record.test)
    score, comparisons, claims = measure.score, [], tuple[ClaimResult, ...]()
    score_of_class: ScoreSamples = score_samples
    swapped = tuple[str, ...]()
    if isinstance(record.study, StudyV2):
        current = study if isinstance(study, StudyV2) else record.study
        claim_cells = ClaimCells(
            registered=record.study,
            measure=measure,
            secondary={
                metric: make_measure(metric, record.test)
                for metric in record.study.secondary_metrics
            },
            runs=_runs_of(finished, record.study.main),
        )
        score = partial(paired_accuracy, measure)
        score_of_class = score_paired_samples
        comparisons = compare_with_gate(record.study, current, measure, finished)
        claims = claim_results(claim_cells, current)
        swapped = _swapped_variants(finished)
    else:
        judged = _as_registered(study, record.study)
        measured = MeasuredCells(judged, measure, finished)
        comparisons += planned_comparisons(measured, record)
        comparisons += exploratory_comparisons(measured, record)
    recipes = order_recipes(study, finished)
    results = []
    for recipe in recipes:
        of_recipe = cells_of(finished, recipe)
        tests = [test_of(cell) for cell in of_recipe]
        classes = recipe_classes(tests, record.test, score_of_class)
        results.append(_recipe_result(study, of_recipe, recipe, score(tests), classes))
    return StudyResults(
        metric=record.study.metric,
        num_questions=len(record.test.ids),
        stages=tuple(_stage_result(study, stage, finished) for stage in study.stages),
        untrained=tuple(one for one in results if one.recipe.rows == UNTRAINED),
        recipes=tuple(one for one in results if one.recipe.rows != UNTRAINED),
        comparisons=tuple(comparisons),
        claims=claims,
        sensitivity=tuple(sensitivity_results(record, score, finished, sensitivity)),
        swapped=swapped,
        variants=_facts_of_recipes(record, recipes),
        touches=len(touches),
        touched_twice=_find_touched_twice(touches),
    )


def _as_registered(study: Study, registered: StudyV1) -> StudyV1:
    """Return STUDY.yaml as of now with the registered metric, margin and pairing."""
    return need_version_1(study).model_copy(
        update={
            "metric": registered.metric,
            "margin": registered.margin,
            "paired": registered.paired,
        }
    )


def _runs_of(finished: FinishedCells, setting: TrainingSetting) -> SeedRuns:
    """Return the answers of a setting's cells, by variant and seed."""
    runs: dict[str, dict[int, Measurement]] = {}
    for key, cell in finished.items():
        if key.setting == setting:
            runs.setdefault(key.variant, {})[key.seed] = test_of(cell)
    return runs


def _swapped_variants(finished: FinishedCells) -> tuple[str, ...]:
    """Return the variants whose rationales are of other questions, by name."""
    specs = [cell.training.spec for cell in finished.values() if cell.training]
    swapped = {
        spec.name
        for spec in specs
        if any(
            isinstance(transform, Swap)
            for part in spec.parts
            for transform in part.transforms
        )
    }
    return tuple(sorted(swapped))


def _stage_result(
    study: Study, stage: StudyStage, finished: FinishedCells
) -> StageResult:
    keys = list(study.cells(stage))
    num_done = sum(key in finished for key in keys)
    return StageResult(name=stage.name, done=num_done, total=len(keys))


# -- recipes ----------------------------------------------------------------------------


def _recipe_result(
    study: Study,
    cells: Sequence[Cell],
    recipe: TrainingRecipe,
    accuracy: RecipeAccuracy,
    classes: RecipeClasses | None,
) -> RecipeResult:
    """Return the results of a recipe; `accuracy` is its primary metric."""
    tests = [test_of(cell) for cell in cells]
    metrics = [test.figures for test in tests]
    trainings = [cell.training for cell in cells if cell.training]
    first = trainings[0] if trainings else None
    return RecipeResult(
        recipe=recipe,
        seeds=tuple(cell.key.seed for cell in cells),
        accuracy=accuracy,
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
        settings=_grid_settings(study, first),
        curve=first.curve if first else None,
        classes=classes,
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
    return {name: config[name] for name in study.search_grid}


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

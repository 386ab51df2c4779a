"""From the cells of a study to what may be said of it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cotbuild.builder.study.statistics import (
    compare,
    decide,
    equivalent,
    holm,
    recipe_accuracy,
)
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.study.declaration import (
    UNTRAINED,
    CellKey,
    Claim,
    PlannedComparison,
    Study,
    StudyMetric,
    TrainingRecipe,
    TrainingSetting,
)
from cotbuild.schemas.study.record import (
    Cell,
    Measurement,
    QuestionAccess,
    StudyRegistration,
)
from cotbuild.schemas.study.results import (
    Comparison,
    ComparisonResult,
    ComparisonStatus,
    RecipeResult,
    StageResult,
    StudyResults,
    VariantFacts,
)

Finished = dict[CellKey, Cell]
"""Cells with test answers."""


class _UncorrectedComparison(NamedTuple):
    """A comparison before its p-value is corrected."""

    planned: PlannedComparison
    setting: TrainingSetting
    standing: ComparisonStatus
    comparison: Comparison | None


def study_results(
    study: Study,
    record: StudyRegistration,
    cells: Mapping[CellKey, Cell],
    touches: Sequence[QuestionAccess],
    facts: Manifest | None,
) -> StudyResults:
    """All of it, by metric, margin and pairing as registered; `facts`: the build's
    manifest, where it is at hand.
    """
    fixed = record.study
    study = study.model_copy(
        update={"metric": fixed.metric, "margin": fixed.margin, "paired": fixed.paired}
    )
    done = {key: cell for key, cell in cells.items() if cell.test is not None}
    recipes = _recipes(study, done)
    return StudyResults(
        num_questions=len(record.test.ids),
        stages=tuple(
            _stage(study, done, number) for number in range(len(study.stages))
        ),
        untrained=tuple(
            _recipe(study, done, one) for one in recipes if one.rows == UNTRAINED
        ),
        recipes=tuple(
            _recipe(study, done, one) for one in recipes if one.rows != UNTRAINED
        ),
        comparisons=(
            *_planned(study, record, done),
            *_exploratory(study, record, done),
        ),
        variants=_facts(recipes, facts),
        touches=len(touches),
        touched_twice=_twice(touches),
    )


def _recipes(study: Study, done: Finished) -> list[TrainingRecipe]:
    """Of all finished cells, in the order of the stages; first those of the main
    setting.
    """
    order = {
        key.recipe: place for place, key in reversed(list(enumerate(study.all_cells())))
    }
    found = dict.fromkeys(key.recipe for key in done)
    return sorted(
        found,
        key=lambda one: (
            one.setting != study.main,
            order.get(one, len(order)),
            one.variant,
        ),
    )


def _of(done: Finished, recipe: TrainingRecipe) -> list[Cell]:
    """Its cells, by seed."""
    return [
        done[key]
        for key in sorted(done, key=lambda key: key.seed)
        if key.recipe == recipe
    ]


def _correct(study: Study, cells: Iterable[Cell]) -> list[list[float]]:
    return [_test(cell).answers.correct_by(study.metric) for cell in cells]


def _test(cell: Cell) -> Measurement:
    assert cell.test is not None, "of finished cells alone"
    return cell.test


def _stage(study: Study, done: Finished, number: int) -> StageResult:
    stage = study.stages[number]
    keys = list(study.cells(stage))
    return StageResult(
        name=stage.name, done=sum(key in done for key in keys), total=len(keys)
    )


def _recipe(study: Study, done: Finished, recipe: TrainingRecipe) -> RecipeResult:
    cells = _of(done, recipe)
    tests, training = (
        [_test(cell) for cell in cells],
        [cell.training for cell in cells if cell.training],
    )
    of = [one.figures for one in tests]
    forced = [100 * one.forced.share for one in of if one.forced]
    first = training[0] if training else None
    return RecipeResult(
        recipe=recipe,
        seeds=tuple(cell.key.seed for cell in cells),
        accuracy=recipe_accuracy(_correct(study, cells)),
        raw=_mean(one.answers.percent_correct(StudyMetric.ACCURACY) for one in tests),
        normalised=_mean(
            one.answers.percent_correct(StudyMetric.NORMALISED) for one in tests
        )
        if _has_options(tests)
        else None,
        free=_mean(one.answers.percent_correct(StudyMetric.FREE) for one in tests),
        forced=_mean(forced) if forced else None,
        parse_failures=_mean(100 * one.parse_failures.share for one in of),
        tokens_per_question=_mean(one.tokens_per_question for one in of),
        rationale_tokens_per_question=_mean(
            one.rationale_tokens_per_question for one in of
        ),
        seen=max(one.seen for one in of),
        num_rows=first.num_rows if first else 0,
        train_tokens=first.tokens if first else 0,
        train_seconds=_mean(one.seconds for one in training) if training else 0.0,
        precisions=tuple(sorted({one.precision for one in training})),
        settings={
            name: first.config.model_dump(mode="json")[name] for name in study.grid
        }
        if first
        else {},
        curve=first.curve if first else None,
    )


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _has_options(tests: Sequence[Measurement]) -> bool:
    return all("-" not in one.answers.normalised for one in tests)


# -- comparisons -------------------------------------------------------------------------------------------------------


def _planned(
    study: Study, record: StudyRegistration, done: Finished
) -> list[ComparisonResult]:
    """Those that were declared before the first cell, corrected together; what is not
    run counts as p = 1.
    """
    found = [
        _compared(study, done, one, record.study.main)
        for one in record.study.comparisons
    ]
    corrected = holm([one.comparison.p if one.comparison else 1.0 for one in found])
    return [
        _result(one, p, study.margin, exploratory=False)
        for one, p in zip(found, corrected, strict=True)
    ]


def _exploratory(
    study: Study, record: StudyRegistration, done: Finished
) -> list[ComparisonResult]:
    """All others: claims declared later, the claims in other settings, and each variant
    against the gate's.
    """
    main, declared = record.study.main, set(record.study.comparisons)
    settings = dict.fromkeys(key.setting for key in done if key.rows != UNTRAINED)
    wanted = [(one, main) for one in study.comparisons if one not in declared]
    wanted += [
        (one, setting)
        for setting in settings
        if setting != main
        for one in record.study.comparisons
    ]
    wanted += [(one, main) for one in _against_gate(study, done, main)]
    found = (_compared(study, done, one, setting) for one, setting in wanted)
    return [
        _result(one, one.comparison.p, study.margin, exploratory=True)
        for one in found
        if one.comparison
    ]


def _against_gate(
    study: Study, done: Finished, main: TrainingSetting
) -> list[PlannedComparison]:
    """Each variant that no claim sets against the gate's."""
    base = study.gate.variant
    had = {frozenset((one.a, one.b)) for one in study.comparisons}
    variants = dict.fromkeys(
        one.variant for one in _recipes(study, done) if one.setting == main
    )
    return [
        PlannedComparison(
            name=f"{variant}_vs_{base}"[:80],
            says=f"{variant} beats {base}.",
            a=variant,
            b=base,
            claim=Claim.BEATS,
        )
        for variant in variants
        if variant != base and frozenset((variant, base)) not in had
    ]


def _compared(
    study: Study, done: Finished, planned: PlannedComparison, setting: TrainingSetting
) -> _UncorrectedComparison:
    recipes = [
        TrainingRecipe(**setting.model_dump(), variant=variant)
        for variant in (planned.a, planned.b)
    ]
    a, b = (_of(done, one) for one in recipes)
    if study.paired:
        both = {cell.key.seed for cell in a} & {cell.key.seed for cell in b}
        a, b = ([cell for cell in cells if cell.key.seed in both] for cells in (a, b))
    if min(len(a), len(b)) < 2:
        return _UncorrectedComparison(planned, setting, ComparisonStatus.NOT_RUN, None)
    missing = [
        key for key in study.all_cells() if key.recipe in recipes and key not in done
    ]
    comparison = compare(_correct(study, a), _correct(study, b), paired=study.paired)
    return _UncorrectedComparison(
        planned,
        setting,
        ComparisonStatus.INTERIM if missing else ComparisonStatus.FINAL,
        comparison,
    )


def _result(
    found: _UncorrectedComparison, p: float, margin: float, *, exploratory: bool
) -> ComparisonResult:
    comparison, planned = found.comparison, found.planned
    return ComparisonResult(
        planned=planned,
        setting=found.setting,
        exploratory=exploratory,
        standing=found.standing,
        comparison=comparison,
        p_holm=p if comparison and not exploratory else None,
        equivalent=equivalent(comparison, margin) if comparison else None,
        outcome=decide(planned.claim, comparison, p, margin) if comparison else None,
    )


# -- the rest ----------------------------------------------------------------------------------------------------------


def _facts(
    recipes: Sequence[TrainingRecipe], manifest: Manifest | None
) -> tuple[VariantFacts, ...]:
    if manifest is None or manifest.variants is None:
        return ()
    entries = {entry.name: entry for entry in manifest.variants.variants}
    abouts = {spec.name: spec.about for spec in manifest.variants.made.specs}
    names = [
        name
        for name in dict.fromkeys(one.variant for one in recipes)
        if name in entries
    ]
    fields = ("num_rows", "words", "names_target", "names_other", "loosely_target")
    return tuple(
        VariantFacts(
            name=name,
            about=abouts[name],
            **{field: getattr(entries[name], field) for field in fields},
        )
        for name in names
    )


def _twice(touches: Sequence[QuestionAccess]) -> tuple[str, ...]:
    """Cells that asked the test questions as two different students."""
    prints: dict[str, set[str]] = {}
    for touch in touches:
        prints.setdefault(touch.cell, set()).add(touch.fingerprint)
    return tuple(name for name, found in prints.items() if len(found) > 1)

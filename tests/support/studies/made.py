"""Studies as they look once their cells are there: answers of simulated students,
figures computed of them.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from cotbuild.builder.study.statistics import (
    compare,
    decide,
    equivalent,
    holm,
    recipe_accuracy,
)
from cotbuild.schemas.evaluation import MajorityBaseline, Proportion, wilson_interval
from cotbuild.schemas.study.declaration import (
    CellKey,
    Claim,
    PlannedComparison,
    StudyQuestions,
    StudyStage,
    TrainingRecipe,
    TrainingSetting,
)
from cotbuild.schemas.study.record import (
    ChosenHyperparameters,
    Curve,
    GateResult,
    QuestionSet,
    StudyRegistration,
    VariantFacts,
)
from cotbuild.schemas.study.results import (
    ComparisonResult,
    ComparisonStatus,
    RecipeResult,
    StageResult,
    StudyResults,
)
from cotbuild.schemas.study.version_1 import StudyV1
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.schemas.training import Loss, Precision
from tests.support.simulated_studies import Correct, draw, world

QUESTIONS, TARGETS = 300, ("A", "B", "C", "D")
EFFECTS = {
    "label_only": -0.01,
    "pre_cot": -0.06,
    "post_cot": 0.04,
    "post_cot_shuffled_words": 0.035,
}
"""Variant to how much better than 35 % it truly is."""
Tables = dict[TrainingRecipe, Correct]
"""Recipe to its answers (seeds, questions)."""


def claim(name: str, a: str, b: str, kind: Claim = Claim.BEATS) -> PlannedComparison:
    return PlannedComparison(
        name=name, says=f"{a} {kind.value} {b}", a=a, b=b, claim=kind
    )


CLAIMS = (
    claim("after_beats_before", "post_cot", "pre_cot"),
    claim("order_is_not_needed", "post_cot_shuffled_words", "post_cot", Claim.AS_GOOD),
    claim("after_beats_label", "post_cot", "label_only"),
)


def made_study(
    variants: Sequence[str] = tuple(EFFECTS),
    claims: Sequence[PlannedComparison] = CLAIMS,
    seeds: Sequence[int] = (0, 1, 2),
    rows: Sequence[int] = (500,),
    **fields: object,
) -> StudyV1:
    stage = StudyStage(
        name="first", variants=tuple(variants), seeds=tuple(seeds), rows=tuple(rows)
    )
    study = StudyV1(
        name="After or before the label",
        source="org/garden@v1",
        dev=StudyQuestions(split="dev"),
        test=StudyQuestions(split="test"),
        comparisons=tuple(claims),
        grid={"lr": (5e-5, 1e-4)},
        stages=(stage,),
    )
    return StudyV1.model_validate({**study.model_dump(), **fields}, strict=False)


def made_tables(
    study: StudyV1 | StudyV2, keys: Sequence[CellKey], effects: Mapping[str, float]
) -> Tables:
    """Answers of the cells: one difficulty a question, shared by all; each cell a run
    of its own; more rows help.
    """
    here = world(QUESTIONS, run_share=0.2, own=0.0, run_correlation=0.0)
    found: Tables = {}
    for recipe in dict.fromkeys(key.recipe for key in keys):
        places = [place for place, key in enumerate(keys) if key.recipe == recipe]
        more = (
            0.02 * float(np.log2(recipe.rows / study.main.rows)) if recipe.rows else 0.0
        )
        answers, _ = draw(
            here,
            np.random.default_rng(7),
            1,
            len(keys),
            effects.get(recipe.variant, 0.0) + more,
        )
        found[recipe] = answers[0, places]
    return found


def made_record(
    study: StudyV1 | StudyV2,
    *,
    gate: GateResult | None = None,
    chance: float | None = 0.25,
) -> StudyRegistration:
    targets = tuple(TARGETS[place * 7 % 13 % 4] for place in range(QUESTIONS))
    most = max(TARGETS, key=targets.count)
    asked = QuestionSet(
        rows="r" * 64,
        ids=tuple(f"q{place}" for place in range(QUESTIONS)),
        targets=targets,
        majority=MajorityBaseline(
            target=most, accuracy=made_share(targets.count(most), QUESTIONS)
        ),
        chance=chance,
    )
    first = study.stages[0]
    chosen = tuple(
        ChosenHyperparameters(
            recipe=TrainingRecipe(**study.main.model_dump(), variant=variant),
            settings={"lr": 1e-4},
            tried=(({"lr": 5e-5}, 33.0 + place), ({"lr": 1e-4}, 34.5 + place)),
        )
        for place, variant in enumerate(first.variants)
    )
    return StudyRegistration(
        digest="study/1:" + "d" * 64,
        at="2026-01-01T00:00:00+00:00",
        study=study,
        dev=asked,
        test=asked,
        gate=gate,
        chosen=chosen if gate else (),
    )


def made_share(count: int, of: int) -> Proportion:
    low, high = wilson_interval(count, of)
    return Proportion(count=count, of=of, share=count / of, low=low, high=high)


PASSED = GateResult(
    passed=True,
    trained=(33.0, 34.3, 35.0),
    untrained=27.0,
    difference=7.1,
    standard_error=2.1,
    needed=2.0,
)


def made_results(
    study: StudyV1, tables: Tables, *, untrained: bool = True, options: bool = True
) -> StudyResults:
    """All that comes of the answers that are there; cells that a stage names and have
    none are missing.
    """
    keys = [
        CellKey(**recipe.model_dump(), seed=seed)
        for recipe, rows in tables.items()
        for seed in range(len(rows))
    ]
    base = TrainingRecipe(
        student=study.main.student, rows=0, loss=Loss.PARTS, variant=study.gate.variant
    )
    before = made_tables(
        study, [CellKey(**base.model_dump(), seed=0)], {study.gate.variant: -0.08}
    )[base]
    return StudyResults(
        num_questions=QUESTIONS,
        stages=tuple(
            StageResult(
                name=stage.name,
                done=sum(key in keys for key in study.cells(stage)),
                total=len(list(study.cells(stage))),
            )
            for stage in study.stages
        ),
        untrained=(made_recipe(base, before, options),) if untrained else (),
        recipes=tuple(
            made_recipe(recipe, answers, options) for recipe, answers in tables.items()
        ),
        comparisons=(*_planned(study, tables), *_exploratory(study, tables)),
        variants=tuple(
            made_facts(name)
            for name in dict.fromkeys(recipe.variant for recipe in tables)
        ),
        touches=len(keys) + untrained,
        touched_twice=(),
    )


def made_recipe(
    recipe: TrainingRecipe, answers: Correct, options: bool
) -> RecipeResult:
    before = recipe.variant.startswith("pre_cot")
    accuracy = recipe_accuracy(answers)
    return RecipeResult(
        recipe=recipe,
        seeds=tuple(range(len(answers))),
        accuracy=accuracy,
        raw=accuracy.mean,
        normalised=accuracy.mean - 0.4 if options else None,
        free=accuracy.mean - 1.2,
        forced=7.3 if before else None,
        parse_failures=2.1,
        tokens_per_question=71.4 if before else 4.2 + len(recipe.variant) / 100,
        rationale_tokens_per_question=67.2 if before else 0.0,
        seen=3 if recipe.rows else 0,
        num_rows=recipe.rows,
        train_tokens=120 * recipe.rows,
        train_seconds=700.0 if recipe.rows else 0.0,
        precisions=(Precision.FLOAT32,) if recipe.rows else (),
        settings={"lr": 1e-4} if recipe.rows else {},
        curve=_curve(recipe.variant) if recipe.rows else None,
    )


def _curve(variant: str) -> Curve:
    update = tuple(range(2, 122, 2))
    falls = [0.3 + 2.2 * float(np.exp(-at / (20 + len(variant)))) for at in update]
    return Curve(
        update=update,
        label_loss=tuple(falls),
        rationale_loss=tuple(2 * one for one in falls),
    )


def made_facts(variant: str) -> VariantFacts:
    rationale = variant != "label_only"
    return VariantFacts(
        name=variant,
        about=f"Made as {variant}.",
        num_rows=900,
        words=61.5 if rationale else 0.0,
        names_target=0.82 if rationale else 0.0,
        names_other=0.41 if rationale else 0.0,
        loosely_target=0.9 if rationale else 0.0,
    )


def _planned(study: StudyV1, tables: Tables) -> list[ComparisonResult]:
    found = [
        _result(study, tables, one, study.main, exploratory=False)
        for one in study.comparisons
    ]
    corrected = holm([one.comparison.p if one.comparison else 1.0 for one in found])
    return [
        _decided(one, p, study.margin) for one, p in zip(found, corrected, strict=True)
    ]


def _exploratory(study: StudyV1, tables: Tables) -> list[ComparisonResult]:
    had = {(one.a, one.b, study.main) for one in study.comparisons}
    wanted = [
        (
            claim(
                f"{recipe.variant}_vs_{study.gate.variant}",
                recipe.variant,
                study.gate.variant,
            ),
            recipe.setting,
        )
        for recipe in tables
        if recipe.variant != study.gate.variant
        and (recipe.variant, study.gate.variant, recipe.setting) not in had
    ]
    found = [_result(study, tables, *one, exploratory=True) for one in wanted]
    return [one for one in found if one.comparison]


def _result(
    study: StudyV1,
    tables: Tables,
    one: PlannedComparison,
    setting: TrainingSetting,
    *,
    exploratory: bool,
) -> ComparisonResult:
    recipes = [
        TrainingRecipe(**setting.model_dump(), variant=variant)
        for variant in (one.a, one.b)
    ]
    there = [
        tables[recipe]
        for recipe in recipes
        if recipe in tables and len(tables[recipe]) > 1
    ]
    asked = sum(key.recipe in recipes for key in study.all_cells())
    standing = (
        ComparisonStatus.FINAL
        if sum(map(len, there)) >= asked
        else ComparisonStatus.INTERIM
    )
    compared = compare(*there, paired=False) if len(there) == 2 else None
    return ComparisonResult(
        planned=one,
        setting=setting,
        exploratory=exploratory,
        standing=standing if compared else ComparisonStatus.NOT_RUN,
        comparison=compared,
        p_holm=None,
        equivalent=equivalent(compared, study.margin) if compared else None,
        outcome=decide(one.claim, compared, compared.p, study.margin)
        if compared
        else None,
    )


def _decided(one: ComparisonResult, p: float, margin: float) -> ComparisonResult:
    if one.comparison is None:
        return one
    return one.model_copy(
        update={
            "p_holm": p,
            "outcome": decide(one.planned.claim, one.comparison, p, margin),
        }
    )


def whole(
    effects: Mapping[str, float] = EFFECTS, **fields: object
) -> tuple[StudyRegistration, StudyResults, StudyV1]:
    """A study of which all cells are there."""
    study = made_study(**fields)  # type: ignore[arg-type]
    tables = made_tables(study, study.all_cells(), effects)
    return made_record(study, gate=PASSED), made_results(study, tables), study

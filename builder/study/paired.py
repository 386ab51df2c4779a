"""Recipes and their differences with the error of paired seeds, outside claims. Pure."""

from cotbuild.builder.study.claim_tests import LEVEL
from cotbuild.builder.study.finished import (
    FinishedCells,
    cells_of,
    order_recipes,
    test_of,
)
from cotbuild.builder.study.measures import Contrast, Measure, Measurements
from cotbuild.builder.study.sample_statistics import RecipeSamples
from cotbuild.builder.study.statistics import interval_of, make_comparison
from cotbuild.builder.study.two_way import resampled_variance, standard_error
from cotbuild.schemas.study.declaration import (
    UNTRAINED,
    Claim,
    PlannedComparison,
    TrainingRecipe,
)
from cotbuild.schemas.study.results import (
    ClaimOutcome,
    Comparison,
    ComparisonResult,
    ComparisonStatus,
    RecipeAccuracy,
)
from cotbuild.schemas.study.version_2 import StudyV2


def paired_accuracy(measure: Measure, measured: Measurements) -> RecipeAccuracy:
    """Return a recipe's metric for each seed, and its mean with a 95 % interval."""
    per_seed = tuple(measure.value(one) for one in measured)
    if len(measured) == 1:
        return RecipeAccuracy(per_seed=per_seed, mean=per_seed[0], interval_95=None)
    return _score_seeds(per_seed, measure.contrast([(1.0, measured)]))


def score_paired_samples(samples: RecipeSamples) -> RecipeAccuracy:
    """Return a resampled metric for each seed, and its mean with a 95 % interval."""
    value_S = samples.value_S
    per_seed = tuple(100 * float(value) for value in value_S)
    if len(per_seed) == 1:
        return RecipeAccuracy(per_seed=per_seed, mean=per_seed[0], interval_95=None)
    variance = resampled_variance(value_S, samples.resampled_SR, samples.num_questions)
    return _score_seeds(per_seed, Contrast(float(value_S.mean()), variance))


def _score_seeds(per_seed: tuple[float, ...], found: Contrast) -> RecipeAccuracy:
    """Return the score of at least two seeds; `found` is their mean."""
    standard = standard_error(found.variance)
    low, high = interval_of(found.mean, standard.error, standard.df, 0.95)
    return RecipeAccuracy(
        per_seed=per_seed,
        mean=100 * found.mean,
        interval_95=(max(low, 0.0), min(high, 100.0)),
    )


def compare_with_gate(
    study: StudyV2, current: StudyV2, measure: Measure, finished: FinishedCells
) -> list[ComparisonResult]:
    """Compare each recipe with that of the gate's variant, as far as seeds are shared.

    `study` is as registered, `current` as of now. A comparison is interim while one of
    them has cells that are not finished. These comparisons are exploratory, so a pair of
    the main setting that a claim is about is left out.
    """
    missing = {
        key.recipe
        for key in (*study.all_cells(), *current.all_cells())
        if key not in finished
    }
    base = study.gate.variant
    claimed = _claimed_pairs(study)
    results = []
    for recipe in order_recipes(study, finished):
        is_main = recipe.setting == study.main
        is_claimed = is_main and frozenset((recipe.variant, base)) in claimed
        if recipe.variant == base or recipe.rows == UNTRAINED or is_claimed:
            continue
        gate = recipe.model_copy(update={"variant": base})
        found = _compare_paired(measure, finished, recipe, gate)
        if found is not None:
            is_final = not {recipe, gate} & missing
            results.append(_exploratory_result(recipe, base, found, is_final=is_final))
    return results


def _claimed_pairs(study: StudyV2) -> set[frozenset[str]]:
    """Return the pairs of variants that registered claims compare."""
    return {
        frozenset(claim.variants)
        for claim in (*study.tier_claims, *study.secondary)
        if len(claim.variants) == 2
    }


def _compare_paired(
    measure: Measure, finished: FinishedCells, a: TrainingRecipe, b: TrainingRecipe
) -> Comparison | None:
    """Compare two recipes on the seeds that they share; None if fewer than two."""
    a_cells = {cell.key.seed: cell for cell in cells_of(finished, a)}
    b_cells = {cell.key.seed: cell for cell in cells_of(finished, b)}
    seeds = sorted(set(a_cells) & set(b_cells))
    if len(seeds) < 2:
        return None
    found = measure.contrast(
        [
            (1.0, [test_of(a_cells[seed]) for seed in seeds]),
            (-1.0, [test_of(b_cells[seed]) for seed in seeds]),
        ]
    )
    standard = standard_error(found.variance)
    return make_comparison(
        (len(seeds), len(seeds)),
        found.variance.num_questions,
        True,
        found.mean,
        standard.error,
        standard.df,
    )


def _exploratory_result(
    recipe: TrainingRecipe, base: str, found: Comparison, *, is_final: bool
) -> ComparisonResult:
    outcome = ClaimOutcome.UNDECIDED
    if found.p <= LEVEL:
        is_better = found.difference > 0
        outcome = ClaimOutcome.SUPPORTED if is_better else ClaimOutcome.CONTRADICTED
    return ComparisonResult(
        planned=PlannedComparison(
            name=f"{recipe.variant}_vs_{base}"[:80],
            says=f"{recipe.variant} beats {base}.",
            a=recipe.variant,
            b=base,
            claim=Claim.BEATS,
        ),
        setting=recipe.setting,
        exploratory=True,
        standing=ComparisonStatus.FINAL if is_final else ComparisonStatus.INTERIM,
        comparison=found,
        p_holm=None,
        equivalent=None,
        outcome=outcome,
    )

"""What a study's results are on a terminal, a line each. Pure."""

from collections.abc import Iterator

from cotbuild.builder.study.report import claim_words, wording
from cotbuild.builder.study.report.wording import METRIC_NAMES, format_interval
from cotbuild.schemas.study.claims import EquivalentClaim
from cotbuild.schemas.study.results import (
    ClaimResult,
    ComparisonResult,
    RecipeResult,
    StudyResults,
)


def claim_lines(results: StudyResults) -> Iterator[str]:
    """Yield the lines of a terminal: the stages, each recipe's mean, each claim."""
    yield " · ".join(
        f"{stage.name}: {stage.done}/{stage.total} cells" for stage in results.stages
    )
    for recipe in (*results.untrained, *results.recipes):
        yield f"  {_recipe_line(recipe, results)}"
    for comparison in results.comparisons:
        if not comparison.exploratory:
            yield _comparison_line(comparison)
    for claim in results.claims:
        if not claim.exploratory:
            yield _claim_line(claim)


def _recipe_line(result: RecipeResult, results: StudyResults) -> str:
    recipe, accuracy = result.recipe, result.accuracy
    name = "untrained"
    if recipe.rows:
        name = f"{recipe.variant}, {recipe.rows} rows, {recipe.loss.value}"
    interval = ""
    if accuracy.interval_95:
        interval = f" ({format_interval(accuracy.interval_95)})"
    answers = f"{len(result.seeds)} × {results.num_questions}"
    unit = " %" if results.metric.is_accuracy else f" {METRIC_NAMES[results.metric]}"
    return f"{accuracy.mean:5.1f}{unit}{interval}  {name}, {recipe.student_name}: {answers}"


def _comparison_line(result: ComparisonResult) -> str:
    """Return the outcome of a claim with its difference and the power of the design.

    `after_beats_before: undecided, -0.4 points (-3.1 to +2.2), Holm-adjusted p 0.810,
    minimum detectable effect 4.2 points (80 % power)`.
    """
    found = result.comparison
    if found is None or result.outcome is None:
        return f"{result.planned.name}: not run"
    so_far = " so far" if wording.is_interim(result) else ""
    low, high = found.interval_95
    p = "" if result.p_holm is None else f", Holm-adjusted p {result.p_holm:.3f}"
    return (
        f"{result.planned.name}: {result.outcome.value}{so_far}, "
        f"{found.difference:+.1f} points ({low:+.1f} to {high:+.1f}){p}, "
        f"minimum detectable effect {wording.describe_power(result)}"
    )


def _claim_line(result: ClaimResult) -> str:
    """Return the outcome of a claim with its estimate, p-value and power.

    `after_beats_before: supported, +4.0 points (+1.2 to +6.8), adjusted p 0.012,
    smallest difference 2.6 points`.
    """
    found = result.estimate
    name = result.claim.name
    if found is None:
        return f"{name}: {claim_words.name_outcome(result)}"
    so_far = " so far" if claim_words.is_interim(result) else ""
    beside = "" if result.tier is not None else " (secondary)"
    low, high = found.interval_95
    p = result.p if result.tier is None else result.p_adjusted
    adjusted = "p" if result.tier is None else "adjusted p"
    shown_p = "" if p is None else f", {adjusted} {wording.format_p(p)}"
    is_margin = isinstance(result.claim, EquivalentClaim)
    smallest = "smallest margin" if is_margin else "smallest difference"
    return (
        f"{name}: {claim_words.name_outcome(result)}{so_far}{beside}, {found.estimate:+.1f} points "
        f"({low:+.1f} to {high:+.1f}){shown_p}, {smallest} "
        f"{found.smallest_difference:.1f} points (80 % power)"
    )

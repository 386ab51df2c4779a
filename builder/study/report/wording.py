"""Results in words: figures as the page shows them, and what a comparison says.

Pure; all of it is computed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from cotbuild.builder.card.markdown import one_line
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.study.declaration import (
    Claim,
    Study,
    StudyMetric,
    TrainingSetting,
)
from cotbuild.schemas.study.results import (
    ClaimOutcome,
    ComparisonResult,
    ComparisonStatus,
    Interval,
    RecipeResult,
    StudyResults,
)

NONE = "–"
"""Where there is no figure."""
METRICS = {
    StudyMetric.ACCURACY: "forced choice by raw log-likelihood at the label; of questions without options the free answer",
    StudyMetric.NORMALISED: "forced choice by log-likelihood a character at the label",
    StudyMetric.FREE: "the free greedy answer",
}


def brief(text: str) -> str:
    """What a person wrote, on one line, cut where it is long."""
    return one_line(text)


def percent(value: float | None) -> str:
    """`34.5 %`."""
    return NONE if value is None else f"{value:.1f} %"


def number(value: float | None) -> str:
    """`34.5`."""
    return NONE if value is None else f"{value:.1f}"


def numbers(values: Iterable[float]) -> str:
    """`33.0, 34.3`."""
    return ", ".join(map(number, values))


def signed(value: float) -> str:
    """Points with their sign, `+1.2`, `−0.4`; what rounds to nothing has none."""
    shown = f"{value:+.1f}"
    return "0.0" if shown in ("+0.0", "-0.0") else shown.replace("-", "−")


def points(interval: Interval) -> str:
    """`−0.4 to +3.1`."""
    return f"{signed(interval[0])} to {signed(interval[1])}"


def span(interval: Interval | None) -> str:
    """`30.1 to 37.4`."""
    return NONE if interval is None else f"{interval[0]:.1f} to {interval[1]:.1f}"


def p_value(p: float | None) -> str:
    """Three decimals, or `< 0.001`."""
    if p is None:
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def setting(where: TrainingSetting) -> str:
    """`embedded, 500 rows, loss parts`."""
    trained = (
        f"{where.rows:,} rows, loss {where.loss.value}" if where.rows else "untrained"
    )
    return f"{brief(where.student_name)}, {trained}"


def listed(parts: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def outcome(one: ComparisonResult) -> str:
    """In a word."""
    return "not run" if one.outcome is None else one.outcome.value


def difference(one: ComparisonResult) -> str:
    """`+4.2 points (95 % interval +1.0 to +7.4)`."""
    found = one.comparison
    return (
        NONE
        if found is None
        else f"{signed(found.difference)} points (95 % interval {points(found.interval_95)})"
    )


def meaning(one: ComparisonResult, margin: float) -> str:
    """What the outcome of a planned comparison means for its two recipes."""
    a, b = one.planned.a, one.planned.b
    if one.outcome is None:
        return f"Not run: it needs two seeds of {a} and of {b}."
    if one.outcome is ClaimOutcome.UNDECIDED:
        return (
            f"Neither came out better beyond chance, and a difference of more than ± {margin:.1f} points is not ruled "
            "out: this shows neither a difference nor that they are equal."
        )
    if _same(one):
        return f"{a} and {b} came out equally good: the difference lies within ± {margin:.1f} points."
    better, worse = (a, b) if one.outcome is ClaimOutcome.SUPPORTED else (b, a)
    return f"{better} came out better than {worse}, by more than chance explains."


def _same(one: ComparisonResult) -> bool:
    """Whether it ended as it did because the two are equivalent."""
    because = (
        ClaimOutcome.SUPPORTED
        if one.planned.claim is Claim.AS_GOOD
        else ClaimOutcome.CONTRADICTED
    )
    return bool(one.equivalent) and one.outcome is because


def within(one: ComparisonResult, margin: float) -> str:
    """Whether the 90 % interval lies within the margin."""
    if one.comparison is None:
        return NONE
    shown = f"90 % interval {points(one.comparison.interval_90)}, margin ± {margin:.1f} points"
    return f"{'yes' if one.equivalent else 'no'} ({shown})"


def found_seeds(one: ComparisonResult) -> str:
    """`3 of post_cot, 3 of pre_cot; runs of one seed set against each other`."""
    if one.comparison is None:
        return NONE
    of_a, of_b = one.comparison.num_seeds
    paired = (
        "; runs of one seed set against each other" if one.comparison.paired else ""
    )
    return f"{of_a} of {one.planned.a}, {of_b} of {one.planned.b}{paired}"


def headline(study: Study, results: StudyResults) -> str:
    """What this study is, in a sentence."""
    cells = study.all_cells()
    students, variants = (
        dict.fromkeys(cell.student_name for cell in cells),
        {cell.variant for cell in cells},
    )
    rows = listed(f"{rows:,}" for rows in sorted({cell.rows for cell in cells}))
    return (
        f"{listed(map(brief, students))}, fine-tuned on {pluralize(len(variants), 'variant')} of the rationales of "
        f"{brief(study.source_name)}: {rows} rows, {pluralize(len({cell.seed for cell in cells}), 'seed')}, "
        f"{results.num_questions:,} test questions."
    )


def stages(results: StudyResults) -> str:
    """How far each stage is."""
    return (
        "; ".join(
            f"{brief(one.name)}: {one.done} of {pluralize(one.total, 'cell')}"
            for one in results.stages
        )
        + "."
    )


def tally(planned: Sequence[ComparisonResult]) -> str:
    """`3 claims, so far: 1 supported, 2 undecided.`"""
    found = Counter(map(outcome, planned))
    so_far = (
        ", so far"
        if any(one.standing is ComparisonStatus.INTERIM for one in planned)
        else ""
    )
    return f"{pluralize(len(planned), 'claim')}{so_far}: {', '.join(f'{count} {word}' for word, count in found.items())}."


def interim(results: StudyResults) -> str | None:
    """What must be known of results that may still change; None: they are final."""
    planned = [one for one in results.comparisons if not one.exploratory]
    final = sum(one.standing is ComparisonStatus.FINAL for one in planned)
    if final == len(planned):
        return None
    if not results.recipes:
        return "Nothing was run on the test questions yet."
    return (
        f"INTERIM: {final} of {pluralize(len(planned), 'planned comparison')} {'is' if final == 1 else 'are'} final. "
        "The others may still change. Looking at results while cells are missing and again once they are there makes "
        "chance findings likelier: judge a claim once it is final."
    )


def claim_lines(results: StudyResults) -> Iterator[str]:
    """Yield the lines of a terminal: the stages, each recipe's mean, each claim."""
    yield " · ".join(
        f"{stage.name}: {stage.done}/{stage.total} cells" for stage in results.stages
    )
    for one in (*results.untrained, *results.recipes):
        yield f"  {_recipe_line(one, results.num_questions)}"
    for comparison in results.comparisons:
        if not comparison.exploratory:
            yield claim_line(comparison)


def _recipe_line(result: RecipeResult, num_questions: int) -> str:
    recipe, accuracy = result.recipe, result.accuracy
    name = "untrained"
    if recipe.rows:
        name = f"{recipe.variant}, {recipe.rows} rows, {recipe.loss.value}"
    interval = ""
    if accuracy.interval_95:
        low, high = accuracy.interval_95
        interval = f" ({low:.1f} to {high:.1f})"
    answers = f"{len(result.seeds)} × {num_questions}"
    return f"{accuracy.mean:5.1f} %{interval}  {name}, {recipe.student_name}: {answers}"


def claim_line(result: ComparisonResult) -> str:
    """Return the outcome of a claim with its difference and the design's power.

    `after_beats_before: undecided, -0.4 points (-3.1 to +2.2), Holm-adjusted p 0.810,
    minimum detectable effect 4.2 points (80 % power)`.
    """
    found = result.comparison
    if found is None or result.outcome is None:
        return f"{result.planned.name}: not run"
    is_interim = result.standing is ComparisonStatus.INTERIM
    outcome = f"{result.outcome.value}{' so far' if is_interim else ''}"
    low, high = found.interval_95
    p = "" if result.p_holm is None else f", Holm-adjusted p {result.p_holm:.3f}"
    effect = f"minimum detectable effect {found.smallest_difference:.1f} points"
    return (
        f"{result.planned.name}: {outcome}, {found.difference:+.1f} points "
        f"({low:+.1f} to {high:+.1f}){p}, {effect} (80 % power)"
    )

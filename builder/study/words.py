"""Results as lines of a terminal. Pure."""

from collections.abc import Iterator

from cotbuild.schemas.study.results import (
    ComparisonResult,
    ComparisonStatus,
    StudyResults,
)


def claim_lines(results: StudyResults) -> Iterator[str]:
    """How far the study is, each recipe's mean, each planned claim."""
    yield " · ".join(
        f"{stage.name}: {stage.done}/{stage.total} cells" for stage in results.stages
    )
    for one in (*results.untrained, *results.recipes):
        recipe, found = one.recipe, one.accuracy
        what = (
            f"{recipe.variant}, {recipe.rows} rows, {recipe.loss.value}"
            if recipe.rows
            else "untrained"
        )
        interval = (
            f" ({found.interval_95[0]:.1f} to {found.interval_95[1]:.1f})"
            if found.interval_95
            else ""
        )
        asked = f"{len(one.seeds)} × {results.num_questions}"
        yield f"  {found.mean:5.1f} %{interval}  {what}, {recipe.student_name}: {asked}"
    yield from (claim_line(one) for one in results.comparisons if not one.exploratory)


def claim_line(result: ComparisonResult) -> str:
    """`after_beats_before: undecided, -0.4 points (-3.1 to 2.2), p 0.81, could have
    seen 4.2`.
    """
    found = result.comparison
    if found is None or result.outcome is None:
        return f"{result.planned.name}: not run"
    interim = " so far" if result.standing is ComparisonStatus.INTERIM else ""
    low, high = found.interval_95
    p = "" if result.p_holm is None else f", p {result.p_holm:.3f}"
    seen = f"could have seen {found.smallest_difference:.1f}"
    return (
        f"{result.planned.name}: {result.outcome.value}{interim}, {found.difference:+.1f} points "
        f"({low:+.1f} to {high:+.1f}){p}, {seen}"
    )

"""What each picture of a study shows, in words, for those who cannot see it. Pure."""

from collections.abc import Mapping, Sequence

from cotbuild.builder.study.report.wording import (
    difference,
    listed,
    number,
    percent,
    signed,
    span,
)
from cotbuild.schemas.study.record import StudyRegistration, VariantFacts
from cotbuild.schemas.study.results import ComparisonResult, RecipeResult


def accuracy(
    record: StudyRegistration,
    main: Sequence[RecipeResult],
    untrained: Sequence[RecipeResult],
) -> str:
    """The best and the worst recipe, and what they are to be compared with."""
    ordered = sorted(main, key=lambda one: -one.accuracy.mean)
    ends = [ordered[0], ordered[-1]] if len(ordered) > 1 else ordered
    parts = [
        f"{word} {_mean(one)}"
        for word, one in zip(("highest", "lowest"), ends, strict=False)
    ]
    parts += [f"untrained {percent(one.accuracy.mean)}" for one in untrained[:1]]
    parts.append(
        f"most frequent answer {percent(100 * record.test.majority.accuracy.share)}"
    )
    if record.test.chance is not None:
        parts.append(f"chance {percent(100 * record.test.chance)}")
    return f"Right answers by recipe: {', '.join(parts)}."


def _mean(one: RecipeResult) -> str:
    interval = (
        f" (95 % interval {span(one.accuracy.interval_95)})"
        if one.accuracy.interval_95
        else ""
    )
    return f"{one.recipe.variant} {percent(one.accuracy.mean)}{interval}"


def comparisons(shown: Sequence[ComparisonResult]) -> str:
    """Each planned difference; of the exploratory ones how many and how far."""
    planned = [
        f"{one.planned.a} − {one.planned.b}: {difference(one)}"
        for one in shown
        if not one.exploratory
    ]
    others = [
        one.comparison.difference for one in shown if one.exploratory and one.comparison
    ]
    more = (
        f" {len(others)} exploratory, {signed(min(others))} to {signed(max(others))} points."
        if others
        else ""
    )
    return f"Planned differences: {'; '.join(planned)}.{more}"


def tokens(main: Sequence[RecipeResult]) -> str:
    """Both kinds of recipes: what they generate and reach."""
    kinds = (
        (
            "the label first",
            [one for one in main if one.rationale_tokens_per_question == 0],
        ),
        (
            "the rationale first",
            [one for one in main if one.rationale_tokens_per_question > 0],
        ),
    )
    parts = [
        f"with {kind} {_range([one.tokens_per_question for one in found])} tokens a question and "
        f"{_range([one.accuracy.mean for one in found])} % right"
        for kind, found in kinds
        if found
    ]
    return f"Right answers against tokens generated: {'; '.join(parts)}."


def _range(values: Sequence[float]) -> str:
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"


def rows(sizes: Mapping[str, Sequence[RecipeResult]]) -> str:
    """What each variant reaches with the fewest and the most rows."""
    parts = [
        f"{variant} {number(found[0].accuracy.mean)} % with {found[0].recipe.rows:,} rows, "
        f"{number(found[-1].accuracy.mean)} % with {found[-1].recipe.rows:,}"
        for variant, found in sizes.items()
    ]
    return f"Right answers against rows: {'; '.join(parts)}."


def losses(main: Sequence[RecipeResult]) -> str:
    """Where the label's loss ends."""
    ends = sorted(
        (one.curve.label_loss[-1], one.recipe.variant)
        for one in main
        if one.curve and one.curve.label_loss
    )
    parts = [f"{variant} {loss:.2f}" for loss, variant in ends]
    return f"Loss of the label's tokens at the end of training, lowest first: {listed(parts)}."


def variants(found: Sequence[VariantFacts]) -> str:
    """How long rationales are, and how often they name the target."""
    parts = [
        f"{one.name} {one.words:.0f} words, {100 * one.names_target:.0f} % name the target"
        for one in found
    ]
    return f"Mean length of rationales, and what they give away: {'; '.join(parts)}."

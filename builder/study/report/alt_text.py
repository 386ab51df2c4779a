"""Alternative texts: what each picture of a study shows, in words. Pure."""

from collections.abc import Mapping, Sequence

from cotbuild.builder.study.report.wording import (
    describe_difference,
    format_interval,
    format_number,
    format_percent,
    format_signed,
    join_words,
)
from cotbuild.schemas.study.record import StudyRegistration, VariantFacts
from cotbuild.schemas.study.results import ComparisonResult, RecipeResult


def describe_accuracy(
    record: StudyRegistration,
    main: Sequence[RecipeResult],
    untrained: Sequence[RecipeResult],
) -> str:
    """Describe the best and the worst recipe, and the baselines."""
    ordered = sorted(main, key=lambda one: -one.accuracy.mean)
    parts = [f"highest {_describe_mean(ordered[0])}"]
    if len(ordered) > 1:
        parts.append(f"lowest {_describe_mean(ordered[-1])}")
    if untrained:
        parts.append(f"untrained {format_percent(untrained[0].accuracy.mean)}")
    majority = format_percent(100 * record.test.majority.accuracy.share)
    parts.append(f"majority baseline {majority}")
    if record.test.chance is not None:
        parts.append(f"chance {format_percent(100 * record.test.chance)}")
    return f"Accuracy by recipe: {', '.join(parts)}."


def _describe_mean(result: RecipeResult) -> str:
    accuracy = result.accuracy
    mean = f"{result.recipe.variant} {format_percent(accuracy.mean)}"
    if accuracy.interval_95 is None:
        return mean
    return f"{mean} (95 % interval {format_interval(accuracy.interval_95)})"


def describe_comparisons(shown: Sequence[ComparisonResult]) -> str:
    """Describe each planned difference, and the range of the exploratory ones."""
    planned = [
        f"{one.planned.a} − {one.planned.b}: {describe_difference(one)}"
        for one in shown
        if not one.exploratory
    ]
    text = f"Planned differences: {'; '.join(planned)}."
    others = [
        one.comparison.difference for one in shown if one.exploratory and one.comparison
    ]
    if others:
        low, high = format_signed(min(others)), format_signed(max(others))
        text += f" {len(others)} exploratory, {low} to {high} points."
    return text


def describe_tokens(main: Sequence[RecipeResult]) -> str:
    """Describe tokens and accuracy of recipes with the label, or the rationale, first."""
    groups = {
        "the label first": [
            one for one in main if one.rationale_tokens_per_question == 0
        ],
        "the rationale first": [
            one for one in main if one.rationale_tokens_per_question > 0
        ],
    }
    parts = []
    for name, recipes in groups.items():
        if recipes:
            tokens = _format_range([one.tokens_per_question for one in recipes])
            accuracy = _format_range([one.accuracy.mean for one in recipes])
            parts.append(
                f"with {name} {tokens} tokens a question, accuracy {accuracy} %"
            )
    return f"Accuracy against generated tokens: {'; '.join(parts)}."


def _format_range(values: Sequence[float]) -> str:
    low, high = format_number(min(values)), format_number(max(values))
    return low if low == high else f"{low} to {high}"


def describe_rows(sizes: Mapping[str, Sequence[RecipeResult]]) -> str:
    """Describe the accuracy of each variant with the fewest and the most rows."""
    parts = []
    for variant, recipes in sizes.items():
        first, last = recipes[0], recipes[-1]
        parts.append(
            f"{variant} {format_number(first.accuracy.mean)} % with "
            f"{first.recipe.rows:,} rows, {format_number(last.accuracy.mean)} % with "
            f"{last.recipe.rows:,}"
        )
    return f"Accuracy against training rows: {'; '.join(parts)}."


def describe_losses(main: Sequence[RecipeResult]) -> str:
    """Describe the final loss of the label tokens, lowest first."""
    finals = sorted(
        (one.curve.label_loss[-1], one.recipe.variant)
        for one in main
        if one.curve and one.curve.label_loss
    )
    parts = [f"{variant} {loss:.2f}" for loss, variant in finals]
    return (
        "Loss of the label tokens at the end of training, lowest first: "
        f"{join_words(parts)}."
    )


def describe_variants(facts: Sequence[VariantFacts]) -> str:
    """Describe how long rationales are, and how often they name the target."""
    parts = [
        f"{one.name} {one.words:.0f} words, {100 * one.names_target:.0f} % name the "
        "target"
        for one in facts
    ]
    return f"Mean length of rationales, and leaks of the target: {'; '.join(parts)}."

"""Alternative texts: what each picture of a study shows, in words. Pure."""

from collections.abc import Mapping, Sequence

from cotbuild.builder.study.report.claim_words import describe_estimate, name_outcome
from cotbuild.builder.study.report.wording import (
    METRIC_NAMES,
    describe_difference,
    format_interval,
    format_metric,
    format_number,
    format_percent,
    format_signed,
    join_words,
)
from cotbuild.schemas.study.declaration import StudyMetric
from cotbuild.schemas.study.record import QuestionSet, StudyRegistration, VariantFacts
from cotbuild.schemas.study.results import ClaimResult, ComparisonResult, RecipeResult


def describe_accuracy(
    record: StudyRegistration,
    main: Sequence[RecipeResult],
    untrained: Sequence[RecipeResult],
) -> str:
    """Describe the best and the worst recipe, and the baselines."""
    metric = record.study.metric
    ordered = sorted(main, key=lambda one: -one.accuracy.mean)
    parts = [f"highest {_describe_mean(ordered[0], metric)}"]
    if len(ordered) > 1:
        parts.append(f"lowest {_describe_mean(ordered[-1], metric)}")
    if untrained:
        parts.append(f"untrained {format_metric(untrained[0].accuracy.mean, metric)}")
    if metric.is_accuracy:
        parts += _describe_baselines(record.test)
    return f"{_heading(metric)} by recipe: {', '.join(parts)}."


def _heading(metric: StudyMetric) -> str:
    """Return the name of a metric for the start of a sentence."""
    name = METRIC_NAMES[metric]
    return f"{name[0].upper()}{name[1:]}"


def _describe_baselines(questions: QuestionSet) -> list[str]:
    """Describe the accuracies that no student is needed for."""
    parts = []
    if questions.majority is not None:
        majority = format_percent(100 * questions.majority.accuracy.share)
        parts.append(f"majority baseline {majority}")
    if questions.chance is not None:
        parts.append(f"chance {format_percent(100 * questions.chance)}")
    return parts


def _describe_mean(result: RecipeResult, metric: StudyMetric) -> str:
    accuracy = result.accuracy
    mean = f"{result.recipe.variant} {format_metric(accuracy.mean, metric)}"
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


def describe_claims(shown: Sequence[ClaimResult]) -> str:
    """Describe the estimate and the outcome of each claim."""
    parts = [
        f"{one.claim.name}: {describe_estimate(one)}, {name_outcome(one)}"
        for one in shown
    ]
    return f"Estimates of the claims: {'; '.join(parts)}."


def describe_tokens(main: Sequence[RecipeResult], metric: StudyMetric) -> str:
    """Describe tokens and the metric of recipes with the label, or the rationale, first."""
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
            values = _format_range([one.accuracy.mean for one in recipes])
            unit = " %" if metric.is_accuracy else ""
            parts.append(
                f"with {name} {tokens} tokens a question, {METRIC_NAMES[metric]} "
                f"{values}{unit}"
            )
    return f"{_heading(metric)} against generated tokens: {'; '.join(parts)}."


def _format_range(values: Sequence[float]) -> str:
    low, high = format_number(min(values)), format_number(max(values))
    return low if low == high else f"{low} to {high}"


def describe_rows(
    sizes: Mapping[str, Sequence[RecipeResult]], metric: StudyMetric
) -> str:
    """Describe the metric of each variant with the fewest and the most rows."""
    parts = []
    for variant, recipes in sizes.items():
        first, last = recipes[0], recipes[-1]
        parts.append(
            f"{variant} {format_metric(first.accuracy.mean, metric)} with "
            f"{first.recipe.rows:,} rows, {format_metric(last.accuracy.mean, metric)} with "
            f"{last.recipe.rows:,}"
        )
    return f"{_heading(metric)} against training rows: {'; '.join(parts)}."


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

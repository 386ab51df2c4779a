"""Results in words: formatted figures, and sentences about comparisons. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue

from cotbuild.builder.card.markdown import one_line
from cotbuild.builder.ui import pluralize
from cotbuild.schemas.fingerprint import canonical_json
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
    StudyResults,
)

NONE = "–"
"""Shown where there is no figure."""

METRICS = {
    StudyMetric.ACCURACY: "forced choice by raw log-likelihood of the label; the free "
    "answer for questions without options",
    StudyMetric.NORMALISED: "forced choice by log-likelihood of the label for each "
    "character",
    StudyMetric.FREE: "the free greedy answer",
    StudyMetric.MACRO_F1: "macro-F1 of the forced choices by raw log-likelihood: the mean "
    "F1 of the classes that are a target",
    StudyMetric.FREE_MACRO_F1: "macro-F1 of the free greedy answers; one that names no "
    "class is an error",
    StudyMetric.CHRF2: "chrF2 of the free greedy answers against their references",
    StudyMetric.BLEU: "BLEU of the free greedy answers against their references",
    StudyMetric.ROUGE_L: "ROUGE-L of the free greedy answers against their references",
    StudyMetric.TARGET_PROBABILITY: "probability of the target among the options, at a "
    "temperature fitted on dev",
}

METRIC_NAMES = {
    StudyMetric.TARGET_PROBABILITY: "P(target)",
    StudyMetric.ACCURACY: "accuracy",
    StudyMetric.NORMALISED: "accuracy",
    StudyMetric.FREE: "accuracy",
    StudyMetric.MACRO_F1: "macro-F1",
    StudyMetric.FREE_MACRO_F1: "macro-F1",
    StudyMetric.CHRF2: "chrF2",
    StudyMetric.BLEU: "BLEU",
    StudyMetric.ROUGE_L: "ROUGE-L",
}
"""What the values of a metric are called, in tables and pictures."""


METRIC_TITLES = {
    **METRIC_NAMES,
    StudyMetric.NORMALISED: "normalised accuracy",
    StudyMetric.FREE: "accuracy of free answers",
    StudyMetric.FREE_MACRO_F1: "macro-F1 of free answers",
}
"""The same with a name for each metric, where several stand side by side."""


# -- figures ----------------------------------------------------------------------------


def format_number(value: float | None) -> str:
    """Return `34.5`."""
    return NONE if value is None else f"{value:.1f}"


def format_numbers(values: Iterable[float]) -> str:
    """Return `33.0, 34.3`."""
    return ", ".join(format_number(value) for value in values)


def format_percent(value: float | None) -> str:
    """Return `34.5 %`."""
    return NONE if value is None else f"{value:.1f} %"


def format_metric(value: float | None, metric: StudyMetric) -> str:
    """Return `34.5 %`, or `34.5` for a metric that is no fraction of answers."""
    return format_percent(value) if metric.is_accuracy else format_number(value)


def label_metric(metric: StudyMetric) -> str:
    """Return `accuracy, %`, or the name of a metric that is no fraction of answers."""
    unit = ", %" if metric.is_accuracy else ""
    return f"{METRIC_NAMES[metric]}{unit}"


def caption_recipes(metric: StudyMetric) -> str:
    """Return what the table of recipes shows."""
    primary = "Accuracy by the primary metric, percent"
    if not metric.is_accuracy:
        primary = f"Mean and seeds: {METRIC_NAMES[metric]}, from 0 to 100"
    return f"{primary}; the other figures are means over seeds. –: not available."


def format_signed(value: float) -> str:
    """Return points with their sign, `+1.2`, `−0.4`; one that rounds to 0 has none."""
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def format_signed_interval(interval: Interval) -> str:
    """Return `−0.4 to +3.1`."""
    low, high = interval
    return f"{format_signed(low)} to {format_signed(high)}"


def format_interval(interval: Interval | None) -> str:
    """Return `30.1 to 37.4`."""
    return NONE if interval is None else f"{interval[0]:.1f} to {interval[1]:.1f}"


def format_p(p: float | None) -> str:
    """Return a p-value with three decimals, or `< 0.001`."""
    if p is None:
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def join_words(words: Iterable[str]) -> str:
    """Return `a, b and c` for at least one word."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def format_settings(settings: Mapping[str, JsonValue]) -> str:
    """Return settings as `lr 0.0003, epochs 1.0`."""
    values = {name: canonical_json(value) for name, value in settings.items()}
    return one_line(", ".join(f"{name} {value}" for name, value in values.items()))


def format_grid(grid: Mapping[str, Sequence[JsonValue]]) -> str:
    """Return the values of a grid as `lr 0.0001 or 0.0003; epochs 1.0`."""
    return one_line(
        "; ".join(
            f"{name} {' or '.join(map(canonical_json, values))}"
            for name, values in grid.items()
        )
    )


def describe_setting(setting: TrainingSetting) -> str:
    """Return `embedded, 500 rows, loss parts`."""
    student = one_line(setting.student_name)
    if not setting.rows:
        return f"{student}, untrained"
    return f"{student}, {setting.rows:,} rows, loss {setting.loss.value}"


# -- comparisons ------------------------------------------------------------------------


def is_interim(result: ComparisonResult) -> bool:
    """Return whether cells of the comparison are still missing."""
    return result.standing is ComparisonStatus.INTERIM


def name_outcome(result: ComparisonResult) -> str:
    """Return `supported`, `contradicted`, `undecided` or `not run`."""
    return "not run" if result.outcome is None else result.outcome.value


def describe_difference(result: ComparisonResult) -> str:
    """Return `+4.2 points (95 % interval +1.0 to +7.4)`."""
    found = result.comparison
    if found is None:
        return NONE
    interval = format_signed_interval(found.interval_95)
    return f"{format_signed(found.difference)} points (95 % interval {interval})"


def explain_outcome(result: ComparisonResult, margin: float) -> str:
    """Explain what the outcome of a planned comparison means for its two recipes."""
    a, b = result.planned.a, result.planned.b
    if result.outcome is None:
        return f"Not run: it needs two seeds of {a} and of {b}."
    if result.outcome is ClaimOutcome.UNDECIDED:
        return (
            "Neither is significantly better, and a difference of more than "
            f"± {margin:.1f} points is not ruled out: this shows neither a difference "
            "nor equivalence."
        )
    if _is_by_equivalence(result):
        return (
            f"{a} and {b} are equivalent: the difference lies within ± {margin:.1f} "
            "points."
        )
    a_wins = result.outcome is ClaimOutcome.SUPPORTED
    better, worse = (a, b) if a_wins else (b, a)
    return f"{better} is significantly better than {worse}."


def _is_by_equivalence(result: ComparisonResult) -> bool:
    """Return whether the claim ended as it did because its recipes are equivalent."""
    if not result.equivalent:
        return False
    if result.planned.claim is Claim.AS_GOOD:
        return result.outcome is ClaimOutcome.SUPPORTED
    return result.outcome is ClaimOutcome.CONTRADICTED


def describe_equivalence(result: ComparisonResult, margin: float) -> str:
    """Return `yes` or `no`, with the 90 % interval and the margin."""
    if result.comparison is None:
        return NONE
    answer = "yes" if result.equivalent else "no"
    interval = format_signed_interval(result.comparison.interval_90)
    return f"{answer} (90 % interval {interval}, margin ± {margin:.1f} points)"


def describe_seeds(result: ComparisonResult) -> str:
    """Return `3 of post_cot, 3 of pre_cot; paired by seed`."""
    found = result.comparison
    if found is None:
        return NONE
    num_a, num_b = found.num_seeds
    paired = "; paired by seed" if found.paired else ""
    return f"{num_a} of {result.planned.a}, {num_b} of {result.planned.b}{paired}"


def describe_power(result: ComparisonResult) -> str:
    """Return `4.2 points (80 % power)`, the minimum detectable effect."""
    if result.comparison is None:
        return NONE
    return f"{format_number(result.comparison.smallest_difference)} points (80 % power)"


# -- the study --------------------------------------------------------------------------


def describe_study(study: Study, results: StudyResults) -> str:
    """Describe the design of a study in a sentence."""
    cells = study.all_cells()
    students = dict.fromkeys(one_line(cell.student_name) for cell in cells)
    variants = {cell.variant for cell in cells}
    seeds = {cell.seed for cell in cells}
    rows = [f"{number:,}" for number in sorted({cell.rows for cell in cells})]
    return (
        f"{join_words(students)}, fine-tuned on {pluralize(len(variants), 'variant')} "
        f"of the rationales of {one_line(study.source_name)}: {join_words(rows)} rows, "
        f"{pluralize(len(seeds), 'seed')}, {results.num_questions:,} test questions."
    )


def describe_stages(results: StudyResults) -> str:
    """Return `first: 7 of 12 cells; second: 0 of 6 cells.`"""
    parts = []
    for stage in results.stages:
        cells = pluralize(stage.total, "cell")
        parts.append(f"{one_line(stage.name)}: {stage.done} of {cells}")
    return f"{'; '.join(parts)}."


def count_outcomes(planned: Sequence[ComparisonResult]) -> str:
    """Return `3 claims, so far: 1 supported, 2 undecided.`"""
    counts = Counter(name_outcome(one) for one in planned)
    so_far = ", so far" if any(is_interim(one) for one in planned) else ""
    parts = ", ".join(f"{count} {name}" for name, count in counts.items())
    return f"{pluralize(len(planned), 'claim')}{so_far}: {parts}."


def interim_notice(results: StudyResults) -> str | None:
    """Return the notice on results that may still change; None if they are final."""
    planned = [one for one in results.comparisons if not one.exploratory]
    num_final = sum(one.standing is ComparisonStatus.FINAL for one in planned)
    if num_final == len(planned):
        return None
    if not results.recipes:
        return "Nothing was run on the test questions yet."
    verb = "is" if num_final == 1 else "are"
    return (
        f"INTERIM: {num_final} of {pluralize(len(planned), 'planned comparison')} "
        f"{verb} final. The others may still change. Looking at results while cells "
        "are missing and again once they are complete makes false positives more "
        "likely: judge a claim once it is final."
    )

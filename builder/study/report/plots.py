"""Pictures of a study's results, PNG.

The same results give the same bytes under one version of matplotlib.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from cotbuild.builder.card.markdown import one_line
from cotbuild.builder.card.plots import (
    BLUE,
    GREY,
    ORANGE,
    draw_variant_bars,
    plot_label,
    render_png,
)
from cotbuild.builder.study.report.claim_plots import draw_claims
from cotbuild.builder.study.report.curves import (
    SMALL,
    draw_losses,
    draw_rows,
    draw_tokens,
    label_height,
)
from cotbuild.builder.study.report.row_axes import (
    draw_difference,
    draw_values,
    label_rows,
)
from cotbuild.builder.study.report.wording import (
    METRIC_NAMES,
    format_metric,
    format_signed,
    is_interim,
    label_metric,
)
from cotbuild.schemas.study.declaration import TrainingSetting
from cotbuild.schemas.study.record import StudyRegistration, VariantFacts
from cotbuild.schemas.study.results import (
    ClaimResult,
    ComparisonResult,
    RecipeResult,
    StudyResults,
)
from cotbuild.schemas.study.version_1 import StudyV1

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_EXPLORATORY = 20
"""Maximum exploratory comparisons in the picture; the page's table has all."""

_PINK = "#CC79A7"


def render_pictures(
    record: StudyRegistration, results: StudyResults
) -> dict[str, bytes]:
    """Return the pictures that there are results for, name to PNG.

    The names are accuracy, comparisons or claims, tokens, rows, losses and variants.
    """
    pictures = {}
    main, metric = main_recipes(record, results), record.study.metric
    percent = ", %" if metric.is_accuracy else ""
    if main:
        lines = _baselines(record, results)
        label = f"{METRIC_NAMES[metric]} on the test questions{percent}"
        draw = partial(_draw_accuracy, recipes=main, baselines=lines, label=label)
        pictures["accuracy"] = render_png(1.5 + 0.3 * len(main), draw)
    shown = drawn_comparisons(results)
    study = record.study
    if isinstance(study, StudyV1) and any(one.comparison for one in shown):
        draw = partial(_draw_forest, shown=shown, main=study.main, margin=study.margin)
        pictures["comparisons"] = render_png(1.5 + 0.42 * len(shown), draw)
    claims = drawn_claims(results)
    if any(one.estimate for one in claims):
        draw = partial(draw_claims, claims=claims)
        pictures["claims"] = render_png(1.5 + 0.42 * len(claims), draw)
    if main:
        draw = partial(draw_tokens, recipes=main, label=label_metric(metric))
        pictures["tokens"] = render_png(label_height(len(main)), draw)
    sizes = group_by_rows(record, results)
    if sizes:
        draw = partial(draw_rows, sizes=sizes, label=label_metric(metric))
        pictures["rows"] = render_png(label_height(len(sizes)), draw)
    curves = {
        one.recipe.variant: one.curve for one in main if one.curve and one.curve.update
    }
    if curves:
        draw = partial(draw_losses, curves=curves)
        pictures["losses"] = render_png(label_height(len(curves)), draw)
    if results.variants:
        draw = partial(_draw_variants, facts=results.variants)
        pictures["variants"] = render_png(1.4 + 0.3 * len(results.variants), draw)
    return pictures


# -- what is drawn ----------------------------------------------------------------------


def main_recipes(
    record: StudyRegistration, results: StudyResults
) -> list[RecipeResult]:
    """Return the recipes of the setting that the claims are made for."""
    main = record.study.main
    return [one for one in results.recipes if one.recipe.setting == main]


def drawn_comparisons(results: StudyResults) -> list[ComparisonResult]:
    """Return all planned comparisons, then the first exploratory ones."""
    planned = [one for one in results.comparisons if not one.exploratory]
    others = [one for one in results.comparisons if one.exploratory and one.comparison]
    return planned + others[:MAX_EXPLORATORY]


def drawn_claims(results: StudyResults) -> list[ClaimResult]:
    """Return the claims of the tiers, then the secondary ones."""
    return [one for one in results.claims if not one.exploratory]


def group_by_rows(
    record: StudyRegistration, results: StudyResults
) -> dict[str, list[RecipeResult]]:
    """Return the recipes of each variant by rising rows.

    They have the student and the loss of the main setting. A variant that was trained
    with one number of rows is left out.
    """
    main = record.study.main
    groups: dict[str, list[RecipeResult]] = {}
    for one in sorted(results.recipes, key=lambda one: one.recipe.rows):
        if one.recipe.student == main.student and one.recipe.loss == main.loss:
            groups.setdefault(one.recipe.variant, []).append(one)
    return {variant: group for variant, group in groups.items() if len(group) > 1}


class _Baseline(NamedTuple):
    """A vertical line to compare recipes with."""

    accuracy: float
    """On the scale of the metric, 0 to 100."""
    label: str
    colour: str
    style: str


def _baselines(record: StudyRegistration, results: StudyResults) -> list[_Baseline]:
    lines: list[_Baseline] = []
    metric = record.study.metric
    for one in results.untrained:
        if one.recipe.student == record.study.main.student and not lines:
            mean = one.accuracy.mean
            label = f"untrained student {format_metric(mean, metric)}"
            lines.append(_Baseline(mean, label, ORANGE, "-"))
    if not metric.is_accuracy:
        return lines
    if record.test.majority is not None:
        majority = 100 * record.test.majority.accuracy.share
        label = f"majority baseline {majority:.1f} %"
        lines.append(_Baseline(majority, label, _PINK, "--"))
    if record.test.chance is not None:
        chance = 100 * record.test.chance
        lines.append(_Baseline(chance, f"chance {chance:.1f} %", GREY, ":"))
    return lines


# -- accuracy ---------------------------------------------------------------------------


def _draw_accuracy(
    figure: "Figure",
    recipes: Sequence[RecipeResult],
    baselines: Sequence[_Baseline],
    label: str,
) -> None:
    axes = figure.add_subplot()
    for line in baselines:
        axes.axvline(
            line.accuracy,
            color=line.colour,
            linestyle=line.style,
            linewidth=1.5,
            label=line.label,
            zorder=1,
        )
    for row, one in enumerate(recipes):
        _draw_recipe(axes, row, one)
    _draw_seeds(axes, [], [], "a seed")  # for the legend
    axes.plot(
        [], [], "D-", color=BLUE, linewidth=2, markersize=6, label="mean, 95 % interval"
    )
    axes.margins(x=0.06)
    label_rows(axes, [plot_label(one.recipe.variant) for one in recipes])
    draw_values(axes, [f"{one.accuracy.mean:.1f}" for one in recipes])
    axes.set_xlabel(label)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=SMALL)


def _draw_recipe(axes: "Axes", row: int, result: RecipeResult) -> None:
    accuracy = result.accuracy
    below = [row + 0.25] * len(accuracy.per_seed)
    _draw_seeds(axes, accuracy.per_seed, below)
    if accuracy.interval_95:
        axes.plot(accuracy.interval_95, [row] * 2, color=BLUE, linewidth=2, zorder=3)
    axes.plot(
        [accuracy.mean],
        [row],
        "D",
        color=BLUE,
        markersize=6,
        markeredgecolor="white",
        zorder=4,
    )


def _draw_seeds(
    axes: "Axes",
    accuracies: Sequence[float],
    rows: Sequence[float],
    label: str | None = None,
) -> None:
    axes.plot(
        accuracies,
        rows,
        "o",
        color=GREY,
        alpha=0.6,
        markersize=3.5,
        markeredgewidth=0,
        zorder=2,
        label=label,
    )


# -- comparisons ------------------------------------------------------------------------


def _draw_forest(
    figure: "Figure",
    shown: Sequence[ComparisonResult],
    main: TrainingSetting,
    margin: float,
) -> None:
    axes = figure.add_subplot()
    label = f"margin, ± {margin:g} points"
    axes.axvspan(-margin, margin, color=ORANGE, alpha=0.18, linewidth=0, label=label)
    axes.axvline(0, color="black", linewidth=1)
    for row, one in enumerate(shown):
        _draw_comparison(axes, row, one)
    num_planned = sum(not one.exploratory for one in shown)
    has_exploratory = num_planned < len(shown)
    if has_exploratory:
        axes.axhline(num_planned - 0.5, color=GREY, linewidth=0.8, linestyle=":")
    has_interim = any(is_interim(one) for one in shown)
    _add_forest_legend(axes, has_interim=has_interim, has_exploratory=has_exploratory)
    low, high = axes.get_xlim()
    reach = max(-low, high, 1.4 * margin)
    axes.set_xlim(-reach, reach)
    label_rows(axes, [_comparison_label(one, main) for one in shown])
    draw_values(axes, [_difference_label(one) for one in shown])
    axes.set_xlabel("difference, points: above 0 the first recipe is better")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=SMALL)


def _draw_comparison(axes: "Axes", row: int, result: ComparisonResult) -> None:
    """Draw the intervals and the difference; a comparison not run leaves the row empty."""
    found = result.comparison
    if found is None:
        return
    colour = GREY if result.exploratory else BLUE
    draw_difference(
        axes,
        row,
        found.difference,
        (found.interval_90, found.interval_95),
        colour=colour,
        is_interim=is_interim(result),
    )


def _add_forest_legend(
    axes: "Axes", *, has_interim: bool, has_exploratory: bool
) -> None:
    axes.plot([], [], color=BLUE, linewidth=1.2, label="95 % interval")
    axes.plot([], [], color=BLUE, linewidth=4, label="90 % interval, for equivalence")
    if has_interim:
        axes.plot([], [], "o", color=BLUE, markerfacecolor="white", label="interim")
    if has_exploratory:
        axes.plot([], [], "o", color=GREY, label="exploratory")


def _difference_label(result: ComparisonResult) -> str:
    if result.comparison is None:
        return "not run"
    return format_signed(result.comparison.difference)


def _comparison_label(result: ComparisonResult, main: TrainingSetting) -> str:
    label = f"{plot_label(result.planned.a)}\n− {plot_label(result.planned.b)}"
    if result.setting == main:
        return label
    return f"{label} · {_setting_label(result.setting, main)}"


def _setting_label(setting: TrainingSetting, main: TrainingSetting) -> str:
    """Return what distinguishes a setting from the main one."""
    parts = []
    if setting.rows != main.rows:
        parts.append(f"{setting.rows:,} rows")
    if setting.loss != main.loss:
        parts.append(setting.loss.value)
    if setting.student != main.student:
        name = one_line(setting.student).rstrip("/").rpartition("/")[2]
        # The font may lack other letters.
        latin = name.encode("latin-1", "backslashreplace").decode("latin-1")
        parts.append(plot_label(latin[:24]))
    return ", ".join(parts)


# -- variants ---------------------------------------------------------------------------


def _draw_variants(figure: "Figure", facts: Sequence[VariantFacts]) -> None:
    axes = draw_variant_bars(
        figure,
        words=[variant.words for variant in facts],
        names_target=[variant.names_target for variant in facts],
        names_other=[variant.names_other for variant in facts],
    )
    label_rows(axes, [plot_label(variant.name) for variant in facts])

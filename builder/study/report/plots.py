"""Pictures of a study's results, PNG: the same results give the same bytes under one
matplotlib.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from cotbuild.builder.card.markdown import one_line
from cotbuild.builder.card.plots import (
    BLUE,
    COLOURS,
    GREY,
    ORANGE,
    draw_variant_bars,
    plot_label,
    render_png,
)
from cotbuild.builder.study.report.drawn import (
    DrawnComparison,
    side_labels,
    value_column,
)
from cotbuild.builder.study.report.wording import signed
from cotbuild.schemas.study.declaration import TrainingSetting
from cotbuild.schemas.study.record import StudyRegistration, VariantFacts
from cotbuild.schemas.study.results import (
    ComparisonResult,
    ComparisonStatus,
    RecipeResult,
    StudyResults,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_EXPLORATORY = 20
"""Exploratory comparisons that are drawn; the page's table has all."""
_COLOURS = tuple(
    colour for colour in COLOURS if colour != "#F0E442"
)  # yellow lines cannot be seen on white
_STYLES = ("-", "--", ":", "-.")
_SMALL = 8


class _Line(NamedTuple):
    """A vertical line to compare with."""

    at: float
    label: str
    colour: str
    style: str


def pictures(record: StudyRegistration, results: StudyResults) -> dict[str, bytes]:
    """Name to PNG: accuracy, comparisons, tokens, rows, losses, variants; those left
    out that there is nothing for.
    """
    main = main_recipes(record, results)
    found = {}
    if main:
        found["accuracy"] = render_png(
            1.5 + 0.3 * len(main),
            lambda figure: _accuracy(figure, main, _lines(record, results)),
        )
    shown = drawn_comparisons(results)
    if any(one.comparison for one in shown):
        found["comparisons"] = render_png(
            1.5 + 0.42 * len(shown),
            lambda figure: _forest(
                figure, shown, record.study.main, record.study.margin
            ),
        )
    if main:
        found["tokens"] = render_png(
            _height(len(main)), lambda figure: _tokens(figure.add_subplot(), main)
        )
    if sizes := by_rows(record, results):
        found["rows"] = render_png(
            _height(len(sizes)), lambda figure: _rows(figure.add_subplot(), sizes)
        )
    if curves := [one for one in main if one.curve and one.curve.update]:
        found["losses"] = render_png(
            _height(len(curves)), lambda figure: _losses(figure.add_subplot(), curves)
        )
    if results.variants:
        found["variants"] = render_png(
            1.4 + 0.3 * len(results.variants),
            lambda figure: _variants(figure, results.variants),
        )
    return found


def main_recipes(
    record: StudyRegistration, results: StudyResults
) -> list[RecipeResult]:
    """Those of the setting that the claims were made for."""
    return [one for one in results.recipes if one.recipe.setting == record.study.main]


def drawn_comparisons(results: StudyResults) -> list[ComparisonResult]:
    """All planned ones, and the first exploratory ones."""
    planned = [one for one in results.comparisons if not one.exploratory]
    others = [one for one in results.comparisons if one.exploratory and one.comparison]
    return planned + others[:MOST_EXPLORATORY]


def by_rows(
    record: StudyRegistration, results: StudyResults
) -> dict[str, list[RecipeResult]]:
    """Variant to its recipes by rising rows, with student and loss of the main setting;
    two sizes at least.
    """
    main, found = record.study.main, dict[str, list[RecipeResult]]()
    for one in sorted(results.recipes, key=lambda one: one.recipe.rows):
        if (one.recipe.student, one.recipe.loss) == (main.student, main.loss):
            found.setdefault(one.recipe.variant, []).append(one)
    return {variant: sizes for variant, sizes in found.items() if len(sizes) > 1}


def _height(labels: int) -> float:
    """Inches, of a picture with so many labels beside it."""
    return max(3.4, 1.2 + 0.17 * labels)


def _lines(record: StudyRegistration, results: StudyResults) -> list[_Line]:
    untrained = [
        one
        for one in results.untrained
        if one.recipe.student == record.study.main.student
    ]
    lines = [
        _Line(
            one.accuracy.mean,
            f"untrained student {one.accuracy.mean:.1f} %",
            ORANGE,
            "-",
        )
        for one in untrained[:1]
    ]
    majority = 100 * record.test.majority.accuracy.share
    lines.append(
        _Line(majority, f"most frequent answer {majority:.1f} %", "#CC79A7", "--")
    )
    if record.test.chance is not None:
        chance = 100 * record.test.chance
        lines.append(_Line(chance, f"chance {chance:.1f} %", GREY, ":"))
    return lines


def _accuracy(
    figure: "Figure", recipes: Sequence[RecipeResult], lines: Sequence[_Line]
) -> None:
    axes = figure.add_subplot()
    for line in lines:
        axes.axvline(
            line.at,
            color=line.colour,
            linestyle=line.style,
            linewidth=1.5,
            label=line.label,
            zorder=1,
        )
    for place, one in enumerate(recipes):
        found = one.accuracy
        below = [place + 0.25] * len(found.per_seed)
        axes.plot(
            found.per_seed,
            below,
            "o",
            color=GREY,
            alpha=0.6,
            markersize=3.5,
            markeredgewidth=0,
            zorder=2,
        )
        if found.interval_95:
            axes.plot(found.interval_95, [place] * 2, color=BLUE, linewidth=2, zorder=3)
        axes.plot(
            [found.mean],
            [place],
            "D",
            color=BLUE,
            markersize=6,
            markeredgecolor="white",
            zorder=4,
        )
    axes.plot(
        [],
        [],
        "o",
        color=GREY,
        alpha=0.6,
        markersize=3.5,
        markeredgewidth=0,
        label="a seed",
    )
    axes.plot(
        [], [], "D-", color=BLUE, linewidth=2, markersize=6, label="mean, 95 % interval"
    )
    axes.margins(x=0.06)
    _name_rows(axes, [plot_label(one.recipe.variant) for one in recipes])
    value_column(axes, [f"{one.accuracy.mean:.1f}" for one in recipes])
    axes.set_xlabel("right answers to the test questions, %")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=_SMALL)


def _forest(
    figure: "Figure",
    shown: Sequence[ComparisonResult],
    main: TrainingSetting,
    margin: float,
) -> None:
    axes = figure.add_subplot()
    axes.axvspan(
        -margin,
        margin,
        color=ORANGE,
        alpha=0.18,
        linewidth=0,
        label=f"margin, ± {margin:g} points",
    )
    axes.axvline(0, color="black", linewidth=1)
    for place, one in enumerate(shown):
        DrawnComparison(place, one).draw(axes)
    planned = sum(not one.exploratory for one in shown)
    if planned < len(shown):
        axes.axhline(planned - 0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.plot([], [], color=BLUE, linewidth=1.2, label="95 % interval")
    axes.plot([], [], color=BLUE, linewidth=4, label="90 %, to be judged by the margin")
    if any(one.standing is ComparisonStatus.INTERIM for one in shown):
        axes.plot([], [], "o", color=BLUE, markerfacecolor="white", label="interim")
    if planned < len(shown):
        axes.plot([], [], "o", color=GREY, label="exploratory")
    low, high = axes.get_xlim()
    reach = max(-low, high, 1.4 * margin)
    axes.set_xlim(-reach, reach)
    _name_rows(axes, [_compared(one, main) for one in shown])
    value_column(
        axes,
        [
            signed(one.comparison.difference) if one.comparison else "not run"
            for one in shown
        ],
    )
    axes.set_xlabel("difference, points: to the right the first is better")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=_SMALL)


def _compared(one: ComparisonResult, main: TrainingSetting) -> str:
    where = "" if one.setting == main else f" · {_setting(one.setting, main)}"
    return f"{plot_label(one.planned.a)}\n− {plot_label(one.planned.b)}{where}"


def _setting(setting: TrainingSetting, main: TrainingSetting) -> str:
    """What sets it apart from the main one."""
    parts = [f"{setting.rows:,} rows"] if setting.rows != main.rows else []
    parts += [setting.loss.value] if setting.loss != main.loss else []
    if setting.student != main.student:
        last = one_line(setting.student).rstrip("/").rpartition("/")[2]
        plain = last.encode("latin-1", "backslashreplace").decode(
            "latin-1"
        )  # the font may lack other letters
        parts.append(plot_label(plain[:24]))
    return ", ".join(parts)


def _name_rows(axes: "Axes", names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=_SMALL)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)


def _tokens(axes: "Axes", recipes: Sequence[RecipeResult]) -> None:
    labels = []
    for first, colour, label in (
        (True, BLUE, "label first"),
        (False, ORANGE, "rationale before the label"),
    ):
        found = [
            one for one in recipes if (one.rationale_tokens_per_question == 0) is first
        ]
        points = [(one.tokens_per_question, one.accuracy.mean) for one in found]
        if points:
            axes.plot(
                *zip(*points, strict=True), "o", color=colour, label=label, markersize=6
            )
        labels += [
            (*point, plot_label(one.recipe.variant), colour)
            for point, one in zip(points, found, strict=True)
        ]
    axes.margins(y=0.1)
    axes.set_xlim(0, 1.08 * max(x for x, *_ in labels) or 1)
    side_labels(axes, labels, _height(len(labels)))
    axes.set_xlabel("tokens generated a test question")
    axes.set_ylabel("right answers, %")
    axes.legend(
        frameon=False,
        fontsize=_SMALL,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=2,
    )


def _rows(axes: "Axes", sizes: dict[str, list[RecipeResult]]) -> None:
    from matplotlib.ticker import NullLocator

    labels = []
    for place, (variant, recipes) in enumerate(sizes.items()):
        rows, means = (
            [one.recipe.rows for one in recipes],
            [one.accuracy.mean for one in recipes],
        )
        colour, style = _look(place)
        axes.plot(rows, means, marker="o", markersize=4, color=colour, linestyle=style)
        if len(sizes) <= 6:  # more intervals would hide the lines
            _intervals(axes, recipes, place, colour)
        labels.append((rows[-1], means[-1], plot_label(variant), colour))
    axes.set_xscale("log")
    ticks = sorted({one.recipe.rows for recipes in sizes.values() for one in recipes})
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.06, y=0.1)
    side_labels(axes, labels, _height(len(labels)))
    axes.set_xlabel("rationales trained on")
    axes.set_ylabel("right answers, %")


def _intervals(
    axes: "Axes", recipes: Sequence[RecipeResult], place: int, colour: str
) -> None:
    for one in recipes:
        if one.accuracy.interval_95:
            at = one.recipe.rows * (1 + 0.008 * place)  # side by side
            axes.vlines(
                at, *one.accuracy.interval_95, color=colour, linewidth=1, alpha=0.6
            )


def _losses(axes: "Axes", recipes: Sequence[RecipeResult]) -> None:
    labels = []
    for place, one in enumerate(recipes):
        assert one.curve is not None
        colour, style = _look(place)
        axes.plot(
            one.curve.update,
            one.curve.label_loss,
            linewidth=1.2,
            color=colour,
            linestyle=style,
        )
        last = (one.curve.update[-1], one.curve.label_loss[-1])
        labels.append((*last, plot_label(one.recipe.variant), colour))
    axes.margins(x=0.02, y=0.06)
    side_labels(axes, labels, _height(len(labels)))
    axes.set_xlabel("updates")
    axes.set_ylabel("loss of the label's tokens, nats")


def _look(place: int) -> tuple[str, str]:
    """Colour and style of a line, none twice among 28."""
    return _COLOURS[place % len(_COLOURS)], _STYLES[
        place // len(_COLOURS) % len(_STYLES)
    ]


def _variants(figure: "Figure", found: Sequence[VariantFacts]) -> None:
    axes = draw_variant_bars(
        figure,
        words=[variant.words for variant in found],
        names_target=[variant.names_target for variant in found],
        names_other=[variant.names_other for variant in found],
    )
    _name_rows(axes, [plot_label(variant.name) for variant in found])

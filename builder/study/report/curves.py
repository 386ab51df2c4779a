"""Plots of points and lines that are labelled right of the axes: tokens, rows, losses."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cotbuild.builder.card.plots import BLUE, COLOURS, ORANGE, plot_label
from cotbuild.schemas.study.record import Curve
from cotbuild.schemas.study.results import RecipeResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALL = 8
"""Font size of names and legends, points."""

_YELLOW = "#F0E442"
_LINE_COLOURS = tuple(colour for colour in COLOURS if colour != _YELLOW)
"""Yellow lines are invisible on white."""
_LINE_STYLES = ("-", "--", ":", "-.")

_LABEL_IN = 0.16
"""Inches from one label to the next."""
_MARGIN_IN = 1.0
"""Inches of a picture's height outside its axes."""
_MAX_INTERVALS = 6
"""Maximum variants whose intervals are drawn; more would hide the lines."""


class _Label(NamedTuple):
    """A text right of the axes, with a thin line to its point."""

    x: float
    y: float
    text: str
    colour: str


def label_height(num_labels: int) -> float:
    """Return the height in inches of a picture with that many labels beside it."""
    return max(3.4, 1.2 + 0.17 * num_labels)


def draw_tokens(figure: "Figure", recipes: Sequence[RecipeResult], label: str) -> None:
    """Draw the metric of a label against the tokens generated for a question."""
    axes = figure.add_subplot()
    label_first = [one for one in recipes if one.rationale_tokens_per_question == 0]
    others = [one for one in recipes if one.rationale_tokens_per_question != 0]
    labels = _draw_points(axes, label_first, BLUE, "label first")
    labels += _draw_points(axes, others, ORANGE, "rationale before the label")
    axes.margins(y=0.1)
    axes.set_xlim(0, 1.08 * max(label.x for label in labels) or 1)
    _draw_labels(axes, labels)
    axes.set_xlabel("tokens generated per test question")
    axes.set_ylabel(label)
    axes.legend(
        frameon=False,
        fontsize=SMALL,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=2,
    )


def _draw_points(
    axes: "Axes", recipes: Sequence[RecipeResult], colour: str, label: str
) -> list[_Label]:
    if not recipes:
        return []
    tokens = [one.tokens_per_question for one in recipes]
    means = [one.accuracy.mean for one in recipes]
    axes.plot(tokens, means, "o", color=colour, label=label, markersize=6)
    names = [plot_label(one.recipe.variant) for one in recipes]
    return [
        _Label(x, y, name, colour)
        for x, y, name in zip(tokens, means, names, strict=True)
    ]


def draw_rows(
    figure: "Figure", sizes: Mapping[str, Sequence[RecipeResult]], label: str
) -> None:
    """Draw a metric against the number of rationales trained on, a line per variant."""
    from matplotlib.ticker import NullLocator

    axes = figure.add_subplot()
    labels = []
    for position, (variant, recipes) in enumerate(sizes.items()):
        rows = [one.recipe.rows for one in recipes]
        means = [one.accuracy.mean for one in recipes]
        colour, style = _line_style(position)
        axes.plot(rows, means, marker="o", markersize=4, color=colour, linestyle=style)
        if len(sizes) <= _MAX_INTERVALS:
            _draw_intervals(axes, recipes, position, colour)
        labels.append(_Label(rows[-1], means[-1], plot_label(variant), colour))
    axes.set_xscale("log")
    ticks = sorted({one.recipe.rows for recipes in sizes.values() for one in recipes})
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.06, y=0.1)
    _draw_labels(axes, labels)
    axes.set_xlabel("rationales trained on")
    axes.set_ylabel(label)


def _draw_intervals(
    axes: "Axes", recipes: Sequence[RecipeResult], position: int, colour: str
) -> None:
    """Draw the 95 % intervals of a variant, beside those of the other variants."""
    for one in recipes:
        if one.accuracy.interval_95:
            x = one.recipe.rows * (1 + 0.008 * position)
            low, high = one.accuracy.interval_95
            axes.vlines(x, low, high, color=colour, linewidth=1, alpha=0.6)


def draw_losses(figure: "Figure", curves: Mapping[str, Curve]) -> None:
    """Draw the loss of the label tokens against updates, a line per variant."""
    axes = figure.add_subplot()
    labels = []
    for position, (variant, curve) in enumerate(curves.items()):
        colour, style = _line_style(position)
        updates, losses = curve.update, curve.label_loss
        axes.plot(updates, losses, linewidth=1.2, color=colour, linestyle=style)
        labels.append(_Label(updates[-1], losses[-1], plot_label(variant), colour))
    axes.margins(x=0.02, y=0.06)
    _draw_labels(axes, labels)
    axes.set_xlabel("updates")
    axes.set_ylabel("loss of the label tokens, nats")


def _line_style(position: int) -> tuple[str, str]:
    """Return colour and style of a line; they differ among 28 lines."""
    colour = _LINE_COLOURS[position % len(_LINE_COLOURS)]
    style = _LINE_STYLES[position // len(_LINE_COLOURS) % len(_LINE_STYLES)]
    return colour, style


# -- labels -----------------------------------------------------------------------------


def _draw_labels(axes: "Axes", labels: Sequence[_Label]) -> None:
    """Draw labels right of the axes so that none covers another.

    The limits of the axes must be set.
    """
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    positions = [(label.y - low) / (high - low) for label in labels]
    gap = _LABEL_IN / (label_height(len(labels)) - _MARGIN_IN)
    for label, position in zip(labels, spread_labels(positions, gap), strict=True):
        axes.annotate(
            label.text,
            (label.x, label.y),
            xytext=(1.04, position),
            textcoords="axes fraction",
            arrowprops={
                "arrowstyle": "-",
                "color": label.colour,
                "linewidth": 0.6,
                "relpos": (0, 0.5),
            },
            va="center",
            fontsize=SMALL,
            annotation_clip=False,
        )


def spread_labels(positions: Sequence[float], gap: float) -> list[float]:
    """Move positions in 0 … 1 as little as possible so that they lie `gap` apart.

    The sum of the squared moves is minimal (isotonic regression), and the order is
    kept. Without room for the gap they are spaced evenly.
    """
    from scipy.optimize import isotonic_regression

    count = len(positions)
    if not count:
        return []
    gap = min(gap, 1 / max(1, count - 1))
    order = np.argsort(positions, kind="stable")
    offsets = gap * np.arange(count)
    fitted = isotonic_regression(np.asarray(positions)[order] - offsets).x
    moved = np.empty(count)
    moved[order] = np.clip(fitted, 0, 1 - offsets[-1]) + offsets
    return [float(position) for position in moved]

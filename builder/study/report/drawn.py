"""Parts of a study's pictures: labels that do not cover each other, an interval with
its point.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cotbuild.builder.card.plots import BLUE, GREY
from cotbuild.schemas.study.results import ComparisonResult, ComparisonStatus

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINE = 0.16
"""Inches from one line of small text to the next."""
_OUTSIDE = 1.0
"""Inches of a picture's height that are not its axes."""


class DrawnComparison(NamedTuple):
    """A comparison on its row of a forest plot; one that was not run leaves the row
    empty.
    """

    place: int
    one: ComparisonResult

    def draw(self, axes: "Axes") -> None:
        found, row = self.one.comparison, [self.place] * 2
        if found is None:
            return
        colour = GREY if self.one.exploratory else BLUE
        axes.plot(found.interval_95, row, color=colour, linewidth=1.2)
        axes.plot(
            found.interval_90,
            row,
            color=colour,
            linewidth=4,
            alpha=0.6,
            solid_capstyle="butt",
        )
        inside = "white" if self.one.standing is ComparisonStatus.INTERIM else colour
        axes.plot(
            [found.difference],
            [self.place],
            "o",
            color=colour,
            markerfacecolor=inside,
            markersize=6,
        )


def value_column(axes: "Axes", values: Sequence[str]) -> None:
    """A text a row, right of the axes."""
    for place, value in enumerate(values):
        axes.text(
            1.02,
            place,
            value,
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8,
        )


def side_labels(
    axes: "Axes", labels: Sequence[tuple[float, float, str, str]], height: float
) -> None:
    """Texts right of the axes, each with a thin line to its point: (x, y, text, colour
    of the line).

    `height` of the picture, inches. The limits of the axes must be set.
    """
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    at = spread(
        [(y - low) / (high - low) for _, y, _, _ in labels], _LINE / (height - _OUTSIDE)
    )
    for (x, y, text, colour), place in zip(labels, at, strict=True):
        axes.annotate(
            text,
            (x, y),
            xytext=(1.04, place),
            textcoords="axes fraction",
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.6,
                "relpos": (0, 0.5),
            },
            va="center",
            fontsize=8,
            annotation_clip=False,
        )


def spread(places: Sequence[float], gap: float) -> list[float]:
    """Places in 0 … 1 moved as little as possible (least squares) so that they lie
    `gap` apart, in the same order.

    Where there is no room for that, they lie evenly.
    """
    from scipy.optimize import isotonic_regression

    count = len(places)
    if not count:
        return []
    gap = min(gap, 1 / max(1, count - 1))
    order = np.argsort(places, kind="stable")
    steps = gap * np.arange(count)
    found = np.empty(count)
    found[order] = (
        np.clip(
            isotonic_regression(np.asarray(places)[order] - steps).x, 0, 1 - steps[-1]
        )
        + steps
    )
    return [float(place) for place in found]

"""Axes with a row for each recipe, comparison or claim."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cotbuild.builder.study.report.curves import SMALL
from cotbuild.schemas.study.results import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def label_rows(axes: "Axes", names: Sequence[str]) -> None:
    """Name the rows, the first one at the top."""
    axes.set_yticks(range(len(names)), names, fontsize=SMALL)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)


def draw_values(axes: "Axes", values: Sequence[str]) -> None:
    """Draw a text for each row, right of the axes."""
    transform = axes.get_yaxis_transform()
    for row, value in enumerate(values):
        axes.text(1.02, row, value, transform=transform, va="center", fontsize=8)


def draw_difference(
    axes: "Axes",
    row: int,
    difference: float,
    intervals: tuple[Interval, Interval],
    *,
    colour: str,
    is_interim: bool,
) -> None:
    """Draw a difference with its 90 % and its 95 % interval, hollow if it is interim."""
    interval_90, interval_95 = intervals
    rows = [row] * 2
    axes.plot(interval_95, rows, color=colour, linewidth=1.2)
    axes.plot(
        interval_90,
        rows,
        color=colour,
        linewidth=4,
        alpha=0.6,
        solid_capstyle="butt",
    )
    axes.plot(
        [difference],
        [row],
        "o",
        color=colour,
        markerfacecolor="white" if is_interim else colour,
        markersize=6,
    )

"""Pictures as PNG: under one matplotlib the same figures give the same bytes.

It is imported once one is drawn.
"""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of the palette of Okabe and Ito, which people with any colour vision tell apart; red
# or green would say good or bad.
BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#666666"
COLOURS = (
    BLUE,
    ORANGE,
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#000000",
)
WIDTH = 7.0
"""Inches; at 120 dots an inch a picture fits a card's column."""
DPI = 120


def png(height: float, draw: Callable[["Figure"], None]) -> bytes:
    """A picture of that height, inches."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a person's own settings are not to change it
        matplotlib.rcParams.update(
            {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
        )
        figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
        draw(figure)
        out = io.BytesIO()
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


class LengthAndLeaks(Protocol):
    """A variant: how long its rationales are, and how often they name an option."""

    @property
    def words(self) -> float: ...
    @property
    def names_target(self) -> float: ...
    @property
    def names_other(self) -> float: ...


def lengths_and_leaks(figure: "Figure", found: Sequence[LengthAndLeaks]) -> "Axes":
    """Bars a variant: mean words, and the shares of rows that name an option.

    Returns the axes on the left, unnamed.
    """
    left, right = figure.subplots(1, 2, sharey=True)
    bars = left.barh(range(len(found)), [one.words for one in found], color=BLUE)
    left.bar_label(bars, [f"{one.words:.0f}" for one in found], padding=2, fontsize=8)
    left.set_xlabel("mean words of the rationale")
    left.margins(x=0.18)
    for shift, shares, colour, label in (
        (-0.2, [one.names_target for one in found], BLUE, "the target"),
        (0.2, [one.names_other for one in found], ORANGE, "another option"),
    ):
        places = [place + shift for place in range(len(found))]
        right.barh(
            places, [100 * share for share in shares], 0.4, color=colour, label=label
        )
    right.set_xlim(0, 100)
    right.set_xlabel("rows whose rationale names it, %")
    right.legend(
        frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2
    )
    axes: Axes = left
    return axes


def shortened(name: str) -> str:
    """As a label of a picture shows it; matplotlib reads $ as mathematics."""
    shown = name if len(name) <= 40 else name[:39] + "…"
    return shown.replace("$", r"\$")


def whole_numbers(axes: "Axes", which: str) -> None:
    """Ticks of the x or y axis at whole numbers."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))

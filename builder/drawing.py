"""Pictures as PNG: under one matplotlib the same figures give the same bytes. It is imported once one is drawn."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of the palette of Okabe and Ito, which people with any colour vision tell apart; red or green would say good or bad.
BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#666666"
COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
WIDTH = 7.0
"""Inches; at 120 dots an inch a picture fits a card's column."""
DPI = 120


def png(height: float, draw: Callable[["Figure"], None]) -> bytes:
    """A picture of that height, inches."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a person's own settings are not to change it
        matplotlib.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
        figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
        draw(figure)
        out = io.BytesIO()
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


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

"""The picture of the claims of a study of format version 2."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cotbuild.builder.card.plots import BLUE, GREY, ORANGE, plot_label
from cotbuild.builder.study.report.claim_words import is_interim, name_outcome
from cotbuild.builder.study.report.curves import SMALL
from cotbuild.builder.study.report.row_axes import (
    draw_difference,
    draw_values,
    label_rows,
)
from cotbuild.builder.study.report.wording import format_signed
from cotbuild.schemas.study.claims import EquivalentClaim
from cotbuild.schemas.study.results import ClaimResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_claims(figure: "Figure", claims: Sequence[ClaimResult]) -> None:
    """Draw the estimate of each claim, its intervals, and the bar that it must pass."""
    axes = figure.add_subplot()
    axes.axvline(0, color="black", linewidth=1)
    for row, one in enumerate(claims):
        _draw_claim(axes, row, one)
    num_decided = sum(one.tier is not None for one in claims)
    has_secondary = num_decided < len(claims)
    if has_secondary:
        axes.axhline(num_decided - 0.5, color=GREY, linewidth=0.8, linestyle=":")
    _add_legend(axes, claims, has_secondary=has_secondary)
    low, high = axes.get_xlim()
    reach = max(-low, high)
    axes.set_xlim(-reach, reach)
    label_rows(axes, [_label(one) for one in claims])
    draw_values(axes, [_value(one) for one in claims])
    axes.set_xlabel("estimate, points")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=SMALL)


def _draw_claim(axes: "Axes", row: int, result: ClaimResult) -> None:
    """Draw one claim; one that was not run leaves the row empty."""
    found = result.estimate
    if found is None:
        return
    colour = GREY if result.tier is None else BLUE
    draw_difference(
        axes,
        row,
        found.estimate,
        (found.interval_90, found.interval_95),
        colour=colour,
        is_interim=is_interim(result),
    )
    is_between = isinstance(result.claim, EquivalentClaim)
    bars = [found.bar, -found.bar] if is_between else [found.bar]
    axes.plot(bars, [row] * len(bars), "|", color=ORANGE, markersize=16, mew=2.5)


def _add_legend(
    axes: "Axes", claims: Sequence[ClaimResult], *, has_secondary: bool
) -> None:
    axes.plot([], [], color=BLUE, linewidth=1.2, label="95 % interval")
    axes.plot([], [], color=BLUE, linewidth=4, label="90 % interval")
    axes.plot([], [], "|", color=ORANGE, markersize=12, mew=2.5, label="bar to pass")
    if any(is_interim(one) for one in claims):
        axes.plot([], [], "o", color=BLUE, markerfacecolor="white", label="interim")
    if has_secondary:
        axes.plot([], [], "o", color=GREY, label="secondary")


def _label(result: ClaimResult) -> str:
    return plot_label(result.claim.name)


def _value(result: ClaimResult) -> str:
    if result.estimate is None:
        return name_outcome(result)
    return f"{format_signed(result.estimate.estimate)} {name_outcome(result)}"

"""Histograms as SVG, made on the server: each bar is a link into the filter.

A bar has its range and its number as text, for a pointer and for a screen reader, and
the page has the same numbers as a table. There is no style in it, which the policy of
the pages forbids: classes of the style sheet give the colours.
"""

from collections.abc import Callable
from typing import NamedTuple

from markupsafe import Markup

from cotbuild.builder.view.histogram import Bin, Histogram

WIDTH, HEIGHT = 280, 110
_TOP, _BOTTOM, _LEFT, _RIGHT = 6, 18, 1, 1
_LEAST_BAR = 1.5
"""Height of a bar that stands for any rows at all, so that it is seen and hit."""


class _Bar(NamedTuple):
    x: float
    y: float
    width: float
    height: float


def histogram_svg(
    histogram: Histogram, id: str, title: str, href_of: Callable[[Bin], str | None]
) -> Markup:
    """Return a histogram as an `svg` element; empty markup without bins.

    `id` is unique on the page. `href_of` returns the address of the rows of a bin, None
    where there is no such page.
    """
    if not histogram.bins:
        return Markup("")
    bars = Markup("").join(
        _bar(one, shape, href_of(one))
        for one, shape in zip(histogram.bins, _shapes(histogram), strict=True)
    )
    return Markup(
        '<svg class="plot" viewBox="0 0 {width} {height}" role="group" '
        'aria-labelledby="{id}-title" aria-describedby="{id}-about">'
        '<title id="{id}-title">{title}</title><desc id="{id}-about">{about}</desc>'
        "{bars}{axis}</svg>"
    ).format(
        width=WIDTH,
        height=HEIGHT,
        id=id,
        title=title,
        about=_describe(histogram),
        bars=bars,
        axis=_axis(histogram),
    )


def range_text(one: Bin) -> str:
    """Return the range of a bin, such as `20–39`."""
    if one.low == one.high:
        return f"{one.low:,}"
    return f"{one.low:,}–{one.high:,}"


def _describe(histogram: Histogram) -> str:
    num_rows = sum(one.count for one in histogram.bins)
    return (
        f"{num_rows:,} rows, median {histogram.median or 0:,}, "
        f"greatest {histogram.greatest or 0:,}."
    )


def _shapes(histogram: Histogram) -> list[_Bar]:
    """Return where the bars are. All are equally wide, the outer ones of more too."""
    slot = (WIDTH - _LEFT - _RIGHT) / len(histogram.bins)
    highest = max(one.count for one in histogram.bins) or 1
    room = HEIGHT - _TOP - _BOTTOM
    shapes = []
    for at, one in enumerate(histogram.bins):
        height = max(_LEAST_BAR, one.count / highest * room) if one.count else 0.0
        x, y = _LEFT + at * slot, HEIGHT - _BOTTOM - height
        shapes.append(_Bar(x, y, max(1.0, slot - 1.5), height))
    return shapes


def _bar(one: Bin, shape: _Bar, href: str | None) -> Markup:
    words = "row" if one.count == 1 else "rows"
    text = f"{range_text(one)}: {one.count:,} {words}"
    rect = Markup(
        '<rect class="plot-bar" x="{x}" y="{y}" width="{width}" height="{height}">'
        "<title>{text}</title></rect>"
    ).format(
        x=f"{shape.x:.1f}",
        y=f"{shape.y:.1f}",
        width=f"{shape.width:.1f}",
        height=f"{shape.height:.1f}",
        text=text,
    )
    if href is None or not one.count:
        return rect
    return Markup('<a href="{href}" aria-label="{text}">{rect}</a>').format(
        href=href, text=text, rect=rect
    )


def _axis(histogram: Histogram) -> Markup:
    """Return the line below the bars, with where some of them begin."""
    base = HEIGHT - _BOTTOM
    slot = (WIDTH - _LEFT - _RIGHT) / len(histogram.bins)
    step = max(1, -(-len(histogram.bins) // 4))
    labels = Markup("").join(
        Markup('<text x="{x}" y="{y}" aria-hidden="true">{text}</text>').format(
            x=f"{_LEFT + at * slot:.1f}", y=HEIGHT - 5, text=f"{one.low:,}"
        )
        for at, one in enumerate(histogram.bins)
        if at % step == 0
    )
    line = Markup('<path class="plot-axis" d="M{left} {base}H{right}"/>').format(
        left=_LEFT, right=WIDTH - _RIGHT, base=base
    )
    return line + labels

"""Plots as PNG: drawing that cards and study reports share, and the plots of a release.

The same input gives the same bytes under one version of matplotlib, which is imported
when the first plot is drawn.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cotbuild.builder.card.statistics import possible_verdicts
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.variant_set import (
    VariantsEntry,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# From the palette of Okabe and Ito, which readers with any colour vision can tell
# apart; red and green would suggest bad and good.
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
"""Inches; at 120 dots an inch a plot fits the column of a card."""
DPI = 120
MAX_BINS = 40
_TAIL_FRAC = 0.99
"""Share of the rationales shown in the bins of the histogram; the rest is one bar."""


# -- drawing -----------------------------------------------------------------------------


def render_png(height: float, draw: Callable[["Figure"], None]) -> bytes:
    """Return the PNG data of a figure of that height in inches, which `draw` fills."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # the user's own settings must not change the bytes
        matplotlib.rcParams.update(
            {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
        )
        figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
        draw(figure)
        out = io.BytesIO()
        figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def draw_variant_bars(
    figure: "Figure",
    words: Sequence[float],
    names_target: Sequence[float],
    names_other: Sequence[float],
) -> "Axes":
    """Draw one row of bars per variant: mean words, and shares that name an option.

    The shares are between 0 and 1. Returns the left axes, whose rows are not labelled.
    """
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_word_bars(left, words)
    _draw_share_bars(right, names_target, -0.2, BLUE, "the target")
    _draw_share_bars(right, names_other, 0.2, ORANGE, "another option")
    right.set_xlim(0, 100)
    right.set_xlabel("rows whose rationale names it, %")
    right.legend(
        frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2
    )
    axes: Axes = left
    return axes


def _draw_word_bars(axes: "Axes", words: Sequence[float]) -> None:
    bars = axes.barh(range(len(words)), list(words), color=BLUE)
    axes.bar_label(bars, [f"{mean:.0f}" for mean in words], padding=2, fontsize=8)
    axes.set_xlabel("mean words of the rationale")
    axes.margins(x=0.18)


def _draw_share_bars(
    axes: "Axes", shares: Sequence[float], shift: float, colour: str, label: str
) -> None:
    rows = [row + shift for row in range(len(shares))]
    percentages = [100 * share for share in shares]
    axes.barh(rows, percentages, 0.4, color=colour, label=label)


def plot_label(name: str) -> str:
    """Return a name as a plot shows it: at most 40 characters, `$` not as mathematics."""
    shown = name if len(name) <= 40 else name[:39] + "…"
    return shown.replace("$", r"\$")


def _use_whole_ticks(axes: "Axes", which: str) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


# -- the plots of a release --------------------------------------------------------------


def word_lengths(rationales: Iterable[str]) -> Counter[int]:
    """Count the rationales of each length in words, leaving out empty ones."""
    return Counter(len(text.split()) for text in rationales if text)


def draw_pictures(manifest: Manifest, lengths: Mapping[int, int]) -> dict[str, bytes]:
    """Draw the plots of a release: PNG data by name.

    `verdicts` is always drawn, `lengths` if a rationale was kept, `variants` if there
    are any. The argument `lengths` maps a number of words to the number of rationales
    that have it.
    """
    pictures = {
        "verdicts": render_png(
            1.0 + 0.42 * len(possible_verdicts(manifest)),
            lambda figure: _draw_verdicts(figure.add_subplot(), manifest),
        )
    }
    if lengths:
        pictures["lengths"] = render_png(
            3.2, lambda figure: _draw_lengths(figure.add_subplot(), lengths)
        )
    variants = manifest.variants
    if variants is not None:
        pictures["variants"] = render_png(
            1.4 + 0.26 * len(variants.variants),
            lambda figure: _draw_variants(figure, variants),
        )
    return pictures


def _draw_verdicts(axes: "Axes", manifest: Manifest) -> None:
    total = manifest.num_planned or 1
    verdicts = possible_verdicts(manifest)
    counts = list(verdicts.values())
    bars = axes.barh(list(verdicts), counts, color=BLUE)
    labels = [f"{count:,} ({100 * count / total:.1f} %)" for count in counts]
    axes.bar_label(bars, labels, padding=4)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25 * max(counts, default=1) or 1)
    axes.set_xlabel(f"rationales, of {manifest.num_planned:,}")
    axes.set_title("Rationales by verdict", loc="left")
    _use_whole_ticks(axes, "x")


def _draw_lengths(axes: "Axes", lengths: Mapping[int, int]) -> None:
    histogram = bin_lengths(lengths)
    axes.bar(
        histogram.edges[:-1],
        histogram.counts,
        width=histogram.width,
        align="edge",
        color=BLUE,
        edgecolor="white",
        linewidth=0.5,
    )
    if histogram.num_beyond:
        _draw_tail(axes, histogram)
    median = _median_length(lengths)
    axes.axvline(median, color=ORANGE, linewidth=2, label=f"median: {median:,} words")
    axes.legend(frameon=False, loc="upper right")
    bins = f", in bins of {histogram.width}" if histogram.width > 1 else ""
    axes.set_xlabel(f"words of a rationale{bins}")
    axes.set_ylabel("rationales")
    axes.set_title(f"Length of {sum(lengths.values()):,} rationales", loc="left")
    _use_whole_ticks(axes, "y")


def _draw_tail(axes: "Axes", histogram: "Histogram") -> None:
    end, width = histogram.edges[-1], histogram.width
    axes.bar(
        [end + width],
        [histogram.num_beyond],
        width=width,
        align="edge",
        color=GREY,
        edgecolor="white",
    )
    axes.annotate(
        f"{end:,} words or more:\n{histogram.num_beyond:,}",
        (end + 2 * width, histogram.num_beyond),
        xytext=(0, 18),
        textcoords="offset points",
        ha="right",
        color=GREY,
    )


class Histogram(NamedTuple):
    """Counts in bins of equal width, which start at 0."""

    edges: list[int]
    """One more than there are bins."""
    counts: list[int]
    num_beyond: int
    """Values at or above the last edge."""

    @property
    def width(self) -> int:
        """Width of a bin."""
        return self.edges[1] - self.edges[0]


def bin_lengths(lengths: Mapping[int, int]) -> Histogram:
    """Bin lengths in words, all but the longest hundredth, in at most 41 bins."""
    longest = _quantile_length(lengths, _TAIL_FRAC * sum(lengths.values()))
    width = max(1, -(-(longest + 1) // MAX_BINS))
    edges = list(range(0, longest + 1 + width, width))
    counts = [0] * (len(edges) - 1)
    num_beyond = 0
    for length, count in lengths.items():
        if length >= edges[-1]:
            num_beyond += count
        else:
            counts[length // width] += count
    return Histogram(edges, counts, num_beyond)


def _median_length(lengths: Mapping[int, int]) -> int:
    return _quantile_length(lengths, sum(lengths.values()) // 2 + 1)


def _quantile_length(lengths: Mapping[int, int], rank: float) -> int:
    """Return the smallest length such that at least `rank` rationales are no longer."""
    num_seen = 0
    for length in sorted(lengths):
        num_seen += lengths[length]
        if num_seen >= rank:
            return length
    raise ValueError(f"rank {rank} is above the number of rationales, {num_seen}")


def _draw_variants(figure: "Figure", entry: VariantsEntry) -> None:
    variants = entry.variants
    words = [variant.words for variant in variants]
    if entry.num_looked_at:
        axes = draw_variant_bars(
            figure,
            words=words,
            names_target=[variant.names_target for variant in variants],
            names_other=[variant.names_other for variant in variants],
        )
    else:
        axes = figure.subplots()
        _draw_word_bars(axes, words)
    labels = [plot_label(variant.name) for variant in variants]
    axes.set_yticks(range(len(variants)), labels, fontsize=8)
    axes.set_ylim(len(variants) - 0.4, -0.6)
    axes.set_title("What each variant keeps", loc="left", fontsize=10)

"""Pictures of a release's figures, PNG."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from cotbuild.builder.card.plots import (
    BLUE,
    GREY,
    ORANGE,
    lengths_and_leaks,
    png,
    shortened,
    whole_numbers,
)
from cotbuild.schemas.manifest import Manifest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TAIL = 0.99
"""Share of the rationales that the histogram shows in its own bins; the rest is one
last bar.
"""


def word_lengths(rationales: Iterable[str]) -> Counter[int]:
    """Count the rationales of each length in words, leaving out empty ones."""
    return Counter(len(text.split()) for text in rationales if text)


def pictures(manifest: Manifest, lengths: Mapping[int, int]) -> dict[str, bytes]:
    """Draw the plots of a build: PNG data by name.

    `verdicts` is always drawn, `lengths` if any rationale was kept, `variants` if there
    are any. `lengths` maps a number of words to the number of rationales that have it.
    The same input gives the same bytes under one version of matplotlib.
    """
    found = {
        "verdicts": png(
            1.0 + 0.42 * len(manifest.verdicts),
            lambda figure: _verdicts(figure, manifest),
        )
    }
    if lengths:
        found["lengths"] = png(
            3.2, lambda figure: _lengths(figure.add_subplot(), lengths)
        )
    if manifest.variants is not None:
        height = 1.4 + 0.26 * len(manifest.variants.variants)
        found["variants"] = png(height, lambda figure: _variants(figure, manifest))
    return found


def _verdicts(figure: "Figure", manifest: Manifest) -> None:
    axes, total = figure.add_subplot(), manifest.num_planned or 1
    names, counts = list(manifest.verdicts), list(manifest.verdicts.values())
    bars = axes.barh(names, counts, color=BLUE)
    axes.bar_label(
        bars,
        [f"{count:,} ({100 * count / total:.1f} %)" for count in counts],
        padding=4,
    )
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25 * max(counts, default=1) or 1)
    axes.set_xlabel(f"rationales, of {manifest.num_planned:,}")
    axes.set_title("Rationales by verdict", loc="left")
    whole_numbers(axes, "x")


def _lengths(axes: "Axes", lengths: Mapping[int, int]) -> None:
    edges, counts, beyond = histogram(lengths)
    width = edges[1] - edges[0]
    axes.bar(
        edges[:-1],
        counts,
        width=width,
        align="edge",
        color=BLUE,
        edgecolor="white",
        linewidth=0.5,
    )
    if beyond:
        axes.bar(
            [edges[-1] + width],
            [beyond],
            width=width,
            align="edge",
            color=GREY,
            edgecolor="white",
        )
        axes.annotate(
            f"{edges[-1]:,} words or more:\n{beyond:,}",
            (edges[-1] + 2 * width, beyond),
            xytext=(0, 18),
            textcoords="offset points",
            ha="right",
            color=GREY,
        )
    middle = _median(lengths)
    axes.axvline(middle, color=ORANGE, linewidth=2, label=f"median: {middle:,} words")
    axes.legend(frameon=False, loc="upper right")
    axes.set_xlabel(
        f"words of a rationale, in steps of {width}"
        if width > 1
        else "words of a rationale"
    )
    axes.set_ylabel("rationales")
    axes.set_title(f"Length of {sum(lengths.values()):,} kept rationales", loc="left")
    whole_numbers(axes, "y")


def histogram(lengths: Mapping[int, int]) -> tuple[list[int], list[int], int]:
    """Edges of equal whole bins from 0 that hold all but the longest hundredth, the
    count in each, and those beyond.
    """
    total, seen, last = sum(lengths.values()), 0, 0
    for length in sorted(lengths):
        seen, last = seen + lengths[length], length
        if seen >= _TAIL * total:
            break
    width = max(1, -(-(last + 1) // 40))
    edges = list(range(0, last + 1 + width, width))
    counts = [0] * (len(edges) - 1)
    beyond = 0
    for length, count in lengths.items():
        if length >= edges[-1]:
            beyond += count
        else:
            counts[length // width] += count
    return edges, counts, beyond


def _median(lengths: Mapping[int, int]) -> int:
    rank, seen = sum(lengths.values()) // 2, 0
    for length in sorted(lengths):
        seen += lengths[length]
        if seen > rank:
            return length
    raise AssertionError("no lengths")


def _variants(figure: "Figure", manifest: Manifest) -> None:
    assert manifest.variants is not None
    found = manifest.variants.variants
    axes = lengths_and_leaks(figure, found)
    axes.set_yticks(
        range(len(found)), [shortened(entry.name) for entry in found], fontsize=8
    )
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_title("What each variant leaves", loc="left", fontsize=10)

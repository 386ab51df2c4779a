"""Figures and texts in the columns of a terminal. Pure."""

from collections.abc import Iterator, Sequence

from cotbuild.builder.visible import escape_hidden
from cotbuild.schemas.evaluation import Estimate, Proportion

MISSING = "-"
"""Shown where there is no figure."""

MAX_NAME_CHARS = 24
"""A longer name, such as the text of a class, is cut."""


def format_percent(proportion: Proportion | None) -> str:
    """Return `41.2%`."""
    return MISSING if proportion is None else f"{proportion.share:.1%}"


def format_percent_interval(proportion: Proportion | None) -> str:
    """Return `36.3-46.1`, percent."""
    return MISSING if proportion is None else _format_ends(proportion)


def format_estimate(estimate: Estimate | None) -> str:
    """Return `41.2`, in hundredths."""
    return MISSING if estimate is None else f"{100 * estimate.value:.1f}"


def format_estimate_interval(estimate: Estimate | None) -> str:
    """Return `36.3-46.1`, in hundredths."""
    return MISSING if estimate is None else _format_ends(estimate)


def _format_ends(found: Proportion | Estimate) -> str:
    return f"{100 * found.low:.1f}-{100 * found.high:.1f}"


def format_name(text: str) -> str:
    """Return a text of a source on one line, without hidden characters, cut if long."""
    line = escape_hidden(" ".join(text[: 4 * MAX_NAME_CHARS].split()))
    if len(line) <= MAX_NAME_CHARS:
        return line
    return f"{line[: MAX_NAME_CHARS - 1]}…"


def align(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield the rows with the first column left-aligned and the others right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *values in rows:
        cells = [name.ljust(widths[0])]
        for value, width in zip(values, widths[1:], strict=True):
            cells.append(value.rjust(width))
        yield "  ".join(cells).rstrip()

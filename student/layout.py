"""The layout of a variant's completions, told by its rows, and completions put together
by it. Pure.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from cotbuild.schemas.errors import DataError
from cotbuild.schemas.training import Layout, PartName
from cotbuild.schemas.variant import TrainingRow

Span = tuple[int, int]


def label_spans(row: TrainingRow) -> list[Span]:
    """Where the completion says the label: once, or twice where it stands on both sides
    of the rationale.
    """
    if row.label_start is None or row.label_end is None:
        return []
    last = (row.label_start, row.label_end)
    start = len(row.completion) - len(row.completion.lstrip())
    first = (start, start + last[1] - last[0])
    before = row.rationale_start is not None and row.rationale_start < last[0]
    if (
        before
        and first[1] <= (row.rationale_start or 0)
        and row.completion[slice(*first)] == row.completion[slice(*last)]
    ):
        return [first, last]
    return [last]


def layout_of(rows: Iterable[TrainingRow]) -> Layout:
    """The layout that most rows have, of those that say a label; of rows that say none,
    theirs.

    Rows whose rationale is empty tell nothing of their order and count only where all
    are so. Raises DataError where there is no row.
    """
    found = Counter(_of_row(row) for row in rows)
    if not found:
        raise DataError("no rows. Expected at least one to tell a layout from.")
    with_label = {
        layout: count for layout, count in found.items() if "label" in layout[0]
    } or dict(found)
    # Most parts first: a row without a rationale looks like label_only.
    order, opening, joints = max(
        with_label, key=lambda layout: (len(layout[0]), with_label[layout])
    )
    return Layout(order=order, opening=opening, joints=joints)


def _of_row(row: TrainingRow) -> tuple[tuple[PartName, ...], str, tuple[str, ...]]:
    parts: list[tuple[Span, PartName]] = [(span, "label") for span in label_spans(row)]
    if row.rationale_start is not None and row.rationale_end is not None:
        parts.append(((row.rationale_start, row.rationale_end), "rationale"))
    parts.sort()
    spans = [span for span, _ in parts]
    joints = tuple(row.completion[one[1] : other[0]] for one, other in pairwise(spans))
    return (
        tuple(name for _, name in parts),
        row.completion[: spans[0][0]] if spans else "",
        joints,
    )


def option_completion(
    layout: Layout, option: str, rationale: str = ""
) -> tuple[str, Span]:
    """A completion up to behind the label, with `option` for it, and the label's span.

    Where the label comes first `rationale` is not used.
    """
    before = (
        layout.opening
        if layout.label_first
        else f"{layout.opening}{rationale}{layout.before_label}"
    )
    return f"{before}{option}{layout.behind_label}", (
        len(before),
        len(before) + len(option),
    )

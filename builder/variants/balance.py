"""Balance the selected rationales: equally many of each target, drawn by seed. Pure.

A student trained on mostly neutral texts learns to answer neutral. Memory is 12 bytes a
selected rationale.
"""

from array import array
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.record import short_repr

TARGET_COLUMNS = ("question_id", "sample_index", "kind", "target")
"""Columns of `rationales` that `draw_balanced` reads."""

NOT_BALANCED = "not_balanced"
"""Drop reason: its target has more rationales than the rarest one."""

_LABELLED = (QuestionKind.CHOICE, QuestionKind.YES_NO)
_NO_TARGET = -1


def draw_balanced(rows: Iterable[Mapping[str, Any]], seed: int) -> NDArray[np.bool_]:
    """Return which rationales are drawn, in order.

    As many of each target are drawn as the rarest one has; none without a target. The
    draw depends on the rationales' questions and sample indices, not on their texts.
    Raises ConfigError if a question is not answered with a choice, yes or no.
    """
    positions: dict[str, int] = {}
    label_N, rank_N = array("i"), array("Q")
    for row in rows:
        _check_kind(row)
        target = row["target"]
        if target is None:
            label_N.append(_NO_TARGET)
        else:
            label_N.append(positions.setdefault(target, len(positions)))
        rank_N.append(_rank(seed, row["question_id"], row["sample_index"]))
    labels = np.frombuffer(label_N, dtype=np.int32)
    ranks = np.frombuffer(rank_N, dtype=np.uint64)
    return _draw_lowest(labels, ranks, len(positions))


def _draw_lowest(
    label_N: NDArray[np.int32], rank_N: NDArray[np.uint64], num_labels: int
) -> NDArray[np.bool_]:
    """Return which rows have the lowest ranks of their label, equally many a label."""
    is_drawn_N = np.zeros(len(label_N), dtype=np.bool_)
    if not num_labels:
        return is_drawn_N
    counts = np.bincount(label_N[label_N != _NO_TARGET], minlength=num_labels)
    for label in range(num_labels):
        rows = np.flatnonzero(label_N == label)
        order = np.argsort(rank_N[rows], kind="stable")
        is_drawn_N[rows[order[: counts.min()]]] = True
    return is_drawn_N


def _check_kind(row: Mapping[str, Any]) -> None:
    if row["kind"] not in _LABELLED:
        raise ConfigError(
            f"balance target: question {short_repr(row['question_id'])} is of kind "
            f"{row['kind']}, which has no labels to balance. Leave balance out of "
            "--filter."
        )


def _rank(seed: int, question_id: str, sample_index: int) -> int:
    start = f"balance/{seed}/{sample_index}/{question_id}".encode()
    return int.from_bytes(sha256(start).digest()[:8], "big")

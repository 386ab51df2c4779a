"""Which rationales become rows: one outcome a rationale, in the order they come, in
flat memory.

In this order, each on what the one before left: verdict, flags, words, near-duplicates,
rationales a question, share of the questions. Neither draw looks at what the teacher
said, nor at how much is drawn, so more holds less: a share of 20 % every row of 10 %,
and two rationales a question the one of those questions that have two.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from hashlib import sha256
from itertools import groupby
from math import floor
from typing import Any, NamedTuple, Self

import numpy as np

from cotbuild.builder.variants.similar import NearDuplicates
from cotbuild.schemas.rationale import Flag, Verdict
from cotbuild.schemas.variant import Selection

CANDIDATE_COLUMNS = ("question_id", "sample_index", "verdict", "flags", "rationale")
"""Columns of `rationales` that `Candidate.from_row` reads."""


class Candidate(NamedTuple):
    """The fields of a rationale that selection depends on."""

    question_id: str
    sample_index: int
    verdict: Verdict | str
    flags: tuple[Flag | str, ...]
    rationale: str

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read a row of `rationales` that has `CANDIDATE_COLUMNS`."""
        return cls(
            row["question_id"],
            row["sample_index"],
            row["verdict"],
            tuple(row["flags"]),
            row["rationale"],
        )


class VariantDropReason(StrEnum):
    """Why a rationale is no row of a set."""

    VERDICT = "verdict"  # not one of those asked for
    FLAG = "flag"  # has one that leaves it out, or not one that it must have
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    NEAR_DUPLICATE = (
        "near_duplicate"  # of one that came earlier and was kept up to here
    )
    TOO_FEW = "too_few"  # its question has fewer rationales left than are drawn
    NOT_DRAWN = "not_drawn"  # others of its question are
    QUESTION_NOT_DRAWN = "question_not_drawn"  # others are


def select(
    rows: Iterable[Candidate], selection: Selection, seed: int, limit: int
) -> Iterator[VariantDropReason | None]:
    """One outcome a row, in order; None: kept. A `Counter` of them adds up to the rows.

    `limit` is `share_limit` of all the build's questions. A question's rows must come
    together. Memory is that of one question's rows, and with near_duplicates what
    `NearDuplicates` says. Raises ConfigError where that needs a package that is not installed.
    """
    similar = (
        NearDuplicates(selection.near_duplicates)
        if selection.near_duplicates is not None
        else None
    )
    for question_id, group in groupby(rows, key=lambda row: row.question_id):
        drawn = _rank(seed, "share", question_id) <= limit
        outcomes = [(row, _own_reason(row, selection, similar)) for row in group]
        left = [row for row, reason in outcomes if reason is None]
        kept = _draw(left, selection.per_question, seed)
        for row, reason in outcomes:
            if reason is None and row.sample_index not in kept:
                reason = (
                    VariantDropReason.NOT_DRAWN if kept else VariantDropReason.TOO_FEW
                )
            yield reason if reason or drawn else VariantDropReason.QUESTION_NOT_DRAWN


def share_limit(question_ids: Iterable[str], share: float, seed: int) -> int:
    """The highest rank that a question of this `share` has; 8 bytes a question.

    So many questions as `share` is of the different ids, rounded half up, at least one
    where there is any; their order says nothing. (Two ids of one rank could both get
    in: once in 10^7 builds of a million questions.)
    """
    if share >= 1:
        return _HIGHEST
    ranks = np.unique(
        np.fromiter(
            (_rank(seed, "share", name) for name in question_ids), dtype=np.uint64
        )
    )
    count = max(1, floor(share * len(ranks) + 0.5))
    return int(ranks[count - 1]) if len(ranks) else _HIGHEST


_HIGHEST = 2**64 - 1


def _own_reason(
    row: Candidate, selection: Selection, similar: NearDuplicates | None
) -> VariantDropReason | None:
    """What is wrong with a row whatever else its question has."""
    if row.verdict not in selection.verdicts:
        return VariantDropReason.VERDICT
    if any(flag in selection.without for flag in row.flags) or not set(
        selection.having
    ) <= set(row.flags):
        return VariantDropReason.FLAG
    words = row.rationale.split()
    if len(words) < selection.min_words:
        return VariantDropReason.TOO_SHORT
    if selection.max_words is not None and len(words) > selection.max_words:
        return VariantDropReason.TOO_LONG
    return (
        VariantDropReason.NEAR_DUPLICATE
        if similar is not None and similar.to_earlier(words)
        else None
    )


def _draw(rows: list[Candidate], count: int | None, seed: int) -> set[int]:
    """The sample_index of `count` rows; none where there are fewer."""
    if count is None:
        return {row.sample_index for row in rows}
    if len(rows) < count:
        return set()
    ranked = sorted(
        rows, key=lambda row: _rank(seed, "sample", row.question_id, row.sample_index)
    )
    return {row.sample_index for row in ranked[:count]}


def _rank(seed: int, what: str, question_id: str, sample_index: int = 0) -> int:
    start = f"{what}/{seed}/{sample_index}/{question_id}".encode()
    return int.from_bytes(sha256(start).digest()[:8], "big")

"""Select the rationales that become rows: one outcome a rationale, in their order.

The criteria apply in this order, each to what the previous ones left: verdict, scores,
flags, number of words, near-duplicates, rationales a question, share of the questions. Neither
draw depends on the teacher's answers or on how much is drawn. So a larger selection
contains a smaller one: a share of 20 % has every row of 10 %, and two rationales a
question include the one drawn of the same questions.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b, sha256
from itertools import groupby
from math import floor
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from cotbuild.builder.packages import missing_package
from cotbuild.schemas.answers.reflection import evaluation_agrees
from cotbuild.schemas.rationale import Flag, Verdict
from cotbuild.schemas.variant import Selection

CANDIDATE_COLUMNS = ("question_id", "sample_index", "verdict", "flags", "rationale")
"""Columns of `rationales` that `Candidate.from_row` needs."""


def candidate_columns(selection: Selection) -> tuple[str, ...]:
    """Return the columns that a selection depends on.

    Those that older builds lack are read only if it does.
    """
    columns: tuple[str, ...] = CANDIDATE_COLUMNS
    if selection.selects_evaluations:
        columns = (*columns, "attempt_verdict", "evaluation")
    if selection.min_scores:
        columns = (*columns, "scores")
    return columns


class Candidate(NamedTuple):
    """The fields of a rationale that selection depends on."""

    question_id: str
    sample_index: int
    verdict: Verdict | str
    flags: tuple[Flag | str, ...]
    rationale: str
    attempt_verdict: Verdict | str | None = None
    evaluation: str | None = None
    scores: Mapping[str, float] = MappingProxyType({})
    """Scores of an answer in prose, by metric."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read a row of `rationales` that has `candidate_columns`."""
        return cls(
            row["question_id"],
            row["sample_index"],
            row["verdict"],
            tuple(row["flags"]),
            row["rationale"],
            row.get("attempt_verdict"),
            row.get("evaluation"),
            {score["metric"]: score["value"] for score in row.get("scores", ())},
        )


class VariantDropReason(StrEnum):
    """Why a rationale is not selected."""

    VERDICT = "verdict"  # not one of the selected verdicts
    EVALUATION = "evaluation"  # not one of the selected evaluations of attempts
    LOW_SCORE = "low_score"  # prose with a lower score than wanted, or without one
    FLAG = "flag"  # has an excluded flag, or lacks a required one
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    NEAR_DUPLICATE = (
        "near_duplicate"  # of an earlier one that passed the criteria above
    )
    TOO_FEW = "too_few"  # its question has fewer rationales left than are drawn
    NOT_DRAWN = "not_drawn"  # other rationales of its question are drawn
    QUESTION_NOT_DRAWN = "question_not_drawn"  # other questions are drawn


def select(
    rows: Iterable[Candidate], selection: Selection, seed: int, limit: int
) -> Iterator[VariantDropReason | None]:
    """Yield why each row is dropped, in order; None for a selected row.

    The rows of a question must be adjacent. `limit` is `share_limit` of all questions of
    the build. Memory is that of one question's rows, and of `NearDuplicates` if the
    selection has near_duplicates. Raises ConfigError if that lacks its package.
    """
    similar = None
    if selection.near_duplicates is not None:
        similar = NearDuplicates(selection.near_duplicates)
    for question_id, group in groupby(rows, key=lambda row: row.question_id):
        is_drawn = _rank(seed, "share", question_id) <= limit
        reasons = [(row, _reason_to_drop(row, selection, similar)) for row in group]
        left = [row for row, reason in reasons if reason is None]
        selected = _draw(left, selection.per_question, seed)
        for row, reason in reasons:
            if reason is not None:
                yield reason
            elif row.sample_index not in selected:
                has_others = len(selected) > 0
                yield (
                    VariantDropReason.NOT_DRAWN
                    if has_others
                    else VariantDropReason.TOO_FEW
                )
            else:
                yield None if is_drawn else VariantDropReason.QUESTION_NOT_DRAWN


def share_limit(question_ids: Iterable[str], share: float, seed: int) -> int:
    """Return the highest rank of the drawn questions, whatever order the ids are in.

    `share` of the different ids is drawn, rounded half up, at least one if there is
    any. Memory is 8 bytes an id. Two ids with the same rank could both be drawn: once in
    10^7 builds of a million questions.
    """
    if share >= 1:
        return _HIGHEST_RANK
    all_ranks = (_rank(seed, "share", name) for name in question_ids)
    ranks = np.unique(np.fromiter(all_ranks, dtype=np.uint64))
    if not len(ranks):
        return _HIGHEST_RANK
    count = max(1, floor(share * len(ranks) + 0.5))
    return int(ranks[count - 1])


_HIGHEST_RANK = 2**64 - 1


def _reason_to_drop(
    row: Candidate, selection: Selection, similar: "NearDuplicates | None"
) -> VariantDropReason | None:
    """Apply the criteria that do not depend on other rows of the question."""
    if row.verdict not in selection.kept_verdicts:
        return VariantDropReason.VERDICT
    if not _is_evaluated_as(row, selection):
        return VariantDropReason.EVALUATION
    if row.verdict == Verdict.SCORED and not _has_scores(row, selection):
        return VariantDropReason.LOW_SCORE
    is_excluded = any(flag in selection.without for flag in row.flags)
    if is_excluded or not set(selection.having) <= set(row.flags):
        return VariantDropReason.FLAG
    words = row.rationale.split()
    if len(words) < selection.min_words:
        return VariantDropReason.TOO_SHORT
    if selection.max_words is not None and len(words) > selection.max_words:
        return VariantDropReason.TOO_LONG
    if similar is not None and similar.check_and_add(words):
        return VariantDropReason.NEAR_DUPLICATE
    return None


def _is_evaluated_as(row: Candidate, selection: Selection) -> bool:
    """Whether the evaluation of an attempt is one that the selection keeps."""
    if selection.attempt and row.attempt_verdict not in selection.attempt:
        return False
    if selection.evaluation and row.evaluation not in selection.evaluation:
        return False
    if selection.agrees is None:
        return True
    return evaluation_agrees(row.attempt_verdict, row.evaluation) is selection.agrees


def _has_scores(row: Candidate, selection: Selection) -> bool:
    """Whether an answer in prose has every score that is wanted."""
    return all(
        metric in row.scores and row.scores[metric] >= limit
        for metric, limit in selection.min_scores.items()
    )


def _draw(rows: list[Candidate], count: int | None, seed: int) -> set[int]:
    """Draw `count` rows and return their sample_index; none if there are fewer rows."""
    if count is None:
        return {row.sample_index for row in rows}
    if len(rows) < count:
        return set()
    ranked = sorted(
        rows, key=lambda row: _rank(seed, "sample", row.question_id, row.sample_index)
    )
    return {row.sample_index for row in ranked[:count]}


def _rank(seed: int, purpose: str, question_id: str, sample_index: int = 0) -> int:
    start = f"{purpose}/{seed}/{sample_index}/{question_id}".encode()
    return int.from_bytes(sha256(start).digest()[:8], "big")


# --- near-duplicates ---

GRAM = 3
"""Words of a gram; a shorter text is one gram."""
NUM_PERMUTATIONS = 128
MAX_MISSED = 0.05
"""Largest fraction of the pairs exactly at the threshold that may be missed; far fewer
of more similar pairs are.
"""
_MINHASH_SEED = 1


class NearDuplicates:
    """The texts added so far, to find near-duplicates among.

    Similarity is the Jaccard similarity of the sets of case-folded word 3-grams.
    MinHash LSH (datasketch) finds candidates, which are compared exactly: no pair below
    the threshold is reported, and MAX_MISSED bounds the pairs that are missed. Measured
    at 0.8: 7 KB a text, and 0.2 to 0.4 ms unless many texts share a template, which
    makes many candidates.
    """

    def __init__(self, threshold: float) -> None:
        """Raises ConfigError if datasketch is not installed."""
        try:
            from datasketch import MinHash, MinHashLSH
        except ImportError as exc:
            raise missing_package(
                f"near_duplicates {threshold} needs",
                "datasketch",
                "dedup",
                "Leave near_duplicates out",
            ) from exc
        self._threshold = threshold
        self._empty = MinHash(
            NUM_PERMUTATIONS,
            seed=_MINHASH_SEED,
            scheme="affine32",
            hashfunc=_identity,  # the grams are hashed already
        )
        self._index = MinHashLSH(
            num_perm=NUM_PERMUTATIONS, params=choose_bands(threshold)
        )
        self._grams: list[npt.NDArray[np.uint32]] = []

    def check_and_add(self, words: Sequence[str]) -> bool:
        """Return whether the text is a near-duplicate of one added before; add it if
        not.
        """
        hashes = _gram_hashes(words)
        sketch = self._empty.copy()
        sketch.update_batch(hashes)
        grams = set(hashes.tolist())
        for number in self._index.query(sketch):
            if _jaccard(grams, self._grams[number]) >= self._threshold:
                return True
        self._index.insert(len(self._grams), sketch, check_duplication=False)
        self._grams.append(hashes)
        return False


def choose_bands(threshold: float) -> tuple[int, int]:
    """Return the number of LSH bands and of hash values in each.

    They make the fewest candidates that miss at most MAX_MISSED of the pairs at the
    threshold.
    """
    best = 1
    for size in range(2, NUM_PERMUTATIONS // 2 + 1):  # datasketch needs two bands
        num_bands = NUM_PERMUTATIONS // size
        if (1 - threshold**size) ** num_bands <= MAX_MISSED:
            best = size
    return NUM_PERMUTATIONS // best, best


def _gram_hashes(words: Sequence[str]) -> npt.NDArray[np.uint32]:
    folded = [word.casefold() for word in words]
    num_grams = max(1, len(folded) - GRAM + 1)
    grams = {" ".join(folded[i : i + GRAM]) for i in range(num_grams)}
    hashes = b"".join(
        blake2b(gram.encode(errors="surrogatepass"), digest_size=4).digest()
        for gram in grams
    )
    return np.unique(np.frombuffer(hashes, dtype="<u4"))


def _jaccard(grams: set[int], others: npt.NDArray[np.uint32]) -> float:
    shared = len(grams.intersection(others.tolist()))
    return shared / (len(grams) + len(others) - shared)


def _identity(number: int) -> int:
    return number

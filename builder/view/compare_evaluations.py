"""Two evaluations compared: which questions a student got right that another did not."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from cotbuild.builder.evaluation.results import read_evaluation
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.evaluation import (
    ResultsTable,
    StudentResult,
    open_results,
    read_results_where,
)
from cotbuild.schemas.evaluation import Evaluation

if TYPE_CHECKING:
    from cotbuild.schemas.study.results import CheckpointComparison

PAGE_ROWS = 25
MAX_TESTED = 10_000_000
"""Questions up to which the test is made."""


class Change(StrEnum):
    """What became of a question between two evaluations."""

    FIXED = "fixed"  # wrong in the first, right in the second
    BROKEN = "broken"  # right in the first, wrong in the second
    OTHER_WRONG = "other_wrong"  # wrong in both, with different answers
    SAME_WRONG = "same_wrong"  # wrong in both, with the same answer
    BOTH_RIGHT = "both_right"
    UNGRADED = "ungraded"  # not graded in one of them


_ANSWERS_DIFFER = (
    "coalesce(a.choice, a.answer) IS DISTINCT FROM coalesce(b.choice, b.answer)"
)
_CONDITIONS = {
    Change.FIXED: "NOT a.correct AND b.correct",
    Change.BROKEN: "a.correct AND NOT b.correct",
    Change.OTHER_WRONG: f"NOT a.correct AND NOT b.correct AND {_ANSWERS_DIFFER}",
    Change.SAME_WRONG: f"NOT a.correct AND NOT b.correct AND NOT ({_ANSWERS_DIFFER})",
    Change.BOTH_RIGHT: "a.correct AND b.correct",
    Change.UNGRADED: "a.correct IS NULL OR b.correct IS NULL",
}
_JOIN = (
    "(SELECT file_row_number, question_id, target, correct, choice, answer FROM "
    "read_parquet(?)) AS a {kind} JOIN "
    "(SELECT file_row_number, question_id, target, correct, choice, answer FROM "
    "read_parquet(?)) AS b "
    "ON a.question_id = b.question_id AND a.target IS NOT DISTINCT FROM b.target"
)


@dataclass(frozen=True)
class ResultPair:
    """A question that both students answered."""

    first: StudentResult
    second: StudentResult


@dataclass(frozen=True)
class EvaluationComparison:
    """Two evaluations, and a page of the questions that both have."""

    first: Evaluation
    second: Evaluation
    counts: dict[Change, int]
    num_only_first: int
    """Questions of the first evaluation alone; with another target also."""
    num_only_second: int
    test: "CheckpointComparison | None"
    """McNemar's exact test of the two students; None unless two questions are graded in
    both.
    """
    pairs: tuple[ResultPair, ...]
    next: int | None

    @property
    def is_same_questions(self) -> bool:
        """Whether both evaluated the same questions and rows."""
        return self.first.evaluated.rows == self.second.evaluated.rows


def compare_evaluations(
    database: Database,
    first: Path,
    second: Path,
    *,
    change: Change = Change.FIXED,
    after: int = -1,
    limit: int = PAGE_ROWS,
) -> EvaluationComparison:
    """Compare the evaluations in two folders, and list questions of one change.

    `after` is the position of the last one of the page before, in the first evaluation.
    Raises DataError, QueryStopped.
    """
    records = read_evaluation(first), read_evaluation(second)
    tables = open_results(first), open_results(second)
    counts, only_first, only_second = _count_changes(database, *tables)
    places = _find_pairs(database, *tables, change, after, limit + 1)
    pairs = tuple(_read_pairs(database, *tables, places[:limit]))
    return EvaluationComparison(
        first=records[0],
        second=records[1],
        counts=counts,
        num_only_first=only_first,
        num_only_second=only_second,
        test=_test(counts),
        pairs=pairs,
        next=places[limit - 1][0] if len(places) > limit else None,
    )


def _count_changes(
    database: Database, first: ResultsTable, second: ResultsTable
) -> tuple[dict[Change, int], int, int]:
    """Return the counts of changes, and of questions that only one evaluation has."""
    both = "a.question_id IS NOT NULL AND b.question_id IS NOT NULL"
    columns = [f"count_if({both} AND ({sql}))" for sql in _CONDITIONS.values()]
    columns += ["count_if(b.question_id IS NULL)", "count_if(a.question_id IS NULL)"]
    [row] = database.query(
        f"SELECT {', '.join(columns)} FROM {_JOIN.format(kind='FULL OUTER')}",
        [first.paths, second.paths],
    )
    *counts, only_first, only_second = row
    return dict(zip(_CONDITIONS, counts, strict=True)), only_first, only_second


def _find_pairs(
    database: Database,
    first: ResultsTable,
    second: ResultsTable,
    change: Change,
    after: int,
    limit: int,
) -> list[tuple[int, int]]:
    """Return the rows in both files of the questions with a change."""
    rows = database.query(
        f"SELECT a.file_row_number, b.file_row_number FROM {_JOIN.format(kind='INNER')} "
        f"WHERE ({_CONDITIONS[change]}) AND a.file_row_number > ? "
        f"ORDER BY a.file_row_number LIMIT {limit}",
        [first.paths, second.paths, after],
    )
    return [(one, other) for one, other in rows]


def _read_pairs(
    database: Database,
    first: ResultsTable,
    second: ResultsTable,
    places: list[tuple[int, int]],
) -> Iterator[ResultPair]:
    firsts = _read_at(database, first, [one for one, _ in places])
    seconds = _read_at(database, second, [other for _, other in places])
    for one, other in places:
        yield ResultPair(firsts[one], seconds[other])


def _read_at(
    database: Database, table: ResultsTable, positions: list[int]
) -> dict[int, StudentResult]:
    if not positions:
        return {}
    where = f"file_row_number IN ({', '.join('?' * len(positions))})"
    found = read_results_where(database, table, where, positions, len(positions))
    return {one.position: one for one in found}


def _test(counts: dict[Change, int]) -> "CheckpointComparison | None":
    """Return McNemar's exact test, from the counts of the questions graded in both."""
    both_wrong = counts[Change.OTHER_WRONG] + counts[Change.SAME_WRONG]
    graded = {
        (1, 0): counts[Change.BROKEN],
        (0, 1): counts[Change.FIXED],
        (0, 0): both_wrong,
        (1, 1): counts[Change.BOTH_RIGHT],
    }
    total = sum(graded.values())
    if not 1 < total <= MAX_TESTED:
        return None
    # Imported here: SciPy takes a second, which other pages need not wait for.
    import numpy as np

    from cotbuild.builder.study.statistics import compare_checkpoints

    outcomes = np.repeat(np.array(list(graded)), list(graded.values()), axis=0)
    return compare_checkpoints(outcomes[:, 0], outcomes[:, 1])

"""The evaluation of a student: its metrics, and its results question by question."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from cotbuild.builder.evaluation.results import read_evaluation
from cotbuild.builder.storage.columns import check_columns
from cotbuild.builder.storage.parquet_rows import read_schema
from cotbuild.builder.view.database import Database, escape_glob
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.evaluation import STUDENT, Evaluation, QuestionResult

PAGE_ROWS = 25


class Outcome(StrEnum):
    """How a question was answered, by the primary metric."""

    RIGHT = "right"
    WRONG = "wrong"
    UNANSWERED = "unanswered"  # the free answer states no single answer
    UNGRADED = "ungraded"  # no published target, or prose


_CONDITIONS = {
    None: "TRUE",
    Outcome.RIGHT: "correct",
    Outcome.WRONG: "NOT correct",
    Outcome.UNANSWERED: "answer IS NULL",
    Outcome.UNGRADED: "correct IS NULL",
}


@dataclass(frozen=True)
class StudentResult:
    """A question with what the student answered."""

    position: int
    result: QuestionResult

    @property
    def outcome(self) -> Outcome:
        """Whether the answer is right by the primary metric."""
        if self.result.correct is None:
            return Outcome.UNGRADED
        return Outcome.RIGHT if self.result.correct else Outcome.WRONG


@dataclass(frozen=True)
class EvaluationView:
    """An evaluation with some of its results."""

    evaluation: Evaluation
    counts: dict[Outcome, int]
    """Questions by outcome; unanswered ones are wrong ones too."""
    results: tuple[StudentResult, ...]
    next: int | None
    """`after` of the next page; None if there is none."""


class ResultsTable(NamedTuple):
    """A student's file of results."""

    path: Path
    columns: tuple[str, ...]

    @property
    def paths(self) -> list[str]:
        """The file, as DuckDB reads it."""
        return [escape_glob(self.path)]


def open_results(folder: Path) -> ResultsTable:
    """Open the student's results in the folder of an evaluation.

    Raises DataError if the file does not have the columns of results.
    """
    path = folder / f"{STUDENT}.parquet"
    if path.is_symlink():
        raise DataError(f"{path}: not a regular file. Replace it by the file.")
    check_columns(path, QuestionResult)
    return ResultsTable(path, tuple(read_schema(path, str(path)).names))


def view_evaluation(
    database: Database,
    folder: Path,
    *,
    outcome: Outcome | None = None,
    after: int = -1,
    limit: int = PAGE_ROWS,
) -> EvaluationView:
    """Read an evaluation and results of an outcome, after a position.

    Raises DataError, QueryStopped.
    """
    evaluation = read_evaluation(folder)
    table = open_results(folder)
    found = read_results_where(
        database,
        table,
        f"{_CONDITIONS[outcome]} AND file_row_number > ?",
        [after],
        limit + 1,
    )
    return EvaluationView(
        evaluation=evaluation,
        counts=_count_outcomes(database, table),
        results=tuple(found[:limit]),
        next=found[limit - 1].position if len(found) > limit else None,
    )


def _count_outcomes(database: Database, table: ResultsTable) -> dict[Outcome, int]:
    names = [outcome for outcome in _CONDITIONS if outcome is not None]
    select = ", ".join(f"count_if({_CONDITIONS[name]})" for name in names)
    [counts] = database.query(f"SELECT {select} FROM read_parquet(?)", [table.paths])
    return dict(zip(names, counts, strict=True))


def read_results_where(
    database: Database,
    table: ResultsTable,
    where: str,
    values: Sequence[Any],
    limit: int,
) -> list[StudentResult]:
    """Return the results that meet a condition, in order."""
    columns = ", ".join(f'"{name}"' for name in table.columns)
    rows = database.query(
        f"SELECT file_row_number, {columns} FROM read_parquet(?) WHERE {where} "
        f"ORDER BY file_row_number LIMIT {limit}",
        [table.paths, *values],
    )
    return [
        StudentResult(
            position,
            QuestionResult.parse(
                dict(zip(table.columns, cells, strict=True)),
                f"{table.path} row {position}",
            ),
        )
        for position, *cells in rows
    ]

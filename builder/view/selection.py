"""Which rows of a table meet a filter.

Tests of short values are made in memory. A text, a tag or an id is searched for in the
files, piece by piece: when the time is over it is known which rows were searched, and
the next request with the same filter goes on from there.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cotbuild.builder.view.database import Database
from cotbuild.builder.view.deadline import Deadline
from cotbuild.builder.view.faults import QueryStopped
from cotbuild.builder.view.row_filter import RowFilter, SqlTest, make_conditions
from cotbuild.builder.view.short_columns import Mask, meets, read_short_column
from cotbuild.builder.view.tables import RowTable, TableFile

FIRST_PIECE, LARGEST_PIECE = 10_000, 100_000
"""Rows that are searched together: few at first, since nothing is known of their size."""


@dataclass(frozen=True)
class Selection:
    """The rows that meet a filter, among those that were searched."""

    table: RowTable
    mask: Mask | None
    """For each row that was searched, whether it meets the filter; None: all do."""
    num_searched: int
    """Rows that were searched, from the first."""
    stopped: str | None = None
    """What was searched until the time was over; None if everything was."""

    @property
    def num_matches(self) -> int:
        """The number of rows found."""
        if self.mask is None:
            return self.num_searched
        return int(np.count_nonzero(self.mask))

    @property
    def total(self) -> int | None:
        """The number of rows that meet the filter; None if not all were searched."""
        return self.num_matches if self.stopped is None else None

    def positions(self) -> NDArray[np.int64]:
        """Return the positions of the rows, in order."""
        if self.mask is None:
            return np.arange(self.num_searched)
        return np.flatnonzero(self.mask)


def select_rows(
    database: Database,
    table: RowTable,
    row_filter: RowFilter,
    deadline: Deadline | None = None,
) -> Selection:
    """Find the rows that meet a filter, within the time of the database.

    Raises ConfigError if the filter does not fit the config, DataError if a file cannot
    be read.
    """
    conditions = make_conditions(row_filter, table)
    deadline = deadline or Deadline(database.seconds)
    mask: Mask | None = None
    num_searched = table.num_rows
    try:
        for test in conditions.short:
            column = read_short_column(database, table, test.column, deadline)
            met = meets(column, test)
            mask = met if mask is None else mask & met
    except QueryStopped as stopped:
        nothing = np.zeros(0, np.bool_)
        line = f"{stopped}: the rows are still being read; load the page again"
        return Selection(table, nothing, 0, line)
    stopped_by: QueryStopped | None = None
    for sql_test in conditions.sql:
        search = _search_of(database, table, sql_test)
        stopped_by = search.go_on(database, deadline) or stopped_by
        met = search.mask()
        num_searched = min(num_searched, len(met))
        mask = met if mask is None else mask[:num_searched] & met[:num_searched]
    if stopped_by is None:
        return Selection(table, mask, num_searched)
    found = 0 if mask is None else int(np.count_nonzero(mask[:num_searched]))
    line = f"{stopped_by}: {found:,} matched in the first {num_searched:,} rows"
    return Selection(table, mask, num_searched, line)


# -- searching files -----------------------------------------------------------------------


class _Piece(NamedTuple):
    """Rows of one file that are searched together."""

    file: TableFile
    low: int
    """Number of the first row in the file."""
    high: int
    """Number after the last row."""


@dataclass
class _Search:
    """The rows that meet a condition on the files, as far as they were searched."""

    table: RowTable
    test: SqlTest
    parts: list[Mask] = field(default_factory=list)
    num_searched: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def go_on(self, database: Database, deadline: Deadline) -> QueryStopped | None:
        """Search on until the end; returns why it was stopped, None at the end."""
        try:
            # Of two requests with the same filter, one searches and the other waits.
            if not self.lock.acquire(timeout=deadline.left()):
                return QueryStopped(deadline.seconds)
        except QueryStopped as stopped:
            return stopped
        try:
            for piece in _pieces(self.table, self.num_searched):
                self._search(database, piece, deadline)
        except QueryStopped as stopped:
            return stopped
        finally:
            self.lock.release()
        return None

    def _search(self, database: Database, piece: _Piece, deadline: Deadline) -> None:
        found = self.table.query_arrays(
            database,
            "file_row_number AS number",
            f"file_row_number >= ? AND file_row_number < ? AND ({self.test.sql})",
            [piece.low, piece.high, *self.test.values],
            file=piece.file,
            seconds=deadline.left(),
        )
        mask = np.zeros(piece.high - piece.low, np.bool_)
        mask[found["number"] - piece.low] = True
        self.parts.append(mask)
        self.num_searched += len(mask)

    def mask(self) -> Mask:
        """Return which of the rows searched meet the condition."""
        parts = list(self.parts)
        return np.concatenate(parts) if parts else np.zeros(0, np.bool_)


def _search_of(database: Database, table: RowTable, test: SqlTest) -> _Search:
    """Return the search for a condition, begun by an earlier request or new."""
    key = ("search", table.identity, table.model, test)
    search: _Search = database.searches.find(key, lambda: _Search(table, test))
    return search


def _pieces(table: RowTable, start: int) -> Iterator[_Piece]:
    """Yield the rows to search from a position on."""
    size = FIRST_PIECE
    for file in table.files:
        low = max(0, start - file.first)
        while low < file.num_rows:
            high = min(file.num_rows, low + size)
            yield _Piece(file, low, high)
            low, size = high, min(2 * size, LARGEST_PIECE)

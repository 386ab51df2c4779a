"""The questions before and after one, among the rows that match a filter."""

from typing import NamedTuple

import numpy as np

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.deadline import Deadline
from cotbuild.builder.view.question_rows import (
    id_column,
    read_question_rows,
    read_rows_from,
)
from cotbuild.builder.view.row_filter import RowFilter
from cotbuild.builder.view.selection import select_rows
from cotbuild.builder.view.tables import RowTable, open_table

SECONDS = 0.5
"""Longest time of the search: what was not found by then has no link."""


class Neighbour(NamedTuple):
    """A question, and the position of its row that was found."""

    question_id: str
    position: int


class Neighbours(NamedTuple):
    """The questions around one; None where there is none, or it was not found in time."""

    previous: Neighbour | None
    next: Neighbour | None


def find_neighbours(
    database: Database,
    build: StoredBuild,
    row_filter: RowFilter,
    question_id: str,
    near: int | None = None,
) -> Neighbours:
    """Find the questions with matching rows before and after those of a question.

    `near` is about where its rows are. Raises ConfigError if the filter does not fit
    the build, DataError.
    """
    table = open_table(build, row_filter.config, row_filter.split)
    # The id alone: a row with all its texts takes ten times as long.
    rows = read_question_rows(database, table, [question_id], near, columns=())
    if not rows:
        return Neighbours(None, None)
    first, last = rows[0].position, rows[-1].position
    if not row_filter.has_conditions:
        return Neighbours(
            _read_neighbour(database, table, first - 1),
            _read_neighbour(database, table, last + 1),
        )
    positions = select_rows(database, table, row_filter, Deadline(SECONDS)).positions()
    before = int(np.searchsorted(positions, first)) - 1
    after = int(np.searchsorted(positions, last, side="right"))
    return Neighbours(
        _read_neighbour(database, table, int(positions[before]))
        if before >= 0
        else None,
        _read_neighbour(database, table, int(positions[after]))
        if after < len(positions)
        else None,
    )


def _read_neighbour(
    database: Database, table: RowTable, position: int
) -> Neighbour | None:
    """Return the question of the row at a position; None beyond the ends."""
    if not 0 <= position < table.num_rows:
        return None
    [found] = read_rows_from(database, table, position, 1, columns=())
    return Neighbour(found.values[id_column(table)], position)

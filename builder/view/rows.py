"""A page of rows that match a filter.

The position of the last row of a page finds the next one, so that page 20,000 costs what
the first does.
"""

import re
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.row_filter import RowFilter
from cotbuild.builder.view.selection import Selection, select_rows
from cotbuild.builder.view.shown_rows import ShownRow, read_rows_at
from cotbuild.builder.view.tables import RowTable, open_table
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.fingerprint import digest_text
from cotbuild.schemas.record import Record, short_repr

PAGE_ROWS = 25
"""Rows of a page where no number is given."""
MAX_PAGE_ROWS = 100

_CURSOR = re.compile(r"([0-9a-f]{12})-(after|before)-([0-9]{1,15})")


class RowPage(Record):
    """Some rows that match a filter, in order."""

    rows: tuple[ShownRow, ...] = Field(description="The rows.")
    total: int | None = Field(
        description="Rows that match in all; None if they were not all counted."
    )
    num_rows: int = Field(ge=0, description="Rows of the config and split.")
    next: str | None = Field(
        description="`after` of the next page; None if no more rows match."
    )
    previous: str | None = Field(
        description="`after` of the previous page; None if this is the first one."
    )
    stopped: str | None = Field(
        default=None,
        description="What was searched before the time was over; None if everything was.",
    )


def read_page(
    database: Database,
    build: StoredBuild,
    row_filter: RowFilter,
    after: str | None = None,
    limit: int = PAGE_ROWS,
) -> RowPage:
    """Return up to `limit` rows that match, from where `after` of another page says.

    Raises ConfigError if the filter does not fit the config, `after` is not of such a
    page or `limit` is over MAX_PAGE_ROWS; DataError if a file cannot be read, or the
    rows were replaced since that page.
    """
    if not 1 <= limit <= MAX_PAGE_ROWS:
        raise ConfigError(
            f"parameter limit: {short_repr(limit)} is not from 1 to {MAX_PAGE_ROWS}."
        )
    table = open_table(build, row_filter.config, row_filter.split)
    start = _parse_cursor(after, table) if after else _FROM_THE_FIRST
    selection = select_rows(database, table, row_filter)
    page = _choose_page(selection, start, limit)
    return RowPage(
        rows=tuple(read_rows_at(database, table, page.positions)),
        total=selection.total,
        num_rows=table.num_rows,
        next=_cursor(table, "after", page.positions[-1]) if page.has_next else None,
        previous=_cursor(table, "before", page.first) if page.has_previous else None,
        stopped=selection.stopped,
    )


# -- which rows ----------------------------------------------------------------------------

Direction = Literal["after", "before"]


class _Start(NamedTuple):
    """Where a page begins: the first rows after a position, or the last ones before it."""

    direction: Direction
    position: int


_FROM_THE_FIRST = _Start("after", -1)


class _Page(NamedTuple):
    """The positions of the rows of a page, and what is around it."""

    positions: list[int]
    first: int
    """Position of its first row; where it would be if there is none."""
    has_previous: bool
    has_next: bool


def _choose_page(selection: Selection, start: _Start, limit: int) -> _Page:
    if selection.mask is None:
        return _page_of_all(selection.num_searched, start, limit)
    positions = selection.positions()
    if start.direction == "after":
        low = int(np.searchsorted(positions, start.position, side="right"))
        high = min(len(positions), low + limit)
    else:
        high = int(np.searchsorted(positions, start.position, side="left"))
        low = max(0, high - limit)
    chosen = positions[low:high].tolist()
    first = chosen[0] if chosen else start.position + 1
    return _Page(chosen, first, low > 0, 0 < high < len(positions))


def _page_of_all(num_rows: int, start: _Start, limit: int) -> _Page:
    """Choose a page of rows that all match, however many there are."""
    if start.direction == "after":
        low = min(num_rows, start.position + 1)
        high = min(num_rows, low + limit)
    else:
        high = min(num_rows, start.position)
        low = max(0, high - limit)
    return _Page(list(range(low, high)), low, low > 0, high < num_rows)


# -- cursors -------------------------------------------------------------------------------


def _parse_cursor(after: str, table: RowTable) -> _Start:
    match = _CURSOR.fullmatch(after)
    if match is None:
        raise ConfigError(
            f"parameter after: {short_repr(after)} is not one that a page had. Start at "
            "the first page."
        )
    if match[1] != _rows_name(table):
        raise ConfigError(
            "parameter after: the rows of the build were replaced since that page. Start "
            "at the first page."
        )
    direction: Direction = "after" if match[2] == "after" else "before"
    return _Start(direction, int(match[3]))


def _cursor(table: RowTable, direction: Direction, position: int) -> str:
    return f"{_rows_name(table)}-{direction}-{position}"


def _rows_name(table: RowTable) -> str:
    """Return what names the rows in a cursor: the beginning of their digest."""
    return digest_text("rows", table.digest)[:12]

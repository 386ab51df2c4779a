"""Histograms of lengths, of the rows that match a filter."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.deadline import Deadline
from cotbuild.builder.view.faults import QueryStopped
from cotbuild.builder.view.row_filter import RowFilter
from cotbuild.builder.view.selection import select_rows
from cotbuild.builder.view.short_columns import (
    UNKNOWN,
    read_short_column,
    short_columns_of,
)
from cotbuild.builder.view.tables import open_table
from cotbuild.schemas.record import Record

NUM_BINS = 20
"""About how many bins a histogram has."""
Unit = Literal["chars", "tokens"]


class Bin(Record):
    """A range of lengths, and how many rows are in it."""

    low: int = Field(ge=0, description="Least length.")
    high: int = Field(ge=0, description="Greatest length.")
    count: int = Field(ge=0, description="Rows.")


class Histogram(Record):
    """The lengths of rows: in characters of the rationale, or in tokens generated."""

    unit: Unit = Field(description="What is counted.")
    bins: tuple[Bin, ...] = Field(
        description="In order, without gaps; the first and the last may be wider."
    )
    median: int | None = Field(description="Median length; None without rows.")
    greatest: int | None = Field(description="Greatest length; None without rows.")
    stopped: str | None = Field(
        default=None,
        description="What was searched before the time was over; None if everything was.",
    )


def read_histogram(
    database: Database, build: StoredBuild, row_filter: RowFilter, unit: Unit
) -> Histogram:
    """Return the lengths of the rows that match a filter.

    Rows without a length are left out; a config without any has no bins. Raises
    ConfigError and DataError as `read_page` does.
    """
    table = open_table(build, row_filter.config, row_filter.split)
    if unit not in short_columns_of(table):
        return Histogram(unit=unit, bins=(), median=None, greatest=None)
    deadline = Deadline(database.seconds)
    selection = select_rows(database, table, row_filter, deadline)
    try:
        lengths = read_short_column(database, table, unit, deadline).values
    except QueryStopped as stopped:
        line = f"{stopped}: lengths are still being read; load the page again"
        return Histogram(unit=unit, bins=(), median=None, greatest=None, stopped=line)
    if selection.mask is not None:
        lengths = lengths[: len(selection.mask)][selection.mask]
    return make_histogram(unit, lengths[lengths != UNKNOWN], selection.stopped)


def make_histogram(
    unit: Unit, lengths: NDArray[np.int64], stopped: str | None = None
) -> Histogram:
    """Return the histogram of some lengths.

    The bins between the first and the last percentile are equally wide, 1, 2 or 5 times
    a power of ten; the first and the last one hold what is shorter and longer too, so
    that one long row does not put all the others into one bin.
    """
    if not len(lengths):
        return Histogram(
            unit=unit, bins=(), median=None, greatest=None, stopped=stopped
        )
    num, least, greatest = len(lengths), int(lengths.min()), int(lengths.max())
    ranks = [num // 100, num // 2, num - 1 - num // 100]
    ordered = np.partition(lengths, ranks)
    low, median, high = (int(ordered[rank]) for rank in ranks)
    width = _round_width((high - low) / NUM_BINS)
    start = low // width * width
    num_bins = (high - start) // width + 1
    places = np.clip((lengths - start) // width, 0, num_bins - 1)
    counts = np.bincount(places, minlength=num_bins).tolist()
    bins = [
        Bin(
            low=start + at * width if at else least,
            high=start + (at + 1) * width - 1 if at + 1 < num_bins else greatest,
            count=count,
        )
        for at, count in enumerate(counts)
    ]
    return Histogram(
        unit=unit,
        bins=tuple(bins),
        median=median,
        greatest=greatest,
        stopped=stopped,
    )


def _round_width(width: float) -> int:
    """Return the next of 1, 2, 5, 10, 20, 50, …"""
    scale = 1
    while True:
        for step in (1, 2, 5):
            if step * scale >= width:
                return step * scale
        scale *= 10

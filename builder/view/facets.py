"""How many of the rows that match a filter have each verdict, flag, purpose and so on."""

from pydantic import Field

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.deadline import Deadline
from cotbuild.builder.view.faults import QueryStopped
from cotbuild.builder.view.row_filter import RowFilter
from cotbuild.builder.view.selection import select_rows
from cotbuild.builder.view.short_columns import (
    count_names,
    read_short_column,
    short_columns_of,
)
from cotbuild.builder.view.tables import open_table
from cotbuild.schemas.record import Record

FACETS = {
    "verdict": "verdict",
    "flag": "flags",
    "purpose": "purpose",
    "kind": "kind",
    "template": "template",
}
"""Parameter of a filter to the short column that it tests."""


class FacetValue(Record):
    """A value, and how many of the rows have it."""

    value: str = Field(description="The value, as the parameter takes it.")
    count: int = Field(ge=0, description="Rows that match the filter and have it.")
    is_chosen: bool = Field(description="Whether the filter asks for it.")


class Facet(Record):
    """The values of one parameter of a filter."""

    name: str = Field(description="Name of the parameter.")
    values: tuple[FacetValue, ...] = Field(description="The most frequent first.")


class Facets(Record):
    """What the rows that match a filter can be narrowed down by."""

    facets: tuple[Facet, ...] = Field(description="Those with any value.")
    num_matches: int = Field(ge=0, description="Rows that the counts are of.")
    stopped: str | None = Field(
        default=None,
        description="What was searched before the time was over; None if everything was.",
    )


def read_facets(
    database: Database, build: StoredBuild, row_filter: RowFilter
) -> Facets:
    """Count the rows that match a filter by each value.

    Raises ConfigError if the filter does not fit the config, DataError if a file cannot
    be read.
    """
    table = open_table(build, row_filter.config, row_filter.split)
    deadline = Deadline(database.seconds)
    selection = select_rows(database, table, row_filter, deadline)
    columns = short_columns_of(table)
    facets, stopped = [], selection.stopped
    for name, column_name in FACETS.items():
        if column_name not in columns:
            continue
        try:
            column = read_short_column(database, table, column_name, deadline)
        except QueryStopped as fault:
            stopped = (
                stopped or f"{fault}: some counts are missing; load the page again"
            )
            continue
        counts = count_names(
            column, are_flags=column_name == "flags", mask=selection.mask
        )
        chosen = getattr(row_filter, name)
        values = [
            FacetValue(value=value, count=count, is_chosen=value == chosen)
            for value, count in counts.items()
        ]
        if values:
            facets.append(Facet(name=name, values=tuple(values)))
    return Facets(
        facets=tuple(facets), num_matches=selection.num_matches, stopped=stopped
    )

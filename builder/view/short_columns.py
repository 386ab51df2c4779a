"""The short columns of a table in memory: verdict, flags, lengths and the like.

Each value takes 1 to 8 bytes, so that a million rows take 20 MB in all and any filter
and any count takes milliseconds. A column is read when it is first needed, file by file,
and kept as long as the files stay as they are. From parquet, where each 1,000 rows are
a row group, counting the flags of a million rows took 0.3 s each time.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cotbuild.builder.build.build import QUESTIONS
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.deadline import Deadline
from cotbuild.builder.view.row_filter import ShortTest, chars_sql
from cotbuild.builder.view.tables import RowTable, TableFile
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import Flag, Purpose, Rationale, Verdict

MAX_ROWS = 20_000_000
"""Most rows of a table whose columns are held in memory."""
MAX_NAMES = 200
"""Most different templates of a table."""

Mask = NDArray[np.bool_]
UNKNOWN = -1
"""A length that a row does not have."""


class ShortColumn(NamedTuple):
    """One value for each row of a table."""

    values: NDArray[Any]
    """Codes of names, bits of flags, or numbers."""
    names: tuple[str, ...] = ()
    """The names: code 1 is the first, 0 none of them. Flag n is bit n."""


_NAMES: dict[str, tuple[str, ...]] = {
    "verdict": tuple(verdict.value for verdict in Verdict),
    "purpose": tuple(purpose.value for purpose in Purpose),
    "kind": tuple(kind.value for kind in QuestionKind),
    "flags": tuple(flag.value for flag in Flag),
}


def short_columns_of(table: RowTable) -> tuple[str, ...]:
    """Return the names of the short columns that a table has."""
    if table.model is Rationale:
        return ("verdict", "flags", "purpose", "kind", "template", "chars", "tokens")
    return ("kind",) if table.config_name == QUESTIONS else ("chars",)


def read_short_column(
    database: Database, table: RowTable, name: str, deadline: Deadline
) -> ShortColumn:
    """Return a short column of a table.

    Raises QueryStopped if the time is over: what was read until then is kept, so that
    another call goes on from there. Raises DataError if a file cannot be read or the
    table is too large.
    """
    if table.num_rows > MAX_ROWS:
        raise DataError(
            f"{table.config_name}/{table.split}: more than {MAX_ROWS:,} rows, which "
            "cannot be filtered. Show them without a filter."
        )
    names = _NAMES.get(name, ())
    if name == "template":
        names = _find_templates(database, table, deadline)
    code = _code_of(table, name, names)

    def read(file: TableFile) -> NDArray[Any]:
        key = ("column", name, names, table.model, file)
        return database.columns.find(
            key, lambda: _read_file(database, table, file, code, deadline)
        )

    parts = [read(file) for file in table.files]
    whole = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return ShortColumn(whole, names)


class _Code(NamedTuple):
    """How a value becomes a number."""

    sql: str
    values: tuple[Any, ...]
    dtype: type[np.generic]


def _code_of(table: RowTable, name: str, names: tuple[str, ...]) -> _Code:
    if name == "chars":
        return _Code(f"coalesce({chars_sql(table)}, {UNKNOWN})", (), np.int64)
    if name == "tokens":
        return _Code(f"coalesce(completion_tokens, {UNKNOWN})", (), np.int64)
    if name == "flags":
        # A sum of bits would count a flag that a stranger's row has twice.
        bits = " | ".join(
            f"(CASE WHEN list_contains(flags, ?) THEN {1 << bit} ELSE 0 END)"
            for bit in range(len(names))
        )
        return _Code(f"coalesce({bits}, 0)", names, np.uint32)
    return _Code(f"coalesce(list_position(?, {name}), 0)", (list(names),), np.uint8)


def _find_templates(
    database: Database, table: RowTable, deadline: Deadline
) -> tuple[str, ...]:
    """Return the names of all templates, those of the manifest first."""

    def find() -> tuple[str, ...]:
        rows = table.query(
            database,
            "DISTINCT template",
            "template IS NOT NULL",
            then=f"LIMIT {MAX_NAMES}",
            seconds=deadline.left(),
        )
        return tuple(sorted(row[0] for row in rows))

    return database.remembered.find(("templates", table.identity), find)


def _read_file(
    database: Database,
    table: RowTable,
    file: TableFile,
    code: _Code,
    deadline: Deadline,
) -> NDArray[Any]:
    """Return the values of the rows of one file."""
    found = table.query_arrays(
        database,
        f"file_row_number AS number, {code.sql} AS value",
        "TRUE",
        file=file,
        before=code.values,
        seconds=deadline.left(),
    )
    values = np.zeros(file.num_rows, code.dtype)
    # By number: nothing here depends on the order in which DuckDB returns rows.
    values[found["number"]] = found["value"]
    return values


def meets(column: ShortColumn, test: ShortTest) -> Mask:
    """Return which rows meet a test of a short column."""
    if test.equal is not None:
        return _has_name(column, test)
    mask: Mask = column.values != UNKNOWN
    if test.least is not None:
        mask &= column.values >= test.least
    if test.greatest is not None:
        mask &= column.values <= test.greatest
    return mask


def _has_name(column: ShortColumn, test: ShortTest) -> Mask:
    if test.equal not in column.names:
        return np.zeros(len(column.values), np.bool_)
    place = column.names.index(test.equal)
    if test.column == "flags":
        has_flag: Mask = (column.values & np.uint32(1 << place)) != 0
        return has_flag
    is_equal: Mask = column.values == place + 1
    return is_equal


def count_names(
    column: ShortColumn, *, are_flags: bool, mask: Mask | None
) -> dict[str, int]:
    """Return how many rows have each name, the most frequent first; none with 0."""
    values = column.values if mask is None else column.values[mask]
    if are_flags:
        counts = [
            int(np.count_nonzero(values & np.uint32(1 << bit)))
            for bit in range(len(column.names))
        ]
    else:
        counts = np.bincount(values, minlength=len(column.names) + 1)[1:].tolist()
    found = {
        name: count for name, count in zip(column.names, counts, strict=True) if count
    }
    return dict(sorted(found.items(), key=lambda item: -item[1]))

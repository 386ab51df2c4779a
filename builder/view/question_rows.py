"""Rows of questions, found by the questions' ids, without reading a whole config.

Rows of a question are neighbours, and every config of a build has its questions in the
same order. So where a row of one config is known, that of another is near.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from cotbuild.builder.build.build import QUESTIONS
from cotbuild.builder.storage.images import IMAGE_COLUMN
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.tables import RowTable, TableFile

NEAR_ROWS = 2_000
"""Rows before and after a position that are looked at before all rows of a split are."""
MAX_ROWS_EACH = 200
"""Rows of one question that are read of a config."""


class FoundRow(NamedTuple):
    """A row of a config and split, and its position there, from 0."""

    position: int
    values: dict[str, Any]


def read_question_rows(
    database: Database,
    table: RowTable,
    question_ids: Sequence[str],
    near: int | None = None,
    columns: Sequence[str] | None = None,
) -> list[FoundRow]:
    """Return the rows of questions in order, of each question about MAX_ROWS_EACH.

    Where the rows around `near` hold all of the questions, no others are read.
    `columns` are by default all but the pictures; the id is always one. Raises
    QueryStopped, DataError.
    """
    if not question_ids or not table.num_rows:
        return []
    if near is not None:
        found = _read_near(database, table, question_ids, near, columns)
        if found is not None:
            return found
    return _read(database, table, table.files, question_ids, columns=columns)


def read_rows_from(
    database: Database,
    table: RowTable,
    first: int,
    count: int,
    columns: Sequence[str] | None = None,
) -> list[FoundRow]:
    """Return the rows from a position on, at most `count`; `columns` as above."""
    return _read_between(database, table, first, first + count, columns=columns)


def move_position(position: int, old: RowTable, new: RowTable) -> int:
    """Return where the rows of a question may be in another config."""
    return position * new.num_rows // max(1, old.num_rows)


def _read_near(
    database: Database,
    table: RowTable,
    question_ids: Sequence[str],
    near: int,
    columns: Sequence[str] | None,
) -> list[FoundRow] | None:
    """Return the rows if all lie around a position; None if they may not."""
    at = max(0, min(near, table.num_rows - 1))
    low, high = max(0, at - NEAR_ROWS), min(table.num_rows, at + NEAR_ROWS)
    found = _read_between(database, table, low, high, question_ids, columns)
    seen = {one.values[id_column(table)] for one in found}
    if seen != set(question_ids):
        return None
    # A question's rows may go on beyond the rows that were read.
    is_cut = (found[0].position == low > 0) or (
        found[-1].position == high - 1 < table.num_rows - 1
    )
    return None if is_cut else found


def _read_between(
    database: Database,
    table: RowTable,
    low: int,
    high: int,
    question_ids: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> list[FoundRow]:
    """Return rows between two positions, all or those of some questions."""
    found: list[FoundRow] = []
    for file in table.files:
        first = max(0, low - file.first)
        last = min(file.num_rows, high - file.first)
        if first < last:
            found += _read(
                database, table, [file], question_ids, (first, last), columns
            )
    return found


def _read(
    database: Database,
    table: RowTable,
    files: Sequence[TableFile],
    question_ids: Sequence[str] | None,
    rows: tuple[int, int] | None = None,
    columns: Sequence[str] | None = None,
) -> list[FoundRow]:
    wanted = table.model.model_fields if columns is None else {id_column(table)}
    names = [
        name
        for name in dict.fromkeys([*wanted, *(columns or ())])
        if name in table.columns and name != IMAGE_COLUMN
    ]
    conditions, values = ["TRUE"], list[Any]()
    if rows is not None:
        conditions.append("file_row_number >= ? AND file_row_number < ?")
        values += rows
    then = ""
    if question_ids is not None:
        places = ", ".join("?" * len(question_ids))
        conditions.append(f"{id_column(table)} IN ({places})")
        values += question_ids
        then = f"LIMIT {(MAX_ROWS_EACH + 1) * len(question_ids)}"
    quoted = ", ".join(f'"{name}"' for name in names)
    found = table.query(
        database,
        f"file_index, file_row_number, {quoted}",
        " AND ".join(conditions),
        values,
        files=files,
        then=then,
    )
    return sorted(_found_rows(found, names, files), key=lambda one: one.position)


def _found_rows(
    found: Iterable[tuple[Any, ...]],
    columns: Sequence[str],
    files: Sequence[TableFile],
) -> Iterable[FoundRow]:
    for index, number, *cells in found:
        row = dict(zip(columns, cells, strict=True))
        yield FoundRow(files[index].first + number, row)


def id_column(table: RowTable) -> str:
    """Return the column with the id of the question."""
    return "id" if table.config_name == QUESTIONS else "question_id"

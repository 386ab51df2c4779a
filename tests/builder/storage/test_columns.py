"""The columns of a parquet file against the record that its rows are."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import Field

from cotbuild.builder.storage.arrow_schema import arrow_schema
from cotbuild.builder.storage.columns import check_columns
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.record import Record


class Part(Record):
    name: str
    size: int = Field(default=0)


class Row(Record):
    row: int
    title: str | None
    parts: tuple[Part, ...]
    note: str | None = None


SCHEMA = arrow_schema(Row)
Alter = Callable[[pa.Schema], pa.Schema]


def with_type(name: str, column_type: pa.DataType) -> Alter:
    index = SCHEMA.get_field_index(name)
    return lambda schema: schema.set(index, pa.field(name, column_type))


def parts_of(*fields: tuple[str, pa.DataType]) -> Alter:
    return with_type("parts", pa.list_(pa.struct(list(fields))))


NAME, SIZE = ("name", pa.string()), ("size", pa.int64())

SAME: dict[str, Alter] = {
    "as written": lambda schema: schema,
    "without a column that has a default": lambda schema: schema.remove(3),
    "without one inside a struct": parts_of(NAME),
}
DIFFERENT: dict[str, tuple[Alter, str]] = {
    "number as text": (
        with_type("row", pa.string()),
        "column 'row' has type 'string', not 'int64'",
    ),
    "narrower number": (with_type("row", pa.int32()), "'row' has type 'int32'"),
    "dictionary": (
        with_type("title", pa.dictionary(pa.int32(), pa.string())),
        "column 'title' has type 'dictionary<",
    ),
    "large text": (with_type("title", pa.large_string()), "type 'large_string'"),
    "twice": (
        lambda schema: schema.append(pa.field("row", pa.int64())),
        "column 'row' occurs 2 times",
    ),
    "unknown": (
        lambda schema: schema.append(pa.field("more\x1b", pa.int64())),
        "column 'more\\x1b' is not one that cotbuild writes",
    ),
    "missing": (lambda schema: schema.remove(1), "column 'title' is missing"),
    "order": (
        lambda schema: pa.schema([schema.field(n) for n in (1, 0, 2, 3)]),
        "column 'title' is where 'row' should be",
    ),
    "struct for a list": (
        with_type("parts", pa.struct([NAME, SIZE])),
        "column 'parts' has type",
    ),
    "list of lists": (
        with_type("parts", pa.list_(pa.list_(pa.struct([NAME, SIZE])))),
        "column 'parts' has type",
    ),
    "type in a struct": (
        parts_of(NAME, ("size", pa.float64())),
        "column 'parts.size' has type 'double', not 'int64'",
    ),
    "twice in a struct": (
        parts_of(NAME, NAME),
        "column 'parts.name' occurs 2 times",
    ),
    "unknown in a struct": (
        parts_of(NAME, SIZE, ("more", pa.string())),
        "column 'parts.more' is not one that",
    ),
    "too many": (
        lambda _: pa.schema([(f"c{n}", pa.int64()) for n in range(1001)]),
        "1001 columns, more than 1000",
    ),
}


def write(path: Path, alter: Alter) -> Path:
    pq.write_table(pa.Table.from_pylist([], alter(SCHEMA)), path)
    return path


@pytest.mark.parametrize("alter", SAME.values(), ids=list(SAME))
def test_columns_that_cotbuild_writes_or_wrote(tmp_path: Path, alter: Alter) -> None:
    check_columns(write(tmp_path / "a.parquet", alter), Row)


@pytest.mark.parametrize(("alter", "fault"), DIFFERENT.values(), ids=list(DIFFERENT))
def test_other_columns_are_named_in_one_line(
    tmp_path: Path, alter: Alter, fault: str
) -> None:
    path = write(tmp_path / "a.parquet", alter)
    with pytest.raises(DataError) as caught:
        check_columns(path, Row)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert fault in line
    assert "\n" not in line


def test_a_file_that_is_not_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 \x00 no")
    with pytest.raises(DataError, match=r"a\.parquet: .*Build or download it again"):
        check_columns(path, Row)

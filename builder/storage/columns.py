"""Compare the columns of a parquet file with the record that its rows are."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa

from cotbuild.builder.storage.arrow_schema import arrow_type
from cotbuild.builder.storage.images import (
    IMAGE_COLUMN,
    IMAGE_TYPE,
    is_image_column,
)
from cotbuild.builder.storage.parquet_rows import read_schema
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.record import Record, short_repr

MAX_COLUMNS = 1_000
"""Columns of a file that are compared, those inside structs included."""


def check_columns(path: Path, model: type[Record], *, has_images: bool = False) -> None:
    """Check that a file has the columns of `model`: names, order and Arrow types.

    With `has_images` the column of pictures comes after them. Columns whose field has a
    default may be missing, since an older version of cotbuild did not write them.
    Raises DataError at the first column that differs, or if the
    file cannot be read.
    """
    try:
        schema = read_schema(path, str(path))
    except DataError as error:
        raise DataError(f"{error} Build or download it again.") from error
    check_schema(path, schema, model, has_images=has_images)


def check_schema(
    path: Path, schema: pa.Schema, model: type[Record], *, has_images: bool = False
) -> None:
    """Check the columns of a file as `check_columns` does; raises DataError."""
    columns = list(schema)
    if has_images:
        _check_image_column(path, columns)
        columns.pop()
    for fault in _column_faults(columns, model):
        raise DataError(
            f"{path}: {fault}. The file was changed; build or download it again."
        )


def _check_image_column(path: Path, columns: Sequence[pa.Field]) -> None:
    """Raise DataError unless the last column is that of the pictures."""
    if not columns or not is_image_column(columns[-1]):
        raise DataError(
            f"{path}: the last column is not {IMAGE_COLUMN!r} of type "
            f"{str(IMAGE_TYPE)!r}, though manifest.json lists pictures. The file was "
            "changed; build or download it again."
        )


def _column_faults(
    columns: Sequence[pa.Field], model: type[Record], parent: str = ""
) -> Iterator[str]:
    """Yield how the columns differ from the fields of a record."""
    if len(columns) > MAX_COLUMNS:
        yield f"{parent}{len(columns)} columns, more than {MAX_COLUMNS}"
        return
    names = [column.name for column in columns]
    yield from _name_faults(names, model, parent)
    for column in columns:
        annotation = model.model_fields[column.name].annotation
        yield from _type_faults(column.type, annotation, f"{parent}{column.name}")


def _name_faults(
    names: Sequence[str], model: type[Record], parent: str
) -> Iterator[str]:
    for name, count in Counter(names).items():
        place = short_repr(parent + name)
        if name not in model.model_fields:
            yield f"column {place} is not one that cotbuild writes"
        if count > 1:
            yield f"column {place} occurs {count} times"
    for name, field in model.model_fields.items():
        if field.is_required() and name not in names:
            yield f"column {parent + name!r} is missing"
    expected = [name for name in model.model_fields if name in names]
    for name, expected_name in zip(names, expected, strict=False):
        if name != expected_name:
            yield f"column {parent + name!r} is where {expected_name!r} should be"


def _type_faults(found: pa.DataType, annotation: Any, place: str) -> Iterator[str]:
    expected = arrow_type(annotation)
    if found == expected:
        return
    record, struct = _record_in(annotation), _struct_in(found)
    if record is None or struct is None or _depth(found) != _depth(expected):
        yield (
            f"column {place!r} has type {short_repr(str(found))}, not {str(expected)!r}"
        )
        return
    # A column inside the struct is missing, which its default allows, or differs.
    yield from _column_faults(list(struct), record, f"{place}.")


def _record_in(annotation: Any) -> type[Record] | None:
    """Return the record that a column holds, or holds a list of; None if it is none."""
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation
    for part in get_args(annotation):
        if (record := _record_in(part)) is not None:
            return record
    return None


def _struct_in(column_type: pa.DataType) -> pa.StructType | None:
    while pa.types.is_list(column_type):
        column_type = column_type.value_type
    return column_type if pa.types.is_struct(column_type) else None


def _depth(column_type: pa.DataType) -> int:
    """Return how many lists surround the value of a column."""
    depth = 0
    while pa.types.is_list(column_type):
        column_type = column_type.value_type
        depth += 1
    return depth

"""The columns of a record's parquet file, derived from its annotations."""

import types
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pyarrow as pa

from cotbuild.builder.storage.images import (
    HUGGING_FACE_METADATA,
    IMAGE_COLUMN,
    IMAGE_TYPE,
    is_image_column,
)
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.record import FORMAT_VERSION, Record, short_repr

FORMAT_KEY = b"cotbuild.format_version"
"""Key of the format version in a file's metadata."""
_MAX_VERSION_DIGITS = 9

_SCALARS: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


@lru_cache
def arrow_schema(model: type[Record]) -> pa.Schema:
    """Return the columns of a record, in the order of its fields.

    They are derived from the annotations, so that no column is declared twice. Every
    column is nullable, since readers differ on required ones. Raises TypeError as
    `arrow_type` does.
    """
    fields = model.model_fields.items()
    return pa.schema([(name, arrow_type(field.annotation)) for name, field in fields])


def arrow_type(annotation: Any) -> pa.DataType:
    """Return the Arrow type of a field's annotation.

    Raises TypeError for an annotation that no column can hold.
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return arrow_type(args[0])
    if origin in (Union, types.UnionType):
        alternatives = [arg for arg in args if arg is not type(None)]
        if len(alternatives) == 1:
            return arrow_type(alternatives[0])
    if origin is Literal and all(isinstance(arg, str) for arg in args):
        return pa.string()
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return pa.list_(arrow_type(args[0]))
    if isinstance(annotation, type):
        if annotation in _SCALARS:
            return _SCALARS[annotation]
        if issubclass(annotation, StrEnum):
            return pa.string()
        if issubclass(annotation, Record):
            return pa.struct(list(arrow_schema(annotation)))
    raise TypeError(f"no Arrow type for {annotation!r}")


def file_schema(model: type[Record], *, has_images: bool) -> pa.Schema:
    """Return the columns and the metadata of a file."""
    metadata: dict[str | bytes, str] = {FORMAT_KEY: str(FORMAT_VERSION)}
    schema = arrow_schema(model)
    if has_images:
        schema = schema.append(pa.field(IMAGE_COLUMN, IMAGE_TYPE))
        metadata.update(HUGGING_FACE_METADATA)
    return schema.with_metadata(metadata)


def read_format_version(schema: pa.Schema) -> object:
    """Return the format version of a file, or what stands in its place."""
    version = (schema.metadata or {}).get(FORMAT_KEY, b"")
    if version.isdigit() and len(version) <= _MAX_VERSION_DIGITS:
        return int(version)
    return version.decode("utf-8", "replace")


def check_plain(schema: pa.Schema, path: Path) -> None:
    """Raise DataError for a column of a type that no record has, such as a decimal."""
    for field in schema:
        if not _is_plain(field.type) and not is_image_column(field):
            raise DataError(
                f"{path}: column {short_repr(field.name)} has the type {field.type}, "
                "which no column of a build has. Restore the file, or build again."
            )


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return _is_plain(kind.value_type)
    if pa.types.is_struct(kind):
        return all(_is_plain(field.type) for field in kind)
    return kind in _SCALARS.values() or pa.types.is_null(kind)

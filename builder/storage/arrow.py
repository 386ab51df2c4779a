"""Arrow schemas derived from the records, so that no column is declared twice."""

import types
from enum import StrEnum
from typing import Any, Literal, Union, get_args, get_origin

import pyarrow as pa

from cotbuild.schemas.record import Record

_SCALARS: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


def arrow_schema(model: type[Record]) -> pa.Schema:
    """Columns of `model` in the order of its fields; every field may be null, since
    readers differ on required ones.
    """
    return pa.schema(
        [
            (name, arrow_type(field.annotation))
            for name, field in model.model_fields.items()
        ]
    )


def arrow_type(annotation: Any) -> pa.DataType:
    """The arrow type of a field's annotation.

    Raises TypeError on one that no column can hold.
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        inner = [arg for arg in args if arg is not type(None)]
        if len(inner) == 1:
            return arrow_type(inner[0])
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
            return pa.struct(
                [
                    (name, arrow_type(f.annotation))
                    for name, f in annotation.model_fields.items()
                ]
            )
    raise TypeError(f"no arrow type for {annotation!r}")

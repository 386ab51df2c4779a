"""Arrow tables of plain Python values, made from buffers.

`pyarrow.array`, and all of pyarrow that is built on it, imports pandas where that is
installed: measured, 0.3 s of each command that writes rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_MAX_OFFSET = 2**31 - 1
"""Most that the texts or lists of one array may hold together, as their types have it."""

_NUMBERS: dict[pa.DataType, np.dtype[Any]] = {
    pa.int64(): np.dtype(np.int64),
    pa.float64(): np.dtype(np.float64),
}


class _ArrayTooLarge(Exception):
    """The texts or lists of an array do not fit into one."""


def make_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return the table of rows, each with a value for every column.

    It equals that of `pyarrow.Table.from_pylist` if each value has the type of its
    column, which is not checked; texts of more than 2 GiB together make
    columns of several pieces. Raises TypeError for a column of another type than texts,
    numbers, booleans, lists and structs.
    """
    try:
        columns = [
            make_array([row[field.name] for row in rows], field.type)
            for field in schema
        ]
    except _ArrayTooLarge:
        half = len(rows) // 2
        if not half:
            raise
        halves = [make_table(part, schema) for part in (rows[:half], rows[half:])]
        return pa.concat_tables(halves)
    return pa.Table.from_arrays(columns, schema=schema)


def make_array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return the array of plain values, as `pyarrow.array` does; None stands for null.

    Raises TypeError for another type than those of `make_table`.
    """
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _make_texts(values, kind)
    if pa.types.is_list(kind):
        return _make_lists(values, kind)
    if pa.types.is_struct(kind):
        return _make_structs(values, kind)
    validity, num_null = _validity(values)
    if num_null:
        values = [0 if value is None else value for value in values]
    if pa.types.is_boolean(kind):
        bits = np.packbits(np.array(values, np.bool_), bitorder="little")
        data = pa.py_buffer(bits)
    elif kind in _NUMBERS:
        data = pa.py_buffer(np.array(values, _NUMBERS[kind]))
    else:
        raise TypeError(f"no Arrow array of type {kind} is made from plain values")
    return pa.Array.from_buffers(kind, len(values), [validity, data], num_null)


def _make_texts(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    validity, num_null = _validity(values)
    texts = cast("Sequence[str | bytes]", values)
    if num_null:
        texts = [b"" if text is None else text for text in texts]
    encoded = [text.encode() if isinstance(text, str) else text for text in texts]
    buffers = [validity, _offsets(map(len, encoded)), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(kind, len(values), buffers, num_null)


def _make_lists(values: Sequence[Any], kind: pa.ListType) -> pa.Array:
    validity, num_null = _validity(values)
    lists: list[Sequence[Any]] = [value or () for value in values]
    items = make_array([item for one in lists for item in one], kind.value_type)
    buffers = [validity, _offsets(map(len, lists))]
    return pa.Array.from_buffers(kind, len(values), buffers, num_null, children=[items])


def _make_structs(values: Sequence[Any], kind: pa.StructType) -> pa.Array:
    validity, num_null = _validity(values)
    nulls: dict[str, None] = dict.fromkeys(field.name for field in kind)
    structs = [nulls if value is None else value for value in values]
    children = [
        make_array([struct[field.name] for struct in structs], field.type)
        for field in kind
    ]
    return pa.Array.from_buffers(
        kind, len(values), [validity], num_null, children=children
    )


def _validity(values: Sequence[Any]) -> tuple[pa.Buffer | None, int]:
    """Return the bitmap of the values that are not null, and how many are null."""
    if None not in values:
        return None, 0
    is_valid: NDArray[np.bool_] = np.array([value is not None for value in values])
    bits = np.packbits(is_valid, bitorder="little")
    return pa.py_buffer(bits), len(values) - int(is_valid.sum())


def _offsets(lengths: Iterable[int]) -> pa.Buffer:
    """Return where each text or list begins; raises _ArrayTooLarge."""
    ends = np.cumsum(np.fromiter(lengths, np.int64))
    if len(ends) and ends[-1] > _MAX_OFFSET:
        raise _ArrayTooLarge
    return pa.py_buffer(np.concatenate([[0], ends]).astype(np.int32))

"""Find the rows in a JSON document by its shape. Pure.

An array of rows, an object of rows, columns as pandas writes them (the orients of
`DataFrame.to_json`), rows under a key, and objects one after the other.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from cotbuild.builder.sources.files.rows_under import (
    ROW_FIELDS,
    ROWS_KEYS,
    ShapeFault,
    find_rows,
    has_nested_questions,
    is_digits,
    is_list_of_objects,
    suggest_rows_under,
)
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.record import short_repr


class Shaped(NamedTuple):
    """The rows of a document."""

    shape: str
    """What was recognised, such as "JSON, rows under data"."""
    rows: Iterable[Any]
    """They are objects unless the document is at fault."""


def shape_values(values: Sequence[Any], rows_under: str | None) -> Shaped:
    """Return the rows of a document with these values at its top.

    Raises ShapeFault.
    """
    if len(values) > 1:
        if rows_under is not None:
            raise ShapeFault(
                f"{len(values):,} JSON objects one after the other, each of which is a "
                f"row. Leave out --rows-under {shell_quote(rows_under)}."
            )
        if not any(isinstance(value, dict) for value in values):
            raise ShapeFault(
                f"{len(values):,} JSON values one after the other, the first "
                f"{short_repr(values[0])}. Write the rows into one array."
            )
        return Shaped("JSON, objects one after the other", values)
    (value,) = values
    if rows_under is not None:
        return _shape_under(value, rows_under)
    if isinstance(value, list):
        return Shaped("JSON, an array of rows", value)
    if not isinstance(value, dict):
        raise ShapeFault(f"it holds {short_repr(value)}. Expected an array of rows.")
    return _shape_known(value) or _shape_single(value)


def is_row(value: Any) -> bool:
    """Return whether a value alone in its file is one row rather than several.

    An object with lists of objects is a row, unless they have the questions and it has
    none.
    """
    if not isinstance(value, dict) or has_nested_questions(value):
        return False
    try:
        return _shape_known(value) is None
    except ShapeFault:
        return False


def _shape_known(value: dict[str, Any]) -> Shaped | None:
    """Return the rows of an object in a known shape, None for another shape."""
    for shape in _SHAPES:
        shaped = shape(value)
        if shaped is not None:
            return shaped
    return None


def _shape_single(value: dict[str, Any]) -> Shaped:
    """Return an object as a row of its own, or raise ShapeFault if it is none."""
    if any(isinstance(value.get(name), str | list) for name in ROW_FIELDS):
        return Shaped("JSON, one row", [value])
    raise _no_rows_fault(value)


def _no_rows_fault(value: Mapping[str, Any]) -> ShapeFault:
    fields = f"one object with the fields {short_repr(list(value))}"
    path = suggest_rows_under(value)
    if path is None:
        return ShapeFault(
            f"{fields}. Expected an array of rows, or an object whose values are all "
            "rows."
        )
    return ShapeFault(
        f"{fields}. Add: --rows-under {shell_quote(path)} to read the rows there, or "
        "name another place; or --as jsonl if it is one row."
    )


# -- pandas ----------------------------------------------------------------------------


def _shape_split(value: dict[str, Any]) -> Shaped | None:
    """The orients split and tight: {"columns": […], "index": […], "data": [[…], …]}."""
    columns, data = value.get("columns"), value.get("data")
    if not isinstance(columns, list) or not isinstance(data, list):
        return None
    if not all(isinstance(name, str) for name in columns):
        return None
    if not all(isinstance(cells, list) for cells in data):
        return None
    for number, cells in enumerate(data):
        if len(cells) != len(columns):
            raise ShapeFault(
                f"row {number} (from 0) under data has {len(cells)} values; columns "
                f"names {len(columns)}. Write the table anew."
            )
    rows = (dict(zip(columns, cells, strict=True)) for cells in data)
    return Shaped("JSON, a pandas table of orient split", rows)


def _shape_table(value: dict[str, Any]) -> Shaped | None:
    """The orient table: {"schema": {"fields": […]}, "data": [{…}, …]}."""
    schema = value.get("schema")
    is_table = isinstance(schema, dict) and isinstance(schema.get("fields"), list)
    if not is_table or not is_list_of_objects(value.get("data")):
        return None
    return Shaped("JSON, a pandas table of orient table", value["data"])


def _shape_objects(value: dict[str, Any]) -> Shaped | None:
    """The orients index and columns: an object of rows, or of columns."""
    if not value or not all(isinstance(inner, dict) for inner in value.values()):
        return None
    if not _holds_columns(value):
        return Shaped("JSON, an object of rows", list(value.values()))
    labels = dict.fromkeys(label for column in value.values() for label in column)
    rows = (
        {name: column[label] for name, column in value.items() if label in column}
        for label in labels
    )
    return Shaped("JSON, an object of columns", rows)


def _holds_columns(value: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether the outer keys name columns and the inner ones label rows."""
    first = next(iter(value.values()))
    if first and all(is_digits(label) for label in first):
        return not any(is_digits(name) for name in value)
    # Labels of the rows that are texts: {"question": {"q1": …}, "answer": {"q1": …}}.
    names = ROW_FIELDS & set(value)
    if not names or ROW_FIELDS & set(first):
        return False
    cells = [cell for name in names for cell in value[name].values()]
    return any(cells) and not any(isinstance(cell, dict) for cell in cells)


def _shape_lists(value: dict[str, Any]) -> Shaped | None:
    """The orient list, and datasets' to_dict: {"question": […], "answer": […]}."""
    lists = list(value.values())
    if len(lists) < 2 or not all(isinstance(column, list) for column in lists):
        return None
    if all(is_list_of_objects(column) for column in lists) or not any(lists):
        return None
    if not _has_text_column(value):
        return None
    lengths = {name: len(column) for name, column in value.items()}
    if len(set(lengths.values())) > 1:
        raise ShapeFault(
            f"its columns have different lengths, {short_repr(lengths)}. Write as many "
            "values into each."
        )
    rows = (dict(zip(value, cells, strict=True)) for cells in zip(*lists, strict=True))
    return Shaped("JSON, an object of columns", rows)


def _has_text_column(value: Mapping[str, list[Any]]) -> bool:
    """Return whether a list holds a text a row; "choices" of a single row holds none."""
    return any(
        bool(column) and all(isinstance(cell, str) for cell in column)
        for column in value.values()
    )


# -- rows under a key ------------------------------------------------------------------


def _shape_wrapped(value: dict[str, Any]) -> Shaped | None:
    """An object with its rows under a usual key, beside such fields as a version."""
    if any(name in value for name in ROW_FIELDS):
        return None
    keys = [name for name in ROWS_KEYS if is_list_of_objects(value.get(name))]
    if len(keys) != 1:
        return None
    key, rows = keys[0], value[keys[0]]
    if has_nested_questions(rows[0]):
        raise _no_rows_fault(value)
    return Shaped(f"JSON, rows under {key}", rows)


_SHAPES: tuple[Callable[[dict[str, Any]], Shaped | None], ...] = (
    _shape_split,
    _shape_table,
    _shape_objects,
    _shape_lists,
    _shape_wrapped,
)


def _shape_under(value: Any, rows_under: str) -> Shaped:
    found = find_rows(value, rows_under)
    shape = f"JSON, rows under {rows_under}"
    if isinstance(found, list):
        return Shaped(shape, found)
    known = _shape_known(found)
    if known is None:
        raise ShapeFault(
            f"--rows-under {rows_under!r}: one object with the fields "
            f"{short_repr(list(found))} is there. Name a list of rows."
        )
    return Shaped(f"{shape}, {known.shape.partition(', ')[2]}", known.rows)

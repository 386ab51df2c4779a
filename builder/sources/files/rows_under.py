"""Find the rows under a key of a JSON document, and suggest that key. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cotbuild.builder.sources.paths import Step, parse_path, take_step
from cotbuild.builder.visible import shell_quote
from cotbuild.schemas.record import short_repr

ROWS_KEYS = ("data", "rows", "examples", "samples", "instances", "records", "items")
"""Keys whose list of objects is taken for the rows of a document."""
_QUESTION_NAMES = "question query problem prompt input instruction text"
ROW_FIELDS = frozenset(
    f"{_QUESTION_NAMES} messages conversations choices options".split()
)
"""An object with one of these is itself a row."""
_MAX_HINT_DEPTH = 4


class ShapeFault(ValueError):
    """A document without rows; the message ends with what to do."""


def find_rows(value: Any, rows_under: str) -> list[Any] | dict[str, Any]:
    """Return the list of rows at a path, or the object there.

    A list on the way is taken item by item. A row gets the plain fields of the items
    that it is in, unless it has its own: a question of SQuAD, under
    data.paragraphs.qas, gets its context and title. Raises ShapeFault.
    """
    inner = value
    steps = parse_path(rows_under)
    while steps:
        is_found, next_inner = take_step(inner, steps[0])
        if not is_found:
            break
        inner, steps = next_inner, steps[1:]
    if steps and not isinstance(inner, list):
        raise _missing_fault(inner, steps[0], rows_under)
    if not steps and isinstance(inner, dict):
        return inner
    return _collect(inner, steps, rows_under, {})


def _collect(
    value: Any, steps: Sequence[Step], rows_under: str, outer: Mapping[str, Any]
) -> list[Any]:
    """Return the rows below a list; `outer` are the fields that they get."""
    if not isinstance(value, list):
        raise ShapeFault(
            f"--rows-under {rows_under!r}: {short_repr(value)} is there. Name a list of "
            "rows."
        )
    if not steps:
        return [{**outer, **row} if isinstance(row, dict) else row for row in value]
    rows: list[Any] = []
    for item in value:
        rows += _collect_below(item, steps, rows_under, outer)
    return rows


def _collect_below(
    item: Any, steps: Sequence[Step], rows_under: str, outer: Mapping[str, Any]
) -> list[Any]:
    """Return the rows below one item of a list."""
    inner = item
    fields = dict(outer)
    for number, step in enumerate(steps):
        if isinstance(inner, Mapping):
            fields.update(_plain_fields(inner))
        is_found, next_inner = take_step(inner, step)
        if is_found:
            inner = next_inner
        elif isinstance(inner, list):
            return _collect(inner, steps[number:], rows_under, fields)
        else:
            raise _missing_fault(inner, step, rows_under)
    return _collect(inner, (), rows_under, fields)


def _missing_fault(value: Any, step: Step, rows_under: str) -> ShapeFault:
    if isinstance(value, Mapping):
        names = short_repr(list(value))
        return ShapeFault(
            f"--rows-under {rows_under!r}: no field {str(step)!r} among {names}. Name "
            "one of them."
        )
    return ShapeFault(
        f"--rows-under {rows_under!r}: {short_repr(value)} has no {str(step)!r} inside. "
        "Name a list of rows."
    )


def _plain_fields(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: inner
        for name, inner in value.items()
        if not isinstance(inner, dict | list)
    }


def is_list_of_objects(value: Any) -> bool:
    """Return whether a value is a list of at least one object and nothing else."""
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(item, dict) for item in value)


def is_digits(name: str) -> bool:
    """Return whether a key is a number, as a data frame labels its rows."""
    return name.isascii() and name.isdigit()


# -- suggestions -----------------------------------------------------------------------


def suggest_rows_under(value: Any) -> str | None:
    """Return the likeliest path to the rows of a document, None if it has no objects.

    It is a list of objects with a question, or else another list of objects.
    """
    paths = list(_object_lists(value, (), _MAX_HINT_DEPTH))
    ranks = (
        [path for path, item in paths if "question" in item],
        [path for path, item in paths if ROW_FIELDS & set(item)],
        [path for path, _ in paths if path[-1] in ROWS_KEYS],
        [path for path, _ in paths],
    )
    best = next((found for found in ranks if found), None)
    return None if best is None else ".".join(best[0])


def describe_rows_inside(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a sentence with the option for rows in a list of the only row of a file.

    It begins with a space, and is empty if the row has no such list.
    """
    if len(rows) != 1 or ROW_FIELDS & set(rows[0]):
        return ""
    path = suggest_rows_under(rows[0])
    if path is None:
        return ""
    return (
        f" If the rows are in a list of this one, add: --rows-under {shell_quote(path)}"
    )


def has_nested_questions(row: Mapping[str, Any]) -> bool:
    """Return whether a row has no question, but lists of objects in it have."""
    if ROW_FIELDS & set(row):
        return False
    paths = _object_lists(row, (), _MAX_HINT_DEPTH)
    return any("question" in item for _, item in paths)


def _object_lists(
    value: Any, path: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Yield the path to each list of objects with its first item, outer lists first."""
    is_list = is_list_of_objects(value)
    item = value[0] if is_list else value
    if is_list and path:
        yield path, item
    if not isinstance(item, Mapping) or depth == 0:
        return
    for name, inner in item.items():
        if _is_plain_name(name) and isinstance(inner, dict | list):
            yield from _object_lists(inner, (*path, name), depth - 1)


def _is_plain_name(name: str) -> bool:
    """Return whether a key can be a step of a path."""
    return bool(name) and not set(name) & set(".[]") and not is_digits(name)

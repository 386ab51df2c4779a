"""Paths into nested values, such as "choices[0].message.content" or "messages.-1.content".

A step is a key of an object or the index of an item in a list; a negative index counts
from the end. "[0]" and ".0" are the same step of a list. "*" is every item of a list:
the value is the list of what the rest of the path finds in each. "[role=user]" are the
objects of a list whose field has that value, "[from=human|user]" one of these; of a
single object it is the object itself, if its field has it. A cell with a list or an
object written as JSON or Python text is entered like the list or object itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from cotbuild.builder.sources.base import Row
from cotbuild.builder.sources.python_text import PythonTextFault, parse_list_text
from cotbuild.schemas.record import short_repr

_MAX_INDEX_CHARS = 9
_OPENINGS = ("[", "{", "array(")
EVERY = "*"
"""The step to every item of a list."""


class Condition(NamedTuple):
    """A step to the objects whose field has one of some values."""

    field: str
    values: tuple[str, ...]

    def holds(self, value: Any) -> bool:
        """Return whether a value is such an object."""
        return isinstance(value, Mapping) and str(value.get(self.field)) in self.values

    def __str__(self) -> str:
        return f"{self.field}={'|'.join(self.values)}"


Step = str | int | Condition
"""A key or an index as written after a dot, or what is in brackets."""


class Stop(NamedTuple):
    """Where a path ends early."""

    place: str
    """The path up to the value that has no such step."""
    value: Any
    """That value."""
    step: Step

    @property
    def is_null(self) -> bool:
        return self.value is None

    def describe(self) -> str:
        """Return a clause such as "'choices' has 1 item, so there is no item 3"."""
        if isinstance(self.step, Condition):
            return f"{self.place!r} is {short_repr(self.value)}, not with {self.step}"
        if isinstance(self.value, Mapping):
            names = short_repr(list(self.value))
            return f"{self.place!r} has no field {self.step!r}, only {names}"
        if _is_list(self.value):
            if _read_index(self.step) is None:
                hint = f"{self.place}.0.{self.step}"
                return f"{self.place!r} is a list; {hint!r} is in its first item"
            count = len(self.value)
            items = "1 item" if count == 1 else f"{count} items"
            return f"{self.place!r} has {items}, so there is no item {self.step}"
        value = short_repr(self.value)
        return f"{self.place!r} is {value}, which has no {str(self.step)!r} inside"


@lru_cache(maxsize=256)
def parse_path(path: str) -> tuple[Step, ...]:
    """Return the steps of a path."""
    steps: list[Step] = []
    for part in path.split("."):
        name, indices = _split_brackets(part)
        if name or not indices:
            steps.append(name)
        steps += indices
    return tuple(steps)


def _split_brackets(part: str) -> tuple[str, list[Step]]:
    """Split "choices[0][1]" into its name and the steps in brackets."""
    steps: list[Step] = []
    while part.endswith("]"):
        name, bracket, inner = part[:-1].rpartition("[")
        step = _parse_bracketed(inner) if bracket else None
        if step is None:
            break
        steps.insert(0, step)
        part = name
    return part, steps


def _parse_bracketed(inner: str) -> Step | None:
    if _is_index(inner):
        return int(inner)
    if inner == EVERY:
        return EVERY
    field, equals, values = inner.partition("=")
    if not field or not equals:
        return None
    return Condition(field, tuple(values.split("|")))


def path_root(path: str) -> str:
    """Return the column that a path begins with."""
    return str(parse_path(path)[0])


def find_value(row: Row, path: str) -> Any:
    """Return the value at a path, None where the row has none.

    A column of that very name takes precedence.
    """
    return follow_path(row, path)[0]


def find_stop(row: Row, path: str) -> Stop | None:
    """Return where a path ends early in a row.

    None if it does not, or if the row lacks the very column.
    """
    return follow_path(row, path)[1]


def follow_path(row: Row, path: str) -> tuple[Any, Stop | None]:
    """Return what `find_value` and `find_stop` return, in one walk."""
    if path in row:
        return row[path], None
    value, stop = _follow(row, parse_path(path), 0)
    return value, stop if stop is not None and stop.place else None


def _follow(value: Any, steps: tuple[Step, ...], begin: int) -> tuple[Any, Stop | None]:
    for number in range(begin, len(steps)):
        step = steps[number]
        value = open_text(value)
        if step == EVERY and _is_list(value):
            return [_follow(item, steps, number + 1)[0] for item in value], None
        is_found, inner = take_step(value, step)
        if not is_found:
            return None, Stop(_join_steps(steps[:number]), value, step)
        value = inner
    return value, None


def open_text(value: Any) -> Any:
    """Return the list or object that is written in a text, else the value itself."""
    if not isinstance(value, str) or not value.lstrip().startswith(_OPENINGS):
        return value
    try:
        return parse_list_text(value)
    except PythonTextFault:
        return value


def take_step(value: Any, step: Step) -> tuple[bool, Any]:
    """Return whether a value has a step, and what is there."""
    if isinstance(step, Condition):
        if _is_list(value):
            return True, [item for item in value if step.holds(item)]
        return step.holds(value), value
    if isinstance(value, Mapping):
        if isinstance(step, str) and step in value:
            return True, value[step]
        return False, None
    if _is_list(value):
        index = _read_index(step)
        if index is not None and -len(value) <= index < len(value):
            return True, value[index]
    return False, None


def _read_index(step: Step) -> int | None:
    if isinstance(step, int):
        return step
    if isinstance(step, Condition):
        return None
    return int(step) if _is_index(step) else None


def _is_index(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= _MAX_INDEX_CHARS


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _join_steps(steps: Sequence[Step]) -> str:
    """Return steps as a path."""
    path = ""
    for step in steps:
        is_bracketed = not isinstance(step, str)
        path += f"[{step}]" if is_bracketed else f".{step}" if path else str(step)
    return path


def check_paths(paths: Iterable[str], sample: Sequence[Row]) -> tuple[str, Stop] | None:
    """Return the first path that no row of a sample has, and where it stops.

    A path that stops at a null or a missing column may go on in a later row.
    """
    for path in paths:
        stops = [find_stop(row, path) for row in sample]
        fatal = [stop for stop in stops if stop is not None and not stop.is_null]
        if fatal and len(fatal) == len(stops):
            return path, fatal[0]
    return None

r"""Find paths of the publisher's machine in what is about to be published, anywhere in it.

Pure. Every text is looked at, whatever field it is in: a field that is added later
cannot be forgotten.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath, PureWindowsPath
from typing import Any, TypeVar

from cotbuild.schemas.errors import PublishError
from cotbuild.schemas.record import Record, short_repr

RecordT = TypeVar("RecordT", bound=Record)

_UNMISTAKABLE = r"""
    file:[/\\]*\S               # an address of a file
    | ~[\w.-]*[/\\]\S           # a home directory
    | [A-Za-z]:[/\\](?!/)\S     # a drive of Windows
    | \\\\[^\s\\]+\\            # a share of Windows
    | /[^/\s]+/\S               # an absolute path of two parts or more
"""
_WHOLE = re.compile(rf"\s*(?:{_UNMISTAKABLE} | ~[\w.-]*$ | /[^/\s]+$)", re.VERBOSE)
"""A text that is a path as a whole."""
_WHOLE_PROSE = re.compile(rf"\s*(?:{_UNMISTAKABLE})", re.VERBOSE)
"""The same for prose, where `/no_think` is a word to a model."""
_EMBEDDED = re.compile(rf"(?:(?<=[\s='\"(,;:])|^)(?:{_UNMISTAKABLE})\S*", re.VERBOSE)
"""A path inside a text, up to the next white space."""

_PROSE_FIELDS = """
about answer assistant choice_form choice_line choice_separator choices message
order_about question question_form rationale stop system text user
"""
_PROSE = frozenset(_PROSE_FIELDS.split())
"""Fields of prose, which may mention a path as any text may."""
_NOT_IN_A_DIGEST = frozenset({"about", "order_about", "title", "source.licence"})
"""Fields that may be changed: nothing is computed from them."""


def without_local_paths(record: RecordT, file: str) -> RecordT:
    """Return a record in which no text is a path of this machine.

    Where nothing is computed from a text, its paths are cut to their last parts. `file`
    names the published file in errors. Raises PublishError if a path is where it cannot
    be cut, since digests or request keys depend on it.
    """
    value = record.model_dump(mode="json")
    changed = False
    for place, holder, key in list(_texts(value)):
        text = holder[key]
        if _may_be_cut(place):
            holder[key] = _EMBEDDED.sub(lambda found: last_part(found[0]), text)
            changed = changed or holder[key] != text
        elif _is_local_path(place, text):
            raise _refusal(file, place, text)
    return type(record).parse(value, file, PublishError) if changed else record


def last_part(path: str) -> str:
    """Return the last part of a POSIX or Windows path."""
    return PureWindowsPath(PurePath(path).name).name or path


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield each text of a tree as (place, what holds it, its key there).

    Keys of mappings are texts too; they hold themselves.
    """
    items: Any = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, part in items:
        path = place if isinstance(key, int) else f"{place}.{key}".lstrip(".")
        if isinstance(key, str):
            yield place, {"": key}, ""
        if isinstance(part, str):
            yield path, value, key
        else:
            yield from _texts(part, path)


def _may_be_cut(place: str) -> bool:
    return place in _NOT_IN_A_DIGEST or place.rpartition(".")[2] in _NOT_IN_A_DIGEST


def _is_local_path(place: str, text: str) -> bool:
    if place.rpartition(".")[2] in _PROSE:
        return _WHOLE_PROSE.match(text) is not None
    return _WHOLE.match(text) is not None or _EMBEDDED.search(text) is not None


def _refusal(file: str, place: str, text: str) -> PublishError:
    return PublishError(
        f"{file}: {place or 'a name'} has {short_repr(text)}, a path of this machine. "
        "Digests depend on it, so it cannot be cut. Use a name or a relative path there, "
        "and make it again."
    )

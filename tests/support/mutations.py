"""Changed copies of files that cotbuild wrote, for fuzzing what reads them.

A change begins with a real file and keeps most of it, so that it gets past the first
checks: another value or type at one place, a missing or further field, a list or object
within another, or a few bytes of the text.
"""

import copy
import json
from typing import Any

import yaml
from hypothesis import strategies as st

Path = tuple[str | int, ...]


def nested(depth: int) -> Any:
    """Return lists and objects in each other, `depth` deep."""
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, -(2**64), 10**400,
    0.5, -0.0, 1e308, float("inf"), float("nan"),
    "", " ", "a", "0", "1", "\0", "a\nb", "\ud800", "\u202e", "x" * 10_000,
    "../up", "/etc/passwd", "a/b", ".hidden", "a" * 300, "file:/dev/zero", "~",
    [], [[]], [None], {}, {"a": 1}, {"": {}}, [1] * 1_000, nested(30), nested(150),
]  # fmt: skip

odd_values = st.sampled_from(ODD_VALUES) | st.integers() | st.text(max_size=5)


def _places(value: Any, path: Path = ()) -> list[Path]:
    """Return the path of every value in a JSON value."""
    places = [path]
    if isinstance(value, dict):
        items: list[tuple[str | int, Any]] = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return places
    for key, item in items:
        places += _places(item, (*path, key))
    return places


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


@st.composite
def changed_values(draw: st.DrawFn, value: Any) -> Any:
    """Draw a JSON value with one to three changes."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        places = [path for path in _places(value) if path]
        if not places:
            break
        *parents, key = draw(st.sampled_from(places))
        _change(draw, _at(value, tuple(parents)), key)
    return value


def _change(draw: st.DrawFn, parent: Any, key: str | int) -> None:
    kind = draw(st.sampled_from(["value", "value", "value", "drop", "wrap", "twice"]))
    if kind == "value":
        # A copy, since a further change may be within it.
        parent[key] = copy.deepcopy(draw(odd_values))
    elif kind == "wrap":
        parent[key] = draw(st.sampled_from([[parent[key]], {"a": parent[key]}]))
    elif kind == "drop":
        del parent[key]
    elif isinstance(parent, list):
        parent.append(copy.deepcopy(parent[int(key)]))
    else:
        parent[draw(st.text(max_size=3))] = copy.deepcopy(parent[key])


@st.composite
def changed_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw the content of a file with a few bytes replaced, or cut off."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(changed)))
        end = start + draw(st.integers(0, 4))
        changed[start:end] = draw(
            st.binary(max_size=3)
            | st.sampled_from(
                [b"\0", b"\xff", b"[" * 5_000, b"{", b"&a ", b"*a", b"9" * 5_000]
            )
        )
    if draw(st.integers(0, 9)) == 0:
        del changed[draw(st.integers(0, len(changed))) :]
    return bytes(changed)


def changed_json(content: bytes) -> st.SearchStrategy[bytes]:
    """Draw changed copies of a JSON file."""
    values = changed_values(json.loads(content))
    texts = values.map(lambda value: json.dumps(value).encode())
    return texts | changed_bytes(content)


def changed_yaml(content: bytes) -> st.SearchStrategy[bytes]:
    """Draw changed copies of a YAML file."""

    def dump(value: Any) -> bytes:
        # JSON is YAML too, and PyYAML cannot write lone surrogates or deep nesting.
        return json.dumps(value).encode()

    values = changed_values(yaml.safe_load(content))
    return values.map(dump) | changed_bytes(content)

"""YAML is parsed at one door: values as PyYAML reads them, and bounds on everything."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.files import read_yaml
from cotbuild.schemas.yaml_text import (
    MAX_YAML_BYTES,
    MAX_YAML_CHARS,
    MAX_YAML_DEPTH,
    MAX_YAML_VALUES,
    parse_yaml,
)

ROOT = Path(__file__).parents[2]


def nested_aliases(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        aliases = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} [{aliases}]")
    return "\n".join(lines)


def chained_aliases(levels: int) -> str:
    links = (f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, levels))
    return "\n".join(["a0: &a0 [x]", *links])


def merged_aliases(levels: int) -> str:
    fields = ", ".join(f"k{n}: 1" for n in range(50))
    lines = [f"a0: &a0 {{{fields}}}"]
    for level in range(1, levels):
        lines.append(
            f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 50)}]}}"
        )
    return "\n".join(lines)


BOUNDED = {
    "nested aliases": (nested_aliases(9), f"more than {MAX_YAML_VALUES:,} values"),
    "merged aliases": (merged_aliases(5), f"more than {MAX_YAML_VALUES:,} values"),
    "chained aliases": (chained_aliases(80), f"deeper than {MAX_YAML_DEPTH} levels"),
    "long text repeated": (
        "a: &a " + "x" * (MAX_YAML_CHARS // 8) + "\nb: [" + "*a, " * 20 + "*a]",
        "Mi characters",
    ),
    "an alias within its value": ("a: &a [*a]", "stands for no value before it"),
    "flow lists": ("[" * 100_000, f"deeper than {MAX_YAML_DEPTH} levels"),
    "flow mappings": ("{a: " * 50_000, f"deeper than {MAX_YAML_DEPTH} levels"),
    "block lists": ("- " * 5_000 + "1", f"deeper than {MAX_YAML_DEPTH} levels"),
    "complex keys": ("? " * 5_000, f"deeper than {MAX_YAML_DEPTH} levels"),
    "many values": ("- 1\n" * (MAX_YAML_VALUES + 1), "values"),
    "size": ("#" * (MAX_YAML_BYTES + 1), "larger than 1 MiB"),
    "decimal digits": ("a: " + "9" * 5_000, "number of 5000 characters"),
    "hexadecimal digits": ("a: 0x" + "f" * 50, "cannot be read as int"),
    "base 60": ("a: " + ":".join(["59"] * 30), "cannot be read as int"),
    "base 60, long": ("a: " + ":".join(["59"] * 99_999), "number of 299996 characters"),
    "infinity": ("a: .inf", "cannot be read as float"),
    "float out of range": ("a: !!float 1e999", "cannot be read as float"),
    "repeated key": ("a: 1\nb: {c: 1, c: 2}", "line 2: the key 'c' for a second time"),
    "list as key": ("? [1]\n: 2", "a key that is itself"),
    "Python object": ("a: !!python/object/apply:os.system [ls]", "the tag"),
    "binary": ("a: !!binary aGk=", "the tag"),
    "set": ("a: !!set {b}", "the tag"),
    "merge of a text": ("<<: x", "whose value is no mapping"),
    "two documents": ("a: 1\n---\nb: 2", "line 2: a second document"),
    "NUL": ("a: \x00", "not YAML"),
    "lone surrogate": ("a: \ud800", "not YAML"),
    "escaped lone surrogate": (r'a: "\ud800"', "not YAML"),
    "unclosed": ("a: [1,\n2", "not YAML"),
}


@pytest.mark.parametrize("kind", BOUNDED)
def test_what_exceeds_a_bound_is_refused_in_one_line(kind: str) -> None:
    text, message = BOUNDED[kind]
    with pytest.raises(DataError) as caught:
        parse_yaml(text, "file.yaml", error=DataError)
    line = str(caught.value)
    assert line.startswith("file.yaml: ")
    assert message in line
    assert "\n" not in line
    assert len(line) < 300


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("a: yes\nb: ~\nc: 1_000\nd: 1.5e+3\ne: '12'", None),
        ("base: &b {x: 1, y: 2}\nmine: {<<: *b, y: 3}", None),
        ("a: <<\n=: '='", {"a": "<<", "=": "="}),
        ("day: 2001-02-03", {"day": "2001-02-03"}),
        ("&r a: [&s b, *s, *r]", None),
        ("1: a\n~: b\n1.5: c", None),
    ],
)
def test_plain_values_are_those_of_pyyaml(text: str, value: Any) -> None:
    expected = yaml.safe_load(text) if value is None else value
    assert parse_yaml(text, "w") == expected


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(plain, st.booleans())
def test_what_pyyaml_writes_is_read_back(value: Any, flow: bool) -> None:
    # ASCII, since PyYAML writes U+0085 as a line break.
    text = yaml.safe_dump(value, allow_unicode=False, default_flow_style=flow)
    assert parse_yaml(text, "w") == value


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: \xff", "byte 3 is 0xff, which is not UTF-8"),
        (b"#" * (MAX_YAML_BYTES + 1), "larger than 1 MiB"),
        (None, "could not be read: No such file or directory. Write one."),
    ],
)
def test_a_file_of_yaml_is_bounded(
    tmp_path: Path, data: bytes | None, message: str
) -> None:
    path = tmp_path / "f.yaml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigError, match=re.escape(message)):
        read_yaml(path, remedy="Write one.")


def test_yaml_is_parsed_nowhere_else() -> None:
    calls = re.compile(
        r"yaml\.(safe_load|load|full_load|unsafe_load|parse|compose|scan)\b"
    )
    rooms = ("schemas", "prompts", "builder", "student")
    sources = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    assert len(sources) > 100
    assert [str(path) for path in sources if calls.search(path.read_text())] == []

"""Lists and objects as Python and numpy write them, and what is none."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.builder.sources import Source
from cotbuild.builder.sources.choices import parse_choices
from cotbuild.builder.sources.python_text import (
    PythonTextFault,
    parse_list_text,
    parse_python_text,
    read_text_list,
)
from cotbuild.schemas.question import Question

Write = Callable[..., Path]
Ask = Callable[..., tuple[list[Question], Source]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("['plate', 'cup']", ["plate", "cup"]),
        ("['a' 'b']", ["a", "b"]),
        ("['a'\n 'b'\n \"c's\"]", ["a", "b", "c's"]),
        ("array(['a', 'b'], dtype=object)", ["a", "b"]),
        ("array(['a', 'b'],\n      dtype='<U1')", ["a", "b"]),
        ("np.array(['a'])", ["a"]),
        ("array([], shape=(0,), dtype=object)", []),
        ("{'text': array(['a'], dtype=object), 'label': ['A']}", {"text": ["a"], "label": ["A"]}),
        ("{1: 'a', 2: 'b'}", {"1": "a", "2": "b"}),
        ("('a', \"b\",)", ["a", "b"]),
        ("()", []),
        ("[1 2 -3]", [1, 2, -3]),
        ("[1. 2.5e3 .5]", [1.0, 2500.0, 0.5]),
        ("[None, True, False]", [None, True, False]),
        ("[np.str_('a'), np.float64(0.5), np.int64(3)]", ["a", 0.5, 3]),
        (r"['it\'s', 'a\nb', '\xe9\u00e9\\']", ["it's", "a\nb", "éé\\"]),
        ("[['a' 'b']\n ['c' 'd']]", [["a", "b"], ["c", "d"]]),
        ('["a", null]', ["a", None]),
    ],
)  # fmt: skip
def test_a_list_is_read(text: str, value: Any) -> None:
    assert parse_list_text(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("['a' 'b' ... 'z']", "'...' stands for items that are left out"),
        ("['a''b']", "items with and without commas"),
        ("['a', 'b' 'c']", "no ','"),
        ("['a' 'b', 'c']", "items with and without commas"),
        ("('a')", "a bracket without ','"),
        ("('a' 'b')", "a bracket without ','"),
        ("[a, b]", "Expecting value"),
        ("['a', b]", "'b' is no value"),
        ("['a'", "items with and without commas"),
        ("['a', 'b", "is no value"),
        ("['a'] 'b'", "more after the end"),
        ("{'a'}", "no ':'"),
        ("{'a': 1, 'a': 2}", "the key 'a' occurs twice"),
        ("[__import__('os')]", "'__import__' is no value"),
        ("'" + "[" * 500, "is no value"),
        ("['a', " + "[" * 100_000, "nested deeper than 100 levels"),
        ("['a', " + "9" * 10_000 + "]", "more than 300 digits"),
        ("", "Expecting value"),
        ("red", "Expecting value"),
    ],
)
def test_what_is_no_list_is_refused(text: str, message: str) -> None:
    with pytest.raises(PythonTextFault, match=message.replace(".", r"\.")) as caught:
        parse_list_text(text)
    assert len(str(caught.value)) < 200


texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    texts | st.integers(-(10**20), 10**20) | st.booleans() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


@given(values)
def test_what_python_writes_is_read_back(value: Any) -> None:
    assert parse_python_text(repr(value)) == value


@given(st.lists(texts, min_size=2, max_size=20))
def test_what_numpy_writes_is_read_back(items: list[str]) -> None:
    array = np.array(items, dtype=object)
    assert parse_python_text(repr(array)) == items
    assert parse_python_text(str(array)) == items


@given(st.text("['\"], ab\\.1(){}:", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(PythonTextFault):
        parse_list_text(text)


@pytest.mark.parametrize(
    "cell",
    [
        "['a fork', 'a spoon']",
        "['a fork' 'a spoon']",
        "array(['a fork', 'a spoon'], dtype=object)",
        "{'text': array(['a fork', 'a spoon'], dtype=object), 'label': array(['A', 'B'])}",
        "[{'label': 'A', 'text': 'a fork'}, {'label': 'B', 'text': 'a spoon'}]",
        '["a fork", "a spoon"]',
    ],
)
def test_choices_in_a_cell(cell: str) -> None:
    assert parse_choices(cell) == [("A", "a fork"), ("B", "a spoon")]


@pytest.mark.parametrize(
    ("cells", "targets"),
    [
        (["['Paris', 'paris']", "['x']"], [("Paris", "paris"), ("x",)]),
        (['["Paris"]', "array(['x' 'y'], dtype=object)"], [("Paris",), ("x", "y")]),
        # Where one is no list of texts, all are texts.
        (["['Paris']", "x"], [("['Paris']",), ("x",)]),
        (["[0, 1]", "[2, 3]"], [("[0, 1]",), ("[2, 3]",)]),
        (["['a', 1]", "['b']"], [("['a', 1]",), ("['b']",)]),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_targets_that_are_lists_are_decided_over_all_rows(
    name: str, cells: list[str], targets: list[Any], write: Write, ask: Ask
) -> None:
    rows = [
        {"question": f"Q{number}?", "answer": cell} for number, cell in enumerate(cells)
    ]
    content: Any = rows
    if name.endswith(".csv"):
        lines = [f"{row['question']};{quote(row['answer'])}" for row in rows]
        content = "\n".join(["question;answer", *lines])
    questions, source = ask(write(name, content))
    assert [question.targets for question in questions] == targets
    are_lists = not targets[0][0].startswith("[")
    line = source.read_as("train") or ""
    assert ("target answer as list of texts" in line) == are_lists


def quote(cell: str) -> str:
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'


@pytest.mark.parametrize("cell", ["[0, 1]", "red", "[a]", "['a'", "'a'", 3, None, [1]])
def test_what_is_no_list_of_texts(cell: object) -> None:
    assert read_text_list(cell) is None

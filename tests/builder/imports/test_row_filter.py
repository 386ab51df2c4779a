"""Rows that `--where` selects, and the errors where it selects none."""

import re
from typing import Any

import pytest

from cotbuild.builder.imports import recipe_from_mapping
from cotbuild.builder.imports.row_filter import RowFilter
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.import_recipe import ImportRecipe
from tests.builder.imports.conftest import Bring, Write

ROWS = [
    {"q": f"What is {i}+1?", "t": f"It is {i + 1}.", "ok": i % 2 == 0, "epoch": 1.0}
    for i in range(8)
]


def inside_recipe(**options: Any) -> ImportRecipe:
    return recipe_from_mapping({"text": "t", "question": "q"}, join="inside", **options)


@pytest.mark.parametrize(
    ("value", "wanted", "is_read"),
    [
        ("test", "test", True),
        ("test", "Test", False),
        (True, "true", True),
        (True, "True", True),
        (True, "1", False),
        (False, "false", True),
        (None, "null", True),
        (None, "None", True),
        (1.0, "1", True),
        (1.0, "1.0", True),
        (1.5, "1", False),
        (1, "1", True),
        (float("nan"), "nan", True),
    ],
)
def test_a_value_is_written_as_in_python_or_json(
    value: object, wanted: str, is_read: bool
) -> None:
    row_filter = RowFilter(inside_recipe(where={"column": wanted}))
    assert (row_filter.reject({"column": value}) is None) is is_read


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"where": {"okay": "true"}}, ConfigError, "no column 'okay' for --where"),
        ({"once": ("kee",)}, ConfigError, "no column 'kee' for --once"),
        (
            {"where": {"ok": "yes"}},
            DataError,
            "no row has ok='yes'. In the first rows ok is True, False. Correct --where",
        ),
        (
            {"where": {"ok": "true", "q": "x"}},
            DataError,
            "no row has ok='true' and q='x'. In the first rows ok is True, False; q is "
            "'What is 0+1?', 'What is 1+1?', 'What is 2+1?', 'What is 3+1?', "
            "'What is 4+1?', ….",
        ),
    ],
)
def test_a_filter_that_selects_no_row_is_named(
    options: dict[str, Any],
    error: type[Exception],
    message: str,
    write: Write,
    bring: Bring,
) -> None:
    path = write("rows.jsonl", ROWS)
    with pytest.raises(error, match=re.escape(f"rows.jsonl: {message}")):
        bring(path, None, inside_recipe(**options))


def test_a_filter_is_named_also_where_the_questions_are_elsewhere(
    write: Write, bring: Bring
) -> None:
    questions = write(
        "questions.jsonl",
        [{"id": f"q{i}", "question": f"{i}?", "answer": f"{i}"} for i in range(3)],
    )
    texts = write(
        "texts.jsonl", [{"id": f"q{i}", "t": "So.", "ok": True} for i in range(3)]
    )
    columns = {"text": "t", "id": "id"}
    recipe = recipe_from_mapping(columns, where={"ok": "yes"})
    with pytest.raises(DataError, match=r"texts.jsonl: no row has ok='yes'"):
        bring(texts, questions, recipe)
    recipe = recipe_from_mapping(columns, where={"ok": "true"})
    assert bring(texts, questions, recipe).num_rows == 3


def test_a_file_without_the_wanted_value_is_read_beside_one_that_has_it(
    write: Write, bring: Bring
) -> None:
    wrong = write("wrong.jsonl", ROWS[1:2])
    right = write("right.jsonl", ROWS[:1])
    recipe = inside_recipe(where={"ok": "true"})
    assert bring([wrong, right], None, recipe).num_rows == 1

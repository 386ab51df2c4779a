"""Imports whose rows hold questions with inputs."""

from typing import Any

import pytest

from cotbuild.builder.imports import RationaleImport, open_import, open_import_source
from cotbuild.builder.imports.embedded_questions import question_row
from cotbuild.builder.imports.recipes import recipe_from_mapping
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.import_recipe import ImportConfig
from cotbuild.schemas.rationale import Verdict
from tests.builder.imports.conftest import Write
from tests.support.commands import DATA

ROWS: list[dict[str, Any]] = [
    {"q": "Is it cold?", "hint": "Snow falls.", "gold": "yes", "why": "Snow is cold. The answer is yes.", "topic": "a"},
    {"q": "Is it cold?", "hint": "The sun burns.", "gold": "no", "why": "Sun is hot. The answer is yes.", "topic": "b"},
    {"q": "Is it cold?", "hint": "Snow falls.", "gold": "yes", "why": "It falls. The answer is yes.", "topic": "c"},
    {"q": "Is it cold?", "hint": "", "gold": "no", "why": "Who knows. The answer is no.", "topic": None},
]  # fmt: skip
COLUMNS = {"text": "why", "question": "q", "target": "gold"}


def bring(
    file: object, columns: dict[str, str], join: Any = "inside", **settings: Any
) -> RationaleImport:
    recipe = recipe_from_mapping(columns, join=join, has_source=False)
    source = SourceConfig.parse(settings, "config")
    config = ImportConfig(files=(str(file),), recipe=recipe)
    return open_import(config, open_import_source(config, source))


def test_questions_with_the_same_text_differ_by_their_inputs(write: Write) -> None:
    found = bring(
        write("a.jsonl", ROWS), {**COLUMNS, "hint": "hint"}, tags={"topic": "topic"}
    )
    rows = list(found.rows())
    assert [(row.inputs[0].text if row.inputs else None, row.verdict) for row in rows] == [
        ("Snow falls.", Verdict.CORRECT),
        ("Snow falls.", Verdict.CORRECT),
        ("The sun burns.", Verdict.INCORRECT),
        (None, Verdict.CORRECT),
    ]  # fmt: skip
    assert [row.sample_index for row in rows] == [0, 1, 0, 0]
    assert len({row.question_id for row in rows}) == 3
    assert [tag.value for row in rows for tag in row.tags] == ["a", "a", "b"]


def test_an_input_may_be_a_form(write: Write) -> None:
    columns = {**COLUMNS, "hint": r"{hint}\nAbout {topic}."}
    found = bring(write("a.jsonl", ROWS), columns)
    first = next(found.questions())
    assert first.input_texts == {"hint": "Snow falls.\nAbout a."}


def test_questions_without_inputs_are_as_before() -> None:
    recipe = recipe_from_mapping(COLUMNS, has_source=False)
    assert question_row(ROWS[0], recipe) == {"question": "Is it cold?", "answer": "yes"}


@pytest.mark.parametrize(
    ("columns", "join", "message"),
    [
        ({**COLUMNS, "Hint": "hint"}, "inside", r"columns names \['Hint'\], expected some of"),
        ({**COLUMNS, "label": "hint"}, "inside", r"columns names \['label'\], expected some of"),
        ({**COLUMNS, "hint": "hint"}, "question", r"and the join is question; map inputs of the source instead, with --source-map"),
        ({**COLUMNS, "hint": "nowhere"}, "inside", "no column 'nowhere' for hint in the first rows"),
        ({**COLUMNS, "hint": "{hint"}, "inside", "--map hint={hint: the form has a lone brace"),
    ],
)  # fmt: skip
def test_inputs_that_cannot_be(
    columns: dict[str, str], join: str, message: str, write: Write
) -> None:
    with pytest.raises(ConfigError, match=message):
        bring(write("a.jsonl", ROWS), columns, join)


@pytest.mark.needs_data
def test_published_rationales_with_their_documents() -> None:
    columns = {"text": "human_justification", "question": "text", "target": "label"}
    found = bring(
        DATA / "tasks" / "sentiment_reasoning" / "test.xlsx",
        {**columns, "row_name": "Unnamed: 0"},
        labels=["negative", "neutral", "positive"],
        limit=3,
        on_bad_row="drop",
    )
    rows = list(found.rows())
    assert [row.completion for row in rows[:2]] == [
        " giải thích trung lập",
        " tuyên bố mục tiêu",
    ]
    assert [row.target for row in rows] == ["B", "B", "B"]
    assert [row.inputs[0].text for row in rows] == ["0", "1", "2"]

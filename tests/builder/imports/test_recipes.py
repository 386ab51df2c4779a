"""Recipes: what ships, what a user's file or mapping may say, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.imports import builtin_recipes, load_recipe, recipe_from_mapping
from cotbuild.builder.imports.recipes import parse_recipe
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.import_recipe import ImportConfig, ImportRecipe
from cotbuild.schemas.question import Choice, Question, QuestionKind, SourceRef

GOOD = {
    "name": "mine",
    "version": 1,
    "about": "Mine.",
    "made_by": "me",
    "licence": "unknown",
    "join": "id",
    "columns": {"text": "why", "id": "id"},
    "answer": "last",
    "target_shown": False,
}


def test_what_ships() -> None:
    found = builtin_recipes()
    assert list(found) == [
        "chatgpt_openbookqa@1",
        "cose@1",
        "gpt3_quarel@1",
        "llama3_openbookqa@1",
        "palm_commonsense_qa@1",
    ]
    assert {ref for ref, recipe in found.items() if recipe.target_shown} == {
        "cose@1",
        "llama3_openbookqa@1",
    }
    assert found["gpt3_quarel@1"].licence == "unknown"
    assert all(
        recipe.url and len(recipe.fingerprint) == 64 for recipe in found.values()
    )
    assert load_recipe("cose") is found["cose@1"] is load_recipe("cose@1")


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "{name: mine, version: 2, about: Mine., made_by: me, licence: unknown, join: id, "
        "columns: {text: why, id: id}, answer: last, target_shown: false}"
    )
    recipe = load_recipe(str(path))
    assert recipe.ref == "mine@2"
    assert recipe.fingerprint != ImportRecipe.parse(GOOD, "").fingerprint
    assert (
        recipe.fingerprint
        == ImportRecipe.parse(
            {**GOOD, "version": 2, "about": "In other words."}, ""
        ).fingerprint
    )


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        (
            "palm",
            r"recipe 'palm': not known. Pass a .yaml file, or one of chatgpt_openbookqa@1, cose@1",
        ),
        ("cose@2", r"recipe 'cose@2': not known"),
        (
            "nowhere.yaml",
            r"nowhere.yaml: could not be read: No such file .* as the recipe",
        ),
    ],
)
def test_an_unknown_recipe_is_refused(ref: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe(ref)


@pytest.mark.parametrize(
    ("text", "message"),
    [("[1", "x: not YAML"), ("- a", "x: holds a list. Write the fields")],
)
def test_a_file_that_is_no_recipe_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_recipe(text, "x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"columns": {"text": "why"}},
            r"columns lacks \['id'\], which join 'id' needs",
        ),
        ({"columns": {"id": "id"}}, r"columns lacks \['text'\]"),
        (
            {"columns": {"text": "why", "id": "id", "answr": "a"}},
            r"columns names \['answr'\]",
        ),
        (
            {"join": "question"},
            r"columns lacks \['question'\], which join 'question' needs",
        ),
        (
            {"join": "inside"},
            r"columns lacks \['question'\], which join 'inside' needs",
        ),
        (
            {"columns": {"text": ".", "id": "id"}},
            r"the text is the whole row '.', expected join order",
        ),
        ({"answer": "column"}, r"expected both or neither"),
        (
            {"columns": {"text": "why", "id": "id", "answer": "a"}},
            r"expected both or neither",
        ),
        ({"question_form": "Q: $question costs 5$"}, r"question_form has a lone \$"),
        (
            {"question_form": "Q: $choices"},
            r"question_form uses \['choices'\], expected \['question'\]",
        ),
        ({"choice_form": "$label) $txt"}, r"choice_form uses \['label', 'txt'\]"),
        ({"join": "nearest"}, r"join is 'nearest'"),
        ({"licence": ""}, r"licence is ''"),
    ],
)
def test_a_recipe_that_does_not_fit_together_is_refused(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ImportRecipe.parse({**GOOD, **change}, "mine.yaml", ConfigError)


@pytest.mark.parametrize(
    ("columns", "join", "answer"),
    [
        ({"text": "t"}, "order", "last"),
        ({"text": "."}, "order", "last"),
        ({"text": "t", "question": "q"}, "question", "last"),
        ({"text": "t", "question": "q", "id": "i"}, "id", "last"),
        ({"text": "t", "id": "i", "answer": "a"}, "id", "column"),
    ],
)
def test_a_mapping_tells_its_join(
    columns: dict[str, str], join: str, answer: str
) -> None:
    recipe = recipe_from_mapping(columns)
    assert (recipe.ref, recipe.join, recipe.answer) == ("mapping@1", join, answer)
    assert (recipe.made_by, recipe.licence, recipe.url) == ("unknown", "unknown", None)


def test_a_mapping_may_be_told() -> None:
    recipe = recipe_from_mapping(
        {"text": "t", "id": "i", "question": "q"},
        join="question",
        made_by="GPT-5",
        licence="MIT",
        answer_first=True,
        target_shown=True,
    )
    assert (recipe.join, recipe.made_by, recipe.licence) == ("question", "GPT-5", "MIT")
    assert (recipe.answer, recipe.target_shown) == ("first", True)
    with pytest.raises(
        ConfigError,
        match=r"--map {'question': 'q'}: no column for the text. Expected --map text=COL",
    ):
        recipe_from_mapping({"question": "q"})


def test_the_order_must_be_known() -> None:
    palm, cose = load_recipe("palm_commonsense_qa"), load_recipe("cose")
    with pytest.raises(
        ConfigError,
        match=r"palm_commonsense_qa@1 needs order_from: .* cose_train_v1.11.jsonl",
    ):
        ImportConfig.parse({"files": ["a.json"], "recipe": palm}, "import", ConfigError)
    with pytest.raises(
        ConfigError, match=r"order_from is for join order, and cose@1 joins by id"
    ):
        ImportConfig.parse(
            {"files": ["a.json"], "recipe": cose, "order_from": "b.jsonl"},
            "import",
            ConfigError,
        )


def test_a_question_is_written_as_the_files_write_it() -> None:
    question = Question(
        id="1",
        kind=QuestionKind.CHOICE,
        text="Tea costs $5 or",
        choices=(Choice(label="A", text="$question"), Choice(label="B", text="$$")),
        target="A",
        other_targets=(),
        source=SourceRef(
            dataset="d", config_name=None, split="train", revision=None, row=0
        ),
    )
    written = load_recipe("llama3_openbookqa").format_question(question)
    assert written == "Q: Tea costs $5 or Answer choices: A: $question, B: $$"

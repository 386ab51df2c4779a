"""Rationales that the rows of the questions hold, imported without files."""

import csv
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.imports import RationaleImport, open_import, open_import_source
from cotbuild.builder.imports.source_rationales import source_recipe
from cotbuild.builder.sources import open_source
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.import_recipe import ImportConfig
from cotbuild.schemas.rationale import Purpose, Verdict
from tests.builder.imports.conftest import Write

GSM8K = [
    {"question": "How many are 2 cups?", "answer": "There are <<2=2>>2.\n#### 2"},
    {"question": "How many are 3 cups?", "answer": "#### 3"},
    {"question": "How many are 4 cups?", "answer": "There are 4.\n#### 4"},
]


def bring_own(name: Path, given: dict[str, Any], **settings: Any) -> RationaleImport:
    source = SourceConfig.parse({"name": str(name), **settings}, "config")
    recipe = source_recipe(open_source(source), given)
    config = ImportConfig(recipe=recipe)
    return open_import(config, open_import_source(config, source))


def test_a_known_dataset_states_who_wrote_its_rationales(write: Write) -> None:
    found = bring_own(write("train.jsonl", GSM8K), {})
    rows = list(found.rows())
    assert [
        (row.target, row.rationale, row.answer, row.verdict, row.answer_rule)
        for row in rows
    ] == [
        ("2", "There are 2.", "2", Verdict.CORRECT, "given_target"),
        ("4", "There are 4.", "4", Verdict.CORRECT, "given_target"),
    ]
    assert {row.purpose for row in rows} == {Purpose.RATIONALIZE}
    entry = found.entry
    assert (entry.made_by, entry.licence, entry.recipe) == (
        "people (crowd workers)",
        "that of gsm8k, if it is a copy: MIT",
        "from_source@1",
    )
    assert entry.dropped == {"no_rationale": 1}
    assert (entry.num_texts, entry.num_questions_without) == (3, 1)
    assert [file.file for file in entry.files] == ["train.jsonl"]
    assert found.unmatched == []


def test_a_column_and_what_is_given_of_its_authors(write: Write) -> None:
    rows = [
        {"id": "a", "question": "Is tea wet?", "answer": "yes", "why": "Tea is made."},
        {"id": "b", "question": "Is ice hot?", "answer": "no", "why": None},
    ]
    found = bring_own(
        write("q.jsonl", rows),
        {"made_by": "Ann", "licence": "CC0-1.0"},
        columns={"rationale": "why"},
        rows="0:1",
    )
    (row,) = found.rows()
    assert (row.question_id, row.rationale, row.teacher) == ("a", "Tea is made.", "Ann")
    assert found.entry.dropped == {"no_rationale": 1}


def test_a_bad_row_stops_the_import_or_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "answer", "rationale"])
        writer.writerow(["How many are 2 cups?", "2", "Two."])
        writer.writerow(["How many are 3 cups?", "3"])
        writer.writerow(["How many are 4 cups?", "4", "Four."])
    with pytest.raises(DataError, match=r"train.csv row 1 \(from 0\)"):
        bring_own(path, {})
    found = bring_own(path, {}, on_bad_row="drop")
    assert [row.rationale for row in found.rows()] == ["Two.", "Four."]
    assert found.entry.dropped == {"bad_row": 1}


def test_a_source_without_rationales(write: Write) -> None:
    path = write("q.jsonl", [{"question": "Is tea wet?", "answer": "yes"}])
    with pytest.raises(ConfigError, match="no column named rationale"):
        bring_own(path, {})


def test_files_belong_to_other_recipes(write: Write) -> None:
    recipe = source_recipe(
        open_source(SourceConfig(name=str(write("train.jsonl", GSM8K)))), {}
    )
    with pytest.raises(ConfigError, match="takes the rationales of the source"):
        ImportConfig.parse({"recipe": recipe, "files": ["a.jsonl"]}, "", ConfigError)
    other = recipe.model_copy(update={"name": "mapping"})
    with pytest.raises(ConfigError, match="name a file of rationales"):
        ImportConfig.parse({"recipe": other}, "", ConfigError)

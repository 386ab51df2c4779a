"""An import most of whose texts state no answer says so, with what to try."""

from collections.abc import Sequence
from typing import Any

import pytest

from cotbuild.builder.imports import recipe_from_mapping
from cotbuild.builder.imports.unanswered import END_CHARS, UnansweredTexts
from cotbuild.schemas.rationale import Rationale
from tests.builder.imports.conftest import Bring, Write

COLUMNS = {"text": "t", "question": "q", "target": "a"}


def warn(rows: Sequence[Rationale], **options: Any) -> list[str]:
    texts = UnansweredTexts()
    assert list(texts.watch(rows)) == list(rows)
    columns = {**COLUMNS, **options.pop("columns", {})}
    recipe = recipe_from_mapping(columns, has_source=False, **options)
    return list(texts.warning_lines(recipe))


def bring_texts(
    write: Write, bring: Bring, texts: list[str], target: str = "4"
) -> list[Rationale]:
    rows = [{"q": f"Q{i}?", "t": text, "a": target} for i, text in enumerate(texts)]
    recipe = recipe_from_mapping(COLUMNS, has_source=False)
    return list(bring(write("r.jsonl", rows), None, recipe).rows())


@pytest.mark.parametrize(
    ("texts", "warns"),
    [
        (["Hm.", "The answer is 4."], False),
        (["Hm.", "Hm.", "The answer is 4."], True),
        (["The answer is 4."], False),
    ],
)
def test_more_than_half(
    write: Write, bring: Bring, texts: list[str], warns: bool
) -> None:
    assert bool(warn(bring_texts(write, bring, texts))) == warns


def test_no_target_is_no_reason_to_warn(write: Write, bring: Bring) -> None:
    recipe = recipe_from_mapping({"text": "t", "question": "q"}, has_source=False)
    path = write("r.jsonl", [{"q": "Q?", "t": "Hm."}])
    assert warn(list(bring(path, None, recipe).rows())) == []


def test_the_warning_shows_three_ends_and_what_to_try(
    write: Write, bring: Bring
) -> None:
    rows = bring_texts(write, bring, ["x" * 999, "", "So it was.\n", "Hm."])
    first, *lines = warn(rows)
    assert first.startswith("warning: 4 of 4 texts state no answer")
    assert lines[:3] == [
        f"  r.jsonl row 0 (from 0): …{'x' * END_CHARS}",
        "  r.jsonl row 1 (from 0): (empty)",
        "  r.jsonl row 2 (from 0): So it was.",
    ]
    options = [line.split()[0:2] for line in lines[4:]]
    assert options == [
        ["--answer-first,", "if"],
        ["--kind", "text,"],
        ["--set", "grading.closing_sentence=true,"],
        ["--map", "answer=COLUMN,"],
        ["--map", "text=COLUMN,"],
    ]


def test_what_was_tried_is_not_advised_again(write: Write, bring: Bring) -> None:
    rows = bring_texts(write, bring, ["We went. It rained."], target="Paris")
    advice = "\n".join(warn(rows, columns={"answer": "b"}))
    assert "--answer-first" not in advice
    assert "--map answer" not in advice
    assert "closing_sentence" not in advice
    assert "--kind number" in advice

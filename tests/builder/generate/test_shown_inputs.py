"""Templates and the inputs of questions: the defaults, what is needed, what is hidden."""

import json
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.generate.run import dry_run
from cotbuild.builder.generate.shown_inputs import (
    check_needed_inputs,
    describe_hidden_inputs,
)
from cotbuild.prompts.template import load_template, parse_template
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError

HINTED = """
name: hinted
version: 1
kind: choice
about: Shows a hint.
answer: last
user: "$hint $question $choices"
"""


@pytest.mark.parametrize(
    ("optional", "inputs", "message"),
    [
        ("", ("hint", "image"), ""),
        ("", ("image",), r"template hinted@1 shows \$hint, and no question of a.jsonl has such an input; they have image. Map a column to it with --map hint=COLUMN"),
        ("", (), "they have none. Map"),
        ("optional: [hint]", (), ""),
    ],
)  # fmt: skip
def test_a_template_needs_the_inputs_that_it_names(
    optional: str, inputs: tuple[str, ...], message: str
) -> None:
    templates = [parse_template(HINTED + optional, "here")]
    if not message:
        check_needed_inputs(templates, inputs, "a.jsonl")
        return
    with pytest.raises(ConfigError, match=message):
        check_needed_inputs(templates, inputs, "a.jsonl")


@pytest.mark.parametrize(
    ("template", "lines"),
    [
        (HINTED, ["template hinted@1 does not show inputs caption, image"]),
        (HINTED.replace("$hint", "$hint $inputs"), []),
        ("choice_zero_shot@1", ["template choice_zero_shot@1 does not show inputs hint, caption, image"]),
        ("choice_inputs@1", []),
    ],
)  # fmt: skip
def test_inputs_that_are_not_shown_are_named(template: str, lines: list[str]) -> None:
    is_text = template.startswith("\n")
    loaded = parse_template(template, "here") if is_text else load_template(template)
    assert list(describe_hidden_inputs([loaded], ("hint", "caption", "image"))) == lines


@pytest.mark.parametrize(
    ("columns", "templates", "shown", "expected"),
    [
        ({"hint": "hint"}, (), True, []),
        ({}, (), False, []),
        ({"hint": ""}, (), False, []),
        ({"hint": "hint"}, ("yes_no_zero_shot@1",), False, ["template yes_no_zero_shot@1 does not show input hint"]),
    ],
)  # fmt: skip
def test_a_source_with_inputs_is_asked_with_them(
    columns: dict[str, str],
    templates: tuple[str, ...],
    shown: bool,
    expected: list[str],
    tmp_path: Path,
) -> None:
    row = {"question": "Is it cold?", "answer": "yes", "hint": "Snow falls."}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    config: dict[str, Any] = {
        "source": {"name": str(tmp_path / "a.jsonl"), "columns": columns},
        "teacher": {"model": "scripted"},
        "templates": templates,
    }
    lines = list(dry_run(BuildConfig.parse(config, "here"), tmp_path / "build"))
    assert any("Hint: Snow falls." in line for line in lines) is shown
    assert [line for line in lines if "does not show" in line] == expected

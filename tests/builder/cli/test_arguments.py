"""Arguments that no command takes for a path."""

import typing
from pathlib import Path

import pytest

from cotbuild.builder.cli import study
from cotbuild.builder.cli.app import app
from cotbuild.builder.cli.help import PATH_OPTIONS
from cotbuild.builder.cli.variants import FILTERS
from cotbuild.schemas.variant import Selection
from tests.support.commands import invoke


@pytest.mark.parametrize(
    "words",
    [
        ["generate", "--out", ""],
        ["generate", "--out", "b", "--config", ""],
        ["generate", "--out=", "--teacher", "scripted"],
        ["import", "t.jsonl", "--out", "b", "--source", ""],
        ["import", "", "--out", "b"],
        ["variants", ""],
        ["variants", "b", "--spec", ""],
        ["verify", ""],
        ["pull", "file:x", ""],
        ["publish", "b", ""],
        ["train", "b", "--variant", "post_cot", "--out", ""],
        ["study", "run", ""],
    ],
)
def test_an_empty_path_is_not_the_current_folder(words: list[str]) -> None:
    assert "'' is empty. Pass a path" in invoke(*words, code=2).output


def test_an_argument_that_is_not_utf8_is_refused() -> None:
    for words in (["inspect", "\udcff"], ["generate", "--out", "a\udc80"]):
        assert "is not valid UTF-8" in invoke(*words, code=2).output


@pytest.mark.parametrize(
    "command", ["generate", "verify", "pull", "inspect", "variants"]
)
def test_a_path_that_is_too_long_is_one_line(command: str) -> None:
    path = "a" * 300
    words = {"generate": ["--out", path], "pull": ["file:x", path]}.get(command, [path])
    output = invoke(command, *words, code=1).output
    assert "File name too long" in output
    assert output.startswith("error: ")


@pytest.mark.parametrize("spelling", ["--licence", "--license"])
def test_publish_knows_both_spellings_of_licence(spelling: str, tmp_path: Path) -> None:
    words = ("publish", tmp_path, f"file:{tmp_path / 'x'}", spelling, "mit")
    assert "no manifest.json" in invoke(*words, code=1).output


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([], "FILE, one JSON object per line."),
        ([], "no worker was left to ask: run the command again to resume"),
        ([], "the run was drained; run it again to resume"),
        (["generate"], "or lines (one row per line)"),
        (["generate"], "never shown to the teacher or a student. Repeatable."),
        (["import"], "--license"),
        (["publish"], "--license"),
        (["study"], "Its options are in `cotbuild study run --help`."),
        (["jobs", "failures"], "that failed, one JSON object per line."),
    ],
)
def test_help_says(command: list[str], said: str) -> None:
    assert said in " ".join(invoke(*command, "--help").output.split())


def test_help_lists_every_filter() -> None:
    assert sorted(FILTERS.split(", ")) == sorted(Selection.model_fields)


def test_every_option_that_is_a_path_is_known() -> None:
    groups = [app, study.app]
    commands = [command for group in groups for command in group.registered_commands]
    assert len(commands) > 10
    for command in commands:
        assert command.callback is not None
        hints = typing.get_type_hints(command.callback, include_extras=True)
        for name, hint in hints.items():
            is_option = "OptionInfo" in str(hint)
            if is_option and "pathlib.Path" in str(hint):
                assert name in PATH_OPTIONS, command.callback

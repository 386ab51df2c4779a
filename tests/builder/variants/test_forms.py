"""Rows of messages, of several turns and of mixes, as the command line writes them."""

from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.build.build import StoredBuild
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.variant_rows import (
    MessagesRow,
    TrainingRow,
)
from tests.support.commands import invoke

SPEC = """
variants:
  - {name: half, about: Half., mix: {pre_cot: 0.5, label_only: 0.5}}
  - {name: chat_given, about: Two turns., placement: given_rationale, format: messages, train_on: all}
  - {name: chat_both, about: Both sides., placement: both_sides, format: messages}
  - {name: chat_mix, about: A mix., mix: {chat_both: 0.25, chat_pre_cot: 0.75}}
"""
NAMES = (
    "half,chat_given,chat_mix,chat_both,chat_pre_cot,pre_cot,label_only,given_rationale"
)
RowKey = tuple[str, int]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forms")
    (folder / "spec.yaml").write_text(SPEC)
    out = folder / "b"
    invoke(
        "generate",
        "--teacher",
        "scripted",
        "--samples",
        2,
        "--eval-splits",
        "test",
        "--out",
        out,
    )
    invoke("variants", out, "--only", NAMES, "--spec", folder / "spec.yaml")
    return out


def by_key(build: Path, name: str) -> dict[RowKey, Any]:
    rows = StoredBuild.open(build).read(name, "train")
    return {(row["question_id"], row["sample_index"]): row for row in rows}


def test_rows_are_verified_and_read_as_what_they_are(build: Path) -> None:
    assert "verified" in invoke("verify", build).stdout
    stored = StoredBuild.open(build)
    assert {type(row) for row in stored.message_rows("chat_mix")} == {MessagesRow}
    assert stored.splits("given_rationale") == ["train"]
    assert stored.splits("half") == ["train", "test"]


@pytest.mark.parametrize(
    ("mix", "first", "second", "share"),
    [
        ("half", "pre_cot", "label_only", 0.5),
        ("chat_mix", "chat_both", "chat_pre_cot", 0.25),
    ],
)
def test_each_rationale_of_a_mix_has_the_row_of_one_part(
    build: Path, mix: str, first: str, second: str, share: float
) -> None:
    mixed, of_first = by_key(build, mix), by_key(build, first)
    of_second = by_key(build, second)
    assert mixed.keys() == of_first.keys() == of_second.keys()
    in_first = {key for key, row in mixed.items() if row == of_first[key]}
    in_second = {key for key, row in mixed.items() if row == of_second[key]}
    assert in_first | in_second == mixed.keys()
    assert not in_first & in_second
    assert abs(len(in_first) - share * len(mixed)) <= 1


def test_a_mix_is_evaluated_in_the_form_of_its_first_part(build: Path) -> None:
    stored = StoredBuild.open(build)
    assert list(stored.rows("half", "test")) == list(stored.rows("pre_cot", "test"))


def test_a_difference_shows_the_turns(build: Path) -> None:
    shown = invoke("diff", build, "chat_given", "chat_pre_cot", "--limit", 1).stdout
    assert "user: Question:" in shown
    assert "assistant: " in shown
    assert "user: Answer:" in shown


def test_rows_of_each_format_have_a_method_of_their_own(build: Path) -> None:
    stored = StoredBuild.open(build)
    assert {type(row) for row in stored.rows("pre_cot")} == {TrainingRow}
    assert {type(row) for row in stored.rows_of_any_format("chat_mix")} == {MessagesRow}
    with pytest.raises(ConfigError, match=r"Use build\.message_rows\('chat_mix'\)"):
        stored.rows("chat_mix")
    with pytest.raises(ConfigError, match=r"Use build\.rows\('pre_cot'\)"):
        stored.message_rows("pre_cot")

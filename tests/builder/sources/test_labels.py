"""Whole numbers as targets that stand for labels, as classification sets have them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.sources import Source
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import Question, QuestionKind
from tests.support.commands import DATA

Write = Callable[..., Path]
Ask = Callable[..., tuple[list[Question], Source]]
THREE = ["negative", "neutral", "positive"]
SENTIMENT = DATA / "tasks" / "sentiment_reasoning"


def documents(labels: Sequence[object]) -> list[dict[str, object]]:
    return [
        {"question": f"Document {number}.", "label": label}
        for number, label in enumerate(labels)
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", documents([0, 2, 1, 0])),
        ("a.jsonl", documents(["0", "2", " 1", "0"])),
        ("a.csv", "question,label\nOne.,0\nTwo.,1\nThree.,2\n"),
        ("a.csv", "question,label\nOne.,1.0\nTwo.,2.0\nThree.,3.0\n"),
    ],
)
def test_codes_without_names_stop_with_the_option_that_names_them(
    name: str, content: Any, write: Write, ask: Ask
) -> None:
    with pytest.raises(ConfigError, match=r"alone, which seem to stand for labels. Pa"):
        ask(write(name, content), columns={"target": "label"})


@pytest.mark.parametrize(
    ("labels", "config", "targets"),
    [
        ([0, 2, 1], {"labels": THREE}, "ACB"),
        (["0", "2", "1"], {"labels": THREE}, "ACB"),
        ([1, 3, 2], {"labels": THREE}, "ACB"),
        ([0, 1], {"labels": THREE}, "AB"),
        ([1, 2], {"labels": THREE, "target_is": "index0"}, "BC"),
        (
            [0, 2, 3],
            {"labels": THREE, "on_bad_row": "drop", "target_is": "index0"},
            "AC",
        ),
        (["2", "1"], {"labels": ["1", "2"]}, "BA"),
    ],
)
def test_labels_name_whole_numbers(
    labels: list[object], config: dict[str, Any], targets: str, write: Write, ask: Ask
) -> None:
    path = write("a.jsonl", documents(labels))
    questions, _ = ask(path, columns={"target": "label"}, **config)
    assert {question.kind for question in questions} == {QuestionKind.CHOICE}
    assert "".join(str(question.target) for question in questions) == targets


@pytest.mark.parametrize(
    ("labels", "config", "message"),
    [
        ([0, 1, 2, 3], {"labels": THREE}, r"are [0, 1, 2, 3], and the 3 --labels negative,neutral,positive stand for 0 to 2."),
        (["4", "1", "2", "3"], {"labels": THREE}, r"are [1, 2, 3, 4], and the 3 --labels negative,neutral,positive stand for 1 to 3."),
        ([0, 1], {"labels": THREE, "target_is": "index1"}, r"are [0, 1], and the 3 --labels negative,neutral,positive stand for 1 to 3."),
    ],
)  # fmt: skip
def test_numbers_beyond_the_labels_are_named(
    labels: list[object], config: dict[str, Any], message: str, write: Write, ask: Ask
) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(write("a.jsonl", documents(labels)), columns={"target": "label"}, **config)
    assert message in str(caught.value)


def test_the_hint_beside_labels_maps_no_choices(write: Write, ask: Ask) -> None:
    path = write("a.jsonl", [{"document": "A text of some length.", "label": 0}])
    with pytest.raises(
        ConfigError, match=r"Add: --map question=document --map target="
    ):
        ask(path, labels=THREE)


@pytest.mark.needs_data
@pytest.mark.parametrize(
    ("name", "counts"),
    [("train_eng", (1694, 2844, 1157)), ("test_asr", (701, 958, 524))],
)
def test_published_labels(name: str, counts: tuple[int, ...], ask: Ask) -> None:
    columns = {"question": "text", "target": "label"}
    questions, _ = ask(SENTIMENT / f"{name}.xlsx", columns=columns, labels=THREE)
    targets = [question.target for question in questions]
    assert tuple(targets.count(label) for label in "ABC") == counts

"""Rationales that a source's own rows carry."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cotbuild.builder.sources import open_source
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError
from tests.support.commands import DATA

Write = Callable[..., Path]


def test_a_column_called_rationale_needs_no_mapping(write: Write) -> None:
    rows = [
        {"id": "a", "question": "q1", "answer": 1, "rationale": " Because. "},
        {"id": "b", "question": "q2", "answer": 2, "rationale": None},
        {
            "id": "c",
            "question": "q3",
            "answer": 3,
            "rationale": ["First.", "", "Then."],
        },
    ]
    source = open_source(SourceConfig(name=str(write("train.jsonl", rows)), limit=1))
    assert [(q.id, text) for q, text in source.read_with_rationales("train")] == [
        ("a", "Because."),
        ("c", "First. Then."),
    ]
    assert [q.id for q in source.read("train")] == ["a"]


def test_a_column_can_be_mapped(write: Write) -> None:
    path = write("train.csv", "question,answer,why\nq1,1,because\nq2,2,\n")
    source = open_source(SourceConfig(name=str(path), columns={"rationale": "why"}))
    assert [text for _, text in source.read_with_rationales("train")] == ["because"]
    assert len(list(source.read("train"))) == 2


def test_without_a_column_an_option_is_suggested(write: Write) -> None:
    source = open_source(
        SourceConfig(
            name=str(write("train.csv", "question,answer,why\nq1,1,because\n"))
        )
    )
    with pytest.raises(ConfigError) as caught:
        source.read_with_rationales("train")
    line = str(caught.value)
    assert line.startswith(
        "train.csv: no column named rationale among ['question', 'answer', 'why']."
    )
    assert line.endswith("Name it with --map rationale=COL")


def test_the_bundled_set_has_no_rationales() -> None:
    with pytest.raises(
        ConfigError, match=r"bundled.jsonl: its rows have no rationales"
    ):
        open_source(SourceConfig()).read_with_rationales("train")


@pytest.mark.needs_data
def test_commonsense_qa_has_no_rationales() -> None:
    with pytest.raises(
        ConfigError, match=r"dev_rand_split.jsonl: its rows have no rationales"
    ):
        open_source(
            SourceConfig(name=str(DATA / "commonsense_qa"))
        ).read_with_rationales("dev")


@pytest.mark.needs_data
@pytest.mark.parametrize(("split", "count"), [("train", 7473), ("test", 1319)])
def test_every_gsm8k_row_carries_one_without_calculator_or_answer(
    split: str, count: int
) -> None:
    texts = [
        text
        for _, text in open_source(
            SourceConfig(name=str(DATA / "gsm8k"))
        ).read_with_rationales(split)
    ]
    assert len(texts) == count
    assert not any("<<" in text or ">>" in text or "####" in text for text in texts)


@pytest.mark.needs_data
def test_strategyqa_rationales_are_its_facts() -> None:
    worked = list(
        open_source(SourceConfig(name=str(DATA / "strategyqa"))).read_with_rationales(
            "train"
        )
    )
    assert len(worked) == 2061
    first = worked[0][1]
    assert (first.count("."), first.endswith("."), "  " in first) == (3, True, True)

"""Every row of the published files loads, dirt included. Nothing is copied here; see ../shared/data/README.md."""

import json
from pathlib import Path

import pytest

from cotbuild.builder.sources import open_source
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.question import Question, QuestionKind

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")


def read(name: str, split: str) -> list[Question]:
    return list(open_source(SourceConfig(name=str(DATA / name))).read(split))


@pytest.mark.parametrize(
    ("name", "split", "count", "letters"),
    [
        ("commonsense_qa", "train", 9741, "ABCDE"),
        ("commonsense_qa", "dev", 1221, "ABCDE"),
        ("commonsense_qa", "test", 1140, ""),
        ("openbookqa", "train", 4957, "ABCD"),
        ("openbookqa", "dev", 500, "ABCD"),
        ("openbookqa", "test", 500, "ABCD"),
        ("quarel/dev.jsonl", "dev", 278, "AB"),
        ("quarel/test.jsonl", "test", 552, "AB"),
        ("arc/ARC-Challenge-Train.jsonl", "train", 1119, "1234ABCD"),
    ],
)
def test_all_rows_load(name: str, split: str, count: int, letters: str) -> None:
    questions = read(name, split)
    assert len(questions) == len({q.id for q in questions}) == count
    assert {q.kind for q in questions} == {QuestionKind.CHOICE}
    assert "".join(sorted({q.target for q in questions if q.target})) == letters
    assert [q.source.row for q in questions] == list(range(count))


@pytest.mark.parametrize(
    ("name", "kind", "count"),
    [
        ("strategyqa/train.json", QuestionKind.YES_NO, 2061),
        ("strategyqa/dev.json", QuestionKind.YES_NO, 229),
        ("gsm8k/train.jsonl", QuestionKind.NUMBER, 7473),
        ("gsm8k/test.jsonl", QuestionKind.NUMBER, 1319),
    ],
)
def test_other_files_need_no_mapping(name: str, kind: QuestionKind, count: int) -> None:
    source = open_source(SourceConfig(name=str(DATA / name)))
    questions = list(source.read(source.split))
    assert [q.kind for q in questions] == [kind] * count
    assert all(q.target for q in questions)


def test_commonsense_qa_dirt_is_kept() -> None:
    questions = {q.id: q for q in read("commonsense_qa", "train")}
    home = questions["d227f28c9490843fb225fcf4c7904ba9"]
    texts = {c.label: c.text for c in home.choices}
    assert texts["A"] == texts["C"]
    assert home.target in ("A", "C")
    assert sum(len({c.text for c in q.choices}) < 5 for q in questions.values()) == 122
    same_as_target = sum(
        sum(c.text == next(d.text for d in q.choices if d.label == q.target) for c in q.choices) > 1
        for q in questions.values()
    )
    assert same_as_target == 42
    assert sum("  " in q.text for q in questions.values()) == 991


def test_openbookqa_pair_with_different_targets_is_kept() -> None:
    questions = {q.id: q for q in read("openbookqa", "train")}
    first, second = questions["9-616"], questions["12-272"]
    assert first.text == second.text
    assert {c.text for c in first.choices} == {c.text for c in second.choices}
    assert len({next(c.text for c in q.choices if c.label == q.target) for q in (first, second)}) == 2


def test_openbookqa_text_is_the_published_text() -> None:
    rows = [json.loads(line) for line in (DATA / "openbookqa" / "train.jsonl").read_text().splitlines()]
    for row, question in zip(rows, read("openbookqa", "train"), strict=True):
        assert question.text == row["question"]["stem"].strip()
        assert [c.text for c in question.choices] == [c["text"].strip() for c in row["question"]["choices"]]
        assert question.target == row["answerKey"]


def test_quarel_choices_leave_nothing_behind() -> None:
    for name in ("dev", "test"):
        for question in read(f"quarel/{name}.jsonl", name):
            for choice in question.choices:
                assert choice.text == choice.text.strip(" .,;:?!/")
                assert not choice.text.endswith((" or", " or the", " or in the"))
            assert "(A)" not in question.text
            assert "(B)" not in question.text


@pytest.mark.parametrize(
    ("split", "row", "first", "second"),  # how many words each choice keeps, and its last letter
    [("dev", 174, (2, "e"), (2, "e")), ("test", 533, (1, "l"), (1, "n")), ("test", 450, (1, "e"), (1, "p"))],
)
def test_quarel_odd_rows(split: str, row: int, first: tuple[int, str], second: tuple[int, str]) -> None:
    question = read(f"quarel/{split}.jsonl", split)[row]
    assert [(len(c.text.split()), c.text[-1]) for c in question.choices] == [first, second]


def test_svamp_loads_with_a_mapping_too_and_names_the_same_questions() -> None:
    path = str(DATA / "svamp" / "SVAMP.json")
    columns = {"id": "ID", "question": "Body,Question", "target": "Answer"}
    mapped = list(open_source(SourceConfig(name=path, columns=columns)).read("train"))
    assert mapped == read("svamp/SVAMP.json", "train")

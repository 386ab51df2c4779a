"""Every row of the published files loads, dirt included. Nothing is copied here."""

import json
from collections import Counter

import pytest

from cotbuild.builder.sources import open_source
from cotbuild.builder.sources.overlap import normalise_text
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.question import Question, QuestionKind
from tests.support.commands import DATA

pytestmark = pytest.mark.needs_data


def read(name: str, split: str) -> list[Question]:
    source = open_source(SourceConfig(name=str(DATA / name)))
    questions = list(source.read(split))
    assert source.drops == {}
    return questions


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
        ("openbookqa/dev.sent_ending.jsonl", "dev", 500, "ABCD"),
        ("arc", "train", 1119, "1234ABCD"),
        ("arc", "dev", 299, "124ABCDE"),
        ("arc", "test", 1150, "ABCD"),
    ],
)
def test_all_rows_load(name: str, split: str, count: int, letters: str) -> None:
    questions = read(name, split)
    assert len(questions) == len({q.id for q in questions}) == count
    assert {q.kind for q in questions} == {QuestionKind.CHOICE}
    assert "".join(sorted({q.target for q in questions if q.target})) == letters
    assert [q.source.row for q in questions] == list(range(count))


@pytest.mark.parametrize(
    ("name", "split", "kind", "count"),
    [
        ("strategyqa", "train", QuestionKind.YES_NO, 2061),
        ("strategyqa", "dev", QuestionKind.YES_NO, 229),
        ("gsm8k", "train", QuestionKind.NUMBER, 7473),
        ("gsm8k", "test", QuestionKind.NUMBER, 1319),
        ("svamp/SVAMP.json", "train", QuestionKind.NUMBER, 1000),
    ],
)
def test_all_rows_without_choices_load(
    name: str, split: str, kind: QuestionKind, count: int
) -> None:
    questions = read(name, split)
    assert [q.kind for q in questions] == [kind] * count
    assert len({q.id for q in questions}) == count
    assert all(q.target for q in questions)
    assert [q.source.row for q in questions] == list(range(count))


@pytest.mark.parametrize(
    ("split", "row", "labels", "target"),
    [
        ("train", 16, "1234", "2"),
        ("train", 128, "1234", "4"),
        ("dev", 89, "1234", "2"),
        ("train", 461, "ABC", "A"),
        ("dev", 35, "ABC", "A"),
        ("train", 626, "ABCDE", "C"),
        ("dev", 210, "ABCDE", "E"),
    ],
)
def test_arc_labels_stay_as_published(
    split: str, row: int, labels: str, target: str
) -> None:
    question = read("arc", split)[row]
    assert ("".join(c.label for c in question.choices), question.target) == (
        labels,
        target,
    )


def test_how_many_arc_rows_are_odd() -> None:
    questions = {split: read("arc", split) for split in ("train", "dev", "test")}
    digits = {
        split: sum(q.choices[0].label == "1" for q in found)
        for split, found in questions.items()
    }
    assert digits == {"train": 23, "dev": 4, "test": 0}
    sizes = {
        split: Counter(len(q.choices) for q in found)
        for split, found in questions.items()
    }
    assert sizes == {
        "train": {4: 1117, 3: 1, 5: 1},
        "dev": {4: 295, 3: 3, 5: 1},
        "test": {4: 1144, 3: 3, 5: 3},
    }


@pytest.mark.parametrize(
    ("split", "row", "target"),
    [
        ("train", 345, "1080"),  # published with a comma
        ("test", 146, "2125"),
        ("test", 576, "11232"),  # and a non-breaking space in the text
        ("train", 5715, "-7"),
        ("train", 5844, "-47"),
        ("train", 6189, "-12"),
        ("test", 489, "-10"),
        ("test", 1113, "-3"),
        ("train", 7388, "35"),  # zero-width space in the question
        ("test", 393, "20"),  # zero-width space in the solution
        ("train", 563, "6"),  # non-breaking space
        ("train", 6180, "17"),
    ],
)
def test_gsm8k_odd_numbers(split: str, row: int, target: str) -> None:
    assert read("gsm8k", split)[row].target == target


def test_gsm8k_spaces() -> None:
    rows = [
        json.loads(line)
        for line in (DATA / "gsm8k" / "train.jsonl").read_text().splitlines()
    ]
    questions = read("gsm8k", "train")
    assert "\u200b" in rows[7388]["question"]
    assert not any("\u200b" in q.text for q in questions)
    assert [i for i, q in enumerate(questions) if "\u00a0" in q.text] == [
        563,
        2488,
        5744,
        6180,
    ]
    assert sum("," in row["answer"].rpartition("####")[2] for row in rows) == 79
    assert not any("," in (q.target or "") for q in questions)
    rationales = dict(
        open_source(SourceConfig(name=str(DATA / "gsm8k"))).read_with_rationales("test")
    )
    assert not any("\u200b" in text for text in rationales.values())


def test_svamp_keeps_the_published_answer_where_its_equation_says_another() -> None:
    question = read("svamp/SVAMP.json", "train")[679]
    row = json.loads((DATA / "svamp" / "SVAMP.json").read_text())[679]
    assert (question.id, question.target) == ("chal-680", "1")
    assert question.text == f"{row['Body'].strip()} {row['Question'].strip()}"


def test_strategyqa_keeps_one_question_under_two_ids() -> None:
    questions = read("strategyqa", "train")
    first, second = questions[114], questions[1469]
    assert (first.id, second.id) == ("8a5edfb7385edb776926", "cb900171acc9047115b4")
    assert first.text == second.text
    assert first.target == second.target == "yes"
    assert len({q.text for q in questions}) == 2060


def test_commonsense_qa_keeps_one_question_with_two_targets() -> None:
    questions = read("commonsense_qa", "train")
    first, second = questions[4318], questions[5016]
    assert normalise_text(first.text) == normalise_text(second.text)
    assert (first.target, second.target) == ("C", "E")


def test_commonsense_qa_dirt_is_kept() -> None:
    questions = {q.id: q for q in read("commonsense_qa", "train")}
    home = questions["d227f28c9490843fb225fcf4c7904ba9"]
    texts = {c.label: c.text for c in home.choices}
    assert texts["A"] == texts["C"]
    assert home.target in ("A", "C")
    assert sum(len({c.text for c in q.choices}) < 5 for q in questions.values()) == 122
    same_as_target = sum(
        sum(
            c.text == next(d.text for d in q.choices if d.label == q.target)
            for c in q.choices
        )
        > 1
        for q in questions.values()
    )
    assert same_as_target == 42
    assert sum("  " in q.text for q in questions.values()) == 991


def test_openbookqa_pair_with_different_targets_is_kept() -> None:
    questions = {q.id: q for q in read("openbookqa", "train")}
    first, second = questions["9-616"], questions["12-272"]
    assert first.text == second.text
    assert {c.text for c in first.choices} == {c.text for c in second.choices}
    assert (
        len(
            {
                next(c.text for c in q.choices if c.label == q.target)
                for q in (first, second)
            }
        )
        == 2
    )


def test_openbookqa_text_is_the_published_text() -> None:
    rows = [
        json.loads(line)
        for line in (DATA / "openbookqa" / "train.jsonl").read_text().splitlines()
    ]
    for row, question in zip(rows, read("openbookqa", "train"), strict=True):
        assert question.text == row["question"]["stem"].strip()
        assert [c.text for c in question.choices] == [
            c["text"].strip() for c in row["question"]["choices"]
        ]
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
    (
        "split",
        "row",
        "first",
        "second",
    ),  # how many words each choice keeps, and its last letter
    [
        ("dev", 174, (2, "e"), (2, "e")),
        ("test", 533, (1, "l"), (1, "n")),
        ("test", 450, (1, "e"), (1, "p")),
    ],
)
def test_quarel_odd_rows(
    split: str, row: int, first: tuple[int, str], second: tuple[int, str]
) -> None:
    question = read(f"quarel/{split}.jsonl", split)[row]
    assert [(len(c.text.split()), c.text[-1]) for c in question.choices] == [
        first,
        second,
    ]


def test_svamp_loads_with_a_mapping_too_and_names_the_same_questions() -> None:
    path = str(DATA / "svamp" / "SVAMP.json")
    columns = {"id": "ID", "question": "Body,Question", "target": "Answer"}
    mapped = list(open_source(SourceConfig(name=path, columns=columns)).read("train"))
    assert mapped == read("svamp/SVAMP.json", "train")

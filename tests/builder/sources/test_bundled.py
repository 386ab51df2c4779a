"""The bundled questions: counts, balance, and what can be checked of their truth by a
machine.
"""

from collections import Counter

import pytest

from cotbuild.builder.sources import open_source
from cotbuild.builder.sources.provenance import stated_licence
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import Question, QuestionKind

KINDS = [kind for kind in QuestionKind if kind is not QuestionKind.PROSE]


def read(split: str, name: str = "bundled") -> list[Question]:
    return list(open_source(SourceConfig(name=name)).read(split))


@pytest.mark.parametrize(("split", "each"), [("train", 18), ("test", 6)])
def test_every_kind_has_its_share(split: str, each: int) -> None:
    assert Counter(q.kind for q in read(split)) == dict.fromkeys(KINDS, each)


def test_ids_and_texts_are_unique_across_splits() -> None:
    questions = read("train") + read("test")
    assert len({q.id for q in questions}) == len({q.text for q in questions}) == 96


@pytest.mark.parametrize("split", ["train", "test"])
def test_targets_are_balanced(split: str) -> None:
    targets = Counter((q.kind, q.target) for q in read(split))
    assert targets[QuestionKind.YES_NO, "yes"] == targets[QuestionKind.YES_NO, "no"]
    letters = [targets[QuestionKind.CHOICE, letter] for letter in "ABCD"]
    assert max(letters) - min(letters) <= 1
    assert targets[QuestionKind.CHOICE, "E"] > 0


def test_choices_are_four_or_five_and_differ() -> None:
    for question in read("train") + read("test"):
        if question.kind is QuestionKind.CHOICE:
            assert (
                len({choice.text for choice in question.choices})
                == len(question.choices)
                in (4, 5)
            )


@pytest.mark.parametrize("split", ["train", "test"])
def test_kinds_are_mixed_so_that_a_limit_keeps_all_of_them(split: str) -> None:
    first_four = list(open_source(SourceConfig(split=split, limit=4)).read(split))
    assert {q.kind for q in first_four} == set(KINDS)


def test_the_question_does_not_contain_the_answer() -> None:
    for question in read("train") + read("test"):
        if question.kind is QuestionKind.TEXT:
            assert all(
                target.lower() not in question.text.lower().split()
                for target in question.targets
            )


def test_provenance() -> None:
    questions = read("test")
    assert [q.source.row for q in questions] == list(range(24))
    assert {
        (q.source.dataset, q.source.split, q.source.revision) for q in questions
    } == {("bundled", "test", None)}


def test_there_is_no_dev_split() -> None:
    with pytest.raises(
        ConfigError, match=r"bundled: no split 'validation'\. Pass one of train, test"
    ):
        open_source(SourceConfig(split="dev"))


def test_a_mapping_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="--target-is and --labels are not for a known dataset"
    ):
        open_source(SourceConfig(columns={"question": "q"}))


@pytest.mark.parametrize(("split", "each"), [("train", 9), ("test", 3)])
def test_the_bundled_tasks_are_balanced(split: str, each: int) -> None:
    questions = read(split, "bundled_tasks")
    by_task = Counter(tag.value for question in questions for tag in question.tags)
    assert by_task == dict.fromkeys(("sentiment", "inference", "translation"), each)
    targets = Counter(q.target for q in questions if q.kind is QuestionKind.CHOICE)
    assert targets == dict.fromkeys("ABC", 2 * each // 3)
    assert {name for q in questions for name in q.input_texts} == {
        "premise",
        "hypothesis",
        "source_lang",
        "target_lang",
    }
    first_three = {tag.value for question in questions[:3] for tag in question.tags}
    assert len(first_three) == 3


def test_the_bundled_tasks_are_our_own_and_differ_across_splits() -> None:
    source = open_source(SourceConfig(name="bundled_tasks"))
    assert stated_licence(source) == "Apache-2.0"
    train, test = read("train", "bundled_tasks"), read("test", "bundled_tasks")
    assert not {one.full_text for one in train} & {one.full_text for one in test}
    with pytest.raises(ConfigError, match="bundled_tasks: no split 'validation'"):
        open_source(SourceConfig(name="bundled_tasks", split="dev"))
    with pytest.raises(ConfigError, match="are not for a known dataset"):
        open_source(SourceConfig(name="bundled_tasks", columns={"question": "x"}))

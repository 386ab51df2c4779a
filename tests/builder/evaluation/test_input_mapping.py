"""Questions asked with an input in place of their text, or without an input."""

from pathlib import Path

import pytest

from cotbuild.builder.evaluation.input_mapping import (
    check_mapping,
    describe_mapping,
    map_questions,
)
from cotbuild.builder.evaluation.questions import read_questions
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Input, Question
from tests.support.commands import DATA

QUESTION = Question.create(
    "I am fine.",
    inputs=[Input(name="asr", text="I am five."), Input(name="hint", text="Age?")],
)


@pytest.mark.parametrize(
    ("mapping", "text", "inputs", "folder"),
    [
        ({}, "I am fine.", ["asr", "hint"], ""),
        ({"question": "asr"}, "I am five.", ["hint"], "-question-asr"),
        ({"asr": ""}, "I am fine.", ["hint"], "-no-asr"),
        ({"question": "asr", "hint": ""}, "I am five.", [], "-no-hint-question-asr"),
        ({"nothing": ""}, "I am fine.", ["asr", "hint"], "-no-nothing"),
    ],
)
def test_what_is_asked(
    mapping: dict[str, str], text: str, inputs: list[str], folder: str
) -> None:
    check_mapping(mapping)
    (mapped,) = map_questions([QUESTION], mapping)
    assert (mapped.text, [one.name for one in mapped.inputs]) == (text, inputs)
    assert mapped.id == QUESTION.id
    assert describe_mapping(mapping) == folder


@pytest.mark.parametrize(
    "mapping", [{"question": ""}, {"hint": "asr"}, {"question": "question"}]
)
def test_other_mappings_are_refused(mapping: dict[str, str]) -> None:
    with pytest.raises(
        ConfigError, match="pass question=INPUT to ask with an input in"
    ):
        check_mapping(mapping)


def test_a_question_without_the_input_is_named() -> None:
    with pytest.raises(DataError, match=r"question 'question' has no such text among its inputs, \['asr', 'hint'\]"):  # fmt: skip
        map_questions([QUESTION], {"question": "caption"})


@pytest.mark.needs_data
def test_what_a_recogniser_heard_in_place_of_what_people_wrote() -> None:
    file = str(DATA / "tasks" / "sentiment_reasoning" / "test_asr.xlsx")
    written = read_questions(file, "test", 2, Terminal(), mapping={"asr": ""})
    heard = read_questions(file, "test", 2, Terminal(), mapping={"question": "asr"})
    assert written.questions[0].text.startswith("cái khái niệm nha bây giờ rong kinh")
    assert heard.questions[0].text.startswith("cái miệng nhẹ ngón chân tức là")
    assert [one.target for one in heard.questions] == [one.target for one in written.questions]  # fmt: skip
    assert all(not one.inputs for one in (*heard.questions, *written.questions))
    assert heard.mapping == {"question": "asr"}


def test_an_input_that_is_left_out_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "problems.json").write_text(
        '{"1": {"question": "Which?", "choices": ["a", "b"], "answer": 0, "hint": "", '
        '"image": "image.png", "task": "closed choice", "grade": "grade2", "subject": '
        '"natural science", "topic": "x", "category": "y", "skill": "z", "lecture": "", '
        '"solution": "", "split": "test"}}'
    )
    found = read_questions(
        str(tmp_path), "test", None, Terminal(), mapping={"image": ""}
    )
    assert found.questions[0].images == ()

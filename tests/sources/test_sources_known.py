"""to_question of the known datasets on invented rows of the published, the Hub's and the SWAG-like shape."""

from typing import Any

import pytest

from cotbuild.builder.sources import commonsense_qa, openbookqa, quarel
from cotbuild.builder.sources.known import Known
from cotbuild.builder.sources.rows import BadRow, BadRowReason
from cotbuild.builder.sources.source import KNOWN
from cotbuild.schemas.question import QuestionKind, SourceRef

DICTS = [{"label": "A", "text": "a fork"}, {"label": "B", "text": "a spoon"}]
LISTS = {"label": ["A", "B"], "text": ["a fork", "a spoon"]}
CSQA = {"id": "q1", "question": {"question_concept": "spoon", "stem": "What stirs tea?", "choices": DICTS}}
CSQA_HUB = {"id": "q1", "question": "What stirs tea?", "question_concept": "spoon", "choices": LISTS}
OBQA = {"id": "q1", "question": {"stem": "What stirs tea?", "choices": DICTS}, "answerKey": "B"}
OBQA_HUB = {"id": "q1", "question_stem": "What stirs tea?", "choices": LISTS, "answerKey": "B"}
SWAG = {"id": "q1", "sent1": "What stirs tea?", "sent2": "", "ending0": "a fork", "ending1": "a spoon", "label": 1}
QUAREL = {"question": "What stirs tea? (A) a fork (B) a spoon", "rationale": "dummy", "answer": "(B)"}
QUAREL_HUB = {"id": "q1", "question": "What stirs tea? (A) a fork (B) a spoon", "answer_index": 1}


def ref(split: str = "train") -> SourceRef:
    return SourceRef(dataset="d", config_name=None, split=split, revision=None, row=7)


@pytest.mark.parametrize(
    ("known", "row"),
    [
        (commonsense_qa.KNOWN, {**CSQA, "answerKey": "B"}),
        (commonsense_qa.KNOWN, {**CSQA_HUB, "answerKey": "B"}),
        (openbookqa.KNOWN, OBQA),
        (openbookqa.KNOWN, OBQA_HUB),
        (openbookqa.KNOWN, SWAG),
        (quarel.KNOWN, QUAREL),
        (quarel.KNOWN, QUAREL_HUB),
    ],
)
def test_every_form_gives_the_same_question(known: Known, row: dict[str, Any]) -> None:
    question = known.to_question(row, ref())
    assert question.id == ("q1" if "id" in row else "fa027a326cea242a")
    assert (question.kind, question.text, question.target) == (QuestionKind.CHOICE, "What stirs tea?", "B")
    assert [(c.label, c.text) for c in question.choices] == [("A", "a fork"), ("B", "a spoon")]
    assert question.source == ref()
    assert next(name for name, other in KNOWN.items() if other.matches(row)) == known.name


@pytest.mark.parametrize("row", [CSQA, {**CSQA_HUB, "answerKey": ""}])
def test_commonsense_qa_test_has_no_targets(row: dict[str, Any]) -> None:
    assert commonsense_qa.to_question(row, ref("test")).target is None
    with pytest.raises(BadRow, match="only the test split goes without"):
        commonsense_qa.to_question(row, ref("validation"))


def test_equal_choices_and_the_published_letter_are_kept() -> None:
    twice = [{"label": letter, "text": text} for letter, text in zip("ABC", ["home", "work", "home"], strict=True)]
    row = {"id": "q1", "answerKey": "C", "question": {"question_concept": "c", "stem": "Where?", "choices": twice}}
    question = commonsense_qa.to_question(row, ref())
    assert question.target == "C"
    assert [c.text for c in question.choices] == ["home", "work", "home"]


@pytest.mark.parametrize(
    ("text", "stem", "choices"),
    [
        ("Tea is _____ (A) hot or (B) cold.", "Tea is _____", ["hot", "cold"]),
        ("Tea is(A) hot or(B) cold?", "Tea is", ["hot", "cold"]),
        ("Which one, the (A) cup? (B) pot or the", "Which one, the", ["cup", "pot"]),
        ("It is on the (A) shelf or in the (B) box", "It is on the", ["shelf", "box"]),
        ("It is  on the (A) shelf. (B) box or", "It is  on the", ["shelf", "box"]),
        ("It is the (A) cup, or the (B) pot; ", "It is the", ["cup", "pot"]),
        ("Who? (A) Ann/ (B) her  mother ?", "Who?", ["Ann", "her  mother"]),
        ("It is (A) closer to (B) 0.5 m away", "It is", ["closer to", "0.5 m away"]),
        ("Who has a (A) motor or (B) tractor", "Who has a", ["motor", "tractor"]),
    ],
)
def test_quarel_choices_are_taken_out_of_the_text(text: str, stem: str, choices: list[str]) -> None:
    question = quarel.to_question({"question": text, "answer": "(A)"}, ref())
    assert question.text == stem
    assert [c.text for c in question.choices] == choices


@pytest.mark.parametrize(
    ("known", "row", "reason", "message"),
    [
        (commonsense_qa.KNOWN, {**CSQA, "answerKey": "E"}, "bad_target", "'q1' has target 'E', not one of its choices"),
        (commonsense_qa.KNOWN, {**CSQA, "id": None, "answerKey": "A"}, "missing_field", "id is None"),
        (openbookqa.KNOWN, {**OBQA, "question": {"choices": DICTS}}, "missing_field", "question is None"),
        (openbookqa.KNOWN, {**OBQA, "question": {"stem": "s", "choices": "x"}}, "bad_choices", "choices hold 'x'"),
        (openbookqa.KNOWN, {**OBQA, "answerKey": None}, "missing_field", "answerKey is None"),
        (openbookqa.KNOWN, {**SWAG, "label": 2}, "bad_target", "whole number from 0 to 1"),
        (openbookqa.KNOWN, {**SWAG, "label": True}, "bad_target", "label is True"),
        (openbookqa.KNOWN, {**SWAG, "ending1": " "}, "bad_choices", "choices hold ' '"),
        (quarel.KNOWN, {**QUAREL, "answer": "B"}, "bad_target", "answer is 'B'"),
        (quarel.KNOWN, {**QUAREL_HUB, "answer_index": 2}, "bad_target", "answer is 2"),
        (quarel.KNOWN, {**QUAREL, "question": "Tea or coffee?"}, "bad_choices", "as (A) … (B) …"),
        (quarel.KNOWN, {**QUAREL, "question": "Tea? (A) . (B) cup"}, "missing_field", "choice is ''"),
    ],
)
def test_bad_rows(known: Known, row: dict[str, Any], reason: str, message: str) -> None:
    with pytest.raises(BadRow) as caught:
        known.to_question(row, ref())
    assert caught.value.reason is BadRowReason(reason)
    assert message in caught.value.message


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_revisions_are_whole_commits(known: Known) -> None:
    assert len(known.revision) == 40
    assert set(known.revision) <= set("0123456789abcdef")

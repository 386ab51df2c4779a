"""to_question of the known datasets on invented rows of the published, the Hub's and
the SWAG-like shape.
"""

from typing import Any

import pytest

from cotbuild.builder.sources.base import BadRow, BadRowReason, KnownDataset
from cotbuild.builder.sources.datasets import (
    KNOWN_DATASETS,
    arc,
    commonsense_qa,
    gsm8k,
    openbookqa,
    quarel,
    strategyqa,
    svamp,
)
from cotbuild.schemas.question import QuestionKind, SourceRef

DICTS = [{"label": "A", "text": "a fork"}, {"label": "B", "text": "a spoon"}]
LISTS = {"label": ["A", "B"], "text": ["a fork", "a spoon"]}
CSQA = {
    "id": "q1",
    "question": {
        "question_concept": "spoon",
        "stem": "What stirs tea?",
        "choices": DICTS,
    },
}
CSQA_HUB = {
    "id": "q1",
    "question": "What stirs tea?",
    "question_concept": "spoon",
    "choices": LISTS,
}
OBQA = {
    "id": "7-1",
    "question": {"stem": "What stirs tea?", "choices": DICTS},
    "answerKey": "B",
}
OBQA_HUB = {
    "id": "7-1",
    "question_stem": "What stirs tea?",
    "choices": LISTS,
    "answerKey": "B",
}
SWAG = {
    "id": "7-1",
    "sent1": "What stirs tea?",
    "sent2": "",
    "ending0": "a fork",
    "ending1": "a spoon",
    "label": 1,
}
ARC = {**OBQA, "id": "Mercury_1"}
ARC_HUB = {
    "id": "Mercury_1",
    "question": "What stirs tea?",
    "choices": LISTS,
    "answerKey": "B",
}
STRATEGY = {
    "qid": "s1",
    "term": "Tea",
    "question": "Is tea wet?",
    "answer": True,
    "facts": ["Tea is wet.", " So. "],
}
GSM = {
    "question": "One and 1,000?",
    "answer": "It is 1+1000=<<1+1000=1001>>1001.\n#### 1,001",
}
SVAMP = {
    "ID": "chal-1",
    "Body": "Ann has 2 cups.",
    "Question": " How many?",
    "Equation": "2.0",
    "Answer": 2.0,
}
QUAREL = {
    "question": "What stirs tea? (A) a fork (B) a spoon",
    "rationale": "dummy",
    "answer": "(B)",
}
QUAREL_HUB = {
    "id": "q1",
    "question": "What stirs tea? (A) a fork (B) a spoon",
    "answer_index": 1,
}


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
        (arc.CHALLENGE, ARC),
        (arc.CHALLENGE, ARC_HUB),
    ],
)
def test_every_form_gives_the_same_question(
    known: KnownDataset, row: dict[str, Any]
) -> None:
    question = known.to_question(row, ref())
    assert question.id == row.get("id", "fa027a326cea242a")
    assert (question.kind, question.text, question.target) == (
        QuestionKind.CHOICE,
        "What stirs tea?",
        "B",
    )
    assert [(c.label, c.text) for c in question.choices] == [
        ("A", "a fork"),
        ("B", "a spoon"),
    ]
    assert question.source == ref()
    assert (
        next(name for name, other in KNOWN_DATASETS.items() if other.matches(row))
        == known.name
    )


@pytest.mark.parametrize(
    ("known", "row", "kind", "text", "target", "rationale"),
    [
        (strategyqa.KNOWN, STRATEGY, "yes_no", "Is tea wet?", "yes", "Tea is wet. So."),
        (
            strategyqa.KNOWN,
            {**STRATEGY, "answer": False, "facts": "One text."},
            "yes_no",
            "Is tea wet?",
            "no",
            "One text.",
        ),
        (
            strategyqa.KNOWN,
            {**STRATEGY, "facts": []},
            "yes_no",
            "Is tea wet?",
            "yes",
            None,
        ),
        (gsm8k.KNOWN, GSM, "number", "One and 1,000?", "1001", "It is 1+1000=1001."),
        (
            gsm8k.KNOWN,
            {**GSM, "answer": "#### -7"},
            "number",
            "One and 1,000?",
            "-7",
            None,
        ),
        (svamp.KNOWN, SVAMP, "number", "Ann has 2 cups. How many?", "2", None),
        (
            svamp.KNOWN,
            {**SVAMP, "Answer": "2"},
            "number",
            "Ann has 2 cups. How many?",
            "2",
            None,
        ),
    ],
)
def test_datasets_without_choices(
    known: KnownDataset,
    row: dict[str, Any],
    kind: str,
    text: str,
    target: str,
    rationale: str | None,
) -> None:
    question = known.to_question(row, ref())
    assert (question.kind.value, question.text, question.target) == (kind, text, target)
    assert known.kind is question.kind
    expected = () if rationale is None else (rationale,)
    assert (known.rationales(row) if known.rationales else ()) == expected
    assert (
        next(name for name, other in KNOWN_DATASETS.items() if other.matches(row))
        == known.name
    )
    assert question.id == (
        row[known.id_column] if known.id_column else "574ddecbd5b3a0c1"
    )


def test_arc_labels_stay_as_published() -> None:
    digits = [{"label": "1", "text": "a fork"}, {"label": "2", "text": "a spoon"}]
    row = {
        **ARC,
        "question": {"stem": "What stirs tea?", "choices": digits},
        "answerKey": "2",
    }
    question = arc.to_question(row, ref())
    assert ([c.label for c in question.choices], question.target) == (["1", "2"], "2")


@pytest.mark.parametrize("row", [CSQA, {**CSQA_HUB, "answerKey": ""}])
def test_commonsense_qa_test_has_no_targets(row: dict[str, Any]) -> None:
    assert commonsense_qa.to_question(row, ref("test")).target is None
    with pytest.raises(BadRow, match="Only the test split may have no answers"):
        commonsense_qa.to_question(row, ref("validation"))


def test_equal_choices_and_the_published_letter_are_kept() -> None:
    twice = [
        {"label": letter, "text": text}
        for letter, text in zip("ABC", ["home", "work", "home"], strict=True)
    ]
    row = {
        "id": "q1",
        "answerKey": "C",
        "question": {"question_concept": "c", "stem": "Where?", "choices": twice},
    }
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
def test_quarel_choices_are_taken_out_of_the_text(
    text: str, stem: str, choices: list[str]
) -> None:
    question = quarel.to_question({"question": text, "answer": "(A)"}, ref())
    assert question.text == stem
    assert [c.text for c in question.choices] == choices


@pytest.mark.parametrize(
    ("known", "row", "reason", "message"),
    [
        (
            commonsense_qa.KNOWN,
            {**CSQA, "answerKey": "E"},
            "bad_target",
            "'q1' has target 'E', which is not one of its choices",
        ),
        (
            commonsense_qa.KNOWN,
            {**CSQA, "id": None, "answerKey": "A"},
            "missing_field",
            "id is None",
        ),
        (
            openbookqa.KNOWN,
            {**OBQA, "question": {"choices": DICTS}},
            "missing_field",
            "question is None",
        ),
        (
            openbookqa.KNOWN,
            {**OBQA, "question": {"stem": "s", "choices": "x"}},
            "bad_choices",
            "choices hold 'x'",
        ),
        (
            openbookqa.KNOWN,
            {**OBQA, "answerKey": None},
            "missing_field",
            "answerKey is None",
        ),
        (
            openbookqa.KNOWN,
            {**SWAG, "label": 2},
            "bad_target",
            "whole number from 0 to 1",
        ),
        (openbookqa.KNOWN, {**SWAG, "label": True}, "bad_target", "label is True"),
        (
            openbookqa.KNOWN,
            {**SWAG, "ending1": " "},
            "bad_choices",
            "at least 2 with different",
        ),
        (quarel.KNOWN, {**QUAREL, "answer": "B"}, "bad_target", "answer is 'B'"),
        (quarel.KNOWN, {**QUAREL_HUB, "answer_index": 2}, "bad_target", "answer is 2"),
        (
            quarel.KNOWN,
            {**QUAREL, "question": "Tea or coffee?"},
            "bad_choices",
            "as (A) … (B) …",
        ),
        (
            quarel.KNOWN,
            {**QUAREL, "question": "Tea? (A) . (B) cup"},
            "missing_field",
            "choice is ''",
        ),
        (
            arc.EASY,
            {**ARC, "answerKey": "5"},
            "bad_target",
            "'Mercury_1' has target '5', which is not one of its choices",
        ),
        (
            strategyqa.KNOWN,
            {**STRATEGY, "answer": "yes"},
            "bad_target",
            "answer is 'yes', not true or false",
        ),
        (strategyqa.KNOWN, {**STRATEGY, "qid": None}, "missing_field", "id is None"),
        (
            gsm8k.KNOWN,
            {**GSM, "answer": "1001"},
            "bad_target",
            "answer is '1001'. Expected a text that ends in",
        ),
        (gsm8k.KNOWN, {**GSM, "answer": None}, "bad_target", "answer is None"),
        (
            svamp.KNOWN,
            {**SVAMP, "Answer": True},
            "bad_target",
            "Answer is True, not a number",
        ),
        (svamp.KNOWN, {**SVAMP, "Body": ""}, "missing_field", "Body is ''"),
    ],
)
def test_bad_rows(
    known: KnownDataset, row: dict[str, Any], reason: str, message: str
) -> None:
    with pytest.raises(BadRow) as caught:
        known.to_question(row, ref())
    assert caught.value.reason is BadRowReason(reason)
    assert message in caught.value.message


@pytest.mark.parametrize("known", KNOWN_DATASETS.values(), ids=KNOWN_DATASETS)
def test_revisions_are_whole_commits(known: KnownDataset) -> None:
    if known.hub_id is None:
        has_files = bool(known.published_at or known.file)
        assert (known.revision, has_files) == (None, True)
        return
    revision = known.revision or ""
    assert len(revision) == 40
    assert set(revision) <= set("0123456789abcdef")

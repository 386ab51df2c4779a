"""Which questions two students both answered: same ids, same targets."""

import pytest

from cotbuild.builder.compare.answers import (
    AnsweredQuestion,
    StudentAnswers,
    Writer,
)
from cotbuild.builder.compare.match import match_questions
from cotbuild.schemas.errors import ConfigError, CotbuildError, DataError

COTBUILD, LM_EVAL = Writer.COTBUILD, Writer.LM_EVAL


def question(
    name: str | None,
    target: str | None = "B",
    doc_id: int | None = None,
    doc_hash: str | None = None,
) -> AnsweredQuestion:
    return AnsweredQuestion(name, target, {}, doc_id, doc_hash)


def answers(*questions: AnsweredQuestion, writer: Writer = COTBUILD) -> StudentAnswers:
    return StudentAnswers("here", writer, questions, ("accuracy",))


def test_the_order_does_not_matter() -> None:
    a = answers(question("q1"), question("q2"))
    b = answers(question("q2"), question("q1"))
    found = match_questions(a, b)
    assert [(pair.name, pair.b.id) for pair in found.pairs] == [
        ("q1", "q1"),
        ("q2", "q2"),
    ]
    found.check_same()


def test_what_only_one_answered_is_named_and_shared_questions_are_offered() -> None:
    a = answers(question("q1"), question("q2"), question("q3"), question("x", "A"))
    b = answers(question("q1"), question("q2"), question("q4"), question("x", "B"))
    found = match_questions(a, b)
    assert (found.only_a, found.only_b) == (("q3",), ("q4",))
    assert [pair.name for pair in found.changed] == ["x"]
    assert found.num_left_out == 3
    with pytest.raises(DataError) as caught:
        found.check_same()
    assert str(caught.value) == (
        "A and B answered different questions: 1 by A alone, such as 'q3'; 1 by B alone, "
        "such as 'q4'; 1 with another target or row, such as 'x' ('A' in A, 'B' in B). "
        "Evaluate both on the same questions, or pass --shared to compare the 2 that both "
        "answered."
    )


def test_questions_that_nobody_shares_are_not_offered() -> None:
    found = match_questions(answers(question("q1")), answers(question("q2")))
    with pytest.raises(DataError, match=r"alone, such as 'q2'\. Evaluate both on"):
        found.check_same()


@pytest.mark.parametrize(
    ("hash_a", "hash_b", "target_b", "is_same"),
    [
        ("h", "h", "another form", True),
        ("h", "i", "B", False),
        (None, "i", "B", True),
        (None, None, "A", False),
    ],
)
def test_samples_are_matched_by_doc_id_and_checked_by_their_row(
    hash_a: str | None, hash_b: str | None, target_b: str, is_same: bool
) -> None:
    a = answers(question(None, "B", 7, hash_a), writer=LM_EVAL)
    b = answers(question(None, target_b, 7, hash_b), writer=LM_EVAL)
    found = match_questions(a, b)
    assert [pair.name for pair in found.pairs] == (["7"] if is_same else [])
    assert len(found.changed) == (0 if is_same else 1)


@pytest.mark.parametrize("doc_hash", [None, "h"])
def test_samples_of_another_task_are_told_by_their_ids(doc_hash: str | None) -> None:
    a, b = (
        answers(
            *(question(f"{task}_{n}", "0", n, doc_hash) for n in range(3)),
            writer=LM_EVAL,
        )
        for task in ("arc_easy", "arc_challenge")
    )
    found = match_questions(a, b)
    assert (found.pairs, len(found.changed)) == ((), 3)
    with pytest.raises(DataError) as caught:
        found.check_same()
    assert str(caught.value) == (
        "A and B answered different questions: 3 with another target or row, such as "
        "'doc_id 0' ('arc_easy_0' in A, 'arc_challenge_0' in B). Evaluate both on the same "
        "questions."
    )


def test_an_id_in_one_file_alone_says_nothing() -> None:
    a = answers(question("x", "0", 0), writer=LM_EVAL)
    b = answers(question(None, "0", 0), writer=LM_EVAL)
    assert len(match_questions(a, b).pairs) == 1


def test_two_programs_are_matched_by_the_ids_of_the_dataset() -> None:
    a = answers(question("q1", "1", 0, "h"), writer=LM_EVAL)
    found = match_questions(a, answers(question("q1", "B")))
    assert len(found.pairs) == 1
    assert not found.is_same_writer


def test_by_order_the_nth_is_the_nth() -> None:
    a = answers(question(None, "0", 0), question(None, "0", 1), writer=LM_EVAL)
    b = answers(question("x"), question("y"))
    found = match_questions(a, b, by_order=True)
    assert [(pair.name, pair.b.id) for pair in found.pairs] == [("0", "x"), ("1", "y")]


@pytest.mark.parametrize(
    ("a", "b", "by_order", "error", "message"),
    [
        (
            answers(question(None, "0", 0), writer=LM_EVAL),
            answers(question("x")),
            False,
            ConfigError,
            "question 0 (from 0) has no id in its dataset (doc.id), so it",
        ),
        (
            answers(question("x")),
            answers(question("x"), question("y")),
            True,
            ConfigError,
            "--by-order: A has 1 questions, B 2.",
        ),
        (
            answers(question("x"), question("y")),
            answers(question("x"), question("z")),
            True,
            ConfigError,
            "--by-order: question 1 (from 0) is 'y' in A and 'z' in B.",
        ),
        (
            answers(question("x"), question("x")),
            answers(question("x")),
            False,
            DataError,
            "here: two questions have the id 'x'.",
        ),
    ],
)
def test_what_cannot_be_matched(
    a: StudentAnswers,
    b: StudentAnswers,
    by_order: bool,
    error: type[CotbuildError],
    message: str,
) -> None:
    with pytest.raises(error) as caught:
        match_questions(a, b, by_order=by_order)
    assert message in str(caught.value)

"""What other rules of grading change in a build, told before it is replaced."""

from typing import Any

from cotbuild.builder.generate.regrading import compare_grading
from cotbuild.schemas.rationale import (
    OtherStep,
    Purpose,
    Rationale,
    Verdict,
    question_fields,
)
from tests.support.weathering import question

NO_ANSWER, CORRECT, INCORRECT = Verdict.NO_ANSWER, Verdict.CORRECT, Verdict.INCORRECT


def row(number: int, verdict: Verdict, **changes: Any) -> Rationale:
    asked = question()
    asked = asked.model_copy(
        update={
            "id": f"q{number}",
            "source": asked.source.model_copy(update={"row": number}),
        }
    )
    return Rationale(
        **{
            **question_fields(asked),
            "sample_index": 0, "rationale": "So.", "answer": None, "verdict": verdict, "flags": (),
            "completion": "So.", "reasoning": None, "finish_reason": "stop", "prompt_tokens": None,
            "completion_tokens": None, "failure": None, "teacher": "t", "purpose": Purpose.ELICIT,
            "template": "t@1", "request_key": f"{number:064}", "other_steps": (), "origin": None,
            **changes,
        },
    )  # fmt: skip


def read(number: int, verdict: Verdict, answer: str, rule: str | None) -> Rationale:
    return row(number, verdict, answer=answer, answer_rule=rule)


def lines(old: list[Rationale], new: list[Rationale], **options: bool) -> list[str]:
    changes = compare_grading(old, new, **{"has_rules": False, **options})
    return list(changes.lines(len(old)))


def test_verdicts_are_counted_by_what_they_were_and_by_the_rules() -> None:
    old = [row(n, NO_ANSWER) for n in range(5)] + [read(5, CORRECT, "B", None)]
    new = [
        *(read(n, CORRECT, "B", "answer_is") for n in range(3)),
        read(3, CORRECT, "B", "json_field"),
        row(4, NO_ANSWER),
        row(5, NO_ANSWER, answer_rule="no_single"),
    ]
    assert lines(old, new) == [
        "5 of 6 verdicts change, and beside them 0 answers and 0 rationales",
        "  4 no_answer → correct (by rule: not recorded → answer_is 3, "
        "not recorded → json_field 1)",
        "  1 correct → no_answer (by rule: not recorded → no_single 1)",
        "  for example q0: no_answer → correct, answer none → 'B' by answer_is",
        "  for example q5: correct → no_answer, answer 'B' → none by no_single",
    ]


def test_rules_that_were_recorded_are_named() -> None:
    old = [row(0, NO_ANSWER), read(1, INCORRECT, "A", "answer_is")]
    new = [read(0, CORRECT, "B", "boxed"), read(1, CORRECT, "B", "boxed")]
    found = lines(old, new, has_rules=True)
    assert "  1 no_answer → correct (by rule: none → boxed 1)" in found
    assert "  1 incorrect → correct (by rule: answer_is → boxed 1)" in found


def test_answers_and_rationales_that_change_alone_are_counted() -> None:
    old = [read(0, INCORRECT, "A", None), row(1, NO_ANSWER), row(2, NO_ANSWER)]
    new = [
        read(0, INCORRECT, "C", None),
        row(1, NO_ANSWER, rationale="So"),
        row(2, NO_ANSWER),
    ]
    assert lines(old, new) == [
        "0 of 3 verdicts change, and beside them 1 answer and 1 rationale"
    ]


def test_rows_of_other_texts_are_left_out() -> None:
    step = OtherStep(
        purpose=Purpose.ELICIT, request_key="0" * 64, completion="So.", reasoning=None,
        finish_reason="stop", prompt_tokens=None, completion_tokens=None,
    )  # fmt: skip
    old = [
        row(
            0, CORRECT, request_key="1" * 64, other_steps=(step,)
        ),  # asked a second time
        row(1, NO_ANSWER),
        row(2, Verdict.UNSCORED, completion=None, failure="rejected"),
        row(4, NO_ANSWER),
        row(5, NO_ANSWER),
    ]
    new = [
        row(0, INCORRECT),
        row(1, CORRECT, request_key="2" * 64),  # by another template
        row(2, CORRECT),
        row(3, CORRECT),
        row(4, CORRECT, target="A"),
    ]
    assert lines(old, new)[:2] == [
        "1 of 5 verdicts change, and beside them 0 answers and 0 rationales; "
        "not compared: 4 rows without a text or of other requests",
        "  1 correct → incorrect (by rule: not recorded → none 1)",
    ]

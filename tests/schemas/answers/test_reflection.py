"""What an evaluation of an attempt says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotbuild.schemas.answers.reflection import evaluation_agrees, find_evaluation


@pytest.mark.parametrize(
    ("text", "evaluation"),
    [
        ("It holds.\nVerdict: Accept\nThe answer is (A).", "accept"),
        ("It fails.\nVerdict: Refine", "refine"),
        ("**Verdict:** Refine.\nThe answer is (B).", "refine"),
        ("> VERDICT : accepted\n", "accept"),
        ("Verdict: `Accept`", "accept"),
        ("Verdict: Accept\nNo.\nVerdict: Accept", "accept"),
        ("Verdict: Accept\nWait.\nVerdict: Refine", None),
        ("I accept the answer.", None),
        ("The verdict: accept is what I would write.", None),
        ("Verdict: Accept or Refine", None),
        ("Verdict: acceptable", None),
        ('Write "Verdict: Accept" if it is right.', None),
        ("Verdict:\nAccept", None),
        ("", None),
    ],
)
def test_only_a_line_of_its_own_states_an_evaluation(
    text: str, evaluation: str | None
) -> None:
    assert find_evaluation(text).evaluation == evaluation


def test_the_line_is_taken_out_and_offsets_hold() -> None:
    text = "Yes.\nVerdict: Accept\nThe answer is 4."
    found = find_evaluation(text).text
    assert found == "Yes.\n" + " " * 15 + "\nThe answer is 4."


@given(st.text(alphabet="Verdict: Accept\n*refine"))
def test_the_text_keeps_its_length(text: str) -> None:
    assert len(find_evaluation(text).text) == len(text)


@pytest.mark.parametrize(
    ("attempt", "evaluation", "agrees"),
    [
        ("correct", "accept", True),
        ("correct", "refine", False),
        ("incorrect", "refine", True),
        ("no_answer", "accept", False),
        ("truncated", "refine", True),
        ("unscored", "accept", None),
        ("scored", "accept", None),
        ("correct", None, None),
        (None, "accept", None),
    ],
)
def test_an_evaluation_agrees_if_it_accepts_what_is_correct(
    attempt: str | None, evaluation: str | None, agrees: bool | None
) -> None:
    assert evaluation_agrees(attempt, evaluation) is agrees

"""The mark of a list item, which is no sign and no number of its own."""

import pytest

from cotbuild.schemas.answers.extract import extract_answer
from cotbuild.schemas.answers.list_marks import blank_bullet, read_list_item
from tests.support.weathering import question


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer:\n- 42", "42"),
        ("Answer:\n\u2013 42", "42"),
        ("Answer:\n* 42", "42"),
        ("Answer:\n\u2022 42", "42"),
        ("### Final Answer\n\n- 42 apples", "42"),
        ("**Answer:**\n- $42", "42"),
        ("Answer:\n- **42 apples**", "42"),
        ("Answer:\n- twelve apples", "12"),
        ("Answer:\n\n1. 42 apples", "42"),
        ("<answer>\n- 42\n</answer>", "42"),
        ("Antwort:\n- 42", "42"),
        ("Steps:\n- Add 40 and 2\n- 42", "42"),
        ("- 42", "42"),
        # a sign, and a number
        ("Answer:\n-42", "-42"),
        ("Answer:\n- -42", "-42"),
        ("Answer: - 42", "-42"),
        ("#### - 42", "-42"),
        ("-42", "-42"),
        (r"\boxed{- 42}", "-42"),
        ("Answer:\n1.5", "1.5"),
        ("Answer:\n1. It is the only one.", "1"),
        ("Answer:\n42. It is so.", "42"),
        # several answers
        ("Answer:\n- 42 apples\n- 7 pears", None),
        ("Answer:\n- 42 apples\n\n- 7 pears", None),
        ("Answer:\n* 42\n* 7", None),
        ("Answer:\n1. 42\n2. 7", None),
        ("### Answer\n1) 42\n2) 7", None),
    ],
)
def test_a_list_of_one_number_is_an_answer(text: str, answer: str | None) -> None:
    assert extract_answer(text, question("number")).answer == answer


def test_the_mark_is_blanked_in_place() -> None:
    item = read_list_item("\n\n1. 42")
    assert item is not None
    assert (item.text, item.start, item.end) == ("\n\n   42", 2, 4)
    assert blank_bullet(" - 42") == "   42"
    assert blank_bullet("-42") == "-42"


def test_the_value_is_found_in_the_text() -> None:
    text = "Answer:\n- 42"
    found = extract_answer(text, question("number"))
    assert (found.answer_start, found.answer_end) == (10, 12)

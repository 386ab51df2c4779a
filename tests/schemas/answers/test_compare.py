"""Grading: which answers are the target."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.schemas.answers.compare import is_correct, normalise_text
from tests.support.weathering import question


@pytest.mark.parametrize(
    ("answer", "target", "same"),
    [
        ("12", "12", True),
        ("12.0", "12", True),
        ("$1,234.50", "1234.5", True),
        ("-7", "-7", True),
        ("7", "-7", False),
        ("25%", "25", True),
        ("€ 5", "5", True),
        ("3/4", "0.75", True),
        ("1 1/2", "1.5", True),
        ("1/3", "0.33", False),
        ("0.1", "0.10000000000000000000000000000001", False),
        ("9" * 5000, "9" * 5000, True),
        ("twelve", "12", False),
        ("1/0", "12", False),
        ("", "12", False),
        ("nan", "nan", False),
    ],
)
def test_grade_number(answer: str, target: str, same: bool) -> None:
    assert is_correct(answer, question("number", target=target)) is same


@pytest.mark.parametrize(
    ("answer", "targets", "same"),
    [
        ("the lake geneva", ("Lake Geneva",), True),
        ("Lake\u00a0Geneva\u200b.", ("Lake Geneva",), True),
        ("Lac Léman", ("Lake Geneva", "lac léman"), True),
        ("Lac Leman", ("Lake Geneva", "lac léman"), False),
        ("ice-cream", ("ice cream",), True),
        ("D.C", ("D.C.",), True),
        ("1,000", ("1000",), True),
        ("35", ("3.5",), False),
        ("5", ("-5",), False),
        ("C", ("C++",), False),
        ("vitamin", ("Vitamin A",), False),
        ("ﬁre", ("fire",), True),
        ("+", ("-",), False),
    ],
)
def test_grade_text(answer: str, targets: tuple[str, ...], same: bool) -> None:
    assert (
        is_correct(
            answer, question("text", target=targets[0], other_targets=targets[1:])
        )
        is same
    )


@pytest.mark.parametrize(
    ("answer", "same"), [("yes", True), ("Yes", True), ("no", False), ("", False)]
)
def test_grade_yes_no(answer: str, same: bool) -> None:
    assert is_correct(answer, question("yes_no")) is same


def test_grade_choice_compares_texts() -> None:
    assert is_correct(
        "C", question(options=("The  Sun", "moon", "the sun"), target="A")
    )
    assert not is_correct("granite", question())


@settings(deadline=None)
@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalise_text(normalise_text(text)) == normalise_text(text)

"""Grading: which answers are the target."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cotbuild.schemas.answers.compare import (
    answers_differ,
    find_match,
    is_correct,
    is_hundredfold,
    normalise_text,
)
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


# fmt: off
EQUAL_TEXTS = [
    # dressing and white space
    (r"\dfrac{1}{2}x", r"\frac12 x", "text"), (r"\left(2, \frac{1}{3}\right)", r"(2,\frac13)", "text"),
    ("(3, 4)", "(3,4)", "text"), ("a+b-2", "a + b - 2", "text"), (r"\sqrt{3}", "√3", "text"), (r"3\pi", "3 pi", "text"),
    ("x^{2}", "x²", "text"), (r"x \leq 3", "x <= 3", "text"), (r"x \in [1,2]", "x∈[1, 2]", "text"),
    (r"\text{Paris}", "Paris", "text"), (r"\{1,2\}", "{1, 2}", "text"), (r"\frac{a+1}{b}", "(a+1)/b", "text"),
    ("**A**", "A", "text"), ("C#", "c#", "text"), ("ice-cream", "ice cream", "text"), ("No!", "No", "text"),
    ("1,000 BC", "1000 BC", "text"), (r"50\%", "50%", "text"), ("f'(x)", r"$f'(x)$", "text"),
    (r"a \ne { 2 }", r"a \neq 2", "text"), ("y = 2 { ( x - 3 ) } ^ { 2 }", "y=2(x-3)^2", "text"),
    (r"3 \text{ and } 4", "3,4", "text"), (r"\begin{pmatrix} \frac{1}{5} \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1/5 \\ 2 \end{pmatrix}", "text"),
    # numbers of one unit, or of one that only one side names
    ("x=5", "5", "number"), (r"5\text{ cm}", "5", "number"), (r"$\frac{3}{4}$", "0.75", "number"),
    ("2240/78125", "0.028672", "number"), (r"30^\circ", "30", "number"), ("50%", "50 percent", "number"),
    (r"\$18.00", "18", "number"), ("9{,}500", "9500", "number"), ("42!", "42!", "text"),
    # labels
    ("A, C", "C and A", "label_set"), ("A and C", "{C, A}", "label_set"), ("A, C", "AC", "label_set"),
    ("(A, C)", "A, C", "label_set"), ("I and III", "III, I", "label_set"),
]
DIFFERENT_TEXTS = [
    ("(3,4)", "34"), ("3,5", "35"), ("1,2", "12"), ("5 cm", "5 km"), ("$18", "€18"), ("50%", "0.5"),
    ("a + b - 2", "a + b + 2"), ("x - y", "x y"), ("x-1", "x+1"), ("[1,2)", "(1,2)"), (r"\sqrt{3}", "3"), ("5!", "5"),
    ("n!", "n"), ("f'(x)", "f(x)"), ("C", "C#"), ("C", "C++"), ("A*", "A"), ("A-", "A"), ("A-", "A+"), ("O-", "O+"),
    ("(A, C)", "(C, A)"), ("A", "a man"), ("A, C", "A, B"), ("AC", "CA"), ("007", "7"), ("3:30", "330"),
    ("x + y = 5", "5"), ("2x", "2"),
]
# fmt: on


@pytest.mark.parametrize(("answer", "target", "rule"), EQUAL_TEXTS)
def test_equal_texts(answer: str, target: str, rule: str) -> None:
    assert find_match(answer, question("text", target=target)) == rule
    assert find_match(target, question("text", target=answer)) == rule
    assert not answers_differ([answer, target], question("text")) or rule != "text"


@pytest.mark.parametrize(("answer", "target"), DIFFERENT_TEXTS)
def test_different_texts(answer: str, target: str) -> None:
    assert find_match(answer, question("text", target=target)) is None
    assert find_match(target, question("text", target=answer)) is None


class _AgreesAlways:
    def agrees(self, answer: str, target: str) -> bool:
        assert (answer, target) == ("2(x+1)", "2x+2")
        return True


def test_a_metric_decides_only_what_is_not_equal() -> None:
    asked = question("text", target="2x+2")
    assert find_match("2(x+1)", asked) is None
    assert find_match("2(x+1)", asked, math_metric=_AgreesAlways()) == "math_verify"
    assert find_match("2x + 2", asked, math_metric=_AgreesAlways()) == "text"


@pytest.mark.parametrize(
    ("answer", "target", "is_percent"),
    [("50", "0.5", True), ("50", "1/2", True), ("50", "50", False), ("0", "0", False)],
)
def test_a_percent_of_a_share(answer: str, target: str, is_percent: bool) -> None:
    assert is_hundredfold(answer, target) is is_percent


def test_zero_is_one_number() -> None:
    assert not answers_differ(["0", "0.0"], question("number"))


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
@example("0A##")
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalise_text(normalise_text(text)) == normalise_text(text)

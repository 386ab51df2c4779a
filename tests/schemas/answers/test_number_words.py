"""Numbers in English words: which are read, where, and what keeps them from it."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.schemas.answers.extract import extract_answer
from cotbuild.schemas.answers.json_answer import find_json_answer
from cotbuild.schemas.answers.number_words import match_number_words
from cotbuild.schemas.answers.stated_numbers import read_stated_number
from cotbuild.schemas.question import Question
from tests.support.weathering import question

# fmt: off
READ: dict[str, str] = {
    "twelve": "12", "zero": "0", "two hundred fifty-five dollars": "255", "one hundred and eighty": "180",
    "minus three": "-3", "negative three degrees": "-3", "twenty-one apples": "21", "thirty six": "36",
    "a hundred": "100", "a thousand dollars": "1000", "twelve hundred": "1200", "Twelve Dollars": "12",
    "one million, two hundred thousand and five": "1200005", "two thousand twenty-five": "2025",
    "one and a half": "1 1/2", "two and a half hours": "2 1/2", "two thirds": "2/3", "two-thirds": "2/3",
    "three-quarters": "3/4", "one-half": "1/2", "one fifth": "1/5", "three point five": "3.5",
    "zero point two five": "0.25", "twelve percent": "12", "one": "1", "one apple": "1", "one second": "1",
    "five seconds": "5", "about forty": "40", "exactly two": "2", "twelve years old": "12", "**twelve** apples": "12",
    "twelve months in a year": "12", "twelve, and that is final": "12", "twelve - the months of a year": "12",
    r"\text{twelve}": "12",
    # the same in digits beside it
    "twelve (12)": "12", "12 (twelve)": "12", "twelve, or 12": "12", "twelve or 12": "12", "twelve = 12": "12",
    "twelve apples (12)": "12", "twelve (12) apples": "12", "twelve (12 apples)": "12", "twelve (6 + 6)": "12",
}
NOT_READ = (
    # one as a pronoun, and what is one of several
    "one of these", "one of 12", "one that floats", "one I like", "one way to do it", "one by one", "one or more",
    "one to one", "two or three", "twelve to fifteen", "between two and three", "twelve, thirteen and fourteen",
    "two, four", "two numbers: 3 and 4", "one two three", "two million or three million", "twelve apples and pears",
    "two hundred and 5", "two of the ten", "nine out of ten", "twelve apples or thirteen",
    # other digits beside it
    "twelve (13)", "13 (twelve)", "twelve = 13", "twelve or 13", "twelve apples (13)", "twelve/13", "12 or thirteen", "12 to fifteen",
    "twelve, maybe thirteen",
    # a comparison or the piece of an expression
    "one more plum than two", "twelve more", "less than twelve", "not twelve", "ten times larger", "two plus three",
    "two times as many", "twelve minus one", "three squared", "seven divided by two", "twelve x 3",
    "two to the third", "two per person", "two hours and thirty minutes", "two feet six inches", "twelve-year-old",
    "one hundred percent correct", "five thirty", "half past two", "nineteen eighty-four",
    # ordinals, and fractions of something
    "second", "the second", "twenty-first", "two third graders", "one third grader", "one-third of",
    "one half of the cake", "a third", "three quarters", "two quarters", "fifteen sixteenths", "five factorial",
    # no number, or the start of one
    "a dozen", "two dozen", "none", "thousands", "two and", "twenty-", "twelve hundred thousand",
)
FORMS = ("The answer is {}.", "So the answer is: {}", r"\boxed{{{}}}", "<answer>{}</answer>", '{{"answer": "{}"}}')
# fmt: on


def _number_question() -> Question:
    return question("number", target="12")


def _read(form: str, words: str) -> str | None:
    text = form.format(words)
    if not text.startswith("{"):
        return extract_answer(text, _number_question()).answer
    found = find_json_answer(text, _number_question())
    return found.answer if found else None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("words", READ)
def test_number_words_that_a_formal_statement_or_a_bounded_value_gives(
    words: str, form: str
) -> None:
    if "\\" in words and form.startswith("{{"):
        return  # a backslash would need another in JSON
    assert _read(form, words) == READ[words]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("words", NOT_READ)
def test_number_words_that_are_no_answer(words: str, form: str) -> None:
    assert _read(form, words) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is twelve apples, three more than Sam.", "12"),
        ("The answer is twelve because six plus six is twelve.", "12"),
        ("The answer is twelve, since he ate two.", "12"),
        ("The answer is twelve × three = 36.", "36"),
        ("The answer is one number, 42.", "42"),
        ("The answer is two decimal places: 3.14", "3.14"),
        ("The answer is 18, three more than hers.", "18"),
        ("The answer is 120 minutes (two hours).", "120"),
        ("#### twelve", "12"),
        ("#### twelve dollars", "12"),
        ("| Answer | twelve |", "12"),
        ("### Final Answer\n\nTwelve", "12"),
        # headings, weak rules, lone lines and openings are in digits
        ("#### Two examples\n\nThe answer is 42.", "42"),
        ("Six and six make twelve.\n\nTwelve", None),
        ("Twelve, because six and six make twelve.", None),
        ("So, twelve.", None),
        ("It comes out to **twelve**.", None),
        ("Twelve is the answer.", None),
        # words that state another number count
        ("The answer is 13. No, wait: the answer is twelve.", "12"),
        ("The answer is 13. Wait, the answer is two or three.", None),
    ],
)
def test_where_number_words_count(text: str, answer: str | None) -> None:
    assert extract_answer(text, _number_question()).answer == answer


def test_the_span_is_that_of_the_words() -> None:
    text = "So the answer is **twenty-one** apples."
    found = extract_answer(text, _number_question())
    assert found.answer == "21"
    assert text[found.answer_start : found.answer_end] == "twenty-one"


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("twenty", False),
        ("twenty apples", False),
        ("twenty,", False),
        ("twenty.", True),
        ("twenty apples. Then", True),
    ],
)
def test_a_text_cut_behind_number_words_may_go_on(text: str, complete: bool) -> None:
    value = read_stated_number(text, _number_question())
    assert value is not None
    assert (value.answer, value.complete) == ("20", complete)


# --- any number ---

_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def _write(number: int, and_: str, dash: str) -> str:
    """Write a number below a million in words."""
    if number < 20:
        return _SMALL[number]
    if number < 100:
        tens, unit = divmod(number, 10)
        return _TENS[tens - 2] + (dash + _SMALL[unit] if unit else "")
    scale, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    top, rest = divmod(number, scale)
    words = f"{_write(top, and_, dash)} {name}"
    if not rest:
        return words
    return words + (and_ if rest < 100 else " ") + _write(rest, and_, dash)


@settings(deadline=None)
@given(
    st.integers(0, 999_999),
    st.sampled_from((" ", " and ")),
    st.sampled_from(("-", " ")),
    st.sampled_from((str, str.capitalize, str.upper)),
)
def test_any_number_in_words_comes_back(
    number: int, and_: str, dash: str, case: Callable[[str], str]
) -> None:
    words = case(_write(number, and_, dash))
    matched = match_number_words(words)
    assert matched is not None
    assert (matched.value, matched.plain) == (Decimal(number), str(number))
    assert (matched.start, matched.end) == (0, len(words))
    answer = extract_answer(f"The answer is {words}.", _number_question()).answer
    assert answer == str(number)


@settings(deadline=None)
@given(st.text())
def test_any_text_is_number_words_or_none(text: str) -> None:
    matched = match_number_words(text)
    assert matched is None or 0 < matched.end <= len(text)

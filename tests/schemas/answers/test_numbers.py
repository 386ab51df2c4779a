"""Numbers: every notation that is read, and what is only a piece of something longer."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.schemas.answers.numbers import (
    parse_number,
    read_number,
    read_whole_number,
)
from cotbuild.schemas.answers.plain_readers import read_bounded_number

# fmt: off
NOTATIONS: dict[str, str] = {
    # groups of digits
    "12 345": "12345", "12\u202f345": "12345", "12\u2009345": "12345", "12\u00a0345": "12345",
    "12’345": "12345", "12'345": "12345", "1,234,567": "1234567", "1,23,456": "123456", "₹1,00,000": "100000",
    "9{,}500": "9500", r"12\,345": "12345", r"12\ 345": "12345", r"1,\!000": "1000", r"1{,}\!000": "1000",
    "1.234.567": "1234567", "1.234.567,8": "1234567.8", "1.234,56": "1234.56", "100,000,000.5": "100000000.5",
    # decimals
    ".25": "0.25", "5.": "5", "007": "7", "€3,50": "3.5", "3,50 €": "3.5", "1,5 km": "1.5", "3{,}5": "3.5",
    # fractions
    "3/4": "0.75", "3 / 4": "0.75", "3⁄4": "0.75", r"\frac{3}{4}": "0.75", r"\dfrac34": "0.75", r"\frac12": "0.5",
    r"\frac 1 2": "0.5", r"\frac{3}4": "0.75", r"-\frac{3}{4}": "-0.75", r"\frac{-3}{4}": "-0.75", "½": "0.5",
    "3½": "3.5", "12 ½": "12.5", "1 1/2": "1.5", "1 and 1/2": "1.5", r"2\frac{1}{4}": "2.25",
    r"2 \dfrac{1}{4}": "2.25", r"-2\frac{1}{2}": "-2.5", "1 5/6": "11/6", r"\frac{1,000}{3}": "1000/3",
    "2240/78125": "2240/78125", r"\tfrac{1.5}{2}": "0.75",
    # powers and scales
    "1.5 × 10^3": "1500", r"1.5 \times 10^{3}": "1500", r"3 \cdot 10^{-2}": "0.03", "1.5x10^3": "1500",
    "6 × 10³": "6000", "1e3": "1000", "1E+3": "1000", "1.5e-3": "0.0015", "10^6": "1000000", "10⁶": "1000000",
    "10²": "100", "2^{10}": "1024", "2**10": "1024", "5k": "5000", "1.5 million": "1500000", "2 bn": "2000000000",
    "$5M": "5000000", "$1.2B": "1200000000", "2 hundred": "200", "3 lakh": "300000",
    # units
    "20%": "20", r"20\%": "20", "20 percent": "20", "50 %": "50", r"42^\circ": "42", r"42^{\circ}": "42", "42°": "42",
    "42 degrees": "42", "30°C": "30", "60 km/h": "60", r"60\text{ km/h}": "60", "3 m^2": "3", "16 cm²": "16",
    r"3\text{ m}^2": "3", r"3 \mathrm{~m}^{2}": "3", r"5 \text{ apples}": "5", r"5~\text{cm}": "5", "9.8 m/s^2": "9.8",
    "120 cubic inches": "120", "5 USD": "5", "3 kg": "3", "1 million dollars": "1000000", "¾ cup": "0.75",
    # signs and currencies
    "-5": "-5", "−5": "-5", "+5": "5", "-$5": "-5", "$-5": "-5", "minus 5": "-5", "negative 5": "-5", "$18.00": "18",
    r"\$18": "18", "€ 5": "5", "Rs. 500": "500", "USD 500": "500", "US$3": "3",
    # dressing
    r"\(5\)": "5", "$5$": "5", "$$5$$": "5", r"\mathbf{5}": "5", r"\left( 5 \right)": "5", r"\text{42}": "42",
    r"\boxed{42}": "42", "(42)": "42", "**42**": "42", "`42`": "42", '"42"': "42", "42!": "42", "42.": "42",
    "42,": "42", "72, in total": "72", "≈ 5": "5", r"\approx 5": "5", "about 5": "5", "x = 5": "5", "= 5": "5", "$x = 5$": "5",
    r"x=\frac{5}{2}": "2.5", "f(2) = 5": "5", "AB = 5": "5", r"\theta = 30^\circ": "30", "3 × 4 = 12": "12",
    "1/2 = 0.5": "0.5", ".25 or 1/4": "0.25", "1200 (1.2 × 10^3)": "1200", "42 (forty-two)": "42",
    # other scripts
    "٣": "3", "१२३": "123", "４２": "42",
}
PIECES = (
    "2√3", r"2\sqrt{3}", r"\sqrt{7}", r"3\pi", "3π", "3 pi", "4x", "4x+1", "4x + 1", "3 x", "3n + 2", "3(x+1)", "3i",
    "3 + 4i", "±3", r"\pm 3", "> 3", "< 3", r"\geq 3", r"0.\overline{3}", "0.333...", "0.333…", "3:30", "16 : 9",
    "3, 7, 9", "(3, 4)", "[1, 2)", r"\{1, 2\}", "10-12", "10 – 12", "10 to 12", "5 or 6", "2^n", "10^{n}", "10^{2.5}",
    "n!", "5!/3!", "1.2.3", "3/4/2020", "12 345 6", "1,234 5", "5 6", "3 1", "5 feet 6 inches", "5'10\"",
    "2 hours and 30 minutes", "x = 3, y = 4", "x+y = 5", "2x = 10", "3 mod 7", r"3 \pmod 7", r"\frac{x}{3}",
    r"\frac{\sqrt{3}}{2}", r"\frac{3}{4}\pi", r"\frac{3\pi}{4}", "5 \\times 4", "5*4", "5-x", "5+", "log 2", "e^2",
    "2e", "3 squared", "2 and a half", "3 of 4", "1 in 4",
    # ambiguous, or no number
    "3,5", "12,34", "1,2345", "0,5", "1.234,567", "5M", "0 123", "--5", "1/0", "1e5x", "½x", "0x1F", "1_000", "3rd",
    "42 apples", "twelve", "inf", "nan", "", "10^{99999}", "9^{9999}", "1e999999", r"\infty", "not 42",
)
# fmt: on


@pytest.mark.parametrize("text", NOTATIONS)
def test_notation(text: str) -> None:
    assert parse_number(text) == Fraction(NOTATIONS[text])


@pytest.mark.parametrize("text", PIECES)
def test_a_piece_of_more_is_no_number(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("5!", None), ("4k", None), ("3m", None), ("3 m^2", 3), (r"42^\circ", 42)],
)
def test_in_maths_letters_are_variables(text: str, value: int | None) -> None:
    in_maths = read_whole_number(text, maths=True)
    assert (in_maths and in_maths.value) == value
    assert parse_number(f"${text}$") == value


# fmt: off
BOUNDED = [
        ("42 apples", "42"), (r"42 \text{ apples}", "42"), ("There are 42 apples.", "42"), ("1,200 in all", "1200"),
        (r"2\frac{1}{4}", "2 1/4"), (r"\frac{3}{4}", "3/4"), (".5", "0.5"), ("2.50", "2.50"), (r"\$18.00", "18.00"),
        (r"\sqrt{7}", None), (r"3 \times 4", None), ("3, 7, 9", None), ("not 42", None), ("at least 42", None),
        ("42 apples and 3 pears", None),
    ("Tim now has **42 pears**.", "42"), ("a - 4", None), ("x - 10", None), ("5!", None), ("Step 3", None),
    (r"y = 2 (x + 1)^2", None), (r"(-\infty, -3) \cup (-3, \infty)", None), ("$9 500", "9500"), ("128π", None), ("2x + 3", None), ("between 3 and 5", None), ("more than 42", None),
]
# fmt: on


@pytest.mark.parametrize(("text", "plain"), BOUNDED)
def test_bounded_value(text: str, plain: str | None) -> None:
    value = read_bounded_number(text, maths=True)
    assert (value.answer if value else None) == plain


# fmt: off
OPEN = [
    ("42 apples.", "42"), ("42!", "42"), (" (42).", "42"), ("60 km/h.", "60"), ("3 m^2.", "3"), ("1 5/6", "1 5/6"),
    ("72, in total", "72"), ("1200 (1.2 × 10^3)", "1200"), ("7/8 of the cake", "7/8"),
    ("that there are 42 apples.", "42"), ("4x as many", "4"), ("18, 3 more than her", "18"), ("10 - 3 = 7", "7"),
    ("$x = 5$.", "5"), ("$18$ dollars", "18"), ("$18 and not $5", "18"), ("$18.", "18"), ("12 345.", "12345"),
    ("5k", "5000"), ("42 (6 × 7 = 42)", "42"), ("42 (since x = 6)", "42"), ("3 times as many", "3"), ("3 a day.", "3"),
    ("the 3rd", "3"), ("5 dollars per hour * 3 hours = 15", "15"), ("42}", "42"), (r"2\frac{1}{4}}", "2 1/4"),
    ("42 - the number of", "42"), ("1.5 × 10^3 m", "1500"), ("$10^6$", "1000000"), ("$2.50 each", "2.50"),
    ("42</answer>", "42"), ("-7", "-7"), ("5 (five)", "5"), ("42, since 3*14=42", "42"), ("6 PM", "6"),
    ("12 / 4 = 3", "3"), ("(18 + 24) = 42", "42"), ("**42** apples", "42"), (r"$\frac{1}{3} \approx 0.33$", "1/3"),
    (r"\( \frac{3}{4} \).", "3/4"), (r"$\$18$", "18"), ("42 years old in 2020", "42"), ("2^5 = 32", "32"),
    ("42...", "42"), (r"\text{42 cm}", "42"), ("5 A grades", "5"), ("4 T-shirts", "4"), ("$5/hour", "5"),
    ("25/100 = 25%", "25"), ("7 days a week", "7"), (".25 or 1/4", "0.25"), ("5 000 000", "5000000"),
    ("that Tim has **42** pears.", "42"),
    ("5m long", "5"), ("x = 5, so x = 5", "5"), ("18 apples, 3 more than her", "18"),
    ("42 rather than 40", "42"), ("42 of the 50 apples", "42"), ("2/3 of the class", "2/3"), ("42 more apples", "42"),
    ("42.0 ≈ 42", "42.0"), ("1/3 ≈ 0.33", "1/3"), ("42 pairs of shoes", "42"), ("42 apples and some pears", "42"),
    # no single number
    (r"\sum_{i=1}^{3} i", None), ("0.(3)", None), (">=5", None), ("5m people", None), ("x = 5 or x = 6", None),
    ("5 students, 3 teachers", None),
    ("not 42", None), ("a - 4", None), ("3 (a-b)^2", None), ("Step 3", None), ("at least 42", None), ("half of 42", None), ("2√3", None), (r"3\pi", None), (r"$3\pi$", None),
    ("4x+1", None), ("±3", None), ("> 3", None), ("3:30 pm", None), ("3, 7, 9", None), ("10-12", None),
    ("x = 3, y = 4", None), (r"\boxed{2\sqrt{3}}", None), ("2 hours and 30 minutes", None), ("5 feet 6 inches", None),
    ("3 or 4", None), ("3 times 4", None), ("3 x", None), (r"\sqrt{7}", None), (r"0.\overline{3}", None),
    ("12, 13 and 14", None), ("3 out of 4", None), ("1 in 4", None), ("10 or more", None), ("2 and a half", None),
    ("3 squared", None), ("42 + 3", None), ("10,000 to 12,000", None), ("42 ± 3", None), ("3.14...", None),
    ("20% of 100", None), ("2/3 of 63", None), ("8 less than 50", None), ("50 less 8", None), ("42 more than 10", None),
    ("50 apples - 8 apples", None), ("50 apples minus 8 apples", None), ("6 boxes of 7 apples", None),
    ("6 boxes x 7 apples", None), ("41.6 ≈ 42", None), (r"41.6 \approx 42", None), ("50 \u2192 42", None),
    ("42 apples and 3 pears", None), ("2 dozen eggs", None), ("42 hundredths", None), ("6 tens", None), ("log 42", None),
    ("the square root of 42", None),
    ("8 + 9i", None), ("1,2,3", None), ("3,5", None), ("4 = 2 + 2", None),
]
# fmt: on


@pytest.mark.parametrize(("text", "plain"), OPEN)
def test_open_text(text: str, plain: str | None) -> None:
    reading = read_number(text)
    assert (reading.plain if reading else None) == plain


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("50%", "%"),
        (r"50\%", "%"),
        ("50 percent", "%"),
        ("$5", "$"),
        ("5 km / h", "km/h"),
        ("5 km/h", "km/h"),
        ("30°", "°"),
        ("5", ""),
    ],
)
def test_unit(text: str, unit: str) -> None:
    whole = read_whole_number(text)
    assert whole is not None
    assert whole.unit == unit


# --- any number in any notation ---

_WHOLES = st.integers(min_value=0, max_value=10**15)
_SEPARATORS = (",", " ", "\u202f", "\u2009", "\u00a0", "'", "’", "{,}", r"\,", r"\ ")


def _grouped(digits: int, separator: str) -> str:
    return f"{digits:,}".replace(",", separator)


_DECIMALS = st.decimals(
    min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=3
)
_PLAIN = st.one_of(
    _WHOLES.map(lambda whole: (str(whole), Fraction(whole))),
    st.tuples(_WHOLES, st.sampled_from(_SEPARATORS)).map(
        lambda drawn: (_grouped(*drawn), Fraction(drawn[0]))
    ),
    _DECIMALS.map(lambda decimal: (f"{decimal:f}", Fraction(decimal))),
    _DECIMALS.map(lambda decimal: (f"{decimal:,f}", Fraction(decimal))),
)
_PARTS = st.tuples(st.integers(0, 10**9), st.integers(1, 10**9))
_FRACTIONS = st.tuples(
    _PARTS,
    st.sampled_from(("{}/{}", "{} / {}", r"\frac{{{}}}{{{}}}", r"\dfrac{{{}}}{{{}}}")),
).map(lambda drawn: (drawn[1].format(*drawn[0]), Fraction(*drawn[0])))
_POWERS = st.tuples(
    _DECIMALS,
    st.integers(-30, 30),
    st.sampled_from(
        (
            "{}e{}",
            "{} × 10^{}",
            r"{} \times 10^{{{}}}",
            "{}x10^{}",
            r"{}\cdot 10^{{{}}}",
        )
    ),
).map(
    lambda drawn: (
        drawn[2].format(drawn[0], drawn[1]),
        Fraction(drawn[0]) * Fraction(10) ** drawn[1],
    )
)
_UNSIGNED = st.one_of(_PLAIN, _FRACTIONS, _POWERS)
_DRESSINGS = (
    "{}", " {} ", "-{}", "−{}", "+{}", "{}.", "{}!", "({})", "**{}**", "${}$", "$-{}$", r"\({}\)", r"\boxed{{{}}}",
    "x = {}", "$x = {}$", "≈ {}", "about {}", "{} %", r"{}\%", "{} km", r"{}\text{{ cm}}", r"{}^\circ",
)  # fmt: skip


@settings(deadline=None)
@given(_UNSIGNED, st.sampled_from(_DRESSINGS))
def test_any_number_in_any_notation_comes_back(
    number: tuple[str, Fraction], dressing: str
) -> None:
    written, value = number
    text = dressing.format(written)
    is_negative = "-{}" in dressing or "−" in dressing
    assert parse_number(text) == (-value if is_negative else value)


@settings(deadline=None)
@given(
    _UNSIGNED,
    st.sampled_from(
        (
            "√3", r"\sqrt{3}", r"\pi", "π", "x + 1", " + 1", " - 1", " × 4", r" \cdot 4", "^n", " ± 1", ":30", ", 7, 9",
            "-12", " to 12", " or 3/7", r"\overline{3}", "(x + 1)", " feet 6 inches", " = 1/7", " mod 5", r" \ldots",
        )
    ),
)  # fmt: skip
def test_a_number_before_the_rest_of_an_expression_is_none(
    number: tuple[str, Fraction], rest: str
) -> None:
    written, value = number
    if value in (Fraction(1, 7), Fraction(3, 7)):
        return
    assert parse_number(written + rest) is None
    reading = read_number(written + rest)
    if "=" not in rest:
        assert reading is None or reading.plain is None


@settings(deadline=None)
@given(_UNSIGNED)
def test_what_is_read_is_read_again(number: tuple[str, Fraction]) -> None:
    reading = read_number(number[0])
    assert reading is not None
    assert reading.plain is not None
    assert parse_number(reading.plain) == number[1]


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_number_or_none(text: str) -> None:
    value = parse_number(text)
    assert value is None or isinstance(value, Decimal | Fraction)
    read_number(text)


def test_long_numbers_are_exact() -> None:
    assert parse_number("9" * 5000) == Decimal("9" * 5000)
    assert parse_number("-" + "9" * 40) == -Fraction(10**40 - 1)
    assert parse_number("0.1") != parse_number("0." + "1".ljust(40, "0") + "1")

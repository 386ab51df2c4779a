"""Numbers with a decimal comma, and those that only the rest of a text tells apart."""

import pytest

from cotbuild.schemas.answers.language_numbers import write_in_english
from cotbuild.schemas.answers.plain_numbers import shift_point


@pytest.mark.parametrize(
    ("number", "text", "english"),
    [
        ("3,5", "", "3.5"),
        ("1.234,56", "", "1,234.56"),
        ("1,234.56", "", "1,234.56"),
        ("1.234.567", "", "1,234,567"),
        ("0,125", "", "0.125"),
        ("12.50", "", "12.50"),
        # One mark and three digits: as in the rest of the text, else a group.
        ("1.234", "", "1,234"),
        ("1.234", "3,5 kg", "1,234"),
        ("1.234", "3.5 kg", "1.234"),
        ("1,234", "3.5 kg", "1,234"),
        ("1,234", "3,5 kg", "1.234"),
        ("1.234", "617 + 617 = 1234", "1,234"),
        ("1.234", "3.5 kg und 3,5 kg", None),
        ("42 Äpfel", "", "42 Äpfel"),
    ],
)
def test_write_in_english(number: str, text: str, english: str | None) -> None:
    assert write_in_english(number, f"{text} {number}", "") == english


@pytest.mark.parametrize(
    ("digits", "places", "shifted"),
    [("5", 4, "50000"), ("1.2", 8, "120000000"), ("1.2345", 2, "123.45")],
)
def test_shift_point(digits: str, places: int, shifted: str) -> None:
    assert shift_point(digits, places) == shifted

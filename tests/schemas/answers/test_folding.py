"""Folding: one plain character for each of its forms, and offsets that hold."""

import sys
import unicodedata

import pytest

from cotbuild.schemas.answers.folding import fold


def test_fold_and_lower_keep_the_length_of_every_character() -> None:
    for code in range(sys.maxunicode + 1):
        folded = fold(chr(code))
        assert len(folded) == 1
        assert len(folded.lower()) == 1


def test_digits_of_every_script_become_ascii_digits() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if char.isdecimal():
            assert fold(char) == str(unicodedata.decimal(char))


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("答案：（Ｂ）", "答案:(B)"),
        ("【Ａ】、『B』 〔C〕", '[A],"B" [C]'),
        ("٣٫٥ و ١٬٢٣٤ ؟", "3.5 و 1,234 ?"),
        ("उत्तर ४२।", "उत्तर 42。"),
        ("উত্তর ৪২।", "উত্তর 42。"),
        ("答案是4。5是质数", "答案是4。5是质数"),
        ("„B“ «B» ‹B›", '"B" "B" \'B\''),
        ("Ⓑ 🅑 🅱️ 𝐁 ⒝", "B B B  B b"),
        ("①18 + 2", "①18 + 2"),
        ("x² ∈ ℝ", "x² ∈ ℝ"),
        ("\u202bالإجابة\u202c", " الإجابة "),
        ("ISTANBUL İstanbul ıslak", "ISTANBUL Istanbul ıslak"),
        ("Straße ΟΔΟΣ", "Straße ΟΔΟΣ"),
        ("कि की", "कि की"),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert len(fold(text)) == len(text)

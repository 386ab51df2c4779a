"""What cannot be seen is shown; what people write stays as it is."""

import subprocess
import sys
import unicodedata

import pytest

from cotbuild.builder.visible import escape_hidden, shell_join

HIDDEN = [
    *("\0", "\x1b", "\x7f", "\x80", "\x9b", "\x9d"),
    *("\u061c", "\u200e", "\u200f", "\u202a", "\u202e", "\u2066", "\u2069"),
    *("\u00ad", "\u200b", "\u2060", "\ufeff", "\u180e", "\u2028", "\u2029", "\u3164"),
    *("\ud800", "\udcff", "\ue000", "\uffff", "\ufff9"),
    *("\U000e0001", "\U000e0041", "\U000e007f", "\U0001d173", "\U00100000"),
]
READABLE = [
    "می\u200cخواهم",  # zero-width non-joiner inside a Persian word
    "ശ്\u200dര ක්\u200d",
    "نص عربي שלום हिन्दी ไทย",
    "東京 葛\U000e0100 ｶﾀｶﾅ 한국어",
    "👩\u200d🌾 ❤\ufe0f\u200d🔥 1\ufe0f\u20e3 🇩🇪 🏴\u200d☠\ufe0f",
    "\U0001fae8 \U00031350",  # newer than the Unicode of Python 3.11
    "é e\u0301 naïve – “quoted” … x² ½ \u00a0 €",
]


@pytest.mark.parametrize("char", HIDDEN, ids=lambda char: f"{ord(char):x}")
def test_what_cannot_be_seen_is_shown(char: str) -> None:
    point = ord(char)
    escape = f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
    assert escape_hidden(f"a{char}東") == f"a{escape}東"


@pytest.mark.parametrize(
    "char", [chr(point) for point in (*range(32), *range(127, 160))], ids=ascii
)
def test_no_control_character_passes(char: str) -> None:
    assert escape_hidden(char).isprintable()
    assert escape_hidden(char, keep="\n\t").isprintable() == (char not in "\n\t")


@pytest.mark.parametrize("text", READABLE)
def test_what_people_write_stays(text: str) -> None:
    assert escape_hidden(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("us\u200der", r"us\u200der"),
        ("\u200c東", r"\u200c東"),
        ("東\u200d\u200d京", "東\u200d\\u200d京"),
        ("a\ufe0fb", r"a\ufe0fb"),
        ("葛\ufe00\ufe01", "葛\ufe00\\ufe01"),
        ("1\U000e0100", r"1\U000e0100"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
    ],
    ids=ascii,
)
def test_a_joiner_or_selector_stays_only_where_it_belongs(
    text: str, shown: str
) -> None:
    assert escape_hidden(text) == shown


def test_no_character_of_any_category_is_lost() -> None:
    """Every character is itself or an escape in printable ASCII."""
    every = map(chr, range(0, sys.maxunicode + 1, 7))
    for char in every:
        shown = escape_hidden(char)
        is_format = unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        assert shown == char or shown.isascii()
        assert not is_format or shown.isascii()


WORDS = ["a b", "it's", "a\nb\\'c", "$(id) `id` $HOME", "é 東", "x\x1b[31m\u202e", ""]


def test_a_command_line_with_hidden_characters_can_be_pasted() -> None:
    line = shell_join(["printf", "%s|", *WORDS, "\udcff"])
    assert line.isprintable()
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    expected = b"".join(word.encode() + b"|" for word in WORDS) + b"\xff|"
    assert done.stdout == expected

"""Fold the many forms of one character into the plain one that patterns are written for.

One character becomes one character, and `str.lower` keeps the length of what `fold`
returns, so an offset holds in the original, the folded and the lower-case text.
"""

import unicodedata
from functools import lru_cache

SENTENCE_MARK = "\u3002"
"""The mark that ends a sentence in scripts whose full stop is no ASCII point.

A point would not do: "答案是4。5是质数" has no 4.5.
"""
MARKS = (
    "\u0300-\u036f\u064b-\u065f\u0670\u0900-\u0963\u0970-\u0df3\u0e31-\u0e3a\u0e47-\u0e4e"
    "\u0eb1-\u0ebc\u0ec8-\u0ece\u1000-\u1049\u1780-\u17d3\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u3099\u309a"
)
r"""Body of a character class: combining marks, which are part of a word but no \w.

Without them the Hindi "कि" and "की" would be one word. Of the blocks of Indic scripts it
holds the letters too.
"""

_LINE_ENDS = "\n\x85\u2028\u2029"
_REPLACEMENTS = {
    "'": "\u2018\u2019\u201a\u201b\u02bc\u2032\u2039\u203a",
    '"': "\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u300c\u300d\u300e\u300f\u3008\u3009"
    "\u300a\u300b\u301d\u301e\u301f\uff62\uff63",
    "[": "\u3010\u3014\u3016",
    "]": "\u3011\u3015\u3017",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
    "~": "\u301c",
    ",": "\u060c\u066c\u3001\uff64",
    ".": "\u066b",
    ";": "\u061b",
    "?": "\u061f",
    "%": "\u066a",
    SENTENCE_MARK: "\uff61\u0964\u0965\u06d4\u104b\u17d4",
    # U+0130 is the only character whose lower() is longer than itself.
    "I": "\u0130",
}
_NEGATIVE_LETTERS = range(0x1F150, 0x1F16A), range(0x1F170, 0x1F18A)
"""White letters on black circles and squares, which have no decomposition."""
_STYLES = ("<font>", "<wide>", "<narrow>", "<small>", "<vertical>")

_CAPITALS_ALIKE = ("ABCEHIKMOPTX", "АВСЕНІКМОРТХ", "ΑΒϹΕΗΙΚΜΟΡΤΧ")
"""Capitals that look the same in Latin, Cyrillic and Greek."""
_CIRCLED = {str(digit): chr(0x2460 + digit - 1) for digit in range(1, 10)}
_TYPED_AS = {
    **_CIRCLED,
    "أ": "ا",
    **{circled: digit for digit, circled in _CIRCLED.items()},
}


@lru_cache(maxsize=256)  # the labels of most questions are A to J
def find_look_alikes(label: str) -> frozenset[str]:
    """Return other forms in which a case-folded label is typed.

    ① for 1, the Cyrillic or Greek letter that looks like the Latin one, and a letter
    whose marks are characters of their own (NFD).
    """
    forms = {unicodedata.normalize("NFD", label)}
    if label in _TYPED_AS:
        forms.add(_TYPED_AS[label])
    for capitals in _CAPITALS_ALIKE:
        place = capitals.lower().find(label) if len(label) == 1 else -1
        if place >= 0:
            forms.update(others[place].lower() for others in _CAPITALS_ALIKE)
    return frozenset(forms)


def fold(text: str) -> str:
    """Replace unusual spaces, quotes, dashes, digits and letter forms by plain ones.

    Digits of every script become 0 to 9, and full stops such as the Hindi danda become
    `SENTENCE_MARK`. Circled digits stay, since "①18 + 2" has no 118. The result has the
    length of `text`, so offsets hold in both.
    """
    if not text.isascii():
        return text.translate(_FOLDED)
    if text.isprintable() or not any(char in text for char in _ODD_ASCII):
        return text
    return text.translate(_FOLDED)


class _FoldTable(dict[int, str]):
    """Code point to folded character, filled as characters occur."""

    def __missing__(self, code: int) -> str:
        folded = _fold_character(chr(code))
        self[code] = folded
        return folded


def _fold_character(char: str) -> str:
    if char in _LINE_ENDS:
        return "\n"
    if char.isspace() or _is_invisible(char):
        return " "
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    for letters in _NEGATIVE_LETTERS:
        if ord(char) in letters:
            return chr(ord("A") + ord(char) - letters.start)
    return _fold_style(char)


def _is_invisible(char: str) -> bool:
    """Return whether a character shows nothing: joiners, direction marks, selectors."""
    is_selector = "\ufe00" <= char <= "\ufe0f" or char == "\u20e3"
    return is_selector or unicodedata.category(char) == "Cf"


def _fold_style(char: str) -> str:
    """Return the ASCII character that `char` is a styled form of, else `char`.

    Superscripts stay: x² is not x2. So do Roman numerals and symbols such as ℝ.
    """
    style = unicodedata.decomposition(char).partition(" ")[0]
    if not style or "\u2100" <= char <= "\u218f":
        return char
    plain = unicodedata.normalize("NFKC", char)
    if style in ("<circle>", "<square>", "<compat>"):
        letter = plain.strip("()")  # U+249C is "(a)"
        is_letter = len(letter) == 1 and letter.isascii() and letter.isalpha()
        return letter if is_letter and not char.isalpha() else char
    is_styled = style in _STYLES and len(plain) == 1 and plain.isascii()
    return plain if is_styled else char


def _known_replacements() -> dict[int, str]:
    return {
        ord(char): plain for plain, chars in _REPLACEMENTS.items() for char in chars
    }


_FOLDED = _FoldTable(_known_replacements())
_ODD_ASCII = [
    chr(code) for code in range(128) if chr(code).isspace() and chr(code) not in " \n"
]

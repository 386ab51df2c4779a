"""Take the dressing off LaTeX: delimiters, fonts, spacing, and names of symbols. Pure.

`undress` keeps the length of its text, so that offsets hold; `fold_latex` does not, and
gives two ways of writing the same expression the same form.
"""

import re
from bisect import bisect_right
from typing import NamedTuple

THIN_SPACE = "\u2009"
"""What `undress` puts in the place of each character of a LaTeX space such as `\\,`."""

_SYMBOLS = {
    "times": "×", "cdot": "·", "div": "÷", "pm": "±", "mp": "±", "pi": "π", "infty": "∞",
    "approx": "≈", "simeq": "≈", "sim": "≈", "le": "≤", "leq": "≤", "leqslant": "≤",
    "ge": "≥", "geq": "≥", "geqslant": "≥", "ne": "≠", "neq": "≠", "lt": "<", "gt": ">",
    "in": "∈", "cup": "∪", "cap": "∩", "emptyset": "∅", "land": "∧", "lor": "∨",
    "neg": "¬", "to": "→", "rightarrow": "→", "degree": "°", "textdegree": "°",
    "pounds": "£", "euro": "€", "textdollar": "$",
}  # fmt: skip
_SIZES = "left|right|(?:big|Big|bigg|Bigg)[lrm]?"
_FONTS = (
    r"text(?:bf|it|rm|sf|tt|sc|normal|up|md)?|math(?:bf|it|rm|sf|tt|bb|cal|frak|normal)"
    r"|mbox|hbox|emph|operatorname\*?|boxed|fbox|bm|boldsymbol|underline|ensuremath"
)
_SWITCHES = "displaystyle|textstyle|bf|it|rm|bfseries|itshape|quad|qquad|limits"
_DRESSING = re.compile(
    r"(?P<newline>\\\\)"
    r"|(?P<degree>(?:\{\})?\^ ?(?:\\circ(?![a-zA-Z])|\{ ?\\circ ?\}))"
    rf"|\\(?P<size>(?:{_SIZES})(?![a-zA-Z]))"
    rf"|\\(?P<font>(?:{_FONTS}) ?\{{)"
    rf"|\\(?P<switch>(?:{_SWITCHES})(?![a-zA-Z]))"
    rf"|\\(?P<symbol>(?:{'|'.join(_SYMBOLS)})(?![a-zA-Z]))"
    r"|\\(?P<delimiter>[()\[\]])"
    r"|\\(?P<escaped>[$%#&])"
    r"|\\(?P<space>[,;:!> ])"
)
_DOLLAR = re.compile(r"(?<!\\)\$(\$?)")
_MAX_SPAN = 2000
"""Characters of the longest span of maths between two dollar signs."""


class Undressed(NamedTuple):
    """A text without the dressing of LaTeX, with the length that it had."""

    text: str
    maths: tuple[int, ...]
    """Starts and ends of the spans of maths, in turn."""

    def is_maths(self, at: int) -> bool:
        """Return whether an offset is inside a span of maths."""
        return bisect_right(self.maths, at) % 2 == 1


def undress(text: str) -> Undressed:
    """Blank delimiters, fonts and spacing, and write symbols as one character.

    A dollar sign that opens no maths is left: it is a currency.
    """
    if "\\" not in text and "$" not in text:
        return Undressed(text, ())
    chars = list(text)
    spans = _blank_dollars(text, chars)
    if "\\" in text:
        spans = sorted([*spans, *_blank_commands(text, chars)])
    return Undressed("".join(chars), _flatten(spans))


def _flatten(spans: list[tuple[int, int]]) -> tuple[int, ...]:
    offsets: list[int] = []
    for start, end in spans:
        if not offsets or start >= offsets[-1]:
            offsets += (start, end)
    return tuple(offsets)


def _blank_dollars(text: str, chars: list[str]) -> list[tuple[int, int]]:
    """Blank the dollar signs around maths, and return the spans between them.

    As in Pandoc, "$18 and $5" holds no maths: the first sign has no space after it, so
    the second may have none before it, nor a digit after it.
    """
    spans = []
    opening: re.Match[str] | None = None
    for sign in _DOLLAR.finditer(text):
        if opening is None or not _closes_maths(text, opening, sign):
            opening = sign
            continue
        spans.append((opening.end(), sign.start()))
        for found in (opening, sign):
            chars[found.start() : found.end()] = " " * len(found[0])
        opening = None
    return spans


def _closes_maths(text: str, opening: re.Match[str], closing: re.Match[str]) -> bool:
    start, end = opening.end(), closing.start()
    if opening[1] != closing[1] or not 0 < end - start <= _MAX_SPAN:
        return False
    if opening[1]:
        return True
    if "\n" in text[start:end] or text[closing.end() : closing.end() + 1].isdigit():
        return False
    return text[start].isspace() == text[end - 1].isspace()


def _blank_commands(text: str, chars: list[str]) -> list[tuple[int, int]]:
    """Blank the commands, and return the spans between maths delimiters."""
    closing_braces = pair_braces(text)
    spans = []
    opened: int | None = None
    for found in _DRESSING.finditer(text):
        start, end = found.span()
        chars[start:end] = _replace_command(found)
        if found["font"] and (closing := closing_braces.get(end - 1)):
            chars[closing] = " "
        if found["delimiter"] in ("(", "["):
            opened = end
        elif found["delimiter"] and opened is not None:
            spans.append((opened, start))
            opened = None
    return spans


def _replace_command(found: re.Match[str]) -> str:
    """Return what stands for a command, in its length."""
    length = len(found[0])
    if found["newline"]:
        return found[0]
    if found["degree"]:
        return "°".ljust(length)
    if found["symbol"]:
        return _SYMBOLS[found["symbol"]].ljust(length)
    if found["escaped"]:
        return f" {found['escaped']}"
    if found["space"]:
        return THIN_SPACE * length
    return " " * length


def pair_braces(text: str) -> dict[int, int]:
    """Return the offset of the closing brace of each opening one that has one."""
    closing: dict[int, int] = {}
    opened: list[int] = []
    for found in re.finditer(r"(?<!\\)[{}]", text):
        if found[0] == "{":
            opened.append(found.start())
        elif opened:
            closing[opened.pop()] = found.start()
    return closing


# --- one form for each expression ---

_FRACTION = re.compile(
    r"\\[dtc]?frac\s*(?:\{([^{}]{0,500})\}|([0-9a-zA-Z]))\s*(?:\{([^{}]{0,500})\}|([0-9a-zA-Z]))"
)
_ROOT = re.compile(r"\\sqrt\s*(?:\{([^{}]{0,500})\}|([0-9a-zA-Z]))")
_GROUPED = re.compile(r"(?<![\\a-zA-Z*}])\{([^{},\\]{1,500})\}")
_SCRIPT = re.compile(r"([\^_])\s*\{([^{}]{0,500})\}")
_SIMPLE = re.compile(r"[0-9.]+|\w|\w[0-9]+")
_MAX_DEPTH = 8
"""How deep fractions and roots may be nested to be folded."""


def fold_latex(text: str) -> str:
    """Return an expression without dressing, with `\\frac{a}{b}` written as a/b.

    Roots are written with √, and braces that only group are left out; those of a set
    have commas. White space is kept as it is.
    """
    if "\\" not in text and "$" not in text and "{" not in text:
        return text
    folded = undress(text).text.replace(THIN_SPACE, " ")
    for _ in range(_MAX_DEPTH):
        before = folded
        folded = _FRACTION.sub(_fold_fraction, folded)
        folded = _ROOT.sub(_fold_root, folded)
        folded = _SCRIPT.sub(_fold_script, folded)
        folded = _GROUPED.sub(r" \1 ", folded)
        if folded == before:
            break
    return folded


def _fold_fraction(found: re.Match[str]) -> str:
    above, below = found[1] or found[2] or "", found[3] or found[4] or ""
    return f" {_group(above)}/{_group(below)} "


def _fold_root(found: re.Match[str]) -> str:
    return f"√{_group(found[1] or found[2] or '')}"


def _fold_script(found: re.Match[str]) -> str:
    return f"{found[1]}{_group(found[2])}"


def _group(part: str) -> str:
    part = part.strip()
    return part if _SIMPLE.fullmatch(part) else f"({part})"

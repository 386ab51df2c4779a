"""The forms in which expressions and sets of labels compare. Pure.

In an expression every operator and bracket counts, and white space does not: x - 1 is
x-1, and neither x + 1 nor x 1. A text with longer words is prose and no expression.
"""

import re
from typing import NamedTuple

from cotbuild.schemas.answers.folding import fold
from cotbuild.schemas.answers.latex import fold_latex

_MAX_CHARS = 2000
_FUNCTIONS = (
    "sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|log|exp|sqrt|mod|gcd|lcm"
    "|min|max|lim|det|and|int|sum|alpha|beta|gamma|delta|epsilon|theta|lambda|sigma|phi|omega"
    "|infty|infinity|cup|cap|left|right|begin|end|pmatrix|bmatrix|matrix|circ|cdot"
)
_WORD = re.compile(rf"(?<![^\W\d_])(?!(?:{_FUNCTIONS})(?![^\W\d_]))[^\W\d_]{{3,}}")
_OPERATOR = re.compile(
    r"[+=<>^≤≥≠±×÷·√∪∩∈∞π|*\\⁰¹²³⁴⁵⁶⁷⁸⁹]|[0-9] ?pi(?![^\W\d_])|[0-9)]!"
    r"|[\w)\]] ?[/#](?!\w{3})"  # a/b and C#, and no either/or
    r"|(?<![\w)]) ?-|[\w)\]] - ?[\w(\\]|[0-9)] ?-"  # -x, x - y, 3-x
    r"|(?<![^\W\d_])[^\W\d_](?:-(?:\Z|[^\W\d_](?![^\W\d_]))|['!])"  # x-y, A-, f', n!
    r"|[0-9] ?, ?[-(]?[0-9]{1,2}(?![0-9])|[0-9)] {1,3}and {1,3}[-(]?[0-9]"  # 3, 4
    r"|\A[(\[{].*,.*[)\]}]\Z",  # tuples, intervals, sets
    re.DOTALL,
)
_SAME = str.maketrans({"×": "*", "·": "*", "⋅": "*", "÷": "/", "∕": "/", "⁄": "/"})
_REPLACED = (
    (re.compile(r"\*\*"), "^"),
    (re.compile(r",?\s{0,3}(?<![^\W\d_])and(?![^\W\d_])"), ","),
    (re.compile(r"<=|=<"), "≤"),
    (re.compile(r">="), "≥"),
    (re.compile(r"!="), "≠"),
    (re.compile(r"sqrt"), "√"),
    (re.compile(r"(?<![^\W\d_])pi(?![^\W\d_])"), "π"),
    (re.compile(r"(?<![^\W\d_])(?:infty|infinity|oo)(?![^\W\d_])"), "∞"),
    (re.compile(r"√\((\w)\)"), r"√\1"),
    (re.compile(r"\^\((\w)\)"), r"^\1"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\([a-z{}])"), r"\1"),
)
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_POWER = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+")


def fold_expression(text: str) -> str | None:
    """Return the form in which an expression compares; None for a text of words.

    Without LaTeX dressing, white space and final marks, in lower case.
    """
    if len(text) > _MAX_CHARS:
        return None
    if "\\" not in text and _WORD.search(text):  # most texts, in a tenth of the time
        return None
    folded = fold(fold_latex(strip_emphasis(text))).strip()
    folded = " ".join(folded.rstrip(".,;: ").split())
    if not _OPERATOR.search(folded) or _WORD.search(folded):
        return None
    folded = folded.translate(_SAME).casefold()
    folded = _POWER.sub(lambda power: f"^{power[0].translate(_POWERS)}", folded)
    for pattern, replacement in _REPLACED:
        folded = pattern.sub(replacement, folded)
    return "".join(folded.split())


def is_prose(text: str) -> bool:
    """Return whether a text has words that no expression has."""
    return len(text) > _MAX_CHARS or _WORD.search(fold_latex(text)) is not None


def strip_emphasis(text: str) -> str:
    """Return a text without the Markdown emphasis around it."""
    text = text.strip()
    for mark in ("**", "__", "*", "`"):
        inner = text.removeprefix(mark).removesuffix(mark)
        if len(text) - len(inner) == 2 * len(mark) and mark not in inner:
            text = inner
    return text


# --- sets of labels ---

_LABEL = r"[(\[]?(?:[A-Z]|[IVX]{2,4})[)\].]?"
_JOINT = r"(?:\s{0,3}(?:,|;|&)\s{0,3}(?:and\s{1,3})?|\s{1,3}and\s{1,3})"
_LABELS = re.compile(rf"{_LABEL}(?:{_JOINT}{_LABEL}){{1,25}}")
_JOINED = re.compile(r"[A-J]{2,10}")
_NAME = re.compile(r"[A-Z]+")
_MAX_LABELS_CHARS = 200


class Labels(NamedTuple):
    """The labels that a text names, and whether their order counts."""

    names: tuple[str, ...]
    ordered: bool
    joined: bool
    """Whether they are written without anything between them: ACD."""

    def equals(self, other: "Labels") -> bool:
        """Return whether both name the same labels; in the same order if it counts."""
        if self.joined and other.joined:
            return False  # two abbreviations, as far as one can tell
        if self.ordered or other.ordered:
            return self.names == other.names
        return set(self.names) == set(other.names)


def parse_labels(text: str) -> Labels | None:
    """Return the labels of "A, C", "C and A", "{A, C}" or "AC"; None for any other text.

    In round or square brackets they are a tuple, whose order counts.
    """
    if len(text) > _MAX_LABELS_CHARS:
        return None
    folded = fold(fold_latex(strip_emphasis(text))).replace("\\", "").strip()
    folded = folded.rstrip(".; ")
    ordered = folded[:1] + folded[-1:] in ("()", "[]") and "," in folded
    if ordered or folded[:1] + folded[-1:] == "{}":
        inner = folded[1:-1].strip()
        ordered = ordered and not set(inner) & set("()[]")
        folded = inner if ordered or folded[:1] == "{" else folded
    if _LABELS.fullmatch(folded):
        names = tuple(name for name in _NAME.findall(folded))
        return Labels(names, ordered, joined=False)
    if _JOINED.fullmatch(folded) and list(folded) == sorted(set(folded)):
        return Labels(tuple(folded), ordered=False, joined=True)
    return None

r"""Find what a value is set in (braces, quotes, bold, maths), and take it off. Pure."""

import re
from typing import NamedTuple

_MAX_CHARS = 4000
"""Longest content looked for between two marks."""
_COMMANDS = r"\\(?:text[a-z]{0,2}|math[a-z]{1,4}|boxed|fbox|mbox|operatorname|emph|underline) ?\{"
_COMMAND = re.compile(_COMMANDS)
_BRACE = re.compile(r"\\?[{}]")
_PAIRS = (
    ("**", "**"),
    ("__", "__"),
    ("*", "*"),
    ("``", "``"),
    ("`", "`"),
    ('"', '"'),
    ("'", "'"),
    ("$$", "$$"),
    ("$", "$"),
    (r"\(", r"\)"),
    (r"\[", r"\]"),
    ("<", ">"),
)
"""Marks that open and close; a longer one goes before its beginning."""
_BEHIND = re.compile(
    r"[*_\"'`$)\]}>]*+(?: ?[.,:;!?(\n\u3002]|\s*+\Z| (?:because|since|as|which|-)\b| - )"
)
"""What follows a wrapped value, so that the value is all of the clause."""
_WORDS_BEHIND = re.compile(
    r"(?: (?!and\b|or\b|if\b|when\b)[^\W\d_]{1,20}){1,4}+(?=[.,;!?\n\u3002]|\s*\Z)"
)
_WORDS = re.compile(r"[^\W\d_][\w'. -]*")


class Wrapped(NamedTuple):
    """A value between two marks."""

    start: int
    end: int
    """The span of what is between them."""
    after: int
    """Where the closing mark ends."""


def match_braces(text: str, start: int) -> int | None:
    r"""Return where the brace closes that opened before `start`; None if it does not.

    `\{` and `\}` are characters. Past 4,000 characters none is looked for.
    """
    depth = 1
    for brace in _BRACE.finditer(text, start, start + _MAX_CHARS):
        if brace[0] == "{":
            depth += 1
        elif brace[0] == "}":
            depth -= 1
        if depth == 0:
            return brace.start()
    return None


def match_wrapped(text: str, start: int) -> Wrapped | None:
    """Return the value at `start` if a mark opens there that closes in the same line."""
    if command := _COMMAND.match(text, start):
        close = match_braces(text, command.end())
        return Wrapped(command.end(), close, close + 1) if close is not None else None
    for opening, closing in _PAIRS:
        if text.startswith(opening, start):
            return _match_pair(text, start + len(opening), closing)
    return None


def _match_pair(text: str, start: int, closing: str) -> Wrapped | None:
    line_end = text.find("\n\n", start, start + _MAX_CHARS)
    end = line_end if line_end >= 0 else min(len(text), start + _MAX_CHARS)
    close = text.find(closing, start, end)
    while closing == "'" and close >= 0 and text[close + 1 : close + 2].isalnum():
        close = text.find(closing, close + 1, end)  # the apostrophe of "it's"
    if close <= start:
        return None
    return Wrapped(start, close, close + len(closing))


def is_whole_clause(text: str, wrapped: Wrapped) -> bool:
    """Return whether nothing of the clause follows the closing mark.

    A few words may follow maths: "$x + y$ here".
    """
    if _BEHIND.match(text, wrapped.after):
        return True
    is_maths = text.startswith(("$", r"\)"), wrapped.end)
    return is_maths and _WORDS_BEHIND.match(text, wrapped.after) is not None


def strip_wrappers(
    text: str, start: int, end: int, *, final_marks: str = ".,;!?\u3002"
) -> tuple[int, int]:
    r"""Return the span of the value without what it is set in, and final marks.

    Only marks that open and close around the whole value are taken off, so that
    "(2, 3)", "\frac{1}{3}" and "] )" stay whole.
    """
    for _ in range(8):
        start, end = _strip_edges(text, start, end, final_marks)
        wrapped = match_wrapped(text, start)
        if wrapped is not None and wrapped.after == end:
            start, end = wrapped.start, wrapped.end
            continue
        if _is_bracketed_word(text, start, end):
            start, end = start + 1, end - 1
            continue
        return start, end
    return start, end


def _strip_edges(text: str, start: int, end: int, final_marks: str) -> tuple[int, int]:
    """Strip white space, final marks, and marks of markup that have no partner."""
    before = (-1, -1)
    while before != (start, end) and start < end:
        before = (start, end)
        value = text[start:end]
        start += len(value) - len(value.lstrip(" \t\n:=~"))
        end = start + len(text[start:end].rstrip(" \t\n" + final_marks))
        for mark in ("**", "__", "$$", "`", '"', "*", "$", r"\(", r"\)", r"\[", r"\]"):
            start, end = _strip_odd(text, start, end, mark)
        if text.startswith("#", start) and not text[start + 1 : start + 2].isalnum():
            start += 1
    return start, end


def _strip_odd(text: str, start: int, end: int, mark: str) -> tuple[int, int]:
    """Strip `mark` from an end of the value if it stands there without a partner."""
    if text.count(mark, start, end) != 1:
        return start, end
    partner = {r"\(": r"\)", r"\)": r"\(", r"\[": r"\]", r"\]": r"\["}.get(mark)
    if partner is not None and text.count(partner, start, end):
        return start, end
    is_price = mark == "$" and text[start + 1 : start + 2].isdigit()
    if text.startswith(mark, start) and not is_price:
        start += len(mark)
    elif text.endswith(mark, start, end):
        end -= len(mark)
    return start, end


def _is_bracketed_word(text: str, start: int, end: int) -> bool:
    """Return whether the value is words in round or square brackets: "(Paris)"."""
    if end - start < 3 or text[start] + text[end - 1] not in ("()", "[]"):
        return False
    return _WORDS.fullmatch(text, start + 1, end - 1) is not None

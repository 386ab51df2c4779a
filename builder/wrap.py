"""Text wrapped to a width, in linear time. Pure."""

import textwrap

MAX_WORD_CHARS = 1000
"""Longest word that `textwrap` is given: it copies the rest of one at every line."""


def wrap_paragraph(text: str, width: int, *, later_indent: str = "") -> list[str]:
    """Return the lines of a paragraph, as `textwrap.wrap` does; none if it is blank.

    A text with a longer word than MAX_WORD_CHARS is cut at the width, wherever that is
    in a word.
    """
    words = text.split()
    if max(map(len, words), default=0) <= MAX_WORD_CHARS:
        return textwrap.wrap(text, width, subsequent_indent=later_indent)
    collapsed = " ".join(words)
    lines = [collapsed[:width]]
    step = width - len(later_indent)
    for start in range(width, len(collapsed), step):
        lines.append(later_indent + collapsed[start : start + step])
    return lines

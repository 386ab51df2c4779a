"""Text wrapped to a width, in linear time. Pure."""

import re
import textwrap

MAX_RUN_CHARS = 1000
"""Longest word, and longest white space, that `textwrap` is given: at every line it
copies what is left of one.
"""

_RUN = re.compile(r"[ \t\n\r\f\v]+|[^ \t\n\r\f\v]+")  # as textwrap tells words apart


def wrap_paragraph(text: str, width: int, *, later_indent: str = "") -> list[str]:
    """Return the lines of a paragraph, as `textwrap.wrap` does; none if it is blank.

    A text with a longer run than MAX_RUN_CHARS is cut at the width, wherever that is in
    a word.
    """
    longest = max((len(run[0]) for run in _RUN.finditer(text)), default=0)
    if longest <= MAX_RUN_CHARS:
        return textwrap.wrap(text, width, subsequent_indent=later_indent)
    collapsed = " ".join(text.split())
    if not collapsed:
        return []
    lines = [collapsed[:width]]
    step = width - len(later_indent)
    for start in range(width, len(collapsed), step):
        lines.append(later_indent + collapsed[start : start + step])
    return lines

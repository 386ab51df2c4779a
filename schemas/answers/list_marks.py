"""Tell the mark of a list item from the sign of a number: "- 42", "1. 42". Pure.

At the start of a line a dash and a space are a mark, and "-42" is a negative number.
"""

import re
from typing import NamedTuple

_BULLET = re.compile(r"[ \t>]{0,12}(?P<mark>[-*\u2022]) ")
_ITEM_BELOW = re.compile(
    r"[ *_:#>\"'`]{0,12}\n[ \t\n>]{0,12}"
    r"(?:(?P<bullet>[-*\u2022])(?= )|(?P<number>1[.)])(?= {1,4}[*_$(\"']{0,4}[-+$£€]{0,2}[0-9]))"
)
_NEXT_BULLET = re.compile(r"[ \t\n>]{1,12}[-*\u2022] +\S")
_NEXT_NUMBER = re.compile(r"[ \t\n>*_]{1,12}[0-9]{1,2}[.)][*_]{0,3} +\S")


class ListItem(NamedTuple):
    """The first item of a list that begins on the line below."""

    text: str
    """The whole text with the item's mark as spaces, so that offsets hold."""
    start: int
    """Of the mark."""
    end: int
    has_others: bool
    """Whether a further item follows, so that the list gives several answers."""


def read_list_item(text: str) -> ListItem | None:
    """Read the list item that opens a text, below its first line break."""
    found = _ITEM_BELOW.match(text)
    if found is None:
        return None
    following = _NEXT_BULLET if found["bullet"] else _NEXT_NUMBER
    start, end = found.span(found.lastgroup or 0)
    line_end = text.find("\n", end)
    has_others = line_end >= 0 and following.match(text, line_end) is not None
    return ListItem(_blank(text, start, end), start, end, has_others)


def blank_bullet(line: str) -> str:
    """Return a line with the bullet that opens it, if any, as a space."""
    found = _BULLET.match(line)
    return line if found is None else _blank(line, *found.span("mark"))


def _blank(text: str, start: int, end: int) -> str:
    return text[:start] + " " * (end - start) + text[end:]

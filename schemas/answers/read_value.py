"""What a reader reads at one place of a text, and what all readers share. Pure."""

import re
import sys
from typing import NamedTuple, Self

from cotbuild.schemas.answers import patterns as p


class ReadValue(NamedTuple):
    """An answer read at one place of a text.

    A reader returns None instead if the place says nothing about an answer.
    """

    answer: str | None
    """None: the place says that there is no single answer."""
    start: int
    end: int
    """The span of the value in the text read."""
    complete: bool
    """Whether the text would say the same if it were cut directly after it."""

    def shift(self, offset: int) -> Self:
        """Return the same for a text in which the text read begins at `offset`."""
        return self._replace(start=self.start + offset, end=self.end + offset)


def read_no_single(text: str, start: int) -> ReadValue | None:
    """Read "none", "unknown" or the like, which say that there is no single answer."""
    found = p.NO_SINGLE.match(text, start)
    return ReadValue(None, *found.span(), complete=True) if found else None


def skip(
    pattern: re.Pattern[str], text: str, start: int, stop: int = sys.maxsize
) -> int:
    """Return the end of a match of `pattern` at `start`; `start` if there is none."""
    found = pattern.match(text, start, stop)
    return found.end() if found else start

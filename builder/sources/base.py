"""What every reader yields: rows, and in their place the rows that cannot be read."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Protocol

Row = Mapping[str, Any]


class BadRowReason(StrEnum):
    """Why a row is no question; `Source.drops` counts by it."""

    NOT_UTF8 = "not_utf8"
    BAD_JSON = "bad_json"  # also NaN, Infinity and integers too long to read: JSON has none of them
    NOT_A_ROW = "not_a_row"  # valid JSON, but no object
    RAGGED_ROW = "ragged_row"  # a CSV row with more or fewer fields than the header
    MISSING_FIELD = "missing_field"
    BAD_CHOICES = "bad_choices"
    NO_TARGET = "no_target"  # in a split whose other rows have one
    BAD_TARGET = "bad_target"
    DUPLICATE_ID = "duplicate_id"
    BAD_QUESTION = "bad_question"  # whatever else Question refuses


class BadRow(Exception):
    """One row's fault: what is wrong with the value, and what was expected. The reader
    of the split adds the place.

    Row iterators yield it rather than raise it, because a generator that raises is
    finished.
    """

    def __init__(self, reason: BadRowReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class RowReader(Protocol):
    """The rows of one split, in order, to be read any number of times."""

    @property
    def where(self) -> str:
        """What an error calls it: a file's name without its folder, or a place on the
        Hub.
        """

    def __iter__(self) -> Iterator[Row | BadRow]: ...

    def checksum(self) -> str:
        """sha256 of the file's bytes, 64 hex digits; for the Hub repo@revision."""

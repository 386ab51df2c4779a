"""Find options in columns of their own: A, B, C, D; option1, option2; distractor1, ….

Columns whose names differ by a counting letter or number alone are a run. Whether a run
holds the options of the questions is decided from its name and from the targets of all
rows; see `survey`.
"""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from cotbuild.builder.sources.make import LETTERS

MAX_NAME_CHARS = 64
"""Longer names are not part of a run."""
MIN_BARE_LETTERS = 3
"""Fewer columns named A, B, … may as well be two numbers of a calculation."""
_COUNTER = re.compile(r"(?<![0-9])[0-9]{1,2}(?![0-9])")
_LETTER = re.compile(r"(?<![A-Za-z0-9])[A-Za-z](?![A-Za-z0-9])|[A-Za-z]$")
_OPTION = re.compile(r"option|opt|op|choice|ending|alternative|alt", re.IGNORECASE)
_ANSWER = re.compile(
    r"answer|ans|sol|solution|candidate|cand|response|reply|completion|continuation",
    re.IGNORECASE,
)
_DISTRACTOR = re.compile(
    r"(?:distractor|distractors|distracter|(?:incorrect|wrong|false|bad)"
    r"(?:_?(?:answers?|options?|choices?))?)",
    re.IGNORECASE,
)
_WORDS_AROUND = re.compile(r"[^A-Za-z]+")


class RunRole(StrEnum):
    """What the names of a run's columns say that it holds."""

    OPTIONS = "options"
    """Names that are used for options alone."""
    ANSWERS = "answers"
    """Names that are used for options, and for several answers to one question."""
    DISTRACTORS = "distractors"
    """The wrong options; the right one is the target."""
    UNKNOWN = "unknown"


class OptionRun(NamedTuple):
    """Columns whose names differ by a counting letter or number alone."""

    columns: tuple[str, ...]
    role: RunRole


def find_option_runs(present: Sequence[str]) -> list[OptionRun]:
    """Return the runs among the columns of a file, in the order of their first columns.

    A run has at least two columns and counts from a, A, 0 or 1 without a gap.
    """
    members: dict[tuple[str, str, str], dict[int, str]] = {}
    for name in present:
        for stem, number in _counters(name):
            members.setdefault(stem, {}).setdefault(number, name)
    runs = []
    for (before, _, after), by_number in members.items():
        columns = _consecutive(by_number)
        if len(columns) >= 2:
            runs.append(OptionRun(columns, _find_role(before, after, len(columns))))
    return runs


def is_distractor_column(name: str) -> bool:
    """Return whether a column holds a list of wrong options, by its name."""
    return _DISTRACTOR.fullmatch(name) is not None


def _counters(name: str) -> Iterator[tuple[tuple[str, str, str], int]]:
    """Yield each counter of a name: the text around it with its form, and its number."""
    if len(name) > MAX_NAME_CHARS:
        return
    for match in _COUNTER.finditer(name):
        yield (name[: match.start()], "1", name[match.end() :]), int(match[0])
    for match in _LETTER.finditer(name):
        letter = match[0]
        form = "A" if letter.isupper() else "a"
        number = LETTERS.index(letter.upper()) + 1
        yield (name[: match.start()], form, name[match.end() :]), number


def _consecutive(by_number: dict[int, str]) -> tuple[str, ...]:
    first = 0 if 0 in by_number else 1
    columns: list[str] = []
    while len(columns) < len(LETTERS) and first + len(columns) in by_number:
        columns.append(by_number[first + len(columns)])
    return tuple(columns)


def _find_role(before: str, after: str, num_columns: int) -> RunRole:
    words = [word for word in _WORDS_AROUND.split(f"{before} {after}") if word]
    if not words:
        is_long = num_columns >= MIN_BARE_LETTERS
        return RunRole.OPTIONS if is_long else RunRole.ANSWERS
    joined = "_".join(words)
    if _DISTRACTOR.fullmatch(joined):
        return RunRole.DISTRACTORS
    last_words = {words[-1], words[0]}
    if any(_OPTION.fullmatch(word) for word in last_words):
        return RunRole.OPTIONS
    if any(_ANSWER.fullmatch(word) for word in last_words):
        return RunRole.ANSWERS
    return RunRole.UNKNOWN

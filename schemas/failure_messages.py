"""What servers said about failed requests: as it is published, and grouped. Pure.

A message is published with its row. Connection errors and servers' own messages name
machines, places on a disk and accounts; addresses, paths, and the ids of accounts are
replaced.
"""

import re

from cotbuild.schemas.manifest import (
    MAX_FAILURE_GROUPS,
    MAX_MESSAGE_CHARS,
    FailureGroup,
)

MAX_READ_CHARS = 4 * MAX_MESSAGE_CHARS
"""How much of a longer message is read, so that what is cut off was replaced before."""
MAX_DISTINCT = 1_000
"""Maximum number of groups that are counted, which bounds the memory."""

_IPV4 = r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?"
_IPV6 = r"\[[0-9a-fA-F:.]{2,}(?:%\w+)?\](?::\d+)?"
_PLAIN_IPV6 = r"(?<![\w:])[0-9a-fA-F:]{0,30}::[0-9a-fA-F:]{0,30}"
_REPLACEMENTS = (
    (re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{0,20}://[^\s'\"<>]+"), "[address]"),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]+)+"), "[address]"),
    (re.compile(r"\bto host \S+"), "to host [address]"),
    (re.compile(rf"{_IPV4}|{_IPV6}|{_PLAIN_IPV6}"), "[address]"),
    (re.compile(r"\blocalhost\b(?::\d+)?"), "[address]"),
    (re.compile(r"\b[\w-]{1,64}(?:\.[\w-]{1,64})+:\d{2,5}\b"), "[address]"),
    (re.compile(r"(?<![\w/.~])(?:~|\.{1,2})?(?:/[\w.@+~=-]+){2,}/?"), "[path]"),
    (re.compile(r"\b[a-zA-Z]:\\[^\s'\"<>]+|\\\\[^\s'\"<>]+"), "[path]"),
    (re.compile(r"\b(?:org|proj)[-_]\w{6,}"), "[account]"),
    (re.compile(r"\bsk-[\w*-]{6,}"), "[key]"),
)
"""Patterns, and what is put in their place. None of that changes when it is replaced
again.
"""

_STATUS = re.compile(r"HTTP \d{3}\b")
_WORD = re.compile(r"[\w-]+")


def publishable_message(message: str) -> str:
    """Return a message on one line of at most MAX_MESSAGE_CHARS, private parts replaced.

    A message that it returned is returned unchanged, so that a row can be derived again.
    """
    text = fold_line(message[:MAX_READ_CHARS])
    while (cleaned := _cut(_replace_private(text))) != text:
        # Each round takes characters outside of brackets away, so the loop ends.
        text = cleaned
    return text


def fold_line(text: str) -> str:
    """Return `text` on one line, without control characters and repeated white space."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())


def _cut(text: str) -> str:
    if len(text) <= MAX_MESSAGE_CHARS:
        return text
    return text[: MAX_MESSAGE_CHARS - 1].rstrip() + "…"


def _replace_private(text: str) -> str:
    for pattern, replacement in _REPLACEMENTS:
        text = pattern.sub(replacement, text)
    return text


def group_key(message: str) -> str:
    """Return what messages of one group have in common.

    Words with a digit count as equal, such as numbers of tokens and ids of requests;
    HTTP statuses do not.
    """
    status = _STATUS.match(message)
    end = 0 if status is None else status.end()
    return message[:end] + _WORD.sub(_fold_word, message[end:])


def _fold_word(match: re.Match[str]) -> str:
    word = match[0]
    return "0" if any(char.isdigit() for char in word) else word


class FailureMessages:
    """Counts of failures by kind and message, filled as rows pass by."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._first: dict[tuple[str, str], str] = {}

    def add(self, kind: str, message: str) -> None:
        """Count one failure, unless it is of a new group after MAX_DISTINCT."""
        self._add((kind, group_key(message)), message, 1)

    def merge(self, later: "FailureMessages") -> None:
        """Count the failures of rows that follow."""
        for key, count in later._counts.items():
            self._add(key, later._first[key], count)

    def _add(self, key: tuple[str, str], message: str, count: int) -> None:
        if key not in self._counts:
            if len(self._counts) == MAX_DISTINCT:
                return
            self._first[key] = message
        self._counts[key] = self._counts.get(key, 0) + count

    def groups(self) -> tuple[FailureGroup, ...]:
        """Return the MAX_FAILURE_GROUPS most frequent groups, the first of equals first."""
        ordered = sorted(self._counts.items(), key=lambda item: -item[1])
        return tuple(
            FailureGroup(kind=key[0], message=self._first[key], count=count)
            for key, count in ordered[:MAX_FAILURE_GROUPS]
        )

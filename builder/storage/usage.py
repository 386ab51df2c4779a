"""What the answers in journals took: requests, tokens and time.

An answer counts wherever it lies, in an older generation too, since it was paid for.
Answers that were pulled with a release do not: somebody else asked for them.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from cotbuild.builder.storage.journal import (
    COMPLETION,
    FAILURE,
    FINAL_FAILURE,
    REJECTION,
    decode_answer,
    open_journal,
    read_header,
    read_line,
)
from cotbuild.schemas.completion import Completion
from cotbuild.schemas.errors import DataError

GPUS, STARTING_S = "gpus", "starting_s"
"""Fields of a journal's header: the GPUs of its run, and the seconds that they were in
use before its first request. Absent where no GPU is known.
"""
WORKER = "worker"
"""Field of the header of a journal that a worker wrote: its name."""
RELEASE = "release"
"""Kind of teacher, in the header of a journal, of answers that came with a release."""

_FAILURES = frozenset((FAILURE, FINAL_FAILURE, REJECTION))
_TIME = slice(76, 90)
_TOKENS = re.compile(
    rb'"prompt_tokens": (\d{1,9}|null), "completion_tokens": (\d{1,9}|null)\}\n\Z'
)
"""The end of the line of a completion without notes. Inside of a text the quotes would
be escaped.
"""
_MAX_TOKENS_CHARS = 80


class JournalUsage(NamedTuple):
    """What the answers of some journals took."""

    requests: int = 0
    """Answers, failures included."""
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    unknown_tokens: int = 0
    """Completions whose server counted no generated tokens."""
    seconds: float = 0.0
    """From the beginning of each journal to its last line."""
    gpu_seconds: float = 0.0
    """GPUs × the seconds in use, of the runs whose GPUs are known."""

    def plus(self, other: "JournalUsage") -> "JournalUsage":
        """Return the sum of both."""
        return JournalUsage(
            self.requests + other.requests,
            self.failed + other.failed,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.unknown_tokens + other.unknown_tokens,
            self.seconds + other.seconds,
            self.gpu_seconds + other.gpu_seconds,
        )


NO_USAGE = JournalUsage()


def read_usage(journals: Iterable[Path]) -> JournalUsage:
    """Return what the answers of journals took.

    Lines are not checked, which the index does. Raises StoreError if a journal cannot be
    read.
    """
    return UsageCounter().read(journals)


class UsageCounter:
    """Counts what the answers of journals took, while other processes append to them.

    Each call of `read` goes on in a journal where the one before it stopped.
    """

    def __init__(self) -> None:
        self._journals: dict[Path, _JournalCount] = {}

    def read(self, journals: Iterable[Path]) -> JournalUsage:
        """Return what the answers of `journals` took until now, as `read_usage` does."""
        total = JournalUsage()
        for path in journals:
            count = self._journals.setdefault(path, _JournalCount())
            count.read_on(path)
            total = total.plus(count.usage)
        return total

    @property
    def answered_workers(self) -> set[str]:
        """The names of the workers that received an answer other than a failure."""
        counts = self._journals.values()
        return {
            count.worker
            for count in counts
            if count.worker is not None and count.usage.requests > count.usage.failed
        }


class _JournalCount:
    """What the lines of one journal took, as far as it was read."""

    def __init__(self) -> None:
        self.worker: str | None = None
        """The worker that wrote it; None where it was a run without workers."""
        self._offset = 0
        self._is_release = False
        self._gpus = self._starting_s = 0.0
        self._started_s = self._ended_s = 0.0
        self._requests = self._failed = self._unknown_tokens = 0
        self._prompt_tokens = self._completion_tokens = 0

    @property
    def usage(self) -> JournalUsage:
        """What the lines so far took."""
        if self._is_release:
            return NO_USAGE
        seconds = max(self._ended_s - self._started_s, 0.0)  # a clock may be set back
        return JournalUsage(
            self._requests,
            self._failed,
            self._prompt_tokens,
            self._completion_tokens,
            self._unknown_tokens,
            seconds,
            self._gpus * (self._starting_s + seconds),
        )

    def read_on(self, path: Path) -> None:
        """Read the lines that were added; raises StoreError."""
        with open_journal(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size == self._offset:
                return
            file.seek(self._offset)
            while line := read_line(file, path):
                at = _time_of(line)
                if at is None:
                    return  # torn, or half written
                if not self._offset:
                    self._started_s = at
                    self._read_header(path)
                self._ended_s = at
                self._offset += len(line)
                if not self._is_release:
                    self._count(line)

    def _read_header(self, path: Path) -> None:
        header = read_header(path)
        teacher = header.get("teacher")
        self._is_release = isinstance(teacher, dict) and teacher.get("kind") == RELEASE
        worker = header.get(WORKER)
        self.worker = worker if isinstance(worker, str) else None
        self._gpus = _number(header, GPUS)
        self._starting_s = _number(header, STARTING_S)

    def _count(self, line: bytes) -> None:
        if line[9] in _FAILURES:
            self._requests += 1
            self._failed += 1
        elif line[9] == COMPLETION:
            in_prompt, generated = _tokens_of(line)
            self._requests += 1
            self._prompt_tokens += in_prompt or 0
            self._completion_tokens += generated or 0
            self._unknown_tokens += generated is None


def _time_of(line: bytes) -> float | None:
    """Return the Unix time of a line; None if the line is torn."""
    if not line.endswith(b"\n"):
        return None
    try:
        return float(line[_TIME])
    except ValueError:
        return None


def _tokens_of(line: bytes) -> tuple[int | None, int | None]:
    """Return the tokens of a completion's prompt and text; None if not counted."""
    found = _TOKENS.search(line, max(len(line) - _MAX_TOKENS_CHARS, 0))
    if found is not None:
        prompt, generated = (
            None if digits == b"null" else int(digits) for digits in found.groups()
        )
        return prompt, generated
    try:
        answer = decode_answer(line)
    except DataError:
        return None, None
    if not isinstance(answer, Completion):
        return None, None
    return answer.prompt_tokens, answer.completion_tokens


def _number(header: dict[str, Any], name: str) -> float:
    value = header.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return max(float(value), 0.0) if is_number and value is not None else 0.0

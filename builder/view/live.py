"""A build that is being made: how far it is, and what the teacher said last.

Read from the journals and the events of the run, without its lock: while it writes, while
a line is half there, and while files come and go. Each call reads a bounded number of
bytes; counting goes on where the call before it stopped.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from pydantic import Field

from cotbuild.builder.events import EVENTS, read_run_progress
from cotbuild.builder.storage.answer_store import ANSWERS, AnswerStore
from cotbuild.builder.storage.journal import (
    COMPLETION,
    END,
    FAILURE,
    FINAL_FAILURE,
    HEADER,
    REJECTION,
    decode_answer,
    is_whole_line,
    line_time,
    open_journal,
)
from cotbuild.builder.storage.lock_holder import find_held_inodes, is_store_held
from cotbuild.builder.storage.places import plain_folder, plain_place
from cotbuild.builder.view.remembered import Remembered
from cotbuild.builder.view.shown_rows import MAX_SHOWN_CHARS, CutText
from cotbuild.schemas.completion import Completion
from cotbuild.schemas.errors import CotbuildError, StoreError
from cotbuild.schemas.event import RunProgress
from cotbuild.schemas.record import Record

MAX_ANSWERS = 1_000
"""Newest answers that are shown."""
MAX_TAIL_BYTES = 16 << 20
"""What is read of the ends of journals to find them."""
MAX_COUNTED_BYTES = 128 << 20
"""What one call reads of journals to count their answers."""
MAX_JOURNALS = 1_000
"""Newest journals that are looked at."""


class LiveAnswer(Record):
    """An answer of the teacher, as it was stored. Nothing is extracted from it yet."""

    request_key: str = Field(description="Key of the request.")
    at: str = Field(description="When it was stored, UTC, RFC 3339.")
    text: CutText | None = Field(
        description="What the teacher said; None if it failed."
    )
    reasoning: CutText | None = Field(
        default=None, description="Reasoning that the server returned separately."
    )
    finish_reason: str | None = Field(default=None, description="stop or length.")
    prompt_tokens: int | None = Field(default=None, description="Tokens of the prompt.")
    completion_tokens: int | None = Field(default=None, description="Tokens generated.")
    failure: str | None = Field(default=None, description="Why there is no completion.")


class LiveBuild(Record):
    """A build whose rows are not derived yet."""

    is_running: bool = Field(description="Whether a run holds its answer store.")
    progress: RunProgress | None = Field(
        description="What the newest run reported; None if there is nothing to read."
    )
    num_completions: int = Field(
        ge=0, description="Completions in the journals, as far as they were counted."
    )
    num_failures: int = Field(ge=0, description="Failures in them, retried ones too.")
    is_counted: bool = Field(description="Whether all of the journals was counted.")
    answers: tuple[LiveAnswer, ...] = Field(description="The newest answers first.")
    partial: bool = Field(
        default=True, description="True: these are answers, not the rows of a build."
    )
    fault: str | None = Field(
        default=None, description="Why the journals could not be read, on one line."
    )


def read_live(
    folder: Path,
    remembered: Remembered,
    limit: int = MAX_ANSWERS,
    *,
    max_counted_bytes: int = MAX_COUNTED_BYTES,
    max_tail_bytes: int = MAX_TAIL_BYTES,
) -> LiveBuild:
    """Read the state of a build that is being made, or was stopped.

    `remembered` keeps how far its journals were counted. Never raises for what is in the
    folder: a fault is part of the result.
    """
    fault = None
    answers: list[LiveAnswer] = []
    counts = _Counts()
    try:
        journals = _newest_journals(folder)
        counts = _count(folder, journals, remembered, max_counted_bytes)
        answers = _newest_answers(journals, min(limit, MAX_ANSWERS), max_tail_bytes)
    except (CotbuildError, OSError) as error:
        fault = " ".join(str(error).split())
    return LiveBuild(
        is_running=is_store_held(folder, find_held_inodes()),
        progress=_read_progress(folder),
        num_completions=sum(count.completions for count in counts.journals.values()),
        num_failures=sum(count.failures for count in counts.journals.values()),
        is_counted=counts.is_whole,
        answers=tuple(answers),
        fault=fault,
    )


def _read_progress(folder: Path) -> RunProgress | None:
    try:
        path = plain_place(folder, PurePosixPath(ANSWERS, EVENTS), str(folder))
        return read_run_progress(path)
    except (CotbuildError, OSError):
        return None


def _newest_journals(folder: Path) -> list[Path]:
    """Return the journals of the current generation, the newest first.

    Raises StoreError where a link leads out of the folder.
    """
    plain_folder(folder, PurePosixPath(ANSWERS), str(folder), StoreError)
    store = AnswerStore(folder)
    generations = store.generations
    if generations:
        place = PurePosixPath(ANSWERS, generations[-1].name)
        plain_folder(folder, place, str(folder), StoreError)
    # Their names begin with the time at which they were begun.
    return store.journals[::-1][:MAX_JOURNALS]


# -- counts --------------------------------------------------------------------------------


@dataclass
class _JournalCount:
    """How far a journal was counted."""

    offset: int = 0
    completions: int = 0
    failures: int = 0


@dataclass
class _Counts:
    """How far the journals of a build were counted, by file."""

    journals: dict[tuple[str, int], _JournalCount] = field(default_factory=dict)
    is_whole: bool = True


def _count(
    folder: Path, journals: list[Path], remembered: Remembered, max_bytes: int
) -> _Counts:
    key = ("live", folder)
    known: _Counts = remembered.get(key) or _Counts()
    counts = _Counts()
    num_left = max_bytes
    for path in journals:
        try:
            inode = path.lstat().st_ino
            before = known.journals.get((path.name, inode), _JournalCount())
            count, is_whole = _count_lines(path, before, num_left)
        except OSError:
            continue  # it is gone
        num_left -= count.offset - before.offset
        counts.journals[path.name, inode] = count
        counts.is_whole &= is_whole
    remembered.put(key, counts)
    return counts


def _count_lines(
    path: Path, before: _JournalCount, max_bytes: int
) -> tuple[_JournalCount, bool]:
    """Count on in a journal; also returns whether that came to its end."""
    count = _JournalCount(before.offset, before.completions, before.failures)
    if max_bytes <= 0:
        return count, False
    with open_journal(path) as file:
        size = os.fstat(file.fileno()).st_size
        if count.offset > size:  # cut off after a failed write
            count = _JournalCount()
        file.seek(count.offset)
        end = count.offset + max_bytes
        while count.offset < min(size, end):
            line = file.readline(max(0, end - count.offset) + 1)
            if not line.endswith(b"\n"):
                break  # a torn line, or one that is longer than what is left to read
            status = line[9] if len(line) > 9 else 0
            if status == COMPLETION:
                count.completions += 1
            elif status in (REJECTION, FINAL_FAILURE, FAILURE):
                count.failures += 1
            count.offset += len(line)
        is_whole = count.offset >= size or size - count.offset < max_bytes
    return count, is_whole


# -- the newest answers --------------------------------------------------------------------


def _newest_answers(
    journals: list[Path], limit: int, max_bytes: int
) -> list[LiveAnswer]:
    found: list[LiveAnswer] = []
    num_left = max_bytes
    for path in journals:
        if len(found) >= limit or num_left <= 0:
            break
        try:
            tail = _read_tail(path, num_left)
        except OSError:
            continue  # it is gone
        num_left -= len(tail)
        for line in _lines_backwards(tail):
            answer = _read_answer(line)
            if answer is not None:
                found.append(answer)
            if len(found) == limit:
                break
    return found


def _read_tail(path: Path, max_bytes: int) -> bytes:
    """Return the end of a journal from the beginning of a line."""
    with open_journal(path) as file:
        size = os.fstat(file.fileno()).st_size
        start = max(0, size - max_bytes)
        file.seek(start)
        tail = file.read(size - start)
    if start:
        _, _, tail = tail.partition(b"\n")
    return tail


def _lines_backwards(data: bytes) -> Iterator[bytes]:
    """Yield the lines of some bytes, the last one first, each with its newline."""
    end = data.rfind(b"\n") + 1  # what follows is torn
    while end > 0:
        start = data.rfind(b"\n", 0, end - 1) + 1
        yield data[start:end]
        end = start


def _read_answer(line: bytes) -> LiveAnswer | None:
    """Return the answer of a line; None if it holds none, or is damaged."""
    if not is_whole_line(line) or line[9] in (HEADER, END):
        return None
    try:
        answer = decode_answer(line)
    except (CotbuildError, ValueError):
        return None
    at = _time_text(line_time(line))
    if not isinstance(answer, Completion):
        failure = f"{answer.kind}: {answer.message}"[:MAX_SHOWN_CHARS]
        return LiveAnswer(
            request_key=answer.request_key, at=at, text=None, failure=failure
        )
    reasoning = answer.reasoning
    return LiveAnswer(
        request_key=answer.request_key,
        at=at,
        text=cut_text(answer.text),
        reasoning=None if reasoning is None else cut_text(reasoning),
        finish_reason=answer.finish_reason,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
    )


def cut_text(text: str) -> CutText:
    """Return the beginning of a text as a list shows it."""
    return CutText(text=text[:MAX_SHOWN_CHARS], num_chars=len(text))


def _time_text(seconds: float) -> str:
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        moment = datetime.fromtimestamp(0, UTC)
    return moment.isoformat(timespec="milliseconds")

"""Read a log of events: page by page, or the state that it adds up to."""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from cotbuild.builder.events.fold import MAX_LINES_KEPT, fold_events
from cotbuild.schemas.event import EVENT, Event, RunProgress
from cotbuild.schemas.files import open_regular

MAX_EVENT_BYTES = 64 << 10
"""Longest line that is read as an event; those that cotbuild writes are far shorter."""
MAX_PAGE_BYTES = 1 << 20
"""The most that one page reads of a log."""
MAX_PAGE_EVENTS = 1_000
_MAX_READ_BYTES = 64 << 20
"""The most that is read of the end of a log to find its state."""


class EventPage(NamedTuple):
    """Some events of a log, and where the next page begins."""

    events: tuple[Event, ...]
    next_offset: int
    """Byte at which the next page begins; of a log that grows, poll from it."""
    log_id: int | None
    """Identity of the file; None if there is none. Another one: it was begun anew."""
    ends: tuple[int, ...] = ()
    """For each event the byte behind it, from which a reader of it goes on."""


def read_events(
    path: Path,
    offset: int = 0,
    limit: int = MAX_PAGE_EVENTS,
    *,
    log_id: int | None = None,
) -> EventPage:
    """Return up to `limit` events from byte `offset` on.

    `log_id`: that of the page before. If the file is another one by now, or shorter
    than `offset`, the page is its first. A torn last line is left for the next page;
    lines that are no event, or one of an unknown kind, are left out. Raises OSError if
    the file is there and cannot be read.
    """
    limit = min(limit, MAX_PAGE_EVENTS)
    try:
        file = open_regular(path)
    except FileNotFoundError:
        return EventPage((), 0, None)
    with file:
        status = os.fstat(file.fileno())
        if offset > status.st_size or log_id not in (None, status.st_ino):
            offset = 0
        file.seek(offset)
        data = file.read(MAX_PAGE_BYTES)
    events: list[Event] = []
    ends: list[int] = []
    for line in _whole_lines(data):
        if len(events) == limit:
            break
        offset += len(line)
        event = decode_event(line)
        if event is not None:
            events.append(event)
            ends.append(offset)
    return EventPage(tuple(events), offset, status.st_ino, tuple(ends))


def _whole_lines(data: bytes) -> list[bytes]:
    """Return the lines of a block that are whole, or else all of a full block.

    A line longer than a block is no event, and is passed over a block at a time.
    """
    end = data.rfind(b"\n") + 1
    if end == 0:
        return [data] if len(data) == MAX_PAGE_BYTES else []
    return [line + b"\n" for line in data[: end - 1].split(b"\n")]


def decode_event(line: bytes) -> Event | None:
    """Return the event of a line; None if it is none that this version knows."""
    if len(line) > MAX_EVENT_BYTES or not line.endswith(b"\n"):
        return None
    try:
        return EVENT.validate_json(line)
    except ValidationError:
        return None


def read_run_progress(path: Path) -> RunProgress:
    """Return the state of the newest run in a log; an empty one without a log.

    Of the many events of progress only the last is parsed, so that a log of 16 MB takes
    some milliseconds. Raises OSError if the file is there and cannot be read.
    """
    try:
        file = open_regular(path)
    except FileNotFoundError:
        return RunProgress()
    with file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - _MAX_READ_BYTES))
        lines = _newest_lines(iter(file.readline, b""))
    events = map(decode_event, lines)
    return fold_events(event for event in events if event is not None)


def _newest_lines(lines: Iterator[bytes]) -> list[bytes]:
    """Return the lines that decide the state, in the order in which they stand.

    Every line that EventLog wrote begins with the kind of its event.
    """
    newest: deque[tuple[int, bytes]] = deque(maxlen=MAX_LINES_KEPT)
    newest_by_kind: dict[bytes, tuple[int, bytes]] = {}
    for number, line in enumerate(lines):
        if not line.endswith(b"\n"):
            break  # still being written
        kind = line[: line.find(b",")]
        if kind == b'{"event":"started"':
            newest.clear()
            newest_by_kind.clear()
        if kind == b'{"event":"say"':
            newest.append((number, line))
        else:
            newest_by_kind[kind] = (number, line)
    return [line for _, line in sorted([*newest, *newest_by_kind.values()])]

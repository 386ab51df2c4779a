"""The newest lines of a teacher host, for its jobs and for the pages."""

import asyncio
import contextlib
from collections import deque

from cotbuild.builder.teachers.http.wire import one_line

MAX_LINES = 100


class RecentLines:
    """Keeps the newest lines, numbered from 0."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=MAX_LINES)
        self._num_lines = 0
        self._next = asyncio.Event()

    def say(self, line: str) -> None:
        """Append a line, cut to the length of a message, and wake who waits for one."""
        self._lines.append(one_line(line))
        self._num_lines += 1
        self._next.set()
        self._next = asyncio.Event()

    def newest(self) -> tuple[str, ...]:
        """Return all lines that are kept, oldest first."""
        return tuple(self._lines)

    def since(self, number: int) -> tuple[tuple[str, ...], int]:
        """Return the lines from `number` on that are kept, and the next line's number."""
        num_new = min(max(self._num_lines - number, 0), len(self._lines))
        lines = tuple(self._lines)
        return lines[len(lines) - num_new :], self._num_lines

    async def wait_for_next(self, timeout_s: float) -> None:
        """Return at the next line, or after `timeout_s` seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._next.wait(), timeout_s)

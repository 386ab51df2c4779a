"""Reads that many clients want at the same time, made once."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, TypeVar, cast

R = TypeVar("R")

MAX_KEPT: Final = 256


class SharedReads:
    """Results by keys that say everything the result depends on; the newest are kept.

    Used in the event loop. A failed read is made again by the next who asks.
    """

    def __init__(self, max_kept: int = MAX_KEPT) -> None:
        self._max_kept = max_kept
        self._tasks: OrderedDict[Hashable, asyncio.Task[Any]] = OrderedDict()

    async def get(self, key: Hashable, read: Callable[[], Awaitable[R]]) -> R:
        """Return the result of `read` for a key, of which one runs at a time."""
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(_awaited(read))
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._forget_failed(key, done))
            while len(self._tasks) > self._max_kept:
                self._tasks.popitem(last=False)
        # A client that goes away must not end the read of the others.
        return cast(R, await asyncio.shield(task))

    def _forget_failed(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        failed = task.cancelled() or task.exception() is not None
        if failed and self._tasks.get(key) is task:
            del self._tasks[key]


async def _awaited(read: Callable[[], Awaitable[R]]) -> R:
    return await read()

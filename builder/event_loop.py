"""Run a coroutine from synchronous code, also where an event loop already runs."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` to its end and return its result.

    In a notebook the calling thread already runs an event loop, and `asyncio.run`
    refuses to start another; the coroutine then runs in a thread with its own loop.
    An interrupt (Ctrl-C) cancels the coroutine, waits for its clean-up and is raised.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    return _run_in_thread(coroutine)


def _run_in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    started: Future[Callable[[], object]] = Future()

    async def run() -> T:
        loop = asyncio.get_running_loop()
        task = loop.create_task(coroutine)
        started.set_result(lambda: loop.call_soon_threadsafe(task.cancel))
        return await task

    with ThreadPoolExecutor(max_workers=1) as executor:
        result = executor.submit(asyncio.run, run())
        cancel = started.result()
        try:
            return result.result()
        except KeyboardInterrupt:
            # Leaving the executor waits for the thread.
            cancel()
            raise

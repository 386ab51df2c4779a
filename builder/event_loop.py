"""Run a coroutine from synchronous code, also where an event loop already runs."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run `coroutine` to its end and return its result.

    In a notebook the calling thread already runs an event loop, and `asyncio.run`
    refuses to start another; the coroutine then runs in a thread with its own loop.
    An interrupt (Ctrl-C) cancels the coroutine, waits for its clean-up and is raised.
    So does SIGTERM where a command handles it and Ctrl-C is ignored.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        if _is_ended_by_sigterm_alone():
            return _run_until_sigterm(coroutine)
        return asyncio.run(coroutine)
    return _run_in_thread(coroutine)


def _is_ended_by_sigterm_alone() -> bool:
    """Whether SIGINT is ignored, as in the background, and SIGTERM has a handler."""
    if threading.current_thread() is not threading.main_thread():
        return False
    ignores_sigint = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    return ignores_sigint and callable(signal.getsignal(signal.SIGTERM))


def _run_until_sigterm(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that SIGTERM cancels, as asyncio has SIGINT cancel one.

    An exception out of a signal handler could be raised in the middle of a task, which
    asyncio then reports after the last line of the command.
    """
    was_interrupted = False

    async def run() -> T:
        task = asyncio.current_task()

        def interrupt() -> None:
            nonlocal was_interrupted
            was_interrupted = True
            if task is not None:
                task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, interrupt)
        return await coroutine

    handler = signal.getsignal(signal.SIGTERM)
    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        if was_interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGTERM, handler)


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

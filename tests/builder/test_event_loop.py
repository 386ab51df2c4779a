"""Coroutines from synchronous code, with and without an event loop that runs already."""

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest

from cotbuild.builder.event_loop import run_async
from cotbuild.builder.generate.run import generate
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.teacher_config import TeacherConfig


async def double(number: int) -> int:
    await asyncio.sleep(0.001)
    return 2 * number


async def fail() -> None:
    raise ValueError("no")


def test_the_result_is_returned_with_and_without_a_running_loop() -> None:
    async def main() -> int:
        return run_async(double(4))

    assert run_async(double(3)) == 6
    assert asyncio.run(main()) == 8


def test_an_error_is_raised_as_it_is_from_the_thread() -> None:
    async def main() -> None:
        run_async(fail())

    with pytest.raises(ValueError, match="no"):
        asyncio.run(main())


def test_generate_runs_where_a_loop_runs_already_as_in_a_notebook(
    tmp_path: Path,
) -> None:
    config = BuildConfig(teacher=TeacherConfig(model="scripted"))

    async def cell() -> int:
        return generate(config, tmp_path / "build", Terminal()).asked

    assert asyncio.run(cell()) > 0
    assert generate(config, tmp_path / "build", Terminal()).asked == 0


def test_an_interrupt_cancels_the_coroutine_in_the_thread_and_waits_for_it() -> None:
    cleaned_up = threading.Event()

    async def work() -> None:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.05)
            cleaned_up.set()

    async def cell() -> None:
        # As a notebook's kernel does, which leaves SIGINT to Python's own handler.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        run_async(work())

    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(cell())
    finally:
        signal.signal(signal.SIGINT, before)
    assert cleaned_up.is_set()


def test_sigterm_cancels_where_ctrl_c_is_ignored() -> None:
    """As in the background, where asyncio has no handler that cancels a task."""
    steps: list[str] = []

    async def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            steps.append("cleaned up")

    def handler(*_: object) -> None:
        steps.append("raised in the middle of a task")

    sigint = signal.signal(signal.SIGINT, signal.SIG_IGN)
    sigterm = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_async(work())
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGINT, sigint)
        signal.signal(signal.SIGTERM, sigterm)
    assert steps == ["cleaned up"]

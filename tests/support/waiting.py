"""Waiting for a condition. No test is bound to the speed of the machine: only what hangs
exceeds these limits.
"""

import asyncio
import time
from collections.abc import Callable

HANG_S = 240.0
"""Longer than anything takes on a busy machine, and shorter than pytest's timeout."""
_POLL_S = 0.02


def wait_until(
    condition: Callable[[], object], what: Callable[[], str] | str = "nothing came"
) -> None:
    """Return once `condition()` is true; fail with `what` if it never is."""
    deadline_s = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < deadline_s, what if isinstance(what, str) else what()
        time.sleep(_POLL_S)


async def until(condition: Callable[[], object], what: str = "nothing came") -> None:
    """Do as `wait_until` in a thread, so that other tasks run meanwhile."""
    await asyncio.to_thread(wait_until, condition, what)

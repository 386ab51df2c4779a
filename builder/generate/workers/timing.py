"""Polling with growing pauses."""

import asyncio

from cotbuild.builder.generate.drain import Drain

FIRST_POLL_S, MAX_POLL_S = 0.25, 15.0
"""Seconds between the first two looks at the board, and between late ones."""
GROWTH = 1.5
"""Each wait is so many times the one before."""
STEP_S = 0.25
"""Seconds after which a wait looks whether the worker is to stop."""


class Poll:
    """Waits between looks at the board: short at first, then ever longer."""

    def __init__(self, drain: Drain) -> None:
        self._drain = drain
        self._next_s = FIRST_POLL_S

    async def wait(self) -> None:
        """Wait; return early where the worker is to stop."""
        left_s = self._next_s
        self._next_s = min(self._next_s * GROWTH, MAX_POLL_S)
        while left_s > 0 and not self._drain.is_requested:
            await asyncio.sleep(min(left_s, STEP_S))
            left_s -= STEP_S

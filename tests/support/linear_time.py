"""Measure whether a function takes time linear in the length of its text.

The thread's own time is counted, so other processes cannot lengthen it much, and the
least of several runs is taken.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

SMALL, LARGE = 1 << 16, 1 << 20
"""Characters of the texts compared."""
MAX_RATIO = 64
"""Of the times at LARGE and SMALL: 16 if linear, 256 if quadratic."""
FLOOR_S = 0.02
"""A shorter time at LARGE passes: what takes it apart is noise."""
TRIES = 5

MakeText = Callable[[int], str]
"""Makes the text of a length."""


class Growth(NamedTuple):
    """The least times at two lengths, in seconds."""

    small_s: float
    large_s: float

    @property
    def is_linear(self) -> bool:
        """Whether the time grows no faster than in proportion to the length."""
        return self.large_s < FLOOR_S or self.large_s < MAX_RATIO * max(
            self.small_s, 1e-6
        )


def measure_growth(
    function: Callable[[str], object],
    make_text: MakeText,
    small: int = SMALL,
    large: int = LARGE,
) -> Growth:
    """Time `function` at two lengths; more than once only if it seems not linear.

    A text is longer by one character at each try, so that no cache knows it.
    """
    growth = Growth(float("inf"), float("inf"))
    small_s = large_s = float("inf")
    for attempt in range(TRIES):
        small_s = min(small_s, _time(function, make_text(small + attempt)))
        large_s = min(large_s, _time(function, make_text(large + attempt)))
        growth = Growth(small_s, large_s)
        if growth.is_linear:
            break
    return growth


def _time(function: Callable[[str], object], text: str) -> float:
    started = time.thread_time()
    function(text)
    return time.thread_time() - started


def repeated(unit: str, *, prefix: str = "", suffix: str = "") -> MakeText:
    """Return a maker of texts that repeat `unit`, after `prefix` and before `suffix`."""

    def make_text(length: int) -> str:
        num_repeated = max(0, length - len(prefix) - len(suffix))
        body = (unit * (num_repeated // len(unit) + 1))[:num_repeated]
        return prefix + body + suffix

    return make_text

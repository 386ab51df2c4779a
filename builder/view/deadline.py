"""The time that something may take, shared by all its queries."""

import time

from cotbuild.builder.view.faults import QueryStopped


class Deadline:
    """A time on the clock, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left; raises QueryStopped if there are none."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise QueryStopped(self.seconds)
        return seconds

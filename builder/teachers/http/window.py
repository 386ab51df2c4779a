"""Adapts the number of requests in flight at one endpoint to what the server reports.

No IO and no clock.
"""

HEADROOM_FRAC = 0.25
"""Requests to keep queued at the server, as a share of those it runs, so that freed
places are filled at once.
"""


class RequestWindow:
    """Limits the requests in flight to between 1 and `maximum`.

    It starts at the maximum, since a queue does no harm to a server that has one.

    Additive increase, multiplicative decrease: the size is halved when the server
    pushes back and grows by one for each full window of successes, so that under steady
    pushback several clients share a server fairly.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self._size = float(maximum)
        self._cut_s = float("-inf")
        self._queued = False

    @property
    def size(self) -> int:
        """Requests allowed in flight."""
        return int(self._size)

    def record_success(self) -> None:
        """Record a completion.

        The window grows unless the server's own queue is long.
        """
        if self._size < self.maximum and not self._queued:
            self._size = min(self._size + 1 / self._size, self.maximum)

    def record_pushback(self, sent_s: float, now_s: float) -> None:
        """Record a 429 or a reset for the request sent at `sent_s`.

        Both times are seconds on one clock. Requests sent before the last cut say
        nothing about the window since then, so it is cut at most once a round trip.
        """
        if sent_s >= self._cut_s:
            self._size = max(self._size / 2, 1.0)
            self._cut_s = now_s

    def record_load(self, running: float, waiting: float) -> None:
        """Record how many requests the server runs and queues, from all its clients.

        A queue seen twice in a row is a lasting one: the window then shrinks a quarter
        of the way to the running requests plus headroom. A short queue keeps the server
        busy and is left alone.
        """
        headroom = max(running * HEADROOM_FRAC, 1.0)
        was_queued = self._queued
        self._queued = waiting > headroom
        excess = self._size - (running + headroom)
        if was_queued and self._queued and excess > 0:
            self._size -= excess / 4

"""How many requests one endpoint gets at once: a control law that follows what the
server shows. Pure.
"""

HEADROOM_FRAC = 0.25
"""Requests queued at the server beyond what it runs, as a share of that: so that freed
places are filled at once.
"""


class RequestWindow:
    """Between 1 and `maximum` requests; begins at the maximum, since a server that
    queues is not harmed by it.

    Additive increase, multiplicative decrease: halved where the server pushes back, one
    more for each whole window of successes, so that at a steady push-back endpoints
    share a server fairly.
    """

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self._size = float(maximum)
        self._cut_s = float("-inf")
        self._queued = False

    @property
    def size(self) -> int:
        """Requests in flight."""
        return int(self._size)

    def succeeded(self) -> None:
        """A completion came; while the server's own queue is long, the window does not
        grow.
        """
        if self._size < self.maximum and not self._queued:
            self._size = min(self._size + 1 / self._size, self.maximum)

    def pushed_back(self, sent_s: float, now_s: float) -> None:
        """A 429 or a reset met the request sent at `sent_s`, on the clock of `now_s`.

        What was sent before the last cut says nothing about the window since: it cuts
        once a round trip.
        """
        if sent_s >= self._cut_s:
            self._size = max(self._size / 2, 1.0)
            self._cut_s = now_s

    def looked(self, running: float, waiting: float) -> None:
        """The server said how many requests it runs and how many wait there, ours and
        those of others.

        A queue seen twice running has lasted longer than a look: the window goes a
        quarter of the way to what runs and some more. A short queue is what keeps a
        server busy.
        """
        spare = max(running * HEADROOM_FRAC, 1.0)
        queued, self._queued = self._queued, waiting > spare
        excess = self._size - (running + spare)
        if queued and self._queued and excess > 0:
            self._size -= excess / 4

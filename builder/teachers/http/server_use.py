"""How full servers were while there was something to send to them. No IO and no clock.

A server that runs fewer requests than it could costs as much as a full one. Its own
/metrics tell how many it runs, whoever sent them; the time after the last request was
sent does not count, since no client can fill a server with requests that there are not.
"""

from collections import defaultdict
from collections.abc import Iterable

from cotbuild.builder.teachers.http.wire import ServerLoad

MIN_MEASURED_S = 10.0
"""Measured time below which nothing is said: loads are polled every few seconds."""


class ServerUse:
    """What the loads of one server say, polled now and then.

    Args:
        slots: Requests that the server runs together at most; None for as many as it
            was seen to run.
    """

    def __init__(self, slots: int | None = None) -> None:
        self._slots = slots
        self._sent_s = float("-inf")
        self._polled_s: float | None = None
        self._pending: defaultdict[int, float] = defaultdict(float)
        """Seconds by requests running, since the last request was sent."""
        self._measured: defaultdict[int, float] = defaultdict(float)
        """Seconds by requests running, until the last request was sent."""
        self._cache: tuple[float, float] | None = None
        self.prefix_queries = self.prefix_hits = 0.0
        """Prompt tokens looked up in the prefix cache, and found there."""

    def note_sent(self, now_s: float) -> None:
        """Note that a request is sent."""
        self._sent_s = now_s

    def record(self, load: ServerLoad, now_s: float, in_flight: int = 0) -> None:
        """Record what the server reports at a time, with so many requests of ours there.

        vLLM counts anew after each step, and a step with many new prompts takes seconds
        on a CPU. Seen there: 19 running and none waiting for 6 s, of 127 in flight. So
        without a queue, those that the server does not count yet are running too.
        """
        running = int(load.running)
        if not load.waiting:
            running = max(running, in_flight)
        if self._polled_s is not None:
            self._pending[running] += now_s - self._polled_s
            if self._sent_s >= self._polled_s:
                self._measure_pending()
        self._polled_s = now_s
        self._record_cache(load)

    def _measure_pending(self) -> None:
        for running, seconds in self._pending.items():
            self._measured[running] += seconds
        self._pending.clear()

    def pause(self) -> None:
        """Note that nothing is under way: the time until the next poll does not count."""
        self._polled_s = None

    def _record_cache(self, load: ServerLoad) -> None:
        before, now = self._cache, (load.prefix_queries, load.prefix_hits)
        self._cache = now
        # The first counts are those of others, and a restarted server begins anew.
        if before is not None and now[0] >= before[0]:
            self.prefix_queries += now[0] - before[0]
            self.prefix_hits += max(now[1] - before[1], 0.0)

    @property
    def slots(self) -> int:
        """Requests that the server runs together at most, as far as is known."""
        return self._slots or max(self._measured, default=0)

    @property
    def measured_s(self) -> float:
        """Seconds that were measured."""
        return sum(self._measured.values())

    @property
    def half_empty_s(self) -> float:
        """Seconds of these in which fewer than half of `slots` were running."""
        slots = self.slots
        return sum(
            seconds
            for running, seconds in self._measured.items()
            if 2 * running < slots
        )


def describe_use(servers: Iterable[ServerUse]) -> str | None:
    """Return a line on how full the servers were, and on their prefix caches.

    None where too little was measured.
    """
    servers = tuple(servers)
    measured_s = sum(server.measured_s for server in servers)
    if measured_s < MIN_MEASURED_S:
        return None
    half_empty = sum(server.half_empty_s for server in servers) / measured_s
    slots = sum(server.slots for server in servers)
    line = (
        f"fewer than half of {slots} requests ran in {half_empty:.1%} of the time until "
        "the last was sent"
    )
    queries = sum(server.prefix_queries for server in servers)
    if queries:
        hits = sum(server.prefix_hits for server in servers) / queries
        line += f"; {hits:.1%} of the prompt tokens were in the prefix cache"
    return line

"""The slots of a pool's endpoints, given out in the order of asking."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from cotbuild.builder.teachers.http.lane import PooledEndpoint


class SlotScheduler:
    """Who may ask whom."""

    def __init__(self, lanes: Sequence[PooledEndpoint]) -> None:
        self._lanes = lanes
        self._waiters: deque[
            tuple[asyncio.Future[PooledEndpoint], set[PooledEndpoint]]
        ] = deque()
        self._fault: BaseException | None = None

    async def take(self, tried: set[PooledEndpoint]) -> PooledEndpoint:
        """A lane with a slot taken in it, once there is one; see `choose`.

        Raises what `fail` was told.
        """
        if self._fault is not None:
            raise self._fault
        now_s = time.monotonic()
        if not self._waiters and (lane := choose(self._lanes, tried, now_s)):
            lane.take(now_s)
            return lane
        turn: asyncio.Future[PooledEndpoint] = (
            asyncio.get_running_loop().create_future()
        )
        self._waiters.append((turn, tried))
        self.deal()  # those before may wait for another lane than this one can have
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release(turn.result())
            raise

    def release(self, lane: PooledEndpoint) -> None:
        """Give a slot back."""
        lane.in_flight -= 1
        if self._waiters:
            self.deal()

    def deal(self) -> None:
        """Give free slots to those who wait; to be called where a lane may have got
        some.
        """
        now_s = time.monotonic()
        passed: list[tuple[asyncio.Future[PooledEndpoint], set[PooledEndpoint]]] = []
        while self._waiters and any(
            lane.open(now_s) and lane.free for lane in self._lanes
        ):
            turn, tried = self._waiters.popleft()
            if turn.done():
                continue
            if lane := choose(self._lanes, tried, now_s):
                lane.take(now_s)
                turn.set_result(lane)
            else:  # it has tried those with free slots
                passed.append((turn, tried))
        self._waiters.extendleft(reversed(passed))

    def fail(self, fault: BaseException) -> None:
        """From now on `take` raises, for those who wait too."""
        self._fault = fault
        while self._waiters:
            turn, _ = self._waiters.popleft()
            if not turn.done():
                turn.set_exception(fault)


def choose(
    lanes: Sequence[PooledEndpoint], tried: set[PooledEndpoint], now_s: float
) -> PooledEndpoint | None:
    """The least loaded of the lanes with a free slot, relative to their windows; None:
    wait for one.

    Those in `tried` have spoiled the request that asks: they come only where no other
    lane is open.
    """
    if (
        len(lanes) == 1
    ):  # the usual case, and choosing is a tenth of the pool's work on a request
        return lanes[0] if lanes[0].open(now_s) and lanes[0].free else None
    ready = [lane for lane in lanes if lane.open(now_s)]
    if tried:
        ready = [lane for lane in ready if lane not in tried] or ready
    free = [lane for lane in ready if lane.free]
    return min(
        free, key=lambda lane: (lane.in_flight + 1) / lane.window.size, default=None
    )

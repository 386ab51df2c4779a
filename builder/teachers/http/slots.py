"""The endpoints of a pool and their request slots, assigned in order of arrival."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.server_use import ServerUse
from cotbuild.builder.teachers.http.token_progress import TokenProgress
from cotbuild.builder.teachers.http.window import RequestWindow
from cotbuild.builder.teachers.http.wire import RetryableFailure
from cotbuild.schemas.completion import Answer, Completion

FIRST_WAIT_S = 1.0
MAX_WAIT_S = 60.0


@dataclass(eq=False, slots=True)
class PooledEndpoint:
    """The state of one endpoint in a pool. Times are those of time.monotonic."""

    client: EndpointClient
    window: RequestWindow
    out: bool = False
    """Whether it is taken out of the pool for now."""
    in_flight: int = 0
    """Slots taken, including those of tasks about to send."""
    attempts: dict[asyncio.Task[Any], int] = field(default_factory=dict)
    """Tasks with an attempt under way, and the most tokens that it may generate.

    To abandon an attempt, remove its task and cancel it.
    """
    losses: int = 0
    """Connections lost in a row; see pool.DEAD_AFTER."""
    failed_checks: int = 0
    """Times taken out or still unwell when checked, since its last answer."""
    announced: bool = False
    """Whether the user has been told that it is out."""
    paused_until_s: float = 0.0
    last_progress_s: float = 0.0
    """Its last sign of life or, if it was idle, the next request's start."""
    tokens: TokenProgress = field(default_factory=TokenProgress)
    use: ServerUse = field(default_factory=ServerUse)
    last_error: str = "no answer yet"

    @property
    def url(self) -> str:
        """The base URL."""
        return str(self.client.base)

    @property
    def wait_s(self) -> float:
        """Seconds until the next check, doubled after each failed one."""
        doublings = min(self.failed_checks - 1, 30)
        return min(FIRST_WAIT_S * 2.0**doublings, MAX_WAIT_S)

    def is_available(self, now_s: float) -> bool:
        """Return whether it accepts requests, regardless of free slots."""
        return not self.out and self.paused_until_s <= now_s

    @property
    def has_free_slot(self) -> bool:
        """Whether fewer requests are in flight than its window allows."""
        return self.in_flight < self.window.size

    def take_slot(self, now_s: float) -> None:
        """Take a slot; the caller makes sure that one is free."""
        if self.in_flight == 0:
            self.last_progress_s = now_s
        self.in_flight += 1
        self.use.note_sent(now_s)

    def record_outcome(
        self, outcome: Answer | RetryableFailure, sent_s: float, now_s: float
    ) -> bool:
        """Record the outcome of the attempt sent at `sent_s`.

        Returns whether the outcome was a sign of life.
        """
        self.tokens.restart()
        if isinstance(outcome, Completion):
            self.window.record_success()
        if isinstance(outcome, RetryableFailure):
            self._record_failure(outcome, sent_s, now_s)
            if outcome.lost or outcome.gateway_error:
                self.losses += 1
                return False
        self.losses = self.failed_checks = 0
        self.last_progress_s = now_s
        return True

    def _record_failure(
        self, failure: RetryableFailure, sent_s: float, now_s: float
    ) -> None:
        if not self.out:
            self.last_error = failure.message
        if failure.pushed_back:
            self.window.record_pushback(sent_s, now_s)
        if failure.after_s is not None:
            self.paused_until_s = max(now_s + failure.after_s, self.paused_until_s)


_Waiter = tuple[asyncio.Future[PooledEndpoint], set[PooledEndpoint]]


class SlotScheduler:
    """Assigns the endpoints' slots to requests in the order in which they ask."""

    def __init__(self, endpoints: Sequence[PooledEndpoint]) -> None:
        self._endpoints = endpoints
        self._waiters: deque[_Waiter] = deque()
        self._fault: BaseException | None = None

    async def acquire(self, tried: set[PooledEndpoint]) -> PooledEndpoint:
        """Wait for a slot and return its endpoint; see `choose_endpoint`.

        Raises the exception that was passed to `fail`.
        """
        if self._fault is not None:
            raise self._fault
        now_s = time.monotonic()
        if not self._waiters:
            endpoint = choose_endpoint(self._endpoints, tried, now_s)
            if endpoint is not None:
                endpoint.take_slot(now_s)
                return endpoint
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[PooledEndpoint] = loop.create_future()
        self._waiters.append((turn, tried))
        # Those ahead may be waiting for another endpoint than this request can use.
        self.assign()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release(turn.result())
            raise

    def release(self, endpoint: PooledEndpoint) -> None:
        """Give a slot back."""
        endpoint.in_flight -= 1
        if self._waiters:
            self.assign()

    def assign(self) -> None:
        """Assign free slots to waiting requests.

        Call it whenever slots may have become free.
        """
        now_s = time.monotonic()
        passed_over: list[_Waiter] = []
        while self._waiters and self._any_free(now_s):
            turn, tried = self._waiters.popleft()
            if turn.done():
                continue
            endpoint = choose_endpoint(self._endpoints, tried, now_s)
            if endpoint is not None:
                endpoint.take_slot(now_s)
                turn.set_result(endpoint)
            else:  # it has tried the endpoints with free slots
                passed_over.append((turn, tried))
        self._waiters.extendleft(reversed(passed_over))

    def _any_free(self, now_s: float) -> bool:
        return any(
            endpoint.is_available(now_s) and endpoint.has_free_slot
            for endpoint in self._endpoints
        )

    def fail(self, fault: BaseException) -> None:
        """Make `acquire` raise `fault` from now on, for waiting requests too."""
        self._fault = fault
        while self._waiters:
            turn, _ = self._waiters.popleft()
            if not turn.done():
                turn.set_exception(fault)


def choose_endpoint(
    endpoints: Sequence[PooledEndpoint], tried: set[PooledEndpoint], now_s: float
) -> PooledEndpoint | None:
    """Return the endpoint with the lowest load relative to its window.

    Endpoints in `tried` have failed this request already: they are considered only if
    no other one is available. None means that the request has to wait for a slot.
    """
    # The usual case, and choosing is a tenth of the pool's work on a request.
    if len(endpoints) == 1:
        [only] = endpoints
        return only if only.is_available(now_s) and only.has_free_slot else None
    available = [endpoint for endpoint in endpoints if endpoint.is_available(now_s)]
    if tried:
        untried = [endpoint for endpoint in available if endpoint not in tried]
        available = untried or available
    with_free_slot = [endpoint for endpoint in available if endpoint.has_free_slot]
    return min(with_free_slot, key=_relative_load, default=None)


def _relative_load(endpoint: PooledEndpoint) -> float:
    return (endpoint.in_flight + 1) / endpoint.window.size

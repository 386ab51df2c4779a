"""One endpoint of a pool: its slots, and how it fares. No IO, no clock."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.window import RequestWindow
from cotbuild.builder.teachers.http.wire import RetryableFailure
from cotbuild.schemas.completion import Answer, Completion

FIRST_WAIT_S = 1.0
MAX_WAIT_S = 60.0


@dataclass(eq=False, slots=True)
class PooledEndpoint:
    """An endpoint's place in the pool. Times are those of time.monotonic."""

    client: EndpointClient
    window: RequestWindow
    out: bool = False
    in_flight: int = 0
    """Slots taken, also by those about to ask."""
    attempts: set[asyncio.Task[Any]] = field(default_factory=set)
    """The tasks in the midst of an attempt; one that is taken out and cancelled gives
    its attempt up.
    """
    losses: int = 0
    """In a row; see pool.DEAD_AFTER."""
    falls: int = 0
    """How often it was taken out since it last answered."""
    told: bool = False
    """Whether the user knows that it is out."""
    paused_until_s: float = 0.0
    moved_s: float = 0.0
    """Its last sign of life; or, where it was idle, when it was asked again."""
    tokens: float = 0.0
    words: str = "no answer yet"
    """The last it said of what is wrong."""

    @property
    def url(self) -> str:
        """The base URL."""
        return str(self.client.base)

    @property
    def wait_s(self) -> float:
        """Before the next look at it, longer after each fall."""
        return min(FIRST_WAIT_S * 2.0 ** min(self.falls - 1, 30), MAX_WAIT_S)

    def open(self, now_s: float) -> bool:
        """Whether it may be asked at all."""
        return not self.out and self.paused_until_s <= now_s

    @property
    def free(self) -> bool:
        """Whether an open one has a slot left."""
        return self.in_flight < self.window.size

    def note(
        self, outcome: Answer | RetryableFailure, sent_s: float, now_s: float
    ) -> bool:
        """Take in how the attempt begun at `sent_s` went; whether it was a sign of
        life.
        """
        if isinstance(outcome, Completion):
            self.window.succeeded()
        if isinstance(outcome, RetryableFailure):
            if not self.out:
                self.words = outcome.message
            if outcome.pushed_back:
                self.window.pushed_back(sent_s, now_s)
            if outcome.after_s is not None:
                self.paused_until_s = max(now_s + outcome.after_s, self.paused_until_s)
            if outcome.lost or outcome.away:
                self.losses += 1
                return False
        self.losses = self.falls = 0
        self.moved_s = now_s
        return True

    def take(self, now_s: float) -> None:
        """Take a slot."""
        if self.in_flight == 0:
            self.moved_s = now_s
        self.in_flight += 1

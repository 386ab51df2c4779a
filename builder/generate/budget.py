"""Whether another request may be sent: budgets, and the wish to drain.

A request is counted before it is sent, with the most that it may take, and anew once
its answer is there. So what the journals hold never exceeds a limit on requests, nor
one on tokens or their cost as long as the server keeps to `max_tokens` and counts no
more prompt tokens than the text has bytes (a picture counts for PICTURE_TOKENS). Near
a limit fewer requests are under way at a time. A limit on the cost of GPU hours ends a
run once it is reached: the requests under way then take the time that they take.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from cotbuild.builder.generate.drain import Drain
from cotbuild.builder.storage.usage import JournalUsage
from cotbuild.schemas.budget import (
    COST_PLACES,
    NO_BUDGET,
    Account,
    Budget,
    Prices,
    compute_cost,
)
from cotbuild.schemas.completion import Answer, Completion, Request

PICTURE_TOKENS = 4_000
"""Prompt tokens that a picture counts for before the server has counted them."""
MESSAGE_TOKENS = 16
"""Prompt tokens that a chat template adds to a message at most."""


@dataclass(frozen=True)
class RunLimits:
    """What may end a run before every request is made."""

    budget: Budget = NO_BUDGET
    drain: Drain | None = None


NO_LIMITS = RunLimits()


class SpendingGate:
    """Admits requests as long as they fit a budget.

    Args:
        budget: The limits and prices.
        spent: What the journals of the build hold so far.
        max_tokens: Taken for completions whose server counted no tokens.
        drain: The wish to stop.
        clock: Returns seconds that only grow.
    """

    def __init__(
        self,
        budget: Budget = NO_BUDGET,
        spent: JournalUsage | None = None,
        max_tokens: int = 0,
        drain: Drain | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget = budget
        self._has_limit = budget.has_limit
        self._spent = JournalUsage() if spent is None else spent
        self._max_tokens = max_tokens
        self._drain = Drain() if drain is None else drain
        self._clock = clock
        self._gpus = 0
        self._starting_s = 0.0
        self._started_s: float | None = None
        self._reserved = Reservation()  # of all requests under way
        self._freed = asyncio.Event()
        self.stopped: Literal["budget", "drained"] | None = None
        """Why requests are no longer admitted; None as long as they are."""

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return self._reserved.requests

    @property
    def spent(self) -> JournalUsage:
        """What the journals hold, answers of this run included."""
        if self._started_s is None:
            return self._spent
        running_s = self._clock() - self._started_s
        in_use_s = self._starting_s + running_s
        return self._spent._replace(
            seconds=self._spent.seconds + running_s,
            gpu_seconds=self._spent.gpu_seconds + self._gpus * in_use_s,
        )

    def start(self, gpus: int = 0, starting_s: float = 0.0) -> None:
        """Count the time of this run from now on.

        Its `gpus` GPUs have been in use for `starting_s` seconds already.
        """
        self._gpus, self._starting_s = gpus, starting_s
        self._started_s = self._clock()

    def check(self, request: Request) -> bool:
        """Return whether a first request would be admitted; sets `stopped` if not."""
        if self._drain.is_requested:
            self.stopped = "drained"
        elif not self._fits(self._reserve(request)):
            self.stopped = "budget"
        return self.stopped is None

    async def admit(self, request: Request) -> "Reservation | None":
        """Reserve what `request` may take. None: do not send it.

        Waits as long as requests under way hold back what it needs. What is returned
        has to be passed to `settle`.
        """
        reservation = self._reserve(request)
        while self.stopped is None:
            if self._drain.is_requested:
                self.stopped = "drained"
            elif not self._has_limit or self._fits(reservation):
                self._reserved = self._reserved.plus(reservation)
                return reservation
            elif not self.in_flight:
                self.stopped = "budget"
            else:
                self._freed.clear()
                await self._freed.wait()
        self._freed.set()  # the others that wait
        return None

    def settle(self, reservation: "Reservation", answer: Answer | None) -> None:
        """Put what an answer took in place of what was reserved; None: it has none."""
        self._reserved = self._reserved.minus(reservation)
        if answer is not None:
            self._spent = self._spent.plus(usage_of(answer))
        self._freed.set()

    def _reserve(self, request: Request) -> "Reservation":
        if not self._has_limit:
            return ONE_REQUEST  # without measuring its text
        num_bytes = sum(len(message.text.encode()) for message in request.messages)
        of_template = MESSAGE_TOKENS * len(request.messages)
        of_pictures = PICTURE_TOKENS * request.num_images
        return Reservation(
            requests=1,
            prompt_tokens=num_bytes + of_template + of_pictures,
            completion_tokens=request.sampling.max_tokens,
        )

    def _fits(self, reservation: "Reservation") -> bool:
        budget, spent = self._budget, self.spent
        taken = self._reserved.plus(reservation)
        num_requests = spent.requests + taken.requests
        generated = spent.completion_tokens + taken.completion_tokens
        generated += spent.unknown_tokens * self._max_tokens
        if _exceeds(num_requests, budget.max_requests):
            return False
        if _exceeds(generated, budget.max_output_tokens):
            return False
        if budget.max_cost is None:
            return True
        in_prompts = spent.prompt_tokens + taken.prompt_tokens
        cost = compute_cost(budget.prices, in_prompts, generated, spent.gpu_seconds)
        assert cost is not None  # a Budget that limits the cost has a price
        if budget.prices.gpu_hour is None:
            return cost <= budget.max_cost
        return cost < budget.max_cost  # equal: any further second exceeds it


def _exceeds(amount: int, limit: int | None) -> bool:
    return limit is not None and amount > limit


class Reservation(NamedTuple):
    """The most that requests may take."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def plus(self, other: "Reservation") -> "Reservation":
        """Return the sum of both."""
        return Reservation(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )

    def minus(self, other: "Reservation") -> "Reservation":
        """Return what is left without `other`."""
        return Reservation(
            self.requests - other.requests,
            self.prompt_tokens - other.prompt_tokens,
            self.completion_tokens - other.completion_tokens,
        )


ONE_REQUEST = Reservation(requests=1)


def usage_of(answer: Answer) -> JournalUsage:
    """Return what one answer took, without its time."""
    if not isinstance(answer, Completion):
        return JournalUsage(requests=1, failed=1)
    return JournalUsage(
        requests=1,
        prompt_tokens=answer.prompt_tokens or 0,
        completion_tokens=answer.completion_tokens or 0,
        unknown_tokens=int(answer.completion_tokens is None),
    )


def make_account(usage: JournalUsage, prices: Prices, reused: JournalUsage) -> Account:
    """Return the account of a build; `reused`: what its run found in the store."""
    cost = compute_cost(
        prices, usage.prompt_tokens, usage.completion_tokens, usage.gpu_seconds
    )
    return Account(
        requests=usage.requests,
        failed=usage.failed,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        unknown_tokens=usage.unknown_tokens,
        seconds=round(usage.seconds, 3),
        gpu_seconds=round(usage.gpu_seconds, 3),
        cost=None if cost is None else round(cost, COST_PLACES),
        prices=None if cost is None else prices,
        reused_requests=reused.requests,
        reused_prompt_tokens=reused.prompt_tokens,
        reused_completion_tokens=reused.completion_tokens,
    )

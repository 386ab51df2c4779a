"""Presents one or many endpoints as one teacher.

The pool balances requests over the endpoints, takes dead and hung ones out, and puts
them back once they have recovered.

An abandoned attempt ends here before its request is sent to another endpoint, so a
request never has more than one answer. Every attempt counts against `max_attempts`,
whatever the endpoint and whatever the reason.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Self

from cotbuild.builder.teachers.base import Servers
from cotbuild.builder.teachers.http.client import EndpointClient, Unreachable
from cotbuild.builder.teachers.http.server_use import describe_use
from cotbuild.builder.teachers.http.slots import PooledEndpoint, SlotScheduler
from cotbuild.builder.teachers.http.window import RequestWindow
from cotbuild.builder.teachers.http.wire import (
    RetryableFailure,
    ServerLoad,
    backoff_s,
)
from cotbuild.schemas.completion import Answer, FailureKind, Request
from cotbuild.schemas.errors import TeacherError

DEAD_AFTER = 5
"""Connections lost or refused, or gateway errors (502, 503, 504), in a row."""
PATIENCE = 3
"""The run ends after this many times `stall_s` without a sign of life, if all endpoints
are out.
"""
MAX_FAILED_CHECKS = 6
"""Failed checks of every endpoint before the run ends: a minute if connections are
refused.
"""
TIMER_SLACK_S = 0.001
"""A timer may fire one clock tick early."""
LATE_S = 0.1
"""A timer later than this means that the process was suspended."""
LOAD_INTERVAL_S = 3.0
"""Between requests for /metrics; shorter if `stall_s` is short."""


class EndpointPool:
    """A teacher that balances requests over endpoints which serve the same model.

    An endpoint is *dead* after DEAD_AFTER losses in a row. It is *hung* after `stall_s`
    seconds in which it neither finished a request nor, by vLLM's /metrics, generated a
    token that one of them may have. The requests under way at it are then abandoned and
    sent elsewhere. An endpoint that was taken out is checked again after growing waits.

    Args:
        clients: One for each endpoint.
        say: Receives a line whenever an endpoint goes out or comes back.
        window: Requests in flight at one endpoint at most.
        max_attempts: Attempts for one request, at all endpoints together.
        stall_s: Seconds without progress after which an endpoint is hung.
        backoff_s: Longest wait before a request that failed at every endpoint is
            retried, doubled for each further attempt.
    """

    def __init__(
        self,
        clients: Sequence[EndpointClient],
        say: Callable[[str], None],
        *,
        window: int,
        max_attempts: int,
        stall_s: float,
        backoff_s: float = 1.0,
    ) -> None:
        self._endpoints = [
            PooledEndpoint(client, RequestWindow(window)) for client in clients
        ]
        self._slots = SlotScheduler(self._endpoints)
        self._say = say
        self._max_attempts = max_attempts
        self._stall_s = stall_s
        self._backoff_s = backoff_s
        self.num_retried = 0
        """Attempts after which a request was sent again."""
        self._num_asking = 0
        self._last_progress_s = 0.0  # of any endpoint
        self._sample: Request | None = None  # for checks of endpoints that hung
        self._tasks: set[asyncio.Task[None]] = set()
        self._open_clients = contextlib.AsyncExitStack()

    @property
    def window(self) -> int:
        """Requests in flight at most; the endpoints' windows may allow fewer."""
        return sum(endpoint.window.maximum for endpoint in self._endpoints)

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            async with asyncio.TaskGroup() as entering:
                for endpoint in self._endpoints:
                    entering.create_task(stack.enter_async_context(endpoint.client))
            self._open_clients = stack.pop_all()
        self._spawn(self._watch())
        for endpoint in self._endpoints:
            self._spawn(self._follow_load(endpoint))
        return self

    async def __aexit__(self, *exc: object) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._open_clients.aclose()
        use = describe_use(endpoint.use for endpoint in self._endpoints)
        if use is not None:
            self._say(use)

    def provenance(self) -> dict[str, Any]:
        """Return kind, model, and each endpoint's URL and engine version.

        The version is None if the endpoint does not report it.
        """
        endpoints = [
            {"url": endpoint.url, "engine_version": endpoint.client.version}
            for endpoint in self._endpoints
        ]
        return {
            "kind": "endpoint",
            "model": self._endpoints[0].client.model,
            "endpoints": endpoints,
        }

    def servers(self) -> Servers:
        """Return how many endpoints there are, and are not taken out."""
        num_out = sum(endpoint.out for endpoint in self._endpoints)
        total = len(self._endpoints)
        return Servers(up=total - num_out, total=total)

    async def check(self, sample: Request) -> str | None:
        """See Teacher.check.

        If only some of the endpoints are unreachable, those start taken out.
        """
        checks = [endpoint.client.check(sample) for endpoint in self._endpoints]
        results = await asyncio.gather(*checks, return_exceptions=True)
        faults = [result for result in results if isinstance(result, BaseException)]
        for fault in faults:
            if not isinstance(fault, Unreachable):
                raise fault
        if len(faults) == len(self._endpoints):
            raise TeacherError(" ".join(map(str, faults)))
        for endpoint, result in zip(self._endpoints, results, strict=True):
            if isinstance(result, Unreachable):
                endpoint.last_error = str(result)
                self._announce_out(endpoint)
                self._take_out(endpoint, hung=False)
            elif endpoint.client.model_warning is not None:
                self._say(endpoint.client.model_warning)
        warnings = (result for result in results if isinstance(result, str))
        return next(warnings, None)

    # -- requests --------------------------------------------------------------

    async def ask(self, request: Request) -> Answer:
        """See Teacher.ask.

        A request is retried at endpoints that have not failed it yet, while there are
        any. Raises TeacherError if an endpoint is not what the configuration says, and
        once no endpoint answers any more.
        """
        if self._num_asking == 0:
            self._last_progress_s = time.monotonic()
        self._sample = self._sample or request
        self._num_asking += 1
        try:
            return await self._ask_with_retries(request)
        finally:
            self._num_asking -= 1

    async def _ask_with_retries(self, request: Request) -> Answer:
        num_attempts = 0
        tried: set[PooledEndpoint] = set()
        while True:
            endpoint = await self._slots.acquire(tried)
            try:
                sent_s = time.monotonic()
                outcome = await self._attempt(endpoint, request)
                self._record_outcome(endpoint, outcome, sent_s)
            except TeacherError as fault:
                # A wrong setting, which balancing must not hide.
                self._fail(fault)
                raise
            finally:
                self._slots.release(endpoint)
            if not isinstance(outcome, RetryableFailure):
                return outcome
            num_attempts += 1
            if num_attempts == self._max_attempts or outcome.last:
                return outcome.to_failure(request.request_key)
            self.num_retried += 1
            tried.add(endpoint)
            if self._failed_everywhere(tried):
                tried.clear()
                jitter = random.random()
                wait_s = backoff_s(num_attempts, None, jitter, self._backoff_s)
                await asyncio.sleep(wait_s)

    def _failed_everywhere(self, tried: set[PooledEndpoint]) -> bool:
        now_s = time.monotonic()
        return all(
            endpoint in tried
            for endpoint in self._endpoints
            if endpoint.is_available(now_s)
        )

    async def _attempt(
        self, endpoint: PooledEndpoint, request: Request
    ) -> Answer | RetryableFailure:
        """Make one attempt, which `_abandon_attempts` can end."""
        task = asyncio.current_task()
        assert task is not None
        endpoint.attempts[task] = request.sampling.max_tokens
        try:
            return await endpoint.client.attempt(request)
        except asyncio.CancelledError:
            if task in endpoint.attempts or task.uncancel() > 0:
                raise  # Ctrl-C, perhaps just after the attempt was abandoned
            # Whatever the server still sends is discarded.
            return RetryableFailure(
                FailureKind.UNAVAILABLE, self._stall_message(), lost=True
            )
        finally:
            endpoint.attempts.pop(task, None)

    def _record_outcome(
        self,
        endpoint: PooledEndpoint,
        outcome: Answer | RetryableFailure,
        sent_s: float,
    ) -> None:
        now_s = time.monotonic()
        if endpoint.record_outcome(outcome, sent_s, now_s):
            self._last_progress_s = now_s
        elif endpoint.losses >= DEAD_AFTER and not endpoint.out:
            self._take_out(endpoint, hung=False)
        pause_s = endpoint.paused_until_s - now_s
        if pause_s > 0:
            loop = asyncio.get_running_loop()
            loop.call_later(pause_s + TIMER_SLACK_S, self._slots.assign)

    # -- taking endpoints out and putting them back ----------------------------

    def _take_out(self, endpoint: PooledEndpoint, *, hung: bool) -> None:
        endpoint.out = True
        endpoint.failed_checks += 1
        if hung:
            self._abandon_attempts(endpoint)
        self._spawn(self._bring_back(endpoint, hung))
        self._slots.assign()

    async def _bring_back(self, endpoint: PooledEndpoint, hung: bool) -> None:
        """Check an endpoint that is out until it is well.

        After lost connections the first check is immediate, and nothing is announced
        before it.
        """
        if hung or endpoint.announced or endpoint.failed_checks > 1:
            await self._wait_for_next_check(endpoint)
        while not await self._is_well(endpoint, hung):
            endpoint.failed_checks += 1
            await self._wait_for_next_check(endpoint)
        endpoint.out = False
        endpoint.losses = 0
        if endpoint.announced:
            endpoint.announced = False
            self._say(f"{endpoint.url}: back")
        self._slots.assign()

    async def _wait_for_next_check(self, endpoint: PooledEndpoint) -> None:
        self._announce_out(endpoint)
        await asyncio.sleep(endpoint.wait_s)

    async def _is_well(self, endpoint: PooledEndpoint, hung: bool) -> bool:
        """Return whether it serves the model and, if it had hung, generates a token."""
        try:
            await endpoint.client.check(None)
        except Unreachable as fault:
            endpoint.last_error = str(fault)
            return False
        return not hung or await self._generates_token(endpoint)

    async def _generates_token(self, endpoint: PooledEndpoint) -> bool:
        assert self._sample is not None
        sampling = self._sample.sampling.model_copy(update={"max_tokens": 1})
        request = self._sample.model_copy(update={"sampling": sampling})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._stall_s):
                outcome = await endpoint.client.attempt(request)
                return not isinstance(outcome, RetryableFailure)
        return False

    def _announce_out(self, endpoint: PooledEndpoint) -> None:
        if not endpoint.announced:
            endpoint.announced = True
            self._say(f"{endpoint.url}: taken out: {endpoint.last_error}")

    def _abandon_attempts(self, endpoint: PooledEndpoint) -> None:
        # The way asyncio.timeout does it; one of those around each attempt was measured
        # to cost 3 % of the client's time.
        while endpoint.attempts:
            task, _ = endpoint.attempts.popitem()
            task.cancel()

    # -- watching --------------------------------------------------------------

    async def _watch(self) -> None:
        """Find hung endpoints, and end the run once all are lost."""
        interval_s = min(1.0, self._stall_s / 4)
        before_s = time.monotonic()
        while True:
            await asyncio.sleep(interval_s)
            now_s = time.monotonic()
            self._discount_suspension(now_s - before_s - interval_s)
            before_s = now_s
            for endpoint in self._endpoints:
                stalled_s = now_s - endpoint.last_progress_s
                if endpoint.attempts and stalled_s > self._stall_s:
                    self._handle_hung(endpoint)
            silent_s = now_s - self._last_progress_s
            if self._num_asking and self._all_lost(silent_s):
                raise self._all_lost_error(silent_s)

    def _discount_suspension(self, late_s: float) -> None:
        """Move the times of last progress forward if the process was suspended.

        While the machine slept, say, no endpoint could show progress.
        """
        if late_s > LATE_S:
            self._last_progress_s += late_s
            for endpoint in self._endpoints:
                endpoint.last_progress_s += late_s

    def _all_lost(self, silent_s: float) -> bool:
        if not all(endpoint.out for endpoint in self._endpoints):
            return False
        if silent_s > PATIENCE * self._stall_s:
            return True
        return all(
            endpoint.failed_checks > MAX_FAILED_CHECKS for endpoint in self._endpoints
        )

    def _all_lost_error(self, silent_s: float) -> TeacherError:
        errors = "; ".join(
            f"{endpoint.url}: {endpoint.last_error}" for endpoint in self._endpoints
        )
        return TeacherError(
            f"teacher: no endpoint has answered for {silent_s:.0f} s. {errors} "
            "Start one, or raise teacher.stall_s if a server is only slow."
        )

    def _handle_hung(self, endpoint: PooledEndpoint) -> None:
        if endpoint.out:
            # Taken out for lost connections while other attempts were under way.
            self._abandon_attempts(endpoint)
            return
        endpoint.last_error = (
            f"{self._stall_message()} (teacher.stall_s), "
            f"requests under way: {len(endpoint.attempts)}"
        )
        self._take_out(endpoint, hung=True)

    def _stall_message(self) -> str:
        return f"no answer and no new token for {self._stall_s:g} s"

    async def _follow_load(self, endpoint: PooledEndpoint) -> None:
        """Poll the server's /metrics while requests are in flight, if it has them."""
        while True:
            await asyncio.sleep(min(LOAD_INTERVAL_S, self._stall_s / 4))
            if not endpoint.in_flight:
                endpoint.use.pause()
                continue
            try:
                load = await endpoint.client.fetch_load()
            except Unreachable:
                continue  # requests will fail, and that is handled there
            except TeacherError:
                return  # a body without end
            if load is None:
                return
            if endpoint.tokens.record(load.generated_tokens, _allowed(endpoint, load)):
                endpoint.last_progress_s = time.monotonic()
                self._last_progress_s = endpoint.last_progress_s
            endpoint.use.record(load, time.monotonic(), endpoint.in_flight)
            endpoint.window.record_load(load.running, load.waiting)
            self._slots.assign()

    # -- tasks -----------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._handle_done)

    def _handle_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        fault = task.exception()
        if fault is not None:
            self._fail(fault)

    def _fail(self, fault: BaseException) -> None:
        """End the run: nothing is answered from now on.

        Waiting requests raise `fault`; attempts under way are abandoned.
        """
        self._slots.fail(fault)
        for endpoint in self._endpoints:
            self._abandon_attempts(endpoint)


def _allowed(endpoint: PooledEndpoint, load: ServerLoad) -> int | None:
    """Return the most tokens that an endpoint may generate for the attempts under way.

    None if it has other clients too.
    """
    if load.running + load.waiting > len(endpoint.attempts):
        return None
    return sum(endpoint.attempts.values())

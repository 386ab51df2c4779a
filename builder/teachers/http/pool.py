"""One or many endpoints as one teacher: balanced, followed, taken out where they are
dead or hung, tried again.

An attempt that is given up ends on our side before the request is asked of anybody
else, so that of two answers to one request there is never more than one here. All tries
of a request count, at whatever endpoint and for whatever reason.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Self

from cotbuild.builder.teachers.http.client import EndpointClient, Unreachable
from cotbuild.builder.teachers.http.lane import PooledEndpoint
from cotbuild.builder.teachers.http.slots import SlotScheduler
from cotbuild.builder.teachers.http.window import RequestWindow
from cotbuild.builder.teachers.http.wire import RetryableFailure, backoff_s
from cotbuild.schemas.completion import Answer, FailureKind, Request
from cotbuild.schemas.errors import TeacherError

DEAD_AFTER = 5
"""Connections lost or refused, or a proxy's 502, 503 or 504, in a row."""
PATIENCE = 3
"""Times stall_s without a sign of life from any endpoint, all taken out, before the run
ends.
"""
MAX_FALLS = 6
"""Looks in vain at each endpoint before the run ends: a minute, where connections are
refused.
"""
PAST_S = 0.001
"""A timer may fire a clock's tick early."""
LATE_S = 0.1
"""A timer that is later than that says that the process was held up."""
LOOK_EVERY_S = 3.0
"""Between looks at /metrics; more often where stall_s is short."""


class EndpointPool:
    """Asks `clients`, all with the same model, at most `window` requests each and
    `max_attempts` tries a request.

    An endpoint is *dead* after DEAD_AFTER losses in a row, and *hung* after `stall_s`
    seconds in which it neither finished a request nor, by vLLM's /metrics, generated a
    token; requests under way at a hung one are given up and asked elsewhere. What was
    taken out is looked at again after a growing wait. One line for each going and
    coming back is told to `say`. `backoff_s`: longest wait before a request that all
    endpoints have spoiled is tried again, doubled for each further try.
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
        self._lanes = [
            PooledEndpoint(client, RequestWindow(window)) for client in clients
        ]
        self._slots = SlotScheduler(self._lanes)
        self._say = say
        self._max_attempts = max_attempts
        self._stall_s = stall_s
        self._backoff_s = backoff_s
        self._asking = 0
        self._heard_s = 0.0  # last sign of life of any endpoint
        self._sample: Request | None = None  # for looks at endpoints that hung
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = contextlib.AsyncExitStack()

    @property
    def window(self) -> int:
        """Requests in flight at most; how many there are now is the endpoints' matter."""
        return sum(lane.window.maximum for lane in self._lanes)

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            async with asyncio.TaskGroup() as entering:
                for lane in self._lanes:
                    entering.create_task(stack.enter_async_context(lane.client))
            self._open = stack.pop_all()
        self._spawn(self._watch())
        for lane in self._lanes:
            self._spawn(self._follow(lane))
        return self

    async def __aexit__(self, *exc: object) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._open.aclose()

    def provenance(self) -> dict[str, Any]:
        """kind, model, and of each endpoint its URL and its engine's version, None
        where it said none.
        """
        endpoints = [
            {"url": lane.url, "engine_version": lane.client.version}
            for lane in self._lanes
        ]
        return {
            "kind": "endpoint",
            "model": self._lanes[0].client.model,
            "endpoints": endpoints,
        }

    async def check(self, sample: Request) -> str | None:
        """See Teacher.check.

        Of several endpoints some may be out of reach: they start taken out.
        """
        looks = [lane.client.check(sample) for lane in self._lanes]
        found = await asyncio.gather(*looks, return_exceptions=True)
        faults = [fault for fault in found if isinstance(fault, BaseException)]
        if wrong := [fault for fault in faults if not isinstance(fault, Unreachable)]:
            raise wrong[0]
        if len(faults) == len(self._lanes):
            raise TeacherError(" ".join(map(str, faults)))
        for lane, fault in zip(self._lanes, found, strict=True):
            if isinstance(fault, Unreachable):
                lane.words = str(fault)
                self._tell_out(lane)
                self._take_out(lane, hung=False)
        return next((line for line in found if isinstance(line, str)), None)

    # -- asking ----------------------------------------------------------------------------------------------------

    async def ask(self, request: Request) -> Answer:
        """See Teacher.ask. A spoiled request goes to an endpoint that has not spoiled
        it, while there is one.

        Raises TeacherError where an endpoint is not what the configuration says, and
        where none answers any more.
        """
        if self._asking == 0:
            self._heard_s = time.monotonic()
        self._sample = self._sample or request
        self._asking += 1
        try:
            return await self._ask(request)
        finally:
            self._asking -= 1

    async def _ask(self, request: Request) -> Answer:
        tries, tried = 0, set[PooledEndpoint]()
        while True:
            lane = await self._slots.take(tried)
            try:
                sent_s = time.monotonic()
                outcome = await self._attempt(lane, request)
                self._note(lane, outcome, sent_s)
            except TeacherError as fault:  # no request can succeed there, and that is not for a balancer to hide
                self._fail(fault)
                raise
            finally:
                self._slots.release(lane)
            if not isinstance(outcome, RetryableFailure):
                return outcome
            tries += 1
            if tries == self._max_attempts:
                return outcome.failure(request.request_key)
            tried.add(lane)
            if tried.issuperset(
                lane for lane in self._lanes if lane.open(time.monotonic())
            ):
                tried.clear()
                await asyncio.sleep(
                    backoff_s(tries, None, random.random(), self._backoff_s)
                )

    async def _attempt(
        self, lane: PooledEndpoint, request: Request
    ) -> Answer | RetryableFailure:
        """One try, which `_give_up` can end."""
        task = asyncio.current_task()
        assert task is not None
        lane.attempts.add(task)
        try:
            return await lane.client.attempt(request)
        except asyncio.CancelledError:
            if task in lane.attempts or task.uncancel() > 0:
                raise  # Ctrl-C, perhaps while it was given up
            # Whatever the server still says goes nowhere.
            return RetryableFailure(
                FailureKind.UNAVAILABLE,
                f"no answer and no new token for {self._stall_s:g} s",
                lost=True,
            )
        finally:
            lane.attempts.discard(task)

    def _note(
        self, lane: PooledEndpoint, outcome: Answer | RetryableFailure, sent_s: float
    ) -> None:
        """Take in how one attempt went."""
        now_s = time.monotonic()
        if lane.note(outcome, sent_s, now_s):
            self._heard_s = now_s
        elif lane.losses >= DEAD_AFTER and not lane.out:
            self._take_out(lane, hung=False)
        if lane.paused_until_s > now_s:
            asyncio.get_running_loop().call_later(
                lane.paused_until_s - now_s + PAST_S, self._slots.deal
            )

    # -- standing --------------------------------------------------------------------------------------------------

    def _take_out(self, lane: PooledEndpoint, *, hung: bool) -> None:
        lane.out = True
        lane.falls += 1
        if hung:
            self._give_up(lane)
        self._spawn(self._bring_back(lane, hung))
        self._slots.deal()

    async def _bring_back(self, lane: PooledEndpoint, hung: bool) -> None:
        """Look at an endpoint that is out until it is well.

        The first look after losses is at once, and silent.
        """
        if hung or lane.told or lane.falls > 1:
            await self._rest(lane)
        while not await self._is_well(lane, hung):
            lane.falls += 1
            await self._rest(lane)
        lane.out = False
        lane.losses = 0
        if lane.told:
            lane.told = False
            self._say(f"{lane.url}: back")
        self._slots.deal()

    async def _rest(self, lane: PooledEndpoint) -> None:
        self._tell_out(lane)
        await asyncio.sleep(lane.wait_s)

    async def _is_well(self, lane: PooledEndpoint, hung: bool) -> bool:
        """Whether it serves the model; of one that hung, whether it generates a token
        too.
        """
        try:
            await lane.client.check(None)
        except Unreachable as fault:
            lane.words = str(fault)
            return False
        return not hung or await self._generates(lane)

    async def _generates(self, lane: PooledEndpoint) -> bool:
        assert self._sample is not None
        one_token = self._sample.sampling.model_copy(update={"max_tokens": 1})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._stall_s):
                outcome = await lane.client.attempt(
                    self._sample.model_copy(update={"sampling": one_token})
                )
                return not isinstance(outcome, RetryableFailure)
        return False

    def _tell_out(self, lane: PooledEndpoint) -> None:
        if not lane.told:
            lane.told = True
            self._say(f"{lane.url}: taken out: {lane.words}")

    def _give_up(self, lane: PooledEndpoint) -> None:
        # As asyncio.timeout does it; one around each attempt was measured to cost 3 %
        # of the client's time.
        while lane.attempts:
            lane.attempts.pop().cancel()

    # -- watching --------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Find the hung; end the run where all are lost."""
        every_s, before_s = min(1.0, self._stall_s / 4), time.monotonic()
        while True:
            await asyncio.sleep(every_s)
            now_s = time.monotonic()
            self._forgive(now_s - before_s - every_s)
            before_s = now_s
            for lane in self._lanes:
                if lane.attempts and now_s - lane.moved_s > self._stall_s:
                    self._hung(lane)
            quiet_s = now_s - self._heard_s
            if self._asking and self._is_over(quiet_s):
                raise self._all_lost(quiet_s)

    def _forgive(self, late_s: float) -> None:
        """Time in which this process itself did not run, as on a machine that slept, is
        nobody's silence.
        """
        if late_s > LATE_S:
            self._heard_s += late_s
            for lane in self._lanes:
                lane.moved_s += late_s

    def _is_over(self, quiet_s: float) -> bool:
        if not all(lane.out for lane in self._lanes):
            return False
        return quiet_s > PATIENCE * self._stall_s or all(
            lane.falls > MAX_FALLS for lane in self._lanes
        )

    def _hung(self, lane: PooledEndpoint) -> None:
        if (
            lane.out
        ):  # it was taken out for lost connections, with others still under way
            self._give_up(lane)
        else:
            under_way = f"requests under way: {len(lane.attempts)}"
            lane.words = f"no answer and no new token for {self._stall_s:g} s (teacher.stall_s), {under_way}"
            self._take_out(lane, hung=True)

    def _all_lost(self, quiet_s: float) -> TeacherError:
        each = "; ".join(f"{lane.url}: {lane.words}" for lane in self._lanes)
        return TeacherError(
            f"teacher: no endpoint has answered for {quiet_s:.0f} s. {each} "
            "Start one, or raise teacher.stall_s if a server is only slow."
        )

    async def _follow(self, lane: PooledEndpoint) -> None:
        """Look at the server's own metrics while it is asked, where it has them."""
        while True:
            await asyncio.sleep(min(LOOK_EVERY_S, self._stall_s / 4))
            if not lane.in_flight:
                continue
            try:
                load = await lane.client.load()
            except Unreachable:
                continue  # the requests will tell
            if load is None:
                return
            if load.generated_tokens > lane.tokens:
                self._heard_s = lane.moved_s = time.monotonic()
            lane.tokens = load.generated_tokens
            lane.window.looked(load.running, load.waiting)
            self._slots.deal()

    # -- tasks -----------------------------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._fail(fault)

    def _fail(self, fault: BaseException) -> None:
        """From now on nobody is answered: not those who wait, nor those whose attempts
        are given up here.
        """
        self._slots.fail(fault)
        for lane in self._lanes:
            self._give_up(lane)

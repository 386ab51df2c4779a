"""Asks a teacher with more and more requests in flight, and times the answers.

The answers go nowhere: no build's store is read or written.
"""

import asyncio
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cotbuild.builder.bench.levels import (
    Level,
    Sample,
    is_past_knee,
    num_output_tokens,
    num_requests,
    summarize,
)
from cotbuild.builder.bench.report import LeftOut, Shortfall, Target
from cotbuild.builder.event_loop import run_async
from cotbuild.builder.generate.teacher_job import TeacherJob
from cotbuild.builder.teachers import open_teacher
from cotbuild.builder.teachers.base import Teacher
from cotbuild.schemas.completion import Completion, Request
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.teacher_config import TeacherConfig

MAX_PROMPTS = 4096
"""Prompts that are held; a longer measurement asks them again with other seeds."""
LEVEL_FRAC = 0.2
"""Share of the time after which a level sends no further request."""
ENDPOINT_CONCURRENCY = 256
"""Most requests in flight at one endpoint, if the user does not say."""


@dataclass(frozen=True, slots=True)
class BenchLimits:
    """What a measurement may take at most."""

    max_requests: int
    max_output_tokens: int
    max_seconds: float
    """From the first request on."""
    max_concurrency: int | None = None
    """None for what the server decodes together, or 256 at an endpoint."""

    def __post_init__(self) -> None:
        """Raise ConfigError for a limit below 1."""
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and not value >= 1:
                option = "--" + name.replace("_", "-")
                raise ConfigError(f"{option} is {value:g}. Pass at least 1.")


class Bench:
    """A measurement of a teacher; what it has found is there at any time.

    Args:
        job: A job whose questions and settings make the requests.
        folder: A folder for the logs of a server that is started.
        limits: What it may take.
        say: Receives lines about servers.
        on_level: Receives each level once it is measured.
    """

    def __init__(
        self,
        job: TeacherJob,
        folder: Path,
        limits: BenchLimits,
        say: Callable[[str], None],
        on_level: Callable[[Level], None],
    ) -> None:
        self.levels: list[Level] = []
        self.stopped: str | None = None
        """The limit that ended it; None if it found the knee or is under way."""
        self.left_out: LeftOut | None = None
        """The next level, where the limits left no room for it."""
        self.provenance: dict[str, Any] = {}
        self.num_prompts = 0
        self._job = job
        self._folder = folder
        self._limits = limits
        self._say = say
        self._on_level = on_level
        self._num_servers = max(len(job.config.teacher.endpoints), 1)
        self._max_num_seqs: int | None = None
        self._num_sent = self._num_answered = self._in_flight = self._num_tokens = 0

    def run(self) -> None:
        """Measure; raises what a teacher or a source raises."""
        prompts = self._read_prompts()
        self.num_prompts = len(prompts)
        run_async(self._measure(prompts))

    @property
    def target(self) -> Target:
        """What was measured, for the suggestion."""
        config = self._job.config.teacher
        words = ["--teacher", config.model]
        for url in config.endpoints:
            words += ["--endpoint", url]
        return Target(tuple(words), self._num_servers, self._max_num_seqs)

    def _read_prompts(self) -> list[Request]:
        """Return the first requests of the source's questions."""
        chains = self._job.chains(self._job.read_rules(), lambda _: None)
        steps = (chain.open_step for chain in itertools.islice(chains, MAX_PROMPTS))
        prompts = [step.request for step in steps if step is not None]
        if not prompts:
            raise ConfigError(
                "the source has no question to ask. Pass another --source."
            )
        return prompts

    async def _measure(self, prompts: Sequence[Request]) -> None:
        config = _widened(self._job.config.teacher, self._limits.max_concurrency)
        async with open_teacher(
            config,
            self._job.teacher,
            self._folder,
            self._say,
            media=self._job.media,
            max_images=max(request.num_images for request in prompts),
        ) as teacher:
            warning = await teacher.check(max(prompts, key=_num_chars))
            if warning is not None:
                self._say(warning)
            self.provenance = teacher.provenance()
            self._read_servers(teacher)
            requests = repeat_with_other_seeds(prompts)
            deadline_s = time.monotonic() + self._limits.max_seconds
            most = self._limits.max_concurrency or teacher.window
            max_tokens = max(request.sampling.max_tokens for request in prompts)
            for concurrency in concurrencies(min(most, teacher.window)):
                self.left_out = self._check_limits(concurrency, max_tokens)
                if self.left_out is not None:
                    self.stopped = self.left_out.reason
                    return
                await self._measure_level(teacher, requests, concurrency, deadline_s)
                if self.stopped is not None or is_past_knee(self.levels):
                    return

    def _read_servers(self, teacher: Teacher) -> None:
        """Note how many servers share the requests, and the sequences of each."""
        servers = teacher.servers()
        if servers is not None:
            self._num_servers = max(servers.total, 1)
        self._max_num_seqs = self.provenance.get("max_num_seqs")

    async def _measure_level(
        self,
        teacher: Teacher,
        requests: Iterator[Request],
        concurrency: int,
        deadline_s: float,
    ) -> None:
        """Keep so many requests in flight, until there were enough of them."""
        samples: list[Sample] = []
        num_left = num_requests(concurrency)
        level_s = time.monotonic() + LEVEL_FRAC * self._limits.max_seconds
        retried_before = _num_retried(teacher)

        async def ask_in_turn() -> None:
            nonlocal num_left
            while num_left and time.monotonic() < level_s:
                request = next(requests)
                if not self._admits(request):
                    return
                num_left -= 1
                samples.append(await self._ask(teacher, request))

        tasks = [asyncio.create_task(ask_in_turn()) for _ in range(concurrency)]
        try:
            async with asyncio.timeout_at(_loop_time(deadline_s)):
                await asyncio.gather(*tasks)
        except TimeoutError:
            self.stopped = f"--max-seconds {self._limits.max_seconds:g}"
        finally:  # also of a level that Ctrl-C breaks off
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if samples:
                num_retried = _num_retried(teacher) - retried_before
                level = summarize(concurrency, samples, num_retried)
                self.levels.append(level)
                self._on_level(level)

    async def _ask(self, teacher: Teacher, request: Request) -> Sample:
        self._in_flight += 1
        started_s = time.monotonic()
        try:
            answer = await teacher.ask(request)
        finally:
            self._in_flight -= 1
        ended_s = time.monotonic()
        if not isinstance(answer, Completion):
            return Sample(started_s, ended_s, has_failed=True)
        tokens = answer.completion_tokens
        self._num_answered += 1
        # What a server does not count may be as long as was asked for.
        self._num_tokens += request.sampling.max_tokens if tokens is None else tokens
        return Sample(started_s, ended_s, tokens)

    def _check_limits(self, concurrency: int, max_tokens: int) -> LeftOut | None:
        """Return the level as left out where a limit would cut it short.

        The first level is measured as far as the limits reach.
        """
        if not self._num_sent:
            return None
        limits = self._limits
        mean_tokens = self._num_tokens / max(self._num_answered, 1)
        tokens = num_output_tokens(concurrency, max_tokens, mean_tokens)
        shortfalls = [
            Shortfall(
                "--max-requests",
                limits.max_requests,
                self._num_sent + num_requests(concurrency),
            ),
            Shortfall(
                "--max-output-tokens",
                limits.max_output_tokens,
                self._num_tokens + tokens,
            ),
        ]
        too_low = tuple(one for one in shortfalls if one.needed > one.limit)
        return LeftOut(concurrency, too_low) if too_low else None

    def _admits(self, request: Request) -> bool:
        """Return whether the limits leave room for a request, and count it."""
        limits = self._limits
        may_take = (self._in_flight + 1) * request.sampling.max_tokens
        if self._num_sent >= limits.max_requests:
            self.stopped = f"--max-requests {limits.max_requests}"
        elif self._num_tokens + may_take > limits.max_output_tokens:
            self.stopped = f"--max-output-tokens {limits.max_output_tokens}"
        else:
            self._num_sent += 1
            return True
        return False


def concurrencies(most: int) -> Iterator[int]:
    """Yield 1, 2, 4 … and at last `most`."""
    concurrency = 1
    while concurrency < most:
        yield concurrency
        concurrency *= 2
    yield most


def repeat_with_other_seeds(prompts: Sequence[Request]) -> Iterator[Request]:
    """Yield the prompts over and over; no request is the same as another one."""
    for number in itertools.count():
        for request in prompts:
            # Low bits alone, as servers differ in how many they read.
            seed = None if request.seed is None else request.seed ^ number
            yield request.model_copy(update={"seed": seed})


def _widened(config: TeacherConfig, max_concurrency: int | None) -> TeacherConfig:
    """Return the settings with a window for all levels, where endpoints are asked."""
    if not config.endpoints:
        return config
    num_endpoints = len(config.endpoints)
    most = max_concurrency or ENDPOINT_CONCURRENCY * num_endpoints
    return config.model_copy(update={"window": math.ceil(most / num_endpoints)})


def _num_retried(teacher: Teacher) -> int:
    """Return the attempts that were repeated so far, of teachers that count them."""
    return int(getattr(teacher, "num_retried", 0))


def _num_chars(request: Request) -> int:
    return sum(len(message.text) for message in request.messages)


def _loop_time(monotonic_s: float) -> float:
    """Return a time of time.monotonic() in that of the event loop."""
    return asyncio.get_running_loop().time() + monotonic_s - time.monotonic()

"""From timed answers to the concurrency to use. Pure.

A level is a number of requests kept in flight. Its *knee* is the smallest one that
reaches nearly the best rate: with more in flight, requests only wait longer.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

KNEE_FRAC = 0.95
"""Share of the best rate that is enough."""
RISE = 1.05
"""A level that is not faster than those before by this factor has not helped."""
ROUNDS = 6
"""Requests of a level, as a multiple of its concurrency: a round to warm up, four that
count, and one to finish.
"""
MIN_REQUESTS = 12
MAX_FAILED_FRAC = 0.1
"""A level with more failures recommends nothing."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: when it was sent and ended, in seconds, and what came of it."""

    started_s: float
    ended_s: float
    tokens: int | None = None
    """Generated tokens; None if it failed, or the server reports none."""
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """What was measured with a number of requests in flight."""

    concurrency: int
    num_requests: int
    """Requests that ended, those of warming up and finishing included."""
    num_failed: int
    num_retried: int
    """Attempts that the client repeated, as after HTTP 429."""
    seconds: float
    """Duration of what counts for the rates."""
    requests_per_s: float
    tokens_per_s: float | None
    """None if the server reports no tokens."""
    p50_s: float | None
    p99_s: float | None
    """Times to the whole answer; None if there was none."""

    @property
    def rate(self) -> float:
        """What levels are compared by."""
        return self.requests_per_s if self.tokens_per_s is None else self.tokens_per_s

    @property
    def is_usable(self) -> bool:
        """Whether so few requests failed that it may be recommended."""
        return self.rate > 0 and self.num_failed <= MAX_FAILED_FRAC * self.num_requests


def num_requests(concurrency: int) -> int:
    """Return the requests of a level."""
    return max(ROUNDS * concurrency, MIN_REQUESTS)


def num_output_tokens(concurrency: int, max_tokens: int, mean_tokens: float) -> int:
    """Return the tokens that the limit has to leave to a level, so that it is not cut.

    When its last requests are sent, those before have `mean_tokens` each, and each of
    those in flight may still take `max_tokens`.
    """
    num_ended = num_requests(concurrency) - concurrency
    return math.ceil(num_ended * mean_tokens) + concurrency * max_tokens


def summarize(concurrency: int, samples: Sequence[Sample], num_retried: int) -> Level:
    """Return what a level has measured.

    What ends before `concurrency` requests have ended, and after the last one was sent,
    does not count for the rates: fewer are in flight then, or all are at the same
    point. Of a level that was cut short everything counts.
    """
    ended = sorted(samples, key=lambda sample: sample.ended_s)
    counted = ended[concurrency : len(ended) - concurrency]
    if len(counted) >= concurrency:
        begin_s = ended[concurrency - 1].ended_s
        timed = ended[concurrency:]
    else:
        counted = timed = ended
        begin_s = min((sample.started_s for sample in ended), default=0.0)
    end_s = counted[-1].ended_s if counted else begin_s
    seconds = max(end_s - begin_s, 1e-9)
    succeeded = [sample for sample in counted if not sample.has_failed]
    tokens = [sample.tokens for sample in succeeded if sample.tokens is not None]
    durations = sorted(
        sample.ended_s - sample.started_s for sample in timed if not sample.has_failed
    )
    return Level(
        concurrency=concurrency,
        num_requests=len(ended),
        num_failed=sum(sample.has_failed for sample in ended),
        num_retried=num_retried,
        seconds=seconds if counted else 0.0,
        requests_per_s=len(succeeded) / seconds,
        tokens_per_s=sum(tokens) / seconds if tokens else None,
        p50_s=percentile(durations, 0.50),
        p99_s=percentile(durations, 0.99),
    )


def percentile(ordered: Sequence[float], frac: float) -> float | None:
    """Return the smallest value that a share `frac` does not exceed; None of nothing."""
    if not ordered:
        return None
    return ordered[max(math.ceil(frac * len(ordered)), 1) - 1]


def is_past_knee(levels: Sequence[Level]) -> bool:
    """Return whether further levels would tell nothing new.

    Two levels in a row that were not faster, or one where half of the requests failed.
    """
    if levels and levels[-1].num_failed * 2 > levels[-1].num_requests:
        return True
    if len(levels) < 3:
        return False
    best_before = max(level.rate for level in levels[:-2])
    return max(level.rate for level in levels[-2:]) < RISE * best_before


def find_knee(levels: Sequence[Level]) -> Level | None:
    """Return the knee; None if no level is usable."""
    usable = [level for level in levels if level.is_usable]
    best = max((level.rate for level in usable), default=0.0)
    enough = (level for level in usable if level.rate >= KNEE_FRAC * best)
    return min(enough, key=lambda level: level.concurrency, default=None)


def still_rises(levels: Sequence[Level]) -> bool:
    """Return whether the last level was clearly the fastest, so that more may help."""
    if not levels or not levels[-1].is_usable:
        return False
    return all(levels[-1].rate >= RISE * level.rate for level in levels[:-1])

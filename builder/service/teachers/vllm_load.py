"""Reads the load of a vLLM server from its /metrics."""

import re
import time
from collections import deque
from dataclasses import dataclass

from cotbuild.schemas.service.teacher import TeacherLoad

RATE_WINDOW_S = 20.0
"""Time over which tokens per second are measured."""

_LINE = re.compile(
    rb"^vllm:(num_requests_running|num_requests_waiting|kv_cache_usage_perc"
    rb"|prefix_cache_queries_total|prefix_cache_hits_total"
    rb"|prompt_tokens_total|generation_tokens_total)"
    rb"(?:\{[^}\n]{0,400}\})? ([0-9.eE+-]{1,40})$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class VllmCounts:
    """Counters and gauges of all engines of a server, added up."""

    running: float
    waiting: float
    kv_cache_frac: float | None
    prefix_queries: float
    prefix_hits: float
    prompt_tokens: float
    generated_tokens: float


def parse_counts(raw: bytes) -> VllmCounts | None:
    """Parse the body of /metrics; return None if it is not vLLM's.

    The KV cache's use is the mean of the engines.
    """
    values: dict[bytes, list[float]] = {}
    for name, text in _LINE.findall(raw):
        try:
            values.setdefault(name, []).append(max(float(text), 0.0))
        except ValueError:
            return None
    if b"generation_tokens_total" not in values:
        return None

    def total(name: bytes) -> float:
        return sum(values.get(name, ()))

    kv_cache = values.get(b"kv_cache_usage_perc")
    return VllmCounts(
        running=total(b"num_requests_running"),
        waiting=total(b"num_requests_waiting"),
        kv_cache_frac=sum(kv_cache) / len(kv_cache) if kv_cache else None,
        prefix_queries=total(b"prefix_cache_queries_total"),
        prefix_hits=total(b"prefix_cache_hits_total"),
        prompt_tokens=total(b"prompt_tokens_total"),
        generated_tokens=total(b"generation_tokens_total"),
    )


class LoadMeter:
    """Turns counts that are read now and then into a load with a rate."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque()

    def record(self, counts: VllmCounts, now_s: float | None = None) -> TeacherLoad:
        """Return the load; `now_s` is time.monotonic() unless stated.

        The rate is None until two counts are known. It begins anew where the count of
        tokens falls, as after a restart of the server.
        """
        now_s = time.monotonic() if now_s is None else now_s
        samples = self._samples
        if samples and counts.generated_tokens < samples[-1][1]:
            samples.clear()
        samples.append((now_s, counts.generated_tokens))
        while len(samples) > 2 and now_s - samples[1][0] >= RATE_WINDOW_S:
            samples.popleft()
        first_s, first_tokens = samples[0]
        passed_s = now_s - first_s
        rate = (
            (counts.generated_tokens - first_tokens) / passed_s
            if passed_s > 0
            else None
        )
        hit_frac = (
            counts.prefix_hits / counts.prefix_queries
            if counts.prefix_queries
            else None
        )
        return TeacherLoad(
            running=int(counts.running),
            waiting=int(counts.waiting),
            kv_cache_frac=counts.kv_cache_frac,
            prefix_hit_frac=hit_frac,
            prompt_tokens=int(counts.prompt_tokens),
            generated_tokens=int(counts.generated_tokens),
            tokens_per_s=rate,
        )

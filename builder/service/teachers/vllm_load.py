"""The load of a vLLM server with the rate at which it generates tokens."""

import time
from collections import deque

from cotbuild.builder.teachers.http.wire import ServerLoad
from cotbuild.schemas.service.teacher import TeacherLoad

RATE_WINDOW_S = 20.0
"""Time over which tokens per second are measured."""


class LoadMeter:
    """Adds a rate to loads that are read now and then."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque()

    def record(self, load: ServerLoad, now_s: float | None = None) -> TeacherLoad:
        """Return the load; `now_s` is time.monotonic() unless stated.

        The rate is None until two counts are known. It begins anew where the count of
        tokens falls, as after a restart of the server.
        """
        now_s = time.monotonic() if now_s is None else now_s
        samples = self._samples
        if samples and load.generated_tokens < samples[-1][1]:
            samples.clear()
        samples.append((now_s, load.generated_tokens))
        while len(samples) > 2 and now_s - samples[1][0] >= RATE_WINDOW_S:
            samples.popleft()
        first_s, first_tokens = samples[0]
        passed_s = now_s - first_s
        rate = (
            (load.generated_tokens - first_tokens) / passed_s if passed_s > 0 else None
        )
        hit_frac = (
            load.prefix_hits / load.prefix_queries if load.prefix_queries else None
        )
        return TeacherLoad(
            running=int(load.running),
            waiting=int(load.waiting),
            kv_cache_frac=load.kv_cache_frac,
            prefix_hit_frac=hit_frac,
            prompt_tokens=int(load.prompt_tokens),
            generated_tokens=int(load.generated_tokens),
            tokens_per_s=rate,
        )

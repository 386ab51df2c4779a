"""When a request is sent again, and how busy a server is. No IO."""

import math
import re
from dataclasses import dataclass

from cotbuild.schemas.completion import Failure, FailureKind
from cotbuild.schemas.failure_messages import fold_line

MAX_ERROR_CHARS = 300
"""Longest excerpt of a server's error text kept in a message."""
MAX_BACKOFF_S = 60.0
MAX_RETRY_AFTER_S = 300.0
"""Longest pause that a server's Retry-After is granted; the next run retries the rest."""

_LOAD_LINE = re.compile(
    rb"^vllm:(generation_tokens_total|num_requests_running|num_requests_waiting"
    rb"|prefix_cache_queries_total|prefix_cache_hits_total"
    rb"|prompt_tokens_total|kv_cache_usage_perc)"
    rb"(?:\{[^}\n]*\})? ([0-9.eE+-]{1,40})$",
    re.MULTILINE,
)


# -- attempts ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RetryableFailure:
    """An attempt that brought no answer and is worth repeating."""

    kind: FailureKind
    message: str
    after_s: float | None = None
    """The server's Retry-After, in seconds."""
    lost: bool = False
    """The connection broke or was refused: the server itself may be gone."""
    gateway_error: bool = False
    """GATEWAY_STATUS: the server itself may be gone, behind a proxy."""
    pushed_back: bool = False
    """A 429 or a broken connection: too many requests may be in flight."""
    last: bool = False
    """Another attempt in this run would only take as long again."""

    def to_failure(self, request_key: str) -> Failure:
        """Return the Failure to record once no attempt is left."""
        return Failure(request_key=request_key, kind=self.kind, message=self.message)


# -- errors and pauses ---------------------------------------------------------


def one_line(text: str) -> str:
    """Return `text` on one line, without control characters, cut at MAX_ERROR_CHARS."""
    folded = fold_line(text)
    if len(folded) <= MAX_ERROR_CHARS:
        return folded
    return folded[: MAX_ERROR_CHARS - 1] + "…"


def backoff_s(
    attempt: int, after_s: float | None, jitter: float, first_s: float = 1.0
) -> float:
    """Return the seconds to wait after a failed attempt.

    The wait doubles with each attempt, up to MAX_BACKOFF_S, and comes on top of a
    Retry-After.

    Args:
        attempt: The number of the failed attempt, from 1.
        after_s: The server's Retry-After in seconds; None if it sent none.
        jitter: In [0, 1); scales the wait by 0.5 to 1, so that a window of requests is
            not repeated all at once.
        first_s: The wait after the first attempt, before jitter.
    """
    full_wait_s = min(first_s * 2.0 ** min(attempt - 1, 30), MAX_BACKOFF_S)
    wait_s = full_wait_s * (0.5 + jitter / 2)
    return wait_s if after_s is None else after_s + wait_s * 0.5


# -- vLLM's /metrics -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ServerLoad:
    """The load of all engines of a server together, from every client."""

    generated_tokens: float
    """Tokens generated since the server started."""
    running: float
    waiting: float
    prefix_queries: float = 0.0
    """Prompt tokens looked up in the prefix cache since the server started."""
    prefix_hits: float = 0.0
    """Those of them that were found there."""
    prompt_tokens: float = 0.0
    """Tokens of prompts since the server started."""
    kv_cache_frac: float | None = None
    """Share of the KV cache in use, the mean of the engines; None if it is not reported."""


def parse_load(raw: bytes) -> ServerLoad | None:
    """Parse the body of /metrics; return None if it is not vLLM's.

    Values are summed over the engines, and below 0 count as 0.
    """
    values: dict[bytes, list[float]] = {}
    for name, text in _LOAD_LINE.findall(raw):
        try:
            value = float(text)
        except ValueError:
            return None
        values.setdefault(name, []).append(max(value, 0.0))
    kv_cache = values.get(b"kv_cache_usage_perc")
    total = {name: sum(of_engines) for name, of_engines in values.items()}
    are_finite = all(map(math.isfinite, total.values()))
    if b"generation_tokens_total" not in total or not are_finite:
        return None
    return ServerLoad(
        generated_tokens=total[b"generation_tokens_total"],
        running=total.get(b"num_requests_running", 0.0),
        waiting=total.get(b"num_requests_waiting", 0.0),
        prefix_queries=total.get(b"prefix_cache_queries_total", 0.0),
        prefix_hits=total.get(b"prefix_cache_hits_total", 0.0),
        prompt_tokens=total.get(b"prompt_tokens_total", 0.0),
        kv_cache_frac=sum(kv_cache) / len(kv_cache) if kv_cache else None,
    )

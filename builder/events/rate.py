"""How fast a run goes, and when it may be done. Pure."""

import math
from collections import deque

BUCKET_S = 5.0
"""Seconds of a bucket, in which tokens and finished chains are counted together."""
TOKEN_BUCKETS = 12
"""Buckets of the rate of tokens: one minute."""
ETA_BUCKETS = 120
"""Buckets of the rate of chains: ten minutes."""
MIN_ETA_BUCKETS = 4
"""Buckets that an ETA needs."""
MIN_ETA_CHAINS = 10
"""Finished chains that an ETA needs."""
STANDARD_ERRORS = 2.0
"""Standard errors between the mean rate and either bound: about 95 %."""


class RunRate:
    """Tokens and finished chains over the last minutes.

    Times are seconds of a clock that only grows.
    """

    def __init__(self, started_s: float) -> None:
        self._started_s = started_s
        self._number = 0
        self._tokens = self._chains = 0  # of the bucket that is being filled
        self._full: deque[tuple[int, int]] = deque(maxlen=ETA_BUCKETS)

    def add(self, now_s: float, tokens: int, chains: int) -> None:
        """Count what has come in."""
        self._advance(now_s)
        self._tokens += tokens
        self._chains += chains

    def tokens_per_s(self, now_s: float) -> float | None:
        """Return the rate of generated tokens over the last minute.

        None in the first second, in which it means nothing.
        """
        self._advance(now_s)
        recent = list(self._full)[-(TOKEN_BUCKETS - 1) :]
        in_bucket_s = now_s - self._started_s - self._number * BUCKET_S
        seconds = len(recent) * BUCKET_S + in_bucket_s
        if seconds < 1:
            return None
        return (sum(tokens for tokens, _ in recent) + self._tokens) / seconds

    def eta_s(self, now_s: float, left: int) -> tuple[float, float] | None:
        """Return the seconds that `left` chains may take, lower and upper bound.

        The bounds come from the mean rate of finished chains and its standard error
        over the last ten minutes. Counts in a bucket are taken to spread at least as
        those of a Poisson process do. None as long as there is too little to say.
        """
        self._advance(now_s)
        counts = [chains for _, chains in self._full]
        if len(counts) < MIN_ETA_BUCKETS or sum(counts) < MIN_ETA_CHAINS:
            return None
        mean = sum(counts) / len(counts)
        variance = sum((count - mean) ** 2 for count in counts) / (len(counts) - 1)
        error = STANDARD_ERRORS * math.sqrt(max(variance, mean) / len(counts))
        if error >= mean:
            return None
        return left * BUCKET_S / (mean + error), left * BUCKET_S / (mean - error)

    def _advance(self, now_s: float) -> None:
        """Close the buckets that are over."""
        number = int((now_s - self._started_s) / BUCKET_S)
        num_over = number - self._number
        if num_over <= 0:
            return
        self._full.append((self._tokens, self._chains))
        self._full.extend([(0, 0)] * min(num_over - 1, ETA_BUCKETS))
        self._tokens = self._chains = 0
        self._number = number

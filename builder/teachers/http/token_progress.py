"""Tells an answer under way from one that never ends, by a server's count of tokens.

No IO and no clock.
"""

EXCESS_FACTOR = 2
EXCESS_TOKENS = 1000
"""A server may generate this much more than the requests under way are allowed: counts
are polled, and tokens of a request that was abandoned just now are among them.
"""


class TokenProgress:
    """Watches a server's count of generated tokens between two finished requests.

    New tokens are progress, until there are more of them than all requests under way
    may generate together: then one of them never ends.
    """

    def __init__(self) -> None:
        self._last = 0.0
        self._first: float | None = None

    def restart(self) -> None:
        """Record that a request has ended, in whatever way."""
        self._first = None

    def record(self, generated: float, allowed: int | None) -> bool:
        """Record the server's count; return whether it is progress.

        Args:
            generated: Tokens generated since the server started.
            allowed: The most tokens that the requests under way may generate together;
                None if the server has other clients, whose tokens are counted too.
        """
        has_risen = generated > self._last
        if self._first is None or generated < self._last:
            self._first = generated
        self._last = generated
        if not has_risen or allowed is None:
            return has_risen
        excess = EXCESS_FACTOR * allowed + EXCESS_TOKENS
        return generated - self._first <= excess

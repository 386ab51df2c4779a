"""Results that are kept for as long as the files they came from stay as they are."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np

MAX_REMEMBERED = 1_000
"""Results that are kept; of more, those that were used last."""

T = TypeVar("T")


class Remembered:
    """A few results by their key. It may be used from several threads.

    Those that were used last stay, up to `max_results`, and up to `max_bytes` of those
    that are arrays.
    """

    def __init__(
        self, max_results: int = MAX_REMEMBERED, max_bytes: int | None = None
    ) -> None:
        self._max_results = max_results
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._results: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """Return the result of a key; None if there is none."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key)

    def put(self, key: Hashable, result: object) -> None:
        """Keep a result."""
        with self._lock:
            self._num_bytes -= _num_bytes(self._results.pop(key, None))
            self._results[key] = result
            self._num_bytes += _num_bytes(result)
            while self._is_full():
                _, oldest = self._results.popitem(last=False)
                self._num_bytes -= _num_bytes(oldest)

    def _is_full(self) -> bool:
        if self._max_bytes is not None and self._num_bytes > self._max_bytes:
            return len(self._results) > 1
        return len(self._results) > self._max_results

    def find(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the result of a key, computed where there is none.

        Two threads may both compute it. An error is not kept.
        """
        known = self.get(key)
        if known is None:
            known = compute()
            self.put(key, known)
        result: T = known
        return result


def _num_bytes(result: object) -> int:
    return result.nbytes if isinstance(result, np.ndarray) else 0

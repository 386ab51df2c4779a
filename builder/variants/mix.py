"""Choose the part of a mix that takes a rationale: by the rationale's seeded rank.

The ranks of the selected rationales are cut where the shares say, so that the parts have
their shares to within one rationale, and none is in two parts. A rationale has one rank
for all mixes of a set: with shares that grow, a part keeps the rationales it had if it
is the first.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray


class MixRanks:
    """The ranks of the rationales that are mixed: 8 bytes each."""

    def __init__(self, keys: Iterable[tuple[str, int]], seed: int) -> None:
        """`keys` are question id and sample index of every rationale."""
        self._seed = seed
        ranks = (self._rank(*key) for key in keys)
        self._ranks: NDArray[np.uint64] = np.sort(np.fromiter(ranks, np.uint64))

    def choose(
        self, question_id: str, sample_index: int, shares: Sequence[float]
    ) -> int:
        """Return the number of the part that takes a rationale.

        `shares` are those of the parts, which sum to about 1.
        """
        rank = np.uint64(self._rank(question_id, sample_index))
        position = int(np.searchsorted(self._ranks, rank)) / len(self._ranks)
        ends = list(accumulate(shares))
        total = ends[-1]
        for number, end in enumerate(ends):
            if position < end / total:
                return number
        return len(ends) - 1

    def _rank(self, question_id: str, sample_index: int) -> int:
        text = f"mix/{self._seed}/{sample_index}/{question_id}"
        return int.from_bytes(sha256(text.encode()).digest()[:8], "big")

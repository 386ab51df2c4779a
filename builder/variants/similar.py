"""Whether a text is nearly one that came before."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from cotbuild.schemas.errors import ConfigError

GRAM = 3
"""Words of a gram; a text of fewer is one gram."""
PERMUTATIONS = 128
MISSED = 0.05
"""So many of the pairs exactly as similar as the threshold may not be found; far fewer
of the more similar.
"""
_SEED = 1


class NearDuplicates:
    """Texts kept so far, to compare the next with.

    Candidates are found with datasketch's MinHash LSH and compared exactly, by the Jaccard similarity of their sets of
    word 3-grams, case-folded: nothing less similar is ever called similar, and MISSED bounds what is not found.
    *Measured* at 0.8: 7 KB a text, and 0.2-0.4 ms where few share a template; many that do make many candidates.
    """

    def __init__(self, threshold: float) -> None:
        """Raises ConfigError where datasketch is not installed."""
        try:
            from datasketch import MinHash, MinHashLSH
        except ImportError as exc:
            raise ConfigError(
                f"near_duplicates {threshold}: datasketch is not installed. "
                "Install it with pip install 'cotbuild[dedup]', or leave near_duplicates out."
            ) from exc
        self._threshold = threshold
        self._empty = MinHash(
            PERMUTATIONS, seed=_SEED, scheme="affine32", hashfunc=_as_it_is
        )
        self._index = MinHashLSH(num_perm=PERMUTATIONS, params=bands(threshold))
        self._grams: list[npt.NDArray[np.uint32]] = []

    def to_earlier(self, words: Sequence[str]) -> bool:
        """Whether the text is as similar as that to one kept so far; if not, it is
        kept.
        """
        grams = _grams(words)
        sketch = self._empty.copy()
        sketch.update_batch(grams)
        wanted = set(grams.tolist())
        if any(
            _jaccard(wanted, self._grams[at]) >= self._threshold
            for at in self._index.query(sketch)
        ):
            return True
        self._index.insert(len(self._grams), sketch, check_duplication=False)
        self._grams.append(grams)
        return False


def bands(threshold: float) -> tuple[int, int]:
    """How many bands of how many hash values: the fewest candidates with at most MISSED
    of the pairs left out.
    """
    sizes = range(1, PERMUTATIONS // 2 + 1)  # datasketch wants two bands
    rows = max(
        size
        for size in sizes
        if size == 1 or (1 - threshold**size) ** (PERMUTATIONS // size) <= MISSED
    )
    return PERMUTATIONS // rows, rows


def _grams(words: Sequence[str]) -> npt.NDArray[np.uint32]:
    low = [word.casefold() for word in words]
    grams = {" ".join(low[i : i + GRAM]) for i in range(max(1, len(low) - GRAM + 1))}
    hashes = b"".join(
        blake2b(gram.encode(errors="surrogatepass"), digest_size=4).digest()
        for gram in grams
    )
    return np.unique(np.frombuffer(hashes, dtype="<u4"))


def _jaccard(one: set[int], other: npt.NDArray[np.uint32]) -> float:
    both = len(one.intersection(other.tolist()))
    return both / (len(one) + len(other) - both)


def _as_it_is(number: int) -> int:
    return number

"""Reproducible random draws of one transform for one rationale. Pure.

They depend on nothing but seed, step, question id and sample index. Unlike a stateful
generator this lets any row be derived alone, in any order, on any version of Python.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256, shake_128
from struct import Struct
from typing import NamedTuple, Protocol

_RANK_BYTES = 8


class Draws(Protocol):
    """What a transform may draw; the first draws do not depend on how many there are."""

    def order(self, count: int) -> Sequence[int]:
        """Draw a permutation of 0 … count - 1."""

    def numbers(self, count: int) -> list[float]:
        """Draw `count` numbers in [0, 1)."""


class SeededDraws(NamedTuple):
    """The draws of version 2: one stream of SHAKE-128, 8 bytes a draw.

    A tuple, since one is created for every transform of every row.
    """

    seed: int
    step: int
    """Position of the transform in its variant, from 0."""
    question_id: str
    sample_index: int

    def ranks(self, count: int) -> tuple[int, ...]:
        """Draw `count` whole numbers of 64 bits."""
        return _draw_ranks(self, count)

    def order(self, count: int) -> tuple[int, ...]:
        """See `Draws.order`."""
        return _draw_order(self, count)

    def numbers(self, count: int) -> list[float]:
        """See `Draws.numbers`."""
        return [(rank >> 11) / 2**53 for rank in self.ranks(count)]


# Several transforms of a rationale draw the same: shuffle, sample and strip an order of
# its words.
@lru_cache(maxsize=16)
def _draw_ranks(draws: SeededDraws, count: int) -> tuple[int, ...]:
    name = draws.question_id.encode()
    source = b"draws/2/%d/%d/%d:%s/%d" % (
        draws.seed,
        draws.step,
        len(name),
        name,
        draws.sample_index,
    )
    stream = shake_128(source).digest(_RANK_BYTES * count)
    return _ranks_of(count).unpack(stream)


@lru_cache(maxsize=16)
def _draw_order(draws: SeededDraws, count: int) -> tuple[int, ...]:
    ranks = _draw_ranks(draws, count)
    return tuple(sorted(range(count), key=ranks.__getitem__))


@lru_cache(maxsize=1024)
def _ranks_of(count: int) -> Struct:
    return Struct(f">{count}Q")


class HashedDraws(NamedTuple):
    """The draws of version 1: a SHA-256 each, ten times as slow."""

    seed: int
    step: int
    question_id: str
    sample_index: int

    def ranks(self, count: int) -> list[bytes]:
        """Draw `count` sort keys of 32 bytes each."""
        name = self.question_id.encode()
        start = b"%d/%d/%d:%s/%d/" % (
            self.seed,
            self.step,
            len(name),
            name,
            self.sample_index,
        )
        return [sha256(start + b"%d" % i).digest() for i in range(count)]

    def order(self, count: int) -> list[int]:
        """See `Draws.order`."""
        return sorted(range(count), key=self.ranks(count).__getitem__)

    def numbers(self, count: int) -> list[float]:
        """See `Draws.numbers`."""
        return [int.from_bytes(rank[:6], "big") / 2**48 for rank in self.ranks(count)]


DRAWS: dict[int, Callable[[int, int, str, int], Draws]] = {
    1: HashedDraws,
    2: SeededDraws,
}
"""From `VariantSpec.draws` to what makes the draws of a seed, step, question id and
sample index.
"""

"""Choose the rationale of another question that is swapped in for a rationale.

All rationales stand in a circle, in the order of their keys (`row_key`, a digest of
question id and sample index). Of labels "any" and "same" the chosen one is the next in
the circle that is of another question, and that has the same label.

For "other", rationales of two questions and two labels are paired and swapped for each
other. The few left over, many only if most have one label, are spread evenly over all
rationales of other labels. So each rationale is used about once wherever the labels
allow it. The next rationale of another label would leave half of them unused if there
are two labels.
"""

from bisect import bisect_right
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cotbuild.builder.storage.keys import KEY_DTYPE
from cotbuild.builder.variants.example import RationaleExample
from cotbuild.builder.variants.scores import row_key
from cotbuild.schemas.errors import DataError

_CODE = np.dtype("<u8")
"""8 bytes of a digest, which stand for a question or a label. Among a million two are
equal in 1 of 30 million builds.
"""
_UNPAIRED = -1


class PairingRows:
    """What is collected of each rationale to pair it: 32 bytes."""

    def __init__(self) -> None:
        self.keys, self.questions, self.labels = bytearray(), bytearray(), bytearray()

    def add(self, question_id: str, sample_index: int, target_text: str) -> None:
        """Append a rationale."""
        self.keys += row_key(question_id, sample_index)
        self.questions += _encode(question_id)
        self.labels += _encode(target_text)


class _Candidates(NamedTuple):
    """The rationales with a suitable label, in the order of the circle."""

    size: int
    start: int
    """Number of the first to try."""
    position_of: Callable[[int], int]
    """From the number of a candidate, from 0, to its position in the circle."""


class RationalePairing:
    """Finds the rationale to swap in, in O(log n + samples of the question)."""

    def __init__(self, rows: PairingRows) -> None:
        """Raises DataError if two rationales are the same sample of a question."""
        keys: NDArray[np.bytes_] = np.frombuffer(rows.keys, KEY_DTYPE)
        self._rows = np.argsort(keys, kind="stable")
        """Row number by position in the circle."""
        self._keys = keys[self._rows]
        num_repeated = int(np.count_nonzero(self._keys[1:] == self._keys[:-1]))
        if num_repeated:
            raise DataError(
                f"rationales: {num_repeated} have the question_id and sample_index of "
                "another. Rebuild, or remove the repeated rows."
            )
        self._questions = np.frombuffer(rows.questions, _CODE)[self._rows]
        labels = np.frombuffer(rows.labels, _CODE)[self._rows]
        self._pairs = _pair_labels(labels, self._questions)
        self._by_label = np.argsort(labels, kind="stable")
        """Positions sorted by label, those of one label in the order of the circle."""
        self._sorted_labels = labels[self._by_label]

    def find(self, example: RationaleExample, label: str) -> int | None:
        """Return the row number of the rationale to swap in, or None if there is none.

        `label`: whether its label is "any", the "same" or "other". Raises KeyError if
        the example is not one of the rationales.
        """
        own = self._position_of(example)
        if label == "other" and self._pairs[own] != _UNPAIRED:
            return int(self._rows[self._pairs[own]])
        candidates = self._candidates(example, label, own)
        for step in range(candidates.size):
            number = (candidates.start + step) % candidates.size
            position = candidates.position_of(number)
            if self._questions[position] != self._questions[own]:
                return int(self._rows[position])
        return None

    def _position_of(self, example: RationaleExample) -> int:
        key = row_key(example.question_id, example.sample_index)
        position = int(np.searchsorted(self._keys, np.frombuffer(key, KEY_DTYPE))[0])
        if self._keys[position : position + 1].tobytes() != key:
            raise KeyError(
                f"question {example.question_id!r} sample {example.sample_index} "
                "is not in the corpus"
            )
        return position

    def _candidates(
        self, example: RationaleExample, label: str, own: int
    ) -> _Candidates:
        if label == "any":
            return _Candidates(len(self._keys), own + 1, lambda number: number)
        code = np.frombuffer(_encode(example.target_text), _CODE)
        low = int(np.searchsorted(self._sorted_labels, code, side="left")[0])
        high = int(np.searchsorted(self._sorted_labels, code, side="right")[0])
        same = self._by_label[low:high]
        rank = int(np.searchsorted(same, own))
        if label == "same":
            return _Candidates(len(same), rank + 1, lambda number: int(same[number]))
        num_others = len(self._keys) - len(same)
        start = rank * num_others // len(same)
        return _Candidates(
            num_others, start, lambda number: _position_of_other(number, same)
        )


def _encode(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()[:8]


def _position_of_other(number: int, same: NDArray[np.int64]) -> int:
    """Return the position of the n-th rationale that is not at one of the positions
    `same`.

    n others come before it, and those of the same label that come before it.
    """
    num_same_before = bisect_right(
        range(len(same)), number, key=lambda rank: int(same[rank]) - rank
    )
    return number + num_same_before


def _pair_labels(
    labels: NDArray[np.uint64], questions: NDArray[np.uint64]
) -> NDArray[np.int32]:
    """Pair rationales that differ in label and question; return each one's partner.

    The rationales that wait for a partner all have one label; the next of another label
    takes the last of them. So those left over have one label, except for samples of one
    question that met each other.
    """
    pairs = np.full(len(labels), _UNPAIRED, np.int32)
    waiting: list[int] = []
    for position in range(len(labels)):
        if not waiting or labels[waiting[-1]] == labels[position]:
            waiting.append(position)
        elif questions[waiting[-1]] != questions[position]:
            partner = waiting.pop()
            pairs[position], pairs[partner] = partner, position
    return pairs

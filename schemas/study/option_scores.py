"""The log-likelihood of every option, as the file of a cell keeps it.

Three numbers an option, for thousands of questions, are packed: whole numbers of four
bytes, split into their four planes of bytes (the upper ones are nearly constant),
compressed by zlib and written in base64. 3,000 questions of five options take about
45 kB.
"""

import base64
import binascii
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from cotbuild.schemas.record import Record

LOG_PROB_STEPS = 1000
"""Log-likelihoods are rounded to 1 / this many nats."""

_MIN_NUMBER = -(2**31)
MIN_LOG_PROB = _MIN_NUMBER / LOG_PROB_STEPS
"""The least log-likelihood that can be kept, -2,147,483.648 nats; a lower one, as of a
student that diverged, is kept as this.
"""

MAX_PACKED_NUMBERS = 4_000_000
"""Most numbers in a packed text; more are refused before anything is unpacked."""

_BYTES = 4


class StoredOption(NamedTuple):
    """An option of a question with its score."""

    log_prob: float
    """Natural log-likelihood of the label and the token that ends it."""
    chars: int
    """Characters of the label, at least 1."""
    correct: bool


class OptionScores(Record):
    """The options of questions with their scores, packed; see `pack` and `unpack`."""

    counts: str = Field(description="Number of options of each question, packed.")
    log_probs: str = Field(
        description="Log-likelihood of each option's label and the token that ends it, in "
        "thousandths of a nat, packed."
    )
    chars: str = Field(description="Characters of each option's label, packed.")
    correct: str = Field(
        description="1 for each option that is correct, else 0, packed."
    )

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        counts = unpack_numbers(self.counts)
        if min(counts, default=0) < 0:
            raise ValueError(f"counts has {min(counts)}, expected no number below 0")
        packed = (
            ("log_probs", self.log_probs, None),
            ("chars", self.chars, (1, None)),
            ("correct", self.correct, (0, 1)),
        )
        for name, text, bounds in packed:
            _check_each(name, unpack_numbers(text), sum(counts), bounds)
        return self

    @classmethod
    def pack(cls, questions: Sequence[Sequence[StoredOption]]) -> Self:
        """Pack the options of questions, in order.

        A log-likelihood below MIN_LOG_PROB is raised to it.
        """
        options = list(chain.from_iterable(questions))
        return cls(
            counts=pack_numbers(len(options) for options in questions),
            log_probs=pack_numbers(
                max(round(option.log_prob * LOG_PROB_STEPS), _MIN_NUMBER)
                for option in options
            ),
            chars=pack_numbers(option.chars for option in options),
            correct=pack_numbers(int(option.correct) for option in options),
        )

    def unpack(self) -> list[tuple[StoredOption, ...]]:
        """Return the options of each question, in order; empty where it has none."""
        options = self._options()
        return [
            tuple(next(options) for _ in range(count))
            for count in unpack_numbers(self.counts)
        ]

    def _options(self) -> Iterator[StoredOption]:
        numbers = (
            unpack_numbers(self.log_probs),
            unpack_numbers(self.chars),
            unpack_numbers(self.correct),
        )
        for log_prob, chars, correct in zip(*numbers, strict=True):
            yield StoredOption(log_prob / LOG_PROB_STEPS, chars, bool(correct))


def _check_each(
    name: str,
    numbers: Sequence[int],
    expected: int,
    bounds: tuple[int, int | None] | None,
) -> None:
    """Raise ValueError unless there are as many numbers as expected, within bounds."""
    if len(numbers) != expected:
        raise ValueError(
            f"{name} has {len(numbers)} numbers, expected one for each of the "
            f"{expected} options"
        )
    if not numbers or bounds is None:
        return
    low, high = bounds
    if min(numbers) < low or (high is not None and max(numbers) > high):
        raise ValueError(
            f"{name} has numbers from {min(numbers)} to {max(numbers)}, expected from "
            f"{low}" + (f" to {high}" if high is not None else "")
        )


def pack_numbers(numbers: Iterable[int]) -> str:
    """Pack whole numbers of at most 31 bits and a sign into a short text of ASCII."""
    values = array("i", numbers)
    if sys.byteorder == "big":
        values.byteswap()
    raw = values.tobytes()
    planes = b"".join(raw[plane::_BYTES] for plane in range(_BYTES))
    return base64.b64encode(zlib.compress(planes, 9)).decode("ascii")


def unpack_numbers(text: str) -> list[int]:
    """Return the numbers that `pack_numbers` packed.

    Raises ValueError if the text holds something else, or more than
    MAX_PACKED_NUMBERS numbers.
    """
    limit = MAX_PACKED_NUMBERS * _BYTES
    inflater = zlib.decompressobj()
    try:
        planes = inflater.decompress(base64.b64decode(text, validate=True), limit)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ValueError(f"a packed text is damaged: {error}") from error
    if not inflater.eof:
        raise ValueError(
            f"a packed text is cut off or holds more than {MAX_PACKED_NUMBERS} numbers"
        )
    if len(planes) % _BYTES:
        raise ValueError(f"a packed text holds {len(planes)} bytes, expected fours")
    size = len(planes) // _BYTES
    raw = bytearray(len(planes))
    for plane in range(_BYTES):
        raw[plane::_BYTES] = planes[plane * size : (plane + 1) * size]
    values = array("i", bytes(raw))
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()

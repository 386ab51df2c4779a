"""Row ranges and seeded samples: the part of a split that is read."""

from array import array
from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from cotbuild.schemas.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

MIN_BUFFER_KEYS = 4096


class RowRange(NamedTuple):
    """Row positions from `start` up to, but not including, `end`; None is no limit."""

    start: int = 0
    end: int | None = None


def parse_row_range(text: str | None) -> RowRange:
    """Parse START:END, either of which may be empty; None is every row.

    Raises ConfigError if the range is empty.
    """
    start, _, end = (text or ":").partition(":")
    row_range = RowRange(int(start or 0), int(end) if end else None)
    if row_range.end is not None and row_range.end <= row_range.start:
        raise ConfigError(
            f"--rows {text!r} selects no row. START must be less than END, counted "
            "from 0, END not included, such as 0:1000."
        )
    return row_range


def draw_key(seed: int, question_id: str) -> int:
    """Return a question's rank in the draw, 64 bits of a sha256.

    It depends on the seed and the id alone, not on the order of the file or its other
    rows. The questions with the smallest keys are the sample.
    """
    data = f"sample/1\n{seed}\n{question_id}".encode()
    return int.from_bytes(sha256(data).digest()[:8])


def draw_bound(keys: Iterable[int], count: int) -> int:
    """Return the count-th smallest key, or 2**64 - 1 if there are fewer keys.

    Needs 16 bytes of memory per drawn key, however many keys there are.
    """
    buffer_size = max(2 * count, MIN_BUFFER_KEYS)
    kept: array[int] = array("Q")
    for key in keys:
        kept.append(key)
        if len(kept) == buffer_size:
            kept = array("Q", _smallest_keys(kept, count).tobytes())
    if len(kept) < count:
        return 2**64 - 1
    return int(_smallest_keys(kept, count)[-1])


def _smallest_keys(keys: "array[int]", count: int) -> "np.ndarray[Any, Any]":
    """Return the `count` smallest keys, the largest of them last."""
    import numpy as np

    partitioned = np.partition(np.frombuffer(keys, dtype=np.uint64), count - 1)
    return partitioned[:count]

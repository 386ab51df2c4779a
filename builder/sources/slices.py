"""Which part of a split is asked about: a range of rows, a seeded draw."""

from array import array
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from cotbuild.schemas.errors import ConfigError


class RowRange(NamedTuple):
    """Row positions from `start`, `end` not included; end None: to the last."""

    start: int = 0
    end: int | None = None


def row_range(text: str | None) -> RowRange:
    """The range that START:END names; either side may be empty.

    Raises ConfigError where no row can be in it.
    """
    first, _, last = (text or ":").partition(":")
    found = RowRange(int(first or 0), int(last) if last else None)
    if found.end is not None and found.end <= found.start:
        raise ConfigError(
            f"--rows {text!r} selects no row. START must be less than END, counted from 0, END not "
            "included, such as 0:1000."
        )
    return found


def draw_key(seed: int, question_id: str) -> int:
    """A question's place in the draw: 64 bits of a sha256, so that neither file order
    nor its other rows matter.
    """
    return int.from_bytes(
        sha256(f"sample/1\n{seed}\n{question_id}".encode()).digest()[:8]
    )


def draw_bound(keys: Iterable[int], count: int) -> int:
    """The count-th smallest key, the largest possible one where there are fewer; 16
    bytes of memory per drawn key.
    """
    import numpy as np

    room = max(2 * count, 4096)
    kept: array[int] = array("Q")
    for key in keys:
        kept.append(key)
        if len(kept) == room:
            kept = array(
                "Q",
                np.partition(np.frombuffer(kept, dtype=np.uint64), count - 1)[
                    :count
                ].tobytes(),
            )
    if len(kept) < count:
        return 2**64 - 1
    return int(np.partition(np.frombuffer(kept, dtype=np.uint64), count - 1)[count - 1])

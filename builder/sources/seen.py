"""Which ids were seen before, in flat memory."""

from array import array
from hashlib import blake2b


class SeenIds:
    """A set of strings that keeps 8 bytes each: a hash table of 64-bit digests with linear probing.

    At a million ids two different ones share a digest with a chance of 3 in 10^8; the later would count as a repeat.
    """

    def __init__(self) -> None:
        self._size = 1024
        self._used = 0
        self._slots = array("Q", bytes(8 * self._size))
        self._repeats: dict[int, int] = {}

    def count(self, name: str) -> int:
        """How often `name` was counted, this time included."""
        key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) or 1  # 0 marks a free slot
        if self._add(key):
            return 1
        self._repeats[key] = self._repeats.get(key, 1) + 1
        return self._repeats[key]

    def _add(self, key: int) -> bool:
        slots, last = self._slots, self._size - 1
        place = key & last
        while found := slots[place]:
            if found == key:
                return False
            place = (place + 1) & last
        slots[place] = key
        self._used += 1
        if self._used * 3 > self._size * 2:
            self._grow()
        return True

    def _grow(self) -> None:
        old = self._slots
        self._size *= 2
        self._used = 0
        self._slots = array("Q", bytes(8 * self._size))
        for key in old:
            if key:
                self._add(key)

"""Which texts were seen before, in flat memory."""

from array import array
from hashlib import blake2b


class DigestSet:
    """A set of strings that keeps 8 to 16 bytes each: a hash table of 64-bit digests
    with linear probing.

    At a million strings two different ones share a digest with a chance of 3 in 10^8.
    """

    def __init__(self) -> None:
        self._size = 1024
        self._used = 0
        self._slots = array("Q", bytes(8 * self._size))

    def add(self, text: str) -> bool:
        """Whether `text` is new."""
        return self._add(_key(text))

    def __contains__(self, text: str) -> bool:
        key, slots, last = _key(text), self._slots, self._size - 1
        place = key & last
        while found := slots[place]:
            if found == key:
                return True
            place = (place + 1) & last
        return False

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


def _key(text: str) -> int:
    return (
        int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) or 1
    )  # 0 marks a free slot


class SeenIds(DigestSet):
    """How often each id was seen; of two different ids with one digest the later would
    count as a repeat.
    """

    def __init__(self) -> None:
        super().__init__()
        self._repeats: dict[int, int] = {}

    def count(self, name: str) -> int:
        """How often `name` was counted, this time included."""
        key = _key(name)
        if self._add(key):
            return 1
        self._repeats[key] = self._repeats.get(key, 1) + 1
        return self._repeats[key]

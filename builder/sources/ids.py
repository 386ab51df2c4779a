"""Sets of strings that need a few bytes a string, for ids and texts seen before."""

from array import array
from hashlib import blake2b

_FIRST_SIZE = 1024


class DigestSet:
    """A set of strings that takes 8 to 16 bytes a string.

    It is a hash table of 64-bit digests with linear probing. Among a million different
    strings two share a digest with a probability of 3 in 10^8.
    """

    def __init__(self) -> None:
        self._size = _FIRST_SIZE
        self._used = 0
        self._slots = array("Q", bytes(8 * self._size))

    def add(self, text: str) -> bool:
        """Add a string; return whether it was new."""
        return self.add_digest(digest_text(text))

    def add_digest(self, digest: int) -> bool:
        """Add a string by its `digest_text`; return whether it was new."""
        slot = self._find_slot(digest)
        if self._slots[slot] == digest:
            return False
        self._slots[slot] = digest
        self._used += 1
        if self._used * 3 > self._size * 2:
            self._grow()
        return True

    def __contains__(self, text: str) -> bool:
        digest = digest_text(text)
        return self._slots[self._find_slot(digest)] == digest

    def _find_slot(self, digest: int) -> int:
        """Return the slot of a digest, or the free slot where it belongs."""
        slots, mask = self._slots, self._size - 1
        slot = digest & mask
        while (used := slots[slot]) and used != digest:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        old_slots = self._slots
        self._size *= 2
        self._used = 0
        self._slots = array("Q", bytes(8 * self._size))
        for digest in old_slots:
            if digest:
                self.add_digest(digest)


def digest_text(text: str) -> int:
    """Return a 64-bit digest that is not 0, which marks a free slot."""
    digest = blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest) or 1


class SeenIds(DigestSet):
    """Counts how often each id was seen.

    If two different ids share a digest, the later one counts as a repetition.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[int, int] = {}
        """Of repeated ids only."""

    def count(self, name: str) -> int:
        """Count an id; return how often it has been seen, this time included."""
        digest = digest_text(name)
        if self.add_digest(digest):
            return 1
        self._counts[digest] = self._counts.get(digest, 1) + 1
        return self._counts[digest]

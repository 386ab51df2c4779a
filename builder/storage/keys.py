"""Request keys in bulk, 16 bytes each, so that a million of them take 16 MB."""

import numpy as np
from numpy.typing import NDArray

KEY_DTYPE = np.dtype("S16")


def key_bytes(request_key: str) -> bytes:
    """Return the first 16 of the 32 bytes of a request key.

    It takes about 2^64 keys until two of them are likely to collide.
    """
    return bytes.fromhex(request_key[:32])


def count_distinct(keys: bytearray) -> tuple[int, frozenset[bytes]]:
    """Count the distinct 16-byte keys, and return those that occur more than once."""
    ordered: NDArray[np.bytes_] = np.sort(np.frombuffer(keys, KEY_DTYPE))
    repeated = np.flatnonzero(ordered[1:] == ordered[:-1])
    # Slices, not elements: numpy strips trailing NULs from an element of a bytes array.
    values = frozenset(ordered[i : i + 1].tobytes() for i in repeated.tolist())
    return len(ordered) - len(repeated), values

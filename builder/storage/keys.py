"""Request keys in bulk: 16 bytes each in one array, so that a million of them are 16
MB.
"""

import numpy as np
from numpy.typing import NDArray

KEY = np.dtype("S16")


def key_bytes(request_key: str) -> bytes:
    """The first 16 bytes of a request_key's 32: 2^64 keys before two are likely to
    meet.
    """
    return bytes.fromhex(request_key[:32])


def distinct(keys: bytearray) -> tuple[int, frozenset[bytes]]:
    """How many different 16-byte keys there are, and those that stand there more than
    once.
    """
    ordered: NDArray[np.bytes_] = np.sort(np.frombuffer(keys, KEY))
    again = np.flatnonzero(ordered[1:] == ordered[:-1])
    # Slices, not elements: numpy strips trailing NULs from an element of a bytes array.
    return len(ordered) - len(again), frozenset(
        ordered[at : at + 1].tobytes() for at in again.tolist()
    )

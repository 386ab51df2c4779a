"""A setting of glibc's allocator for students on a CPU.

A block that glibc maps from the kernel goes back whole when it is freed. Once such a block
was freed, glibc takes blocks of its size, up to 32 MiB, from its heap instead, and there
the activations of texts of many lengths leave holes that no later tensor fits. The heap
then grows from one training to the next, and each allocation searches longer lists.
Measured in the second cell of a study (glibc 2.36, SmolLM2-135M, bfloat16, one thread of
two): a heap of 7 GB, and 30 % of the time of an evaluation spent in `malloc`.

See mallopt(3): https://man7.org/linux/man-pages/man3/mallopt.3.html
"""

import ctypes
import os
import platform
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of mallopt, from <malloc.h>."""

MAPPED_BYTES = 4 * 2**20
"""The size from which blocks are mapped.

Smaller ones are reused too often for that, since the kernel clears each page that it maps:
with 1 MiB the system time of a training was twice that with 4 MiB.
"""

KEPT_HEAP_BYTES = 64 * 2**20
"""How much is freed at the end of the heap before the kernel gets it back.

It is the most that glibc keeps by itself, and 128 KiB where the size above is fixed.
"""

_USER_SETTINGS = (
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_MMAP_MAX_",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
)
"""Variables that set the same by hand, as GLIBC_TUNABLES does."""


@cache
def map_large_blocks() -> bool:
    """Have glibc map all blocks of MAPPED_BYTES or more, in this process.

    Returns whether it does; it is left as it is with another C library, and where the
    environment sets it.
    """
    is_set = any(name in os.environ for name in _USER_SETTINGS)
    if is_set or "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(
        libc.mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)
        and libc.mallopt(M_TRIM_THRESHOLD, KEPT_HEAP_BYTES)
    )

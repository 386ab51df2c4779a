"""How this process takes memory from the system.

A pass over a batch allocates and frees gigabytes. By default the C library gives each
large block back as it is freed, and the system clears its pages again when the next pass
needs them. Kept in the process, they are cleared once. Measured on SmolLM2-135M in
bfloat16, on a virtual machine with AMX, one thread: training takes 11 to 13 % less CPU
time and at most 8 % more memory at its peak.
"""

import ctypes
import os
import platform

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
"""Parameters of mallopt, as numbered in glibc's malloc.h; see mallopt(3)."""

_KEPT_BYTES = 2**31 - 1
"""The most that mallopt can be told to keep unused at the end of the heap."""

_GROWTH_BYTES = 256 * 2**20
"""What the heap grows by at least."""

_ALLOCATOR_VARIABLES = ("GLIBC_TUNABLES", "LD_PRELOAD")
"""With one of these, or a MALLOC_ variable of glibc, the user has chosen an allocator."""


def keep_freed_memory() -> bool:
    """Let this process keep memory that it frees, and return whether it does.

    It concerns all of the process and cannot be undone. Nothing changes where the C
    library is not glibc, or where the environment chooses or sets the allocator.
    """
    if platform.libc_ver()[0] != "glibc" or _environment_sets_allocator():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = (
        (_M_MMAP_MAX, 0),  # large blocks are of the heap too
        (_M_TRIM_THRESHOLD, _KEPT_BYTES),
        (_M_TOP_PAD, _GROWTH_BYTES),
    )
    return all(mallopt(parameter, value) == 1 for parameter, value in settings)


def _environment_sets_allocator() -> bool:
    return any(
        name in _ALLOCATOR_VARIABLES or name.startswith("MALLOC_")
        for name, value in os.environ.items()
        if value
    )

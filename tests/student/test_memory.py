"""Memory that is freed: kept in the process, unless the user has set the allocator."""

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="the C library is not glibc"
)

COUNT_FAULTS = """
import ctypes, resource, sys
from cotbuild.student.memory import keep_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
SIZE = 400 * 2**20

def faults_of_a_block():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(SIZE)
    libc.memset(block, 1, SIZE)
    libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

kept = keep_freed_memory() if sys.argv[1] == "keep" else None
faults_of_a_block()
print(kept, faults_of_a_block())
"""

FEW_FAULTS = 20
"""A block of 400 MiB that is cleared anew takes 200 with the largest pages there are."""


def run(argument: str, **environment: str) -> tuple[str, int]:
    """Return what `keep_freed_memory` did, and the page faults of a block taken again."""
    settings = ("GLIBC_TUNABLES", "LD_PRELOAD")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in settings and not name.startswith("MALLOC_")
    }
    done = subprocess.run(
        [sys.executable, "-c", COUNT_FAULTS, argument],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    kept, faults = done.stdout.split()
    return kept, int(faults)


def test_a_block_that_was_freed_is_not_cleared_again() -> None:
    kept, faults = run("keep")
    assert kept == "True"
    assert faults < FEW_FAULTS


def test_without_it_a_block_is_cleared_again() -> None:
    assert run("leave")[1] > FEW_FAULTS


@pytest.mark.parametrize(
    "setting",
    [
        {"MALLOC_ARENA_MAX": "2"},
        {"GLIBC_TUNABLES": "glibc.malloc.arena_max=2"},
    ],
    ids=["variable", "tunable"],
)
def test_an_allocator_that_the_user_set_stays(setting: dict[str, str]) -> None:
    kept, faults = run("keep", **setting)
    assert kept == "False"
    assert faults > FEW_FAULTS

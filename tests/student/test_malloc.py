"""Tests of the allocator's setting, in processes of their own: it lasts as they do."""

import os
import platform
import subprocess
import sys

import pytest

needs_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's"
)

COUNT_HEAP = """
from cotbuild.student.malloc import map_large_blocks

def heap_bytes():
    with open("/proc/self/maps") as maps:
        lines = [line for line in maps if line.rstrip().endswith("[heap]")]
    ends = [line.split()[0].split("-") for line in lines]
    return sum(int(end, 16) - int(start, 16) for start, end in ends)

def allocate(size):
    return libc.malloc(ctypes.c_size_t(size))

import ctypes, sys
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
if sys.argv[1] == "set":
    print(map_large_blocks(), map_large_blocks())
# Freeing a mapped block has glibc take blocks up to its size from the heap.
libc.free(allocate(30 * 2**20))
before = heap_bytes()
blocks = [allocate(8 * 2**20) for _ in range(8)]
print(heap_bytes() - before >= 64 * 2**20)
"""


def run(action: str, **variables: str) -> list[str]:
    names = ("GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "LD_PRELOAD")
    inherited = {k: v for k, v in os.environ.items() if k not in names}
    done = subprocess.run(
        [sys.executable, "-c", COUNT_HEAP, action],
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@needs_glibc
def test_large_blocks_are_not_of_the_heap() -> None:
    assert run("leave") == ["True"]
    assert run("set") == ["True", "True", "False"]


@needs_glibc
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MALLOC_MMAP_THRESHOLD_", "33554432"),
        ("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=33554432"),
    ],
)
def test_a_setting_of_the_user_stays(name: str, value: str) -> None:
    assert run("set", **{name: value})[:2] == ["False", "False"]


@needs_glibc
def test_tunables_of_other_parts_do_not_count() -> None:
    assert run("set", GLIBC_TUNABLES="glibc.cpu.x86_ibt=off")[0] == "True"


def test_it_does_nothing_with_another_c_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from cotbuild.student import malloc

    malloc.map_large_blocks.cache_clear()
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert malloc.map_large_blocks() is False
    malloc.map_large_blocks.cache_clear()

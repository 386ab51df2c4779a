"""Uploads: whole or absent, bounded, and only for who has sent them."""

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cotbuild.builder.service.folders import make_private_folder
from cotbuild.builder.service.upload_store import (
    LEFT_AFTER_S,
    MAX_UPLOADS,
    StoredUpload,
    UploadStore,
)
from cotbuild.builder.web.problems import ProblemError

CONTENT = b"question,answer\n" * 200_000
"""About 3 MB: more than one block."""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / ".service"
    make_private_folder(folder)
    return folder


async def in_parts(data: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def put(store: UploadStore, data: bytes, owner: str = "alice") -> StoredUpload:
    return asyncio.run(store.put(digest(data), owner, in_parts(data)))


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in (folder / "files" / ".incoming").iterdir()]


def test_a_file_is_stored_once_under_its_digest(folder: Path) -> None:
    store = UploadStore(folder)
    first, again = put(store, CONTENT), put(store, CONTENT)
    assert (first.is_new, again.is_new) == (True, False)
    assert (folder / "files" / digest(CONTENT)).read_bytes() == CONTENT
    assert store.list_files("alice") == [again.view]
    assert again.view.num_bytes == len(CONTENT)
    assert leftovers(folder) == []


def test_who_only_knows_a_digest_has_no_file(folder: Path) -> None:
    store = UploadStore(folder)
    put(store, CONTENT)
    assert store.find(digest(CONTENT), "bob") is None
    assert store.list_files("bob") == []
    with pytest.raises(ProblemError, match="not found"):
        store.delete(digest(CONTENT), "bob")
    # Sending all of it proves that one has it.
    assert put(store, CONTENT, "bob").is_new
    assert store.find(digest(CONTENT), "bob") is not None


def test_the_last_owner_deletes_the_bytes(folder: Path) -> None:
    store = UploadStore(folder)
    put(store, CONTENT)
    put(store, CONTENT, "bob")
    assert not store.delete(digest(CONTENT), "alice")
    assert store.find(digest(CONTENT), "alice") is None
    assert store.find(digest(CONTENT), "bob") is not None
    assert store.delete(digest(CONTENT), "bob")
    assert not (folder / "files" / digest(CONTENT)).exists()


def test_another_digest_stores_nothing(folder: Path) -> None:
    store = UploadStore(folder)
    with pytest.raises(ProblemError, match="The SHA-256 of the body is") as caught:
        asyncio.run(store.put(digest(b"other"), "alice", in_parts(CONTENT)))
    assert (caught.value.status, caught.value.code) == (422, "digest_mismatch")
    assert store.list_files("alice") == []
    assert leftovers(folder) == []


@pytest.mark.parametrize(
    ("max_file_bytes", "max_total_bytes", "status"),
    [(1_000_000, 10**9, 413), (10**9, 2_000_000, 507)],
)
def test_sizes_are_bounded_before_more_is_written(
    folder: Path, max_file_bytes: int, max_total_bytes: int, status: int
) -> None:
    num_read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal num_read
        while True:
            num_read += 65_536
            yield b"x" * 65_536

    store = UploadStore(
        folder, max_file_bytes=max_file_bytes, max_total_bytes=max_total_bytes
    )
    with pytest.raises(ProblemError) as caught:
        asyncio.run(store.put("0" * 64, "alice", endless()))
    assert caught.value.status == status
    assert num_read < 4_000_000
    assert leftovers(folder) == []
    # What was refused takes no room.
    assert put(store, b"small").is_new


def test_the_files_that_are_there_count(folder: Path) -> None:
    store = UploadStore(folder, max_total_bytes=4_000_000)
    put(store, CONTENT)
    with pytest.raises(ProblemError, match="may have 4,000,000 bytes"):
        put(store, CONTENT[1:])
    store.delete(digest(CONTENT), "alice")
    assert put(store, CONTENT[1:]).is_new


FULL_DISK = """
import asyncio, hashlib, resource, signal, sys
from pathlib import Path
from cotbuild.builder.service.upload_store import UploadStore
from cotbuild.builder.web.problems import ProblemError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
content = bytes(3_000_000)
store = UploadStore(Path(sys.argv[1]))

async def parts():
    yield content

def put():
    return asyncio.run(store.put(hashlib.sha256(content).hexdigest(), "alice", parts()))

_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, hard))
try:
    put()
except ProblemError as error:
    print(error.code, store.list_files("alice"))
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(put().view.num_bytes)
"""


def test_a_full_disk_refuses_a_file(folder: Path) -> None:
    """A real limit of the kernel's: the last write(2) is short, the next one fails."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["store_failed []", "3000000"]
    assert leftovers(folder) == []


def test_a_stored_file_of_another_size_is_replaced(folder: Path) -> None:
    store = UploadStore(folder)
    put(store, CONTENT)
    stored = folder / "files" / digest(CONTENT)
    stored.write_bytes(CONTENT[:-1])
    assert put(store, CONTENT, "bob").view.num_bytes == len(CONTENT)
    assert stored.read_bytes() == CONTENT


def test_a_client_that_goes_away_leaves_nothing(folder: Path) -> None:
    class GoneError(Exception):
        pass

    async def broken() -> AsyncIterator[bytes]:
        yield CONTENT
        raise GoneError

    store = UploadStore(folder)
    with pytest.raises(GoneError):
        asyncio.run(store.put(digest(CONTENT), "alice", broken()))
    assert leftovers(folder) == []
    assert store.list_files("alice") == []


def test_only_some_uploads_run_at_a_time(folder: Path) -> None:
    store = UploadStore(folder)

    async def run() -> None:
        let_go = asyncio.Event()
        begun = asyncio.Queue[int]()

        async def slow(number: int) -> AsyncIterator[bytes]:
            begun.put_nowait(number)
            await let_go.wait()
            yield b"%d" % number

        def start(number: int) -> asyncio.Task[StoredUpload]:
            sha256 = digest(b"%d" % number)
            return asyncio.create_task(store.put(sha256, "alice", slow(number)))

        tasks = [start(number) for number in range(MAX_UPLOADS)]
        for _ in tasks:
            await begun.get()
        with pytest.raises(ProblemError, match="the most at a time"):
            await start(99)
        let_go.set()
        await asyncio.gather(*tasks)
        await start(99)

    asyncio.run(run())


def test_what_a_killed_server_left_is_deleted(folder: Path) -> None:
    store = UploadStore(folder)
    left = folder / "files" / ".incoming" / "left"
    long_ago_s = time.time() - LEFT_AFTER_S - 60
    for see in (lambda: UploadStore(folder), lambda: put(store, CONTENT)):
        left.write_bytes(b"x")
        os.utime(left, (long_ago_s, long_ago_s))
        see()
        assert leftovers(folder) == []


def test_another_server_of_the_folder_leaves_uploads_alone(folder: Path) -> None:
    """As where servers share a root: one is started while another one receives a file."""
    store = UploadStore(folder)

    async def interrupted() -> AsyncIterator[bytes]:
        yield CONTENT[:2_000_000]
        other = UploadStore(folder)
        await other.put(digest(b"x"), "bob", in_parts(b"x"))
        yield CONTENT[2_000_000:]

    stored = asyncio.run(store.put(digest(CONTENT), "alice", interrupted()))
    assert stored.view.num_bytes == len(CONTENT)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a", "A" * 64, "", "0" * 63 + "\n"]
)
def test_only_digests_are_files(folder: Path, name: str) -> None:
    store = UploadStore(folder)
    assert store.find(name, "alice") is None

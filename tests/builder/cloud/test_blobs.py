"""The contract of Blobs: a folder, and every object store that could be had."""

import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cotbuild.builder.cloud.blobs import ObjectBlobs, open_blobs
from cotbuild.builder.cloud.client import Problem, attempt
from cotbuild.builder.cloud.probe import FOLDER, probe_store
from cotbuild.builder.storage.blobs import MAX_BLOB_BYTES, Blob, Blobs, LocalBlobs
from cotbuild.schemas.errors import StoreError
from tests.builder.cloud.conftest import new_place, use_server
from tests.support.object_stores import SERVERS, ObjectServer

STORES = [
    pytest.param(name, marks=[pytest.mark.slow] if name == "azurite" else [])
    for name in SERVERS
]
KINDS = [pytest.param("folder"), *STORES]


@pytest.fixture
def blobs(
    request: pytest.FixtureRequest,
    find_server: Callable[[str], ObjectServer],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Blobs:
    """An empty place of the kind that the test names."""
    if request.param == "folder":
        return LocalBlobs(tmp_path / "blobs")
    server = use_server(find_server(request.param), monkeypatch)
    return open_blobs(new_place(server.scheme))


@pytest.mark.parametrize("blobs", KINDS, indirect=True)
def test_a_file_is_created_once(blobs: Blobs) -> None:
    assert blobs.create("a/b.json", b"one")
    assert not blobs.create("a/b.json", b"two")
    assert not blobs.create("a/b.json", b"one")
    assert blobs.read("a/b.json") == b"one"


@pytest.mark.parametrize("blobs", KINDS, indirect=True)
def test_of_many_writers_one_creates(blobs: Blobs) -> None:
    barrier, won = threading.Barrier(8), []

    def create(name: str) -> None:
        barrier.wait()
        if blobs.create("lease", name.encode()):
            won.append(name)

    threads = [threading.Thread(target=create, args=(str(i),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert blobs.read("lease") == won[0].encode()


@pytest.mark.parametrize("blobs", KINDS, indirect=True)
def test_what_is_written_is_read(blobs: Blobs) -> None:
    assert blobs.read("a") is None
    blobs.write("a", b"")
    assert blobs.read("a") == b""
    large = bytes(range(256)) * (1 << 13)
    blobs.write("a", large)
    assert blobs.read("a") == large


@pytest.mark.parametrize("blobs", KINDS, indirect=True)
def test_a_list_is_sorted_and_of_whole_folders(blobs: Blobs) -> None:
    paths = ["b/2", "b/1", "b/c/1", "bb/1", "a", "b-1/x"]
    for path in paths:
        blobs.write(path, path.encode())
    listed = list(blobs.list(""))
    assert [blob.path for blob in listed] == sorted(paths)
    assert [blob.path for blob in blobs.list("b")] == ["b/1", "b/2", "b/c/1"]
    assert list(blobs.list("nothing")) == []
    assert blobs.list_folders("") == ["b", "b-1", "bb"]
    assert blobs.list_folders("b") == ["c"]
    assert blobs.list_folders("nothing") == []
    assert all(isinstance(blob, Blob) for blob in listed)
    assert listed[0].num_bytes == 1
    assert listed[0].modified_s > 1.7e9


@pytest.mark.parametrize("blobs", KINDS, indirect=True)
def test_what_is_deleted_is_gone(blobs: Blobs) -> None:
    blobs.write("a/b", b"1")
    blobs.delete("a/b")
    blobs.delete("a/b")
    assert blobs.read("a/b") is None
    assert blobs.create("a/b", b"2")


@pytest.mark.parametrize("blobs", KINDS, indirect=True)
@pytest.mark.parametrize("path", ["../a", "/a", ".a", "a/.b", "a//b", "a\nb", ""])
def test_no_path_leads_elsewhere(blobs: Blobs, path: str) -> None:
    for act in (
        lambda: blobs.read(path),
        lambda: blobs.create(path, b""),
        lambda: blobs.write(path, b""),
        lambda: blobs.delete(path),
    ):
        with pytest.raises(StoreError, match="unsafe file name"):
            act()


@pytest.mark.parametrize("blobs", STORES, indirect=True)
def test_many_files_are_listed(blobs: ObjectBlobs) -> None:
    """More than a server lists at once would be slow here; their number is enough."""
    for number in range(120):
        blobs.write(f"many/{number:04d}", b"")
    assert len(list(blobs.list("many"))) == 120


@pytest.mark.parametrize("blobs", KINDS, indirect=True)
def test_the_probe_accepts_the_store_and_leaves_nothing(blobs: Blobs) -> None:
    probe_store(blobs)
    assert list(blobs.list(FOLDER)) == []


def honours_if_match(blobs: ObjectBlobs) -> bool:
    """Whether the store refuses a write on a version that is no longer there.

    Nothing relies on it: some servers ignore the condition without a word.
    """
    import obstore

    path = secrets.token_hex(8)
    blobs.write(path, b"first")
    old_tag = obstore.head(blobs.store, path)["e_tag"]
    assert old_tag is not None
    blobs.write(path, b"second")
    outcome = attempt(
        lambda: obstore.put(blobs.store, path, b"third", mode={"e_tag": old_tag})
    )
    return isinstance(outcome, Problem)


@pytest.mark.parametrize("name", STORES)
def test_whether_if_match_is_honoured(
    name: str,
    find_server: Callable[[str], ObjectServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = use_server(find_server(name), monkeypatch)
    is_honoured = honours_if_match(open_blobs(new_place(server.scheme)))
    assert is_honoured == (name != "localbucket")


class ForgetfulBlobs(LocalBlobs):
    """A store that breaks one promise."""

    def __init__(self, folder: Path, fault: str) -> None:
        super().__init__(folder)
        self._fault = fault

    def create(self, path: str, data: bytes) -> bool:
        if self._fault == "overwrites":
            self.write(path, data)
            return True
        if self._fault == "refuses":
            return False
        return super().create(path, data)

    def read(self, path: str, max_bytes: int = MAX_BLOB_BYTES) -> bytes | None:
        data = super().read(path, max_bytes)
        return b"other" if self._fault == "mixes" and data else data

    def list(self, prefix: str) -> Iterator[Blob]:
        return iter(()) if self._fault == "hides" else super().list(prefix)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("overwrites", "accepts a create-only write of a file that exists"),
        ("refuses", "a create-only write of a new file was refused"),
        ("mixes", "read with other bytes"),
        ("hides", "is not listed"),
    ],
)
def test_the_probe_refuses_a_store_that_breaks_a_promise(
    tmp_path: Path, fault: str, message: str
) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        probe_store(ForgetfulBlobs(tmp_path, fault))
    assert len(str(caught.value).splitlines()) == 1

"""Blobs in memory, with a clock of their own and a count of each kind of call."""

import builtins
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterator

from cotbuild.builder.storage.blobs import MAX_BLOB_BYTES, Blob


class MemoryBlobs:
    """The Blobs protocol over a dictionary.

    Args:
        clock: Returns seconds since 1970, by which files are dated.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._files: dict[str, tuple[bytes, float]] = {}
        self._paths: list[str] = []  # sorted
        self.calls: Counter[str] = Counter()
        """Calls of each method; `pages` counts the lists by pages of 1,000 files."""

    @property
    def url(self) -> str:
        """See Blobs."""
        return "memory"

    def create(self, path: str, data: bytes) -> bool:
        """See Blobs."""
        self.calls["create"] += 1
        if path in self._files:
            return False
        self._put(path, data)
        return True

    def write(self, path: str, data: bytes) -> None:
        """See Blobs."""
        self.calls["write"] += 1
        self._put(path, data)

    def read(self, path: str, max_bytes: int = MAX_BLOB_BYTES) -> bytes | None:
        """See Blobs."""
        del max_bytes
        self.calls["read"] += 1
        found = self._files.get(path)
        return None if found is None else found[0]

    def list(self, prefix: str) -> Iterator[Blob]:
        """See Blobs."""
        folder = f"{prefix}/" if prefix else ""
        start = bisect_left(self._paths, folder)
        found = []
        for path in self._paths[start:] if not folder else self._from(start, folder):
            data, modified_s = self._files[path]
            found.append(Blob(path, len(data), modified_s))
        self.calls["list"] += 1
        self.calls["pages"] += 1 + max(len(found) - 1, 0) // 1_000
        return iter(found)

    def _from(self, start: int, folder: str) -> Iterator[str]:
        for i in range(start, len(self._paths)):
            if not self._paths[i].startswith(folder):
                return
            yield self._paths[i]

    def list_folders(self, prefix: str) -> builtins.list[str]:
        """See Blobs."""
        paths = [blob.path.removeprefix(f"{prefix}/") for blob in self.list(prefix)]
        return sorted({path.split("/")[0] for path in paths if "/" in path})

    def delete(self, path: str) -> None:
        """See Blobs."""
        self.calls["delete"] += 1
        if self._files.pop(path, None) is not None:
            del self._paths[bisect_left(self._paths, path)]

    def _put(self, path: str, data: bytes) -> None:
        if path not in self._files:
            insort(self._paths, path)
        self._files[path] = (data, self._clock())

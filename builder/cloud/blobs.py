"""Files by path on an object store."""

import builtins
import secrets
import time
from collections.abc import Iterator

from cotbuild.builder.cloud.client import (
    LIMITS,
    NO_BUCKET,
    Limits,
    Problem,
    attempt,
    open_store,
    retry,
    store_error,
)
from cotbuild.builder.cloud.urls import StoreUrl
from cotbuild.builder.storage.blobs import MAX_BLOB_BYTES, Blob
from cotbuild.builder.storage.places import safe_path
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.names import is_plain_path

NONCE = "cotbuildnonce"
"""Name of the metadata that tells whose a created object is; Azure allows no hyphen."""
_LIST_CHUNK = 1_000


def open_blobs(url: StoreUrl, limits: Limits = LIMITS) -> "ObjectBlobs":
    """Return the files below a place on a store; nothing is sent yet.

    Raises ConfigError if obstore is not installed or cannot use the environment.
    """
    return ObjectBlobs(url, limits)


class ObjectBlobs:
    """Files on an object store, below the prefix of a URL. See `Blobs`.

    Safe for several threads.
    """

    def __init__(self, url: StoreUrl, limits: Limits = LIMITS) -> None:
        self.place = url
        self.limits = limits
        self.store = open_store(url, limits)

    @property
    def url(self) -> str:
        """See Blobs."""
        return str(self.place)

    def create(self, path: str, data: bytes) -> bool:
        """See Blobs.

        Where the answer to a write was lost, the next one is refused by the very object
        that it wrote. A nonce in the metadata tells that it is ours; on a store that
        keeps no metadata, its bytes, which must therefore differ between writers.
        """
        import obstore

        key = self.key(path)
        nonce = secrets.token_hex(16)

        def put() -> object:
            return obstore.put(
                self.store,
                key,
                data,
                mode="create",
                attributes={NONCE: nonce},
                use_multipart=False,
            )

        problem: Problem | None = None
        for pause_s in self.limits.pauses():
            time.sleep(pause_s)
            try:
                outcome = attempt(put)
            except FileNotFoundError:
                outcome = NO_BUCKET
            if not isinstance(outcome, Problem):
                return True
            if outcome.is_taken:
                # After a first failure it may be what that one wrote.
                return problem is not None and self._is_ours(path, nonce, data)
            problem = outcome
            if not problem.is_passing:
                break
        assert problem is not None
        raise store_error(self.place, f"{path!r} could not be created", problem)

    def _is_ours(self, path: str, nonce: str, data: bytes) -> bool:
        """Return whether an object that exists is what an earlier try wrote.

        A server that stored the half of it that arrived gets the whole.
        """
        import obstore

        key = self.key(path)
        try:
            found = retry(
                self.place,
                f"{path!r} could not be read",
                lambda: obstore.get(self.store, key, options={"head": True}),
                self.limits,
            )
        except FileNotFoundError:
            return False
        kept = found.attributes.get(NONCE)
        if kept is not None and kept != nonce:
            return False
        stored = self.read(path)
        if stored is None or not data.startswith(stored):
            return False
        if stored != data:
            self.write(path, data)
        return True

    def write(self, path: str, data: bytes) -> None:
        """See Blobs."""
        import obstore

        key, what = self.key(path), f"{path!r} could not be written"
        try:
            retry(
                self.place,
                what,
                lambda: obstore.put(self.store, key, data, use_multipart=False),
                self.limits,
            )
            return
        except FileNotFoundError:
            pass
        raise self._no_bucket(what)

    def read(self, path: str, max_bytes: int = MAX_BLOB_BYTES) -> bytes | None:
        """See Blobs."""
        import obstore

        key, what = self.key(path), f"{path!r} could not be read"

        def get() -> bytes | int:
            found = obstore.get(self.store, key)
            size = found.meta["size"]
            return size if size > max_bytes else bytes(found.bytes())

        try:
            data = retry(self.place, what, get, self.limits)
        except FileNotFoundError:
            return None
        if isinstance(data, int):
            raise StoreError(
                f"{self.url}: {what}: it has {data} bytes, more than "
                f"{max_bytes >> 20} MiB. Check who wrote it."
            )
        return data

    def list(self, prefix: str) -> Iterator[Blob]:
        """See Blobs. What no path of a build can be is left out."""
        import obstore

        folder = self.key(prefix) if prefix else None

        def collect() -> list[Blob]:
            chunks = obstore.list(self.store, prefix=folder, chunk_size=_LIST_CHUNK)
            return [
                Blob(entry["path"], entry["size"], entry["last_modified"].timestamp())
                for chunk in chunks
                for entry in chunk
                if is_plain_path(entry["path"])
            ]

        what = f"{prefix or 'its files'!r} could not be listed"
        try:
            yield from sorted(retry(self.place, what, collect, self.limits))
            return
        except FileNotFoundError:
            pass
        raise self._no_bucket(what)

    def list_folders(self, prefix: str) -> builtins.list[str]:
        """See Blobs."""
        import obstore

        folder = self.key(prefix) if prefix else None
        what = f"{prefix or 'its folders'!r} could not be listed"
        try:
            found = retry(
                self.place,
                what,
                lambda: obstore.list_with_delimiter(self.store, prefix=folder),
                self.limits,
            )
        except FileNotFoundError:
            pass
        else:
            paths = found["common_prefixes"]
            return sorted(
                path.rpartition("/")[2] for path in paths if is_plain_path(path)
            )
        raise self._no_bucket(what)

    def delete(self, path: str) -> None:
        """See Blobs."""
        import obstore

        key = self.key(path)
        try:
            retry(
                self.place,
                f"{path!r} could not be deleted",
                lambda: obstore.delete(self.store, key),
                self.limits,
            )
        except FileNotFoundError:
            return

    def key(self, path: str) -> str:
        """Return the key of a path, relative to the prefix; raises StoreError."""
        return str(safe_path(path, self.url, StoreError))

    def _no_bucket(self, what: str) -> StoreError:
        return store_error(self.place, what, NO_BUCKET)

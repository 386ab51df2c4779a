"""Files of any size between a disk and a store, in flat memory, checked by digest."""

import hashlib
from pathlib import Path

from cotbuild.builder.cloud.blobs import ObjectBlobs
from cotbuild.builder.cloud.client import (
    NO_BUCKET,
    open_store,
    retry,
    store_error,
)
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import fsync_path, write_error

PART_BYTES = 8 << 20
"""Bytes of one request. A larger file is sent in several, and appears only whole."""
MAX_PARALLEL_PARTS = 4
_PART_RETRIES = 3


class StoreFiles:
    """Sends files to a store and fetches them, below the prefix of `blobs`."""

    def __init__(self, blobs: ObjectBlobs) -> None:
        self._blobs = blobs
        self._limits = blobs.limits
        # A part may be sent twice: only the whole file gets a name.
        self._store = open_store(blobs.place, blobs.limits, max_retries=_PART_RETRIES)

    def upload(self, path: str, local: Path) -> None:
        """Send a local file, or replace it as a whole. Raises StoreError."""
        import obstore

        key, what = self._blobs.key(path), f"{path!r} could not be written"
        try:
            size = local.stat().st_size
        except OSError as error:
            raise StoreError(
                f"{local}: could not be read: {error.strerror or error}."
            ) from error
        try:
            retry(
                self._blobs.place,
                what,
                lambda: obstore.put(
                    self._store,
                    key,
                    local,
                    use_multipart=size > PART_BYTES,
                    chunk_size=PART_BYTES,
                    max_concurrency=MAX_PARALLEL_PARTS,
                ),
                self._limits,
            )
            return
        except FileNotFoundError:
            pass
        raise store_error(self._blobs.place, what, NO_BUCKET)

    def copy(self, path: str, target: str) -> None:
        """Copy a file within the store, which moves no bytes here. Raises StoreError."""
        import obstore

        key, target_key = self._blobs.key(path), self._blobs.key(target)
        what = f"{path!r} could not be copied to {target!r}"
        try:
            retry(
                self._blobs.place,
                what,
                lambda: obstore.copy(self._store, key, target_key),
                self._limits,
            )
            return
        except FileNotFoundError:
            pass
        raise StoreError(f"{self._blobs.url}: {what}: it is not there.")

    def download(self, path: str, local: Path, num_bytes: int, sha256: str) -> None:
        """Fetch a file, which appears in `local` only with the right bytes.

        Raises StoreError if it is missing or has another size or digest.
        """
        part = local.with_name(f".{local.name}.part")
        try:
            local.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)  # a link there would be written through
            digest = self._download_parts(path, part, num_bytes)
            if digest == sha256:
                fsync_path(part)
                part.replace(local)
        except StoreError:
            raise
        except OSError as error:
            raise write_error(local, error) from error
        finally:
            part.unlink(missing_ok=True)
        if digest != sha256:
            raise StoreError(
                f"{self._blobs.url}: {path!r} has the sha256 {digest[:12]}, not "
                f"{sha256[:12]} as listed. Publish or build it again."
            )

    def _download_parts(self, path: str, part: Path, num_bytes: int) -> str:
        """Write the bytes of a file to `part` and return their SHA-256."""
        digest = hashlib.sha256()
        with part.open("xb") as file:
            for start in range(0, num_bytes, PART_BYTES):
                end = min(start + PART_BYTES, num_bytes)
                data = self.read_range(path, start, end)
                digest.update(data)
                file.write(data)
        return digest.hexdigest()

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` to before `end`. Raises StoreError."""
        import obstore

        key, what = self._blobs.key(path), f"{path!r} could not be read"

        def get() -> bytes:
            return bytes(obstore.get_range(self._store, key, start=start, end=end))

        data: bytes | None
        try:
            data = retry(self._blobs.place, what, get, self._limits)
        except FileNotFoundError:
            data = None
        if data is None:
            raise StoreError(f"{self._blobs.url}: {what}: it is not there.")
        if len(data) != end - start:
            raise StoreError(
                f"{self._blobs.url}: {what}: it has fewer than {end} bytes. Publish or "
                "build it again."
            )
        return data

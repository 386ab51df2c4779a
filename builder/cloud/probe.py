"""Whether a store keeps what leases and builds rely on, found out by trying."""

import secrets

from cotbuild.builder.storage.blobs import Blobs
from cotbuild.schemas.errors import StoreError

FOLDER = "probes"


def probe_store(blobs: Blobs) -> None:
    """Try what a build needs of a store: create-only writes, reads and lists.

    Leaves nothing behind. Raises StoreError in one line if the store accepts a second
    write that only creates, or does not show a file after it was written.
    """
    path = f"{FOLDER}/{secrets.token_hex(8)}"
    first, second = b"first", b"second"
    if not blobs.create(path, first):
        raise _refuse(blobs, "a create-only write of a new file was refused")
    try:
        if blobs.create(path, second):
            raise _refuse(blobs, "it accepts a create-only write of a file that exists")
        if blobs.read(path) != first:
            raise _refuse(blobs, "a file was read with other bytes than were written")
        if path not in {blob.path for blob in blobs.list(FOLDER)}:
            raise _refuse(blobs, "a file that was written is not listed")
    finally:
        blobs.delete(path)


def _refuse(blobs: Blobs, fault: str) -> StoreError:
    return StoreError(
        f"{blobs.url}: this store cannot hold a build: {fault}. Use another store; the "
        "tested ones are in docs/stores.md."
    )

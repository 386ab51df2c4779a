"""Small files by path, in a folder or an object store, with writes that only create.

All that workers on many machines share is such files. The one guarantee that they build
on is `create`: of several writers of one path exactly one succeeds. A file system has
it, and so have S3, GCS and Azure (`If-None-Match: *`).
"""

import builtins
import os
import secrets
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from cotbuild.builder.storage.places import plain_place, safe_path
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import open_regular, write_bytes_atomic, write_error

MAX_BLOB_BYTES = 1 << 30
"""Largest file that is read into memory."""


class Blob(NamedTuple):
    """A file in a list of them."""

    path: str
    """Relative to the store, with forward slashes."""
    num_bytes: int
    modified_s: float
    """When it was last written, seconds since 1970, by the clock of the store."""


class Blobs(Protocol):
    """Files by path. Every method may block; all raise StoreError, which names the file.

    A path is relative and plain, as `safe_path` checks; each of its parts may begin
    with a letter, a digit or an underscore.
    """

    @property
    def url(self) -> str:
        """Where the files are, for people: a folder, or `s3://bucket/prefix`."""

    def create(self, path: str, data: bytes) -> bool:
        """Write a file that must not exist; returns False where it does.

        Of several writers one succeeds, and readers see all of its bytes or none.
        """

    def write(self, path: str, data: bytes) -> None:
        """Write a file, or replace it as a whole."""

    def read(self, path: str, max_bytes: int = MAX_BLOB_BYTES) -> bytes | None:
        """Return the bytes of a file; None where there is none.

        Raises StoreError if it is larger than `max_bytes`; no more of it is read.
        """

    def list(self, prefix: str) -> Iterator[Blob]:
        """Yield every file below the folder `prefix`, at any depth, sorted by path.

        An empty prefix means all files.
        """

    def list_folders(self, prefix: str) -> builtins.list[str]:
        """Return the names of the folders directly in the folder `prefix`, sorted."""

    def delete(self, path: str) -> None:
        """Delete a file; nothing happens where there is none."""


class LocalBlobs:
    """Files in a folder, which may be shared between machines (NFS, Lustre).

    See `Blobs`. The folder is created with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def url(self) -> str:
        """See Blobs."""
        return str(self.folder)

    def create(self, path: str, data: bytes) -> bool:
        """See Blobs."""
        place = self._place(path)
        temporary = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            return _link(temporary, place)
        except OSError as fault:
            raise write_error(place, fault) from fault
        finally:
            temporary.unlink(missing_ok=True)

    def write(self, path: str, data: bytes) -> None:
        """See Blobs."""
        place = self._place(path)
        try:
            write_bytes_atomic(place, data)
        except OSError as fault:
            raise write_error(place, fault) from fault

    def read(self, path: str, max_bytes: int = MAX_BLOB_BYTES) -> bytes | None:
        """See Blobs."""
        place = self._place(path)
        try:
            with open_regular(place) as file:
                data = file.read(max_bytes + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as fault:
            raise _read_error(place, fault.strerror or str(fault)) from fault
        if len(data) > max_bytes:
            raise _read_error(place, f"larger than {max_bytes >> 20} MiB")
        return data

    def list(self, prefix: str) -> Iterator[Blob]:
        """See Blobs."""
        root = self._root(prefix)
        try:
            yield from sorted(_walk(root, self.folder))
        except OSError as fault:
            raise _read_error(root, fault.strerror or str(fault)) from fault

    def list_folders(self, prefix: str) -> builtins.list[str]:
        """See Blobs. Folders without a file are in it too."""
        root = self._root(prefix)
        try:
            entries = builtins.list(os.scandir(root))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as fault:
            raise _read_error(root, fault.strerror or str(fault)) from fault
        return sorted(
            entry.name
            for entry in entries
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
        )

    def delete(self, path: str) -> None:
        """See Blobs."""
        place = self._place(path)
        try:
            place.unlink(missing_ok=True)
        except NotADirectoryError:
            return
        except OSError as fault:
            raise write_error(place, fault) from fault

    def _root(self, prefix: str) -> Path:
        if not prefix:
            return self.folder
        return self.folder / safe_path(prefix, self.url, StoreError)

    def _place(self, path: str) -> Path:
        relative = safe_path(path, self.url, StoreError)
        return plain_place(self.folder, PurePosixPath(relative), self.url, StoreError)


def _link(temporary: Path, place: Path) -> bool:
    """Give a file its name; returns False where another one has it.

    Not O_EXCL at the name itself, where a reader could see a part of the file. A link
    also only creates, on NFS too.
    """
    try:
        os.link(temporary, place)
    except FileExistsError:
        # On NFS the reply can be lost, and the repeated request then finds its own link.
        # The number of links tells (open(2) of Linux, O_EXCL).
        return temporary.stat().st_nlink == 2
    return True


def _walk(folder: Path, root: Path) -> Iterator[Blob]:
    """Yield the regular files below a folder; those that disappear meanwhile are not."""
    try:
        entries = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue  # one that is being written
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), root)
        elif entry.is_file(follow_symlinks=False):
            try:
                stat = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            path = Path(entry.path).relative_to(root).as_posix()
            yield Blob(path, stat.st_size, stat.st_mtime)


def _read_error(place: Path, reason: str) -> StoreError:
    return StoreError(
        f"{place}: could not be read: {reason}. Check the file and its permissions."
    )

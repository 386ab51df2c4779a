"""Uploaded files, each stored once under its SHA-256 and owned by who uploaded it.

To own a file one must have sent all of it: who only knows its digest gets nothing. A
file of several owners stays until the last of them deletes it.

ROOT/.service/files/SHA256            the bytes
ROOT/.service/owners/OWNER/SHA256     empty: OWNER has uploaded it
"""

import asyncio
import errno
import hashlib
import os
import re
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, Self

from cotbuild.builder.service.folders import make_private_folder
from cotbuild.builder.web.problems import ProblemError, not_found
from cotbuild.schemas.files import fsync_path
from cotbuild.schemas.service.files import FileView

MIB: Final = 1 << 20
MAX_FILE_BYTES: Final = 2048 * MIB
"""Largest file that is accepted."""
MAX_TOTAL_BYTES: Final = 64 * 1024 * MIB
"""The most that all files may have together."""
MAX_FILES: Final = 10_000
"""Most files of one owner."""
MAX_UPLOADS: Final = 8
"""Uploads at a time; a further one is refused, and may be repeated."""
LEFT_AFTER_S: Final = 24 * 3600.0
"""An incomplete file to which nothing was written for as long has no server any more."""
_BLOCK_BYTES: Final = MIB
"""Bytes that are collected before they are written, by a thread."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class StoredUpload(NamedTuple):
    """An upload that is complete."""

    view: FileView
    is_new: bool
    """Whether its owner had not uploaded it before."""


class UploadStore:
    """The uploaded files below the folder of the service."""

    def __init__(
        self,
        service_folder: Path,
        *,
        max_file_bytes: int = MAX_FILE_BYTES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
    ) -> None:
        self.folder = service_folder / "files"
        self.max_file_bytes = max_file_bytes
        self.max_total_bytes = max_total_bytes
        self._owners = service_folder / "owners"
        self._incoming = self.folder / ".incoming"
        self._lock = threading.Lock()
        self._num_uploads = 0
        self._stored_bytes = 0
        self._incoming_bytes = 0
        for folder in (self.folder, self._owners, self._incoming):
            make_private_folder(folder)
        self._delete_left()

    async def put(
        self, sha256: str, owner: str, parts: AsyncIterator[bytes]
    ) -> StoredUpload:
        """Store the bytes of `parts`, whose digest must be `sha256`, for `owner`.

        Nothing can be seen of a file before all of it is on disk. Raises ProblemError
        if the digest differs, the file is too large, or there is no room.
        """
        with self._counted():
            try:
                await asyncio.to_thread(self._count_stored)
                with _Incoming(self._incoming / secrets.token_hex(16), self) as file:
                    async for part in parts:
                        if file.add(part):
                            await asyncio.to_thread(file.flush)
                    return await asyncio.to_thread(self._finish, file, sha256, owner)
            except OSError as error:
                raise _no_room(error) from error

    def list_files(self, owner: str) -> list[FileView]:
        """Return the files of an owner, by digest."""
        try:
            names = sorted(path.name for path in (self._owners / owner).iterdir())
        except FileNotFoundError:
            return []
        found = (self.find(name, owner) for name in names)
        return [view for view in found if view is not None]

    def find(self, sha256: str, owner: str) -> FileView | None:
        """Return a file of an owner; None if it is not there, or not theirs."""
        if _SHA256.fullmatch(sha256) is None:
            return None
        try:
            uploaded = (self._owners / owner / sha256).lstat()
            status = (self.folder / sha256).lstat()
        except FileNotFoundError:
            return None
        moment = datetime.fromtimestamp(uploaded.st_mtime, UTC)
        uploaded_at = moment.isoformat(timespec="seconds")
        return FileView(
            sha256=sha256, num_bytes=status.st_size, uploaded_at=uploaded_at
        )

    def delete(self, sha256: str, owner: str) -> bool:
        """Delete a file of an owner; return whether it has no other owner either.

        Raises ProblemError if the owner has no such file.
        """
        if self.find(sha256, owner) is None:
            raise not_found(f"File {sha256}")
        with self._lock:
            (self._owners / owner / sha256).unlink(missing_ok=True)
            is_owned = any(
                (folder / sha256).exists() for folder in self._owners.iterdir()
            )
            if not is_owned:
                (self.folder / sha256).unlink(missing_ok=True)
        return not is_owned

    # -- one upload --------------------------------------------------------------------

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count an upload for as long as it takes; raises ProblemError if there are many."""
        with self._lock:
            if self._num_uploads >= MAX_UPLOADS:
                raise ProblemError(
                    503,
                    "busy",
                    f"{MAX_UPLOADS} files are being uploaded, the most at a time.",
                    "Send it again in a moment.",
                )
            self._num_uploads += 1
        try:
            yield
        finally:
            with self._lock:
                self._num_uploads -= 1

    def _delete_left(self) -> None:
        """Delete what killed servers have left of uploads.

        Other servers of this folder are receiving the files that were written to lately.
        """
        with os.scandir(self._incoming) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # it was completed meanwhile
                    age_s = time.time() - entry.stat(follow_symlinks=False).st_mtime
                    if age_s > LEFT_AFTER_S:
                        Path(entry.path).unlink()

    def _count_stored(self) -> None:
        """Count the bytes of all files, those of other servers of this folder too."""
        self._delete_left()
        with os.scandir(self.folder) as entries:
            num_bytes = sum(
                entry.stat(follow_symlinks=False).st_size
                for entry in entries
                if _SHA256.fullmatch(entry.name)
            )
        with self._lock:
            self._stored_bytes = num_bytes

    def reserve(self, num_bytes: int) -> None:
        """Count bytes before they are written; negative ones are given back.

        Raises ProblemError if all files would be too large together.
        """
        with self._lock:
            self._incoming_bytes += num_bytes
            total = self._stored_bytes + self._incoming_bytes
        if num_bytes > 0 and total > self.max_total_bytes:
            raise ProblemError(
                507,
                "storage_full",
                f"Uploaded files may have {self.max_total_bytes:,} bytes in all.",
                "Delete some that are no longer needed.",
            )

    def _finish(self, incoming: "_Incoming", sha256: str, owner: str) -> StoredUpload:
        found = incoming.finish()
        if found != sha256:
            raise ProblemError(
                422,
                "digest_mismatch",
                f"The SHA-256 of the body is {found}, and the address says {sha256}.",
                "Send the file again, to the address with its own digest.",
            )
        with self._lock:
            was_owned = self.find(sha256, owner) is not None
            make_private_folder(self._owners / owner)
            if not was_owned:
                self._check_number(owner)
            if not _has_size(self.folder / sha256, incoming.num_bytes):
                incoming.path.replace(self.folder / sha256)
                fsync_path(self.folder)
            (self._owners / owner / sha256).touch(mode=0o600)
        view = self.find(sha256, owner)
        if view is None:
            raise not_found(f"File {sha256}", "It was deleted meanwhile.")
        return StoredUpload(view, is_new=not was_owned)

    def _check_number(self, owner: str) -> None:
        num_files = sum(1 for _ in (self._owners / owner).iterdir())
        if num_files >= MAX_FILES:
            raise ProblemError(
                507,
                "storage_full",
                f"{owner} has {MAX_FILES:,} files, the most that one may have.",
                "Delete some that are no longer needed.",
            )


class _Incoming:
    """A file that is being uploaded. It is deleted unless it was moved."""

    def __init__(self, path: Path, store: UploadStore) -> None:
        self.path = path
        self.num_bytes = 0
        self._store = store
        self._digest = hashlib.sha256()
        self._block = bytearray()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)

    def add(self, part: bytes) -> bool:
        """Collect a part; return whether there is enough to be written."""
        self._block += part
        total = self.num_bytes + len(self._block)
        if total > self._store.max_file_bytes:
            raise ProblemError(
                413,
                "body_too_large",
                f"The file has more than {self._store.max_file_bytes:,} bytes.",
                "Split it.",
            )
        return len(self._block) >= _BLOCK_BYTES

    def flush(self) -> None:
        """Write what was collected."""
        block, self._block = bytes(self._block), bytearray()
        self.num_bytes += len(block)
        self._store.reserve(len(block))
        self._digest.update(block)
        unwritten = memoryview(block)
        while unwritten:  # a write to a nearly full disk is short, the next one fails
            unwritten = unwritten[self._file.write(unwritten) :]

    def finish(self) -> str:
        """Write the rest and return the digest of all."""
        self.flush()
        os.fsync(self._file.fileno())
        return self._digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)
        self._store.reserve(-self.num_bytes)


def _has_size(path: Path, num_bytes: int) -> bool:
    """Return whether a file is there and has as many bytes."""
    try:
        return path.lstat().st_size == num_bytes
    except FileNotFoundError:
        return False


def _no_room(error: OSError) -> ProblemError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ProblemError(507, "storage_full", "The disk of the service is full.")
    reason = error.strerror or str(error)
    return ProblemError(500, "store_failed", f"The file was not stored: {reason}.")

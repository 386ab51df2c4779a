"""Versions of a folder on a store, each whole or absent, and the newest one named last.

URL/
  0123456789abcdef/…      the files of a version, in a folder named by their digests
  heads/000003.json       what the third version is (see Snapshot); only ever created

A version is published by creating the file with the next number, after all of its files
were written. Of two writers one succeeds, and nothing that a reader of an older version
needs is replaced.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import Field

from cotbuild.builder.build.directory import MANIFEST
from cotbuild.builder.cloud.blobs import ObjectBlobs
from cotbuild.builder.cloud.files import StoreFiles
from cotbuild.builder.storage.places import safe_path
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import MAX_RECORD_BYTES, file_sha256
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.json_text import JsonFault, parse_record_json
from cotbuild.schemas.record import FORMAT_VERSION, Record, check_format

HEADS = "heads"
MAX_HEADS = 10_000
"""Most versions that are searched for a commit."""

_HEAD = re.compile(rf"{HEADS}/(\d{{6}})\.json", re.ASCII)
Progress = Callable[[int, int], None]


class SnapshotFile(Record):
    """A file of a version."""

    num_bytes: int = Field(ge=0, description="Size in bytes.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Its checksum.")


class Snapshot(Record):
    """A version of a folder: the content of heads/NUMBER.json."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    number: int = Field(ge=1, description="Its number, from 1 on.")
    commit: str = Field(
        pattern=r"^[0-9a-f]{64}$",
        description="Digest over paths and checksums of its files.",
    )
    files: dict[str, SnapshotFile] = Field(description="Its files by path.")
    tags: dict[str, str] = Field(default={}, description="Tag to commit.")

    @property
    def folder(self) -> str:
        """The folder of its files."""
        return self.commit[:16]


def describe_files(files: Mapping[str, Path]) -> dict[str, SnapshotFile]:
    """Return size and checksum of local files. Raises OSError."""
    return {
        path: SnapshotFile(num_bytes=local.stat().st_size, sha256=file_sha256(local))
        for path, local in sorted(files.items())
    }


def commit_of(files: Mapping[str, SnapshotFile]) -> str:
    """Return the digest that stands for the files of a version."""
    return digest(
        "store/1", sorted((path, file.sha256) for path, file in files.items())
    )


class SnapshotStore:
    """The versions of a folder on a store. Every method raises StoreError."""

    def __init__(self, blobs: ObjectBlobs) -> None:
        self._blobs = blobs
        self._files = StoreFiles(blobs)

    def newest(self) -> Snapshot | None:
        """Return the newest version; None if there is none."""
        numbers = self._numbers()
        return self._read(numbers[-1]) if numbers else None

    def find_commit(self, commit: str) -> Snapshot | None:
        """Return the newest version with this commit, or None."""
        for number in reversed(self._numbers()[-MAX_HEADS:]):
            snapshot = self._read(number)
            if snapshot.commit == commit:
                return snapshot
        return None

    def upload(
        self,
        files: Mapping[str, SnapshotFile],
        local: Mapping[str, Path],
        previous: Snapshot | None,
        progress: Progress,
    ) -> None:
        """Write the files of a version that are not on the store yet.

        `local` are those that are at hand; the rest is copied from the `previous` version.
        What an interrupted attempt wrote is not sent again. manifest.json comes last.
        """
        folder = commit_of(files)[:16]
        there = {blob.path: blob.num_bytes for blob in self._blobs.list(folder)}
        total = sum(file.num_bytes for file in files.values())
        done = 0
        for path in sorted(files, key=lambda path: (path == MANIFEST, path)):
            target = f"{folder}/{path}"
            file = files[path]
            is_kept = previous is not None and previous.files.get(path) == file
            if there.get(target) != file.num_bytes:
                if is_kept and previous is not None and previous.folder != folder:
                    self._files.copy(f"{previous.folder}/{path}", target)
                else:
                    self._files.upload(target, local[path])
            done += file.num_bytes
            progress(done, total)

    def publish(self, snapshot: Snapshot) -> bool:
        """Make a version the newest one; returns False if another one has its number."""
        text = snapshot.model_dump_json(indent=1) + "\n"
        return self._blobs.create(_head_path(snapshot.number), text.encode())

    def download(self, snapshot: Snapshot, path: str, local: Path) -> None:
        """Fetch a file of a version, with its checksum compared."""
        file = snapshot.files[path]
        self._files.download(
            f"{snapshot.folder}/{path}", local, file.num_bytes, file.sha256
        )

    def delete_older(self, num_kept: int) -> None:
        """Delete every version but the newest `num_kept`, their files first.

        Those with a tag stay.
        """
        numbers = self._numbers()
        newest = [self._read(number) for number in numbers[-num_kept:]]
        tagged = set(newest[-1].tags.values()) if newest else set()
        kept = {snapshot.folder for snapshot in newest}
        for number in numbers[:-num_kept]:
            snapshot = self._read(number)
            if snapshot.commit in tagged:
                continue
            if snapshot.folder not in kept:
                for blob in self._blobs.list(snapshot.folder):
                    self._blobs.delete(blob.path)
            self._blobs.delete(_head_path(number))

    def _numbers(self) -> list[int]:
        """Return the numbers of all versions, rising."""
        numbers = []
        for blob in self._blobs.list(HEADS):
            match = _HEAD.fullmatch(blob.path)
            if match is None:
                continue
            if blob.num_bytes > MAX_RECORD_BYTES:
                raise StoreError(
                    f"{self._blobs.url}/{blob.path}: {blob.num_bytes} bytes, more than "
                    f"{MAX_RECORD_BYTES >> 20} MiB. {_REMEDY}"
                )
            numbers.append(int(match[1]))
        return sorted(numbers)

    def _read(self, number: int) -> Snapshot:
        path = _head_path(number)
        where = f"{self._blobs.url}/{path}"
        data = self._blobs.read(path)
        if data is None:
            raise StoreError(f"{where}: it was deleted meanwhile. Run again.")
        try:
            value = parse_record_json(data)
        except JsonFault as fault:
            raise StoreError(f"{where}: not JSON: {fault}. {_REMEDY}") from fault
        if isinstance(value, dict):
            check_format(value.get("format_version"), where, StoreError)
        snapshot = Snapshot.parse(value, where, StoreError)
        for file in snapshot.files:
            safe_path(file, where, StoreError)
        if snapshot.number != number or commit_of(snapshot.files) != snapshot.commit:
            raise StoreError(f"{where}: its numbers do not match. {_REMEDY}")
        return snapshot


_REMEDY = "Delete this file, and publish or build again."


def _head_path(number: int) -> str:
    return f"{HEADS}/{number:06d}.json"

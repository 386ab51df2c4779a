"""The files of a build, to download: those that its manifest names, and its records.

A path of a request is only compared with these names. A checksum is computed once for
each state of a file, so that the ETag is that of the bytes which are sent.
"""

import hashlib
import os
import threading
from collections import OrderedDict
from io import BufferedReader
from typing import Final, NamedTuple
from urllib.parse import quote

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.build.directory import CARD, CONFIG, MANIFEST
from cotbuild.builder.service.downloads import Download
from cotbuild.builder.storage.places import safe_place
from cotbuild.builder.web.problems import ProblemError, not_found
from cotbuild.schemas.files import open_regular
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.service.files import BuildFile

RECORDS: Final = (MANIFEST, CARD, CONFIG)
"""The files of a build that its manifest does not list."""
MAX_CACHED: Final = 10_000
_MEDIA_TYPES: Final = {
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
}


class _FileState(NamedTuple):
    """What changes when a file does."""

    device: int
    inode: int
    num_bytes: int
    mtime_ns: int


class BuildFiles:
    """Finds and opens files of builds. It may be used from several threads."""

    def __init__(self) -> None:
        self._checksums: OrderedDict[_FileState, str] = OrderedDict()
        self._lock = threading.Lock()

    def list_files(self, name: str, build: StoredBuild) -> list[BuildFile]:
        """Return the files of a build: its records, then parquet files in order."""
        found = []
        for path in RECORDS:
            place = safe_place(build.folder, path)
            if place.is_file():
                size = place.lstat().st_size
                link = file_link(name, path)
                found.append(BuildFile(path=path, num_bytes=size, link=link))
        for entry in build.manifest.files:
            found.append(
                BuildFile(
                    path=entry.path,
                    num_bytes=entry.num_bytes,
                    sha256=entry.sha256,
                    num_rows=entry.num_rows,
                    link=file_link(name, entry.path),
                )
            )
        return found

    def open(self, build: StoredBuild, path: str) -> Download:
        """Open a file of a build by its path.

        Raises ProblemError if the build has no such file, or it is not the one that the
        manifest names.
        """
        expected = {entry.path: entry.sha256 for entry in build.manifest.files}
        if path not in expected and path not in RECORDS:
            raise not_found(f"File {short_repr(path)} of the build")
        place = safe_place(build.folder, path)
        try:
            file = open_regular(place)
        except OSError:
            raise not_found(f"File {short_repr(path)} of the build") from None
        try:
            sha256 = self._checksum(file)
            if sha256 != expected.get(path, sha256):
                raise ProblemError(
                    409,
                    "file_changed",
                    f"The file {path!r} is not the one that the manifest names.",
                    "Ask again if the build is being changed; else run `cotbuild verify`.",
                )
        except BaseException:
            file.close()
            raise
        media_type = _MEDIA_TYPES.get(place.suffix, "application/octet-stream")
        return Download(file, media_type, place.name, sha256)

    def _checksum(self, file: BufferedReader) -> str:
        status = os.fstat(file.fileno())
        state = _FileState(
            status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
        )
        with self._lock:
            known = self._checksums.get(state)
        if known is not None:
            return known
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with self._lock:
            self._checksums[state] = sha256
            while len(self._checksums) > MAX_CACHED:
                self._checksums.popitem(last=False)
        return sha256


def file_link(name: str, path: str) -> str:
    """Return the address of a file of a build."""
    return f"/v1/builds/{quote(name, safe='')}/files/{quote(path)}"

"""A build of a service, and its download."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from cotbuild.builder.api import Build
from cotbuild.builder.build.directory import MANIFEST
from cotbuild.builder.client.connection import Connection
from cotbuild.builder.client.records import receive
from cotbuild.builder.client.uploads import hash_file
from cotbuild.builder.storage.places import safe_place
from cotbuild.schemas.errors import DataError, ServiceError
from cotbuild.schemas.files import fsync_path, write_error
from cotbuild.schemas.service.files import BuildFile

MAX_FILES = 100_000
_PART = ".part"
Progress = Callable[[int, int], None]
"""Called with the number of bytes done and the total."""


class RemoteBuild:
    """A build under the root of a service."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self.name = name

    def __repr__(self) -> str:
        return f"RemoteBuild({self.name!r})"

    def info(self) -> dict[str, Any]:
        """Return its manifest, settings and counts as the service has them."""
        return dict(self._connection.request("GET", self._path()).json())

    def files(self) -> list[BuildFile]:
        """Return its files. Raises ServiceError."""
        value = self._connection.request("GET", self._path("/files")).json()
        entries = value.get("files") if isinstance(value, dict) else None
        if not isinstance(entries, list) or len(entries) > MAX_FILES:
            raise ServiceError(f"{self.name}: the service lists no files. Upgrade one.")
        return [receive(BuildFile, entry, f"{self.name}: file") for entry in entries]

    def download(
        self, out: str | Path, *, progress: Progress = lambda _done, _total: None
    ) -> Build:
        """Download it to the folder `out`, and open it.

        Each file is compared with its SHA-256; manifest.json comes last, so that an
        incomplete folder is no build. Call it again to resume: files that are there are
        kept, and a part of one is continued. Raises DataError if what came differs, as
        it does if the build is made anew meanwhile, ServiceError, StoreError.
        """
        folder = Path(out)
        files = sorted(self.files(), key=lambda file: file.path == MANIFEST)
        total, done = sum(file.num_bytes for file in files), 0
        for file in files:
            place = safe_place(folder, file.path, self.name)
            before = done

            def show(num_bytes: int, before: int = before) -> None:
                progress(before + num_bytes, total)

            try:
                self._download_file(file, place, show)
            except OSError as fault:
                raise write_error(place, fault) from fault
            done += file.num_bytes
            progress(done, total)
        build = Build.open(folder)
        self._compare(files, build)
        return build

    def _download_file(
        self, file: BuildFile, place: Path, progress: Callable[[int], None]
    ) -> None:
        if (
            file.sha256 is not None
            and place.is_file()
            and hash_file(place) == file.sha256
        ):
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}{_PART}")
        may_repeat = self._connection.wait_to_repeat()
        while True:
            try:
                expected = self._read_into(file, part, progress)
                break
            except httpx.TransportError as fault:
                if not may_repeat():
                    raise ServiceError(
                        f"{self._connection.url}: {file.path} broke off: "
                        f"{type(fault).__name__}. Download it again to go on."
                    ) from fault
        found = hash_file(part)
        if expected is not None and found != expected:
            part.unlink()
            raise DataError(
                f"{self.name}: {file.path} has SHA-256 {found[:16]}, expected "
                f"{expected[:16]}. The build may have been made anew; download it again."
            )
        fsync_path(part)
        part.replace(place)

    def _read_into(
        self, file: BuildFile, part: Path, progress: Callable[[int], None]
    ) -> str | None:
        """Append what is missing of a file, and return the SHA-256 it should have."""
        start = part.stat().st_size if part.is_file() else 0
        headers = {}
        if start and file.sha256 is not None:
            headers = {"Range": f"bytes={start}-", "If-Range": f'"{file.sha256}"'}
        path = self._path(f"/files/{quote(file.path)}")
        if start >= file.num_bytes > 0 and file.sha256 is not None:
            return file.sha256  # all of it came before
        with self._connection.stream(path, headers=headers) as answer:
            is_rest = answer.status_code == 206
            size = start if is_rest else 0
            with part.open("ab" if is_rest else "wb") as target:
                for block in answer.iter_raw():
                    target.write(block)
                    size += len(block)
                    if size > max(file.num_bytes, 1 << 20) * 2:
                        raise DataError(
                            f"{self.name}: {file.path} is larger than the service lists. "
                            "Download it again."
                        )
                    progress(size)
            tag = answer.headers.get("etag", "").strip('"')
        return file.sha256 or (tag if len(tag) == 64 else None)

    def _compare(self, files: list[BuildFile], build: Build) -> None:
        """Compare the files that came with those of the manifest; raises DataError."""
        came = {file.path: file.sha256 for file in files}
        for entry in build.manifest.files:
            known = came.get(entry.path)
            if (known or hash_file(build.folder / entry.path)) != entry.sha256:
                raise DataError(
                    f"{self.name}: {entry.path} is not the file of the manifest. The "
                    "build was made anew meanwhile; download it again."
                )

    def _path(self, rest: str = "") -> str:
        return f"/v1/builds/{quote(self.name, safe='')}{rest}"

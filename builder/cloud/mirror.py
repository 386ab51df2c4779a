"""A build on a store, worked on through a folder on this disk: its mirror.

URL/
  heads/, 0123456789abcdef/   the finished build, see snapshots.py
  media/                      its pictures
  .answers/gen-0001/…         its answers, see journals.py
  .answers/state/             small files of the answer store, such as teacher.json
  .answers/lease/             which run writes the build, see build_lease.py
  .answers/work               what workers share

Mirrors are in the cache folder, one a build. All that a run stores is on this disk first
and shipped while it runs, so a mirror that is lost costs the answers of half a minute,
and one that is left is what the next run here goes on from.
"""

import hashlib
import re
import secrets
import shutil
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from pydantic import Field

from cotbuild.builder.build.directory import (
    CARD,
    CONFIG,
    INSTALLING,
    MANIFEST,
    find_manifest,
)
from cotbuild.builder.build.images import image_path
from cotbuild.builder.build.install import complete_install
from cotbuild.builder.cloud import build_lease
from cotbuild.builder.cloud.blobs import ObjectBlobs, open_blobs
from cotbuild.builder.cloud.journals import JournalCopies
from cotbuild.builder.cloud.snapshots import (
    Snapshot,
    SnapshotStore,
    commit_of,
    describe_files,
)
from cotbuild.builder.cloud.urls import StoreUrl
from cotbuild.builder.media.check import MAX_IMAGE_BYTES
from cotbuild.builder.storage.answer_store import ANSWERS, AnswerStore
from cotbuild.builder.storage.blobs import Blobs
from cotbuild.builder.storage.places import plain_place, safe_path
from cotbuild.builder.ui import Ui
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.event import Phase
from cotbuild.schemas.files import (
    MAX_RECORD_BYTES,
    fsync_path,
    open_regular,
    read_record,
    write_bytes_atomic,
    write_error,
    write_record,
)
from cotbuild.schemas.names import MEDIA, PICTURES
from cotbuild.schemas.record import FORMAT_VERSION, Record

NUM_VERSIONS_KEPT = 2
"""Versions of a build that stay: readers of the one before the newest are not torn."""
MAX_PARALLEL = 8
_BRINGING = ".bringing"
_STATE = "state"
_PICTURE_FILE = re.compile(rf"{MEDIA}/([0-9a-f]{{64}})\.[a-z]{{3,4}}", re.ASCII)
_STATE_FILE = re.compile(r"[a-z][a-z0-9_-]*\.json", re.ASCII)


class _MirrorFile(Record):
    """The content of mirror.json, beside the folder of a mirror."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    url: str = Field(description="The place on the store.")
    holder: str = Field(description="What its runs are called in leases.")
    number: int = Field(default=0, ge=0, description="Version that it was brought to.")
    commit: str = Field(default="", description="Commit of that version.")

    def is_at(self, snapshot: Snapshot) -> bool:
        """Whether it was brought to a version.

        Numbers start again where a build was deleted and built anew.
        """
        return (self.number, self.commit) == (snapshot.number, snapshot.commit)


class Mirror:
    """A build on a store, and the folder to work on it.

    `opening.open_mirror` yields one.

    Every method raises StoreError.
    """

    def __init__(self, url: StoreUrl, place: Path) -> None:
        self.url = url
        self.folder = place / "build"
        """The build directory on this disk."""
        self._place = place
        self._blobs = open_blobs(url)
        self._answers = open_blobs(url.child(ANSWERS))
        self.board: Blobs = open_blobs(url.child(f"{ANSWERS}/work"))
        """What workers on many machines share."""
        self._snapshots = SnapshotStore(self._blobs)
        self.store = AnswerStore(self.folder)
        """The answer store in it."""
        self.journals = JournalCopies(self._answers, self.store)
        self._state_sent: dict[str, tuple[int, int]] = {}
        self._media_sent: set[str] = set()
        self._record = self._read_record()

    @property
    def answers(self) -> ObjectBlobs:
        """The files of the answer store on the store."""
        return self._answers

    @property
    def holder(self) -> str:
        """What the runs with this mirror are called in leases."""
        return self._record.holder

    # -- from the store

    def bring_answers(self) -> int:
        """Bring what workers have shipped since; return the number of bytes."""
        return self.journals.bring()

    def bring_all(self, ui: Ui) -> None:
        """Bring the finished build, its pictures and its answers."""
        self.bring_build(ui)
        self.bring_inputs()
        self.bring_answers()

    def bring_inputs(self) -> None:
        """Bring what requests are made from: pictures, and the teacher's identity."""
        self._bring_state()
        self._bring_media()

    def is_current(self) -> bool:
        """Whether the newest finished build is here."""
        newest = self._snapshots.newest()
        has_manifest = (self.folder / MANIFEST).is_file()
        return newest is not None and has_manifest and self._record.is_at(newest)

    def bring_pictures_of_build(self) -> None:
        """Bring the pictures if the finished build here has any."""
        manifest = find_manifest(self.folder)
        if manifest is not None and manifest.media is not None:
            self._bring_media()

    def bring_build(self, ui: Ui) -> bool:
        """Bring the newest finished build; return False if there is none on the store.

        A build that was made here and not shipped stays if nobody published another one
        meanwhile.
        """
        newest = self._snapshots.newest()
        complete_install(self.folder)
        if newest is None:
            return False
        has_manifest = (self.folder / MANIFEST).is_file()
        if self._record.is_at(newest) and has_manifest:
            return True
        ui.phase(Phase.DOWNLOADING)
        stage = self.folder / _BRINGING
        with ui.counting("bytes") as progress:
            self._download(newest, stage, progress)
        try:
            fsync_path(stage)
            # Decided from here on; complete_install puts the manifest in place last.
            stage.replace(self.folder / INSTALLING)
            fsync_path(self.folder)
        except OSError as error:
            raise write_error(stage, error) from error
        complete_install(self.folder)
        self._note_version(newest)
        return True

    def _download(
        self, snapshot: Snapshot, stage: Path, progress: Callable[[int, int], None]
    ) -> None:
        shutil.rmtree(stage, ignore_errors=True)
        local = _local_files(self.folder)
        # The picture that is a part of the version may not be here yet.
        known = describe_files(
            {path: place for path, place in local.items() if place.is_file()}
        )
        wanted = [
            path
            for path, file in snapshot.files.items()
            if known.get(path) != file or path == MANIFEST
        ]
        try:
            stage.mkdir(parents=True)
        except OSError as error:
            raise write_error(stage, error) from error
        calls = [
            partial(self._snapshots.download, snapshot, path, stage / path)
            for path in wanted
        ]
        sizes = [snapshot.files[path].num_bytes for path in wanted]
        _in_parallel(calls, sizes, progress)

    def _bring_state(self) -> None:
        for blob in self._answers.list(_STATE):
            name = blob.path.rpartition("/")[2]
            if not _STATE_FILE.fullmatch(name) or blob.num_bytes > MAX_RECORD_BYTES:
                continue
            place = self.store.root / name
            data = None if place.exists() else self._answers.read(blob.path)
            if data is not None:
                _write(place, data)

    def _bring_media(self) -> None:
        calls: list[Callable[[], object]] = []
        for blob in self._blobs.list(MEDIA):
            match = _PICTURE_FILE.fullmatch(blob.path)
            if match is None:
                continue  # nothing that cotbuild wrote
            if blob.num_bytes > MAX_IMAGE_BYTES:
                raise StoreError(
                    f"{self.url}: {blob.path!r} has {blob.num_bytes} bytes, more than "
                    f"{MAX_IMAGE_BYTES >> 20} MiB. Check who wrote it, and delete it."
                )
            self._media_sent.add(blob.path)
            path = safe_path(blob.path, str(self.url), StoreError)
            place = plain_place(self.folder, path, str(self.folder), StoreError)
            if not place.exists():
                calls.append(partial(self._bring_picture, blob.path, match[1], place))
        _in_parallel(calls, [0] * len(calls), lambda *_: None)

    def _bring_picture(self, path: str, sha256: str, place: Path) -> None:
        data = self._blobs.read(path)
        if data is None:
            return
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(
                f"{self.url}: {path!r}: its bytes are not those that its name says. "
                "Delete it, and run the command that wrote the build again."
            )
        _write(place, data)

    # -- to the store

    def ship(self) -> None:
        """Ship what only this disk has of answers, pictures and small files."""
        self._ship_state()
        self._ship_media()
        self.journals.ship()

    def _ship_state(self) -> None:
        for place in sorted(self.store.root.glob("*.json")):
            stat = place.stat()
            version = (stat.st_size, stat.st_mtime_ns)
            is_state = _STATE_FILE.fullmatch(place.name) is not None
            if is_state and self._state_sent.get(place.name) != version:
                self._answers.write(f"{_STATE}/{place.name}", _read(place))
                self._state_sent[place.name] = version

    def _ship_media(self) -> None:
        folder = self.folder / MEDIA
        for place in sorted(folder.rglob("*")) if folder.is_dir() else ():
            path = place.relative_to(self.folder).as_posix()
            is_hidden = place.name.startswith(".")
            if is_hidden or not place.is_file() or path in self._media_sent:
                continue
            self._blobs.create(path, _read(place))  # its name is its content
            self._media_sent.add(path)

    def refuse_release(self) -> None:
        """Raise StoreError if a release is there, which a build would replace.

        A build has had a lease since its first run, and no tags.
        """
        newest = self._snapshots.newest()
        if newest is None:
            return
        has_lease = any(True for _ in self._answers.list(build_lease.LEASES))
        if newest.tags or not has_lease:
            raise StoreError(
                f"{self.url}: a release is there, which a build would replace. Choose "
                "another place; `cotbuild pull` brings a release into a folder."
            )

    def publish(self, ui: Ui) -> None:
        """Make the finished build here the newest one on the store, if it is not.

        Raises StoreError if another run published one meanwhile.
        """
        local = _local_files(self.folder)
        if not local:
            return
        newest = self._snapshots.newest()
        files = describe_files(local)
        commit = commit_of(files)
        if newest is not None and newest.commit == commit:
            self._note_version(newest)
            return
        number = 1 if newest is None else newest.number + 1
        ui.phase(Phase.UPLOADING)
        with ui.counting("bytes") as progress:
            self._snapshots.upload(files, local, newest, progress)
        snapshot = Snapshot(number=number, commit=commit, files=files)
        if not self._snapshots.publish(snapshot):
            raise StoreError(
                f"{self.url}: another run published a build meanwhile. Run the same "
                "command again: it takes what that one stored."
            )
        self._note_version(snapshot)
        try:
            self._snapshots.delete_older(NUM_VERSIONS_KEPT)
        except StoreError as error:
            ui.say(f"older versions stay on the store: {error}")

    # -- mirror.json

    def _read_record(self) -> _MirrorFile:
        path = self._place / "mirror.json"
        remedy = f"Delete {self._place}: what was shipped is on the store."
        record = read_record(path, _MirrorFile, remedy=remedy, error=StoreError)
        if record is None:
            holder = f"{host_name()}-{secrets.token_hex(6)}"
            record = _MirrorFile(url=str(self.url), holder=holder)
            write_record(path, record)
        return record

    def _note_version(self, snapshot: Snapshot) -> None:
        if not self._record.is_at(snapshot):
            version = {"number": snapshot.number, "commit": snapshot.commit}
            self._record = self._record.model_copy(update=version)
            write_record(self._place / "mirror.json", self._record)


def host_name() -> str:
    """Return the name of this machine as a part of a file name."""
    return re.sub(r"[^\w.-]", "-", socket.gethostname(), flags=re.ASCII)[:60] or "host"


def _local_files(folder: Path) -> dict[str, Path]:
    """Return the files of the finished build in a folder by path; none without one."""
    manifest = find_manifest(folder)
    if manifest is None:
        return {}
    optional = [path for path in (CARD, *sorted(PICTURES)) if (folder / path).is_file()]
    paths = [MANIFEST, CONFIG, *optional, *(entry.path for entry in manifest.files)]
    if manifest.media is not None and manifest.media.example is not None:
        paths.append(image_path(manifest.media.example))
    return {path: folder / path for path in paths}


def _in_parallel(
    calls: Sequence[Callable[[], object]],
    sizes: Sequence[int],
    progress: Callable[[int, int], None],
) -> None:
    """Call functions, a few at a time; raises the first error.

    `progress` hears of the sum of the `sizes` of those that are done.
    """
    done, total = 0, sum(sizes)
    with ThreadPoolExecutor(MAX_PARALLEL) as pool:
        futures = {
            pool.submit(call): size for call, size in zip(calls, sizes, strict=True)
        }
        try:
            for future in as_completed(futures):
                future.result()
                done += futures[future]
                progress(done, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _read(place: Path) -> bytes:
    try:
        with open_regular(place) as file:
            return file.read()
    except OSError as error:
        raise StoreError(
            f"{place}: could not be read: {error.strerror or error}."
        ) from error


def _write(place: Path, data: bytes) -> None:
    try:
        write_bytes_atomic(place, data)
    except OSError as error:
        raise write_error(place, error) from error

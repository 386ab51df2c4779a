"""A folder as a target of releases; `load_dataset` reads it.

A user's own files in the folder are kept. Bookkeeping is in PATH/.release/:

  lock          held with flock while files are written
  release.json  the files that belong to the release, and the tags
  incoming/     files being copied; what an interrupted attempt copied is reused
  pending.json  a decided commit: readers are refused until a publish completes it

Whoever created the folder may have written any of these, and links: every path goes
through the door in `builder.storage.places`.

Only the newest state is kept, so a tag of an older one cannot be read. A commit is the
digest over the files of the release.
"""

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TypeVar

from pydantic import Field

from cotbuild.builder.build.directory import MANIFEST
from cotbuild.builder.hub.names import FILE_PREFIX
from cotbuild.builder.hub.target import Progress, RemoteFile, RemoteState
from cotbuild.builder.storage.places import plain_place, safe_path, safe_place
from cotbuild.schemas.errors import PublishError, StoreError
from cotbuild.schemas.files import (
    file_lock,
    file_sha256,
    fsync_path,
    open_regular,
    read_record,
    write_record,
)
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.record import FORMAT_VERSION, Record

HIDDEN = ".release"
R = TypeVar("R", bound=Record)


class _ReleaseFile(Record):
    """The content of release.json."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    files: tuple[str, ...] = Field(
        default=(), description="Paths that were put here; others are a user's own."
    )
    tags: dict[str, str] = Field(default={}, description="Tag to commit.")


class _PendingFile(Record):
    """The content of pending.json."""

    format_version: int = Field(default=FORMAT_VERSION, description="Format version.")
    add: tuple[str, ...] = Field(
        default=(), description="Paths whose files wait in incoming/."
    )
    delete: tuple[str, ...] = Field(default=(), description="Paths to be removed.")


class FolderTarget:
    """A folder; see ReleaseTarget for its methods.

    Commits are atomic for readers of manifest.json, which is removed first and written
    last.
    """

    def __init__(self, folder: Path) -> None:
        self.name = f"{FILE_PREFIX}{folder}"
        self._folder = folder

    # -- reading

    def read_state(self, revision: str | None = None) -> RemoteState:
        with self._publish_errors():
            if self._pending_file.is_file():
                raise PublishError(
                    f"{self.name}: a publish to this folder was interrupted or is still "
                    "running. Run the same `cotbuild publish` again to complete it."
                )
            state = self._list_state()
        if revision is None:
            return state
        commit = state.tags.get(revision, revision)
        if commit != state.commit:
            raise self._unknown_revision(revision, state)
        return state

    def fetch_files(
        self, paths: Iterable[str], commit: str, folder: Path, progress: Progress
    ) -> None:
        files = self.read_state(commit).files
        wanted = sorted(set(paths))
        for path in wanted:
            if path not in files:
                raise PublishError(
                    f"{self.name}: no file {path!r}. The release is incomplete; publish it "
                    "again."
                )
        total = sum(files[path].num_bytes for path in wanted)
        done = 0
        for path in wanted:
            self._fetch_file(path, files[path], folder)
            done += files[path].num_bytes
            progress(done, total)

    def _fetch_file(self, path: str, file: RemoteFile, folder: Path) -> None:
        try:
            if not file.matches(folder / path):
                _copy_file(self._place(path), folder / path)
        except OSError as error:
            raise PublishError(
                f"{self.name}: {path!r} could not be copied to {folder}: "
                f"{error.strerror or error}. Check permissions and free space there."
            ) from error

    # -- writing

    def finish_interrupted(self) -> None:
        with self._publish_errors():
            is_pending = self._pending_file.is_file()
        if is_pending:
            with self._locked():
                self._apply_pending()

    # The permissions of a folder are up to its owner.
    def create(self, *, private: bool) -> RemoteState:  # noqa: ARG002
        with self._publish_errors():
            self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        return self.read_state()

    def commit_files(
        self,
        parent: str | None,
        add: Mapping[str, Path],
        delete: Iterable[str],
        message: str,  # noqa: ARG002 (a folder has no history)
        progress: Progress,
    ) -> str:
        with self._locked():
            self._apply_pending()
            state = self._list_state()
            if state.commit != parent:
                raise PublishError(
                    f"{self.name}: someone published to it meanwhile: it is at commit "
                    f"{(state.commit or 'none')[:12]}, no longer {(parent or 'none')[:12]}. "
                    "Run again to publish on top of it."
                )
            self._refuse_foreign(add, state.files.keys())
            self._copy_incoming(add, progress)
            deleted = sorted(set(delete) & state.files.keys())
            pending = _PendingFile(add=tuple(sorted(add)), delete=tuple(deleted))
            write_record(self._pending_file, pending)
            fsync_path(self._pending_file.parent)
            self._apply_pending()
            commit = self._list_state().commit
        if commit is None:
            raise PublishError(f"{self.name}: the commit holds no file. Publish again.")
        return commit

    def set_tag(self, name: str, commit: str, *, move: bool) -> None:
        with self._locked():
            release = self._read_release_file()
            current = release.tags.get(name)
            if current == commit:
                return
            if current is not None and not move:
                raise PublishError(
                    f"{self.name}: tag {name!r} is already at commit {current[:12]}. "
                    "Choose another --tag, or move it with --move-tag."
                )
            tags = {**release.tags, name: commit}
            write_record(self._release_file, release.model_copy(update={"tags": tags}))

    # -- places

    @property
    def _release_file(self) -> Path:
        return self._hidden_place("release.json")

    @property
    def _pending_file(self) -> Path:
        return self._hidden_place("pending.json")

    @property
    def _lock_file(self) -> Path:
        return self._hidden_place("lock")

    def _incoming_place(self, path: str) -> Path:
        """Return where a file of the release waits to be installed."""
        parts = safe_path(path, self.name, PublishError).parts
        return self._hidden_place("incoming", *parts)

    def _hidden_place(self, *parts: str) -> Path:
        """Return a place in .release; raises PublishError if a link is in the way."""
        path = PurePosixPath(HIDDEN, *parts)
        return plain_place(self._folder, path, self.name, PublishError)

    def _place(self, path: str) -> Path:
        """Return the place of a file of the release."""
        return safe_place(self._folder, path, self.name, PublishError)

    # -- state

    def _read_release_file(self) -> _ReleaseFile:
        return _read_hidden(self._release_file, _ReleaseFile) or _ReleaseFile()

    def _list_state(self) -> RemoteState:
        release = self._read_release_file()
        files = {}
        for path in release.files:
            place = self._place(path)
            with suppress(FileNotFoundError):
                files[path] = RemoteFile(place.stat().st_size, file_sha256(place), None)
        return RemoteState(_commit_of(files), files, release.tags)

    def _unknown_revision(self, revision: str, state: RemoteState) -> PublishError:
        readable = sorted(
            t for t, commit in state.tags.items() if commit == state.commit
        )
        if revision in state.tags:
            problem = f"the state tagged {revision!r} is no longer here"
        else:
            problem = f"no tag {revision!r}"
        return PublishError(
            f"{self.name}: {problem}. A folder keeps its newest state only, tagged "
            f"{readable}. Leave out the tag, or publish that build again."
        )

    # -- commits

    def _refuse_foreign(self, paths: Iterable[str], ours: Collection[str]) -> None:
        """Raise PublishError if a file exists at one of the paths that is not `ours`."""
        for path in paths:
            if path not in ours and self._place(path).exists():
                raise PublishError(
                    f"{self.name}: {path!r} exists and is not part of a release. Move it "
                    "away, or publish to another folder."
                )

    def _copy_incoming(self, add: Mapping[str, Path], progress: Progress) -> None:
        """Copy files to incoming/, except those an interrupted attempt left complete."""
        sizes = {path: local.stat().st_size for path, local in add.items()}
        total = sum(sizes.values())
        done = 0
        for path, local in sorted(add.items()):
            place = self._incoming_place(path)
            if not (place.is_file() and file_sha256(place) == file_sha256(local)):
                _copy_file(local, place)
            done += sizes[path]
            progress(done, total)

    def _apply_pending(self) -> None:
        """Apply pending.json, if there is one.

        Idempotent: after a kill at any point, applying it again has the same result.
        """
        if not self._pending_file.is_file():
            return
        pending = _read_hidden(self._pending_file, _PendingFile) or _PendingFile()
        release = self._read_release_file()
        self._refuse_unsafe(pending, release)
        # Until the end both the old and the new files are ours, whatever happens.
        ours = tuple(sorted({*release.files, *pending.add}))
        write_record(self._release_file, release.model_copy(update={"files": ours}))
        if MANIFEST in pending.add and self._incoming_place(MANIFEST).exists():
            self._place(MANIFEST).unlink(missing_ok=True)
            fsync_path(self._folder)
        for path in pending.delete:
            self._remove(path)
        for path in sorted(pending.add, key=lambda path: path == MANIFEST):
            self._install(path)
        remaining = tuple(path for path in ours if path not in pending.delete)
        write_record(
            self._release_file, release.model_copy(update={"files": remaining})
        )
        shutil.rmtree(self._pending_file.with_name("incoming"), ignore_errors=True)
        self._pending_file.unlink()

    def _refuse_unsafe(self, pending: _PendingFile, release: _ReleaseFile) -> None:
        """Raise PublishError if pending.json names what no publish would, before acting."""
        for path in pending.add:
            self._incoming_place(path)
        self._refuse_foreign((*pending.add, *pending.delete), release.files)
        for path in release.files:
            self._place(path)

    def _install(self, path: str) -> None:
        place = self._place(path)
        incoming = self._incoming_place(path)
        if incoming.exists():  # else an earlier attempt installed it
            place.parent.mkdir(parents=True, exist_ok=True)
            incoming.replace(place)
            fsync_path(place.parent)

    def _remove(self, path: str) -> None:
        place = self._place(path)
        place.unlink(missing_ok=True)
        with suppress(OSError):  # a directory that is not empty stays
            place.parent.rmdir()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._publish_errors():
            lock = self._lock_file
            lock.parent.mkdir(parents=True, exist_ok=True)
            with file_lock(lock, wait=True):
                yield

    @contextmanager
    def _publish_errors(self) -> Iterator[None]:
        """Raise errors of the file system as PublishError."""
        try:
            yield
        except StoreError as error:
            raise PublishError(str(error)) from error
        except OSError as error:
            raise PublishError(
                f"{self.name}: {error.strerror or error}. Check the folder's permissions "
                "and free space, and run the same command again."
            ) from error


def _commit_of(files: Mapping[str, RemoteFile]) -> str | None:
    """Return the digest that stands for a commit; None if there are no files."""
    if not files:
        return None
    return digest(
        "folder/1", sorted((path, file.sha256) for path, file in files.items())
    )


def _read_hidden(path: Path, model: type[R]) -> R | None:
    """Read a record of the hidden folder. Raises StoreError if it is damaged."""
    remedy = "Move the whole folder of the release away, and publish again."
    return read_record(path, model, remedy=remedy, error=StoreError)


def _copy_file(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.part")
    part.unlink(missing_ok=True)  # a link there would be written through
    with open_regular(source) as data, part.open("xb") as copy:
        shutil.copyfileobj(data, copy)
    fsync_path(part)
    part.replace(place)

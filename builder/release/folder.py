"""A folder as a target of releases: `load_dataset` reads it, and a user's own files in
it stay.

PATH/.release/
  lock          held with flock while something is put
  release.json  the files put here by us, and the tags
  incoming/     files on their way; what an interrupted attempt brought stays whole
  pending.json  a commit that is decided: the next publish carries it out; until then readers are told so

Whoever brought the folder here may have written any of these, and links: every path
goes through untrusted.py.

Only the newest state is kept: a tag of an older one cannot be read. A commit is the
digest over the files put here.
"""

import fcntl
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TypeVar

from pydantic import Field

from cotbuild.builder.build.directory import MANIFEST
from cotbuild.builder.hub.target import Progress, RemoteFile, RemoteState
from cotbuild.builder.release.untrusted import (
    plain_place,
    safe_path,
    safe_place,
)
from cotbuild.schemas.errors import PublishError, StoreError
from cotbuild.schemas.files import file_sha256, fsync_path, read_record, write_record
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.record import FORMAT_VERSION, Record

HIDDEN = ".release"
R = TypeVar("R", bound=Record)


class _Kept(Record):
    """The content of release.json."""

    format_version: int = Field(
        default=FORMAT_VERSION, description="Version of this form."
    )
    files: tuple[str, ...] = Field(
        default=(), description="Paths that were put here; others are a user's own."
    )
    tags: dict[str, str] = Field(default={}, description="Tag to commit.")


class _Pending(Record):
    """The content of pending.json."""

    format_version: int = Field(
        default=FORMAT_VERSION, description="Version of this form."
    )
    add: tuple[str, ...] = Field(
        default=(), description="Paths whose files wait in incoming/."
    )
    delete: tuple[str, ...] = Field(default=(), description="Paths to be removed.")


class FolderTarget:
    """See `Target`.

    All at once: as a reader of manifest.json can tell, which goes first and comes last.
    """

    def __init__(self, folder: Path) -> None:
        self.name = f"file:{folder}"
        self._folder = folder

    def recover(self) -> None:
        with self._mapped():
            is_pending = self._pending.is_file()
        if is_pending:
            with self._held():
                self._carry_out()

    def state(self, revision: str | None = None) -> RemoteState:
        with self._mapped():
            if self._pending.is_file():
                raise PublishError(
                    f"{self.name}: a publish into this folder was interrupted, or is still under way. Run the same "
                    "`cotbuild publish` again: it finishes it."
                )
            state = self._state()
        commit = (
            state.commit if revision is None else state.tags.get(revision, revision)
        )
        if commit == state.commit and not (revision is not None and commit is None):
            return state
        known = revision in state.tags
        raise PublishError(
            f"{self.name}: {revision!r} "
            + ("names a state that is no longer here" if known else "is no tag of it")
            + f". Expected one of {sorted(t for t, c in state.tags.items() if c == state.commit)}: a folder keeps its "
            "newest state alone. Leave the tag out, or publish that build again."
        )

    def create(self, *, private: bool) -> RemoteState:  # noqa: ARG002 (a folder's permissions are its owner's business)
        with self._mapped():
            self._lock.parent.mkdir(parents=True, exist_ok=True)
        return self.state()

    def commit(
        self,
        parent: str | None,
        add: Mapping[str, Path],
        delete: Iterable[str],
        message: str,  # noqa: ARG002 (nobody reads a folder's history)
        progress: Progress,
    ) -> str:
        with self._held():
            self._carry_out()
            state = self._state()
            if state.commit != parent:
                raise PublishError(
                    f"{self.name}: somebody published to it meanwhile: it is at {(state.commit or 'none')[:12]}. "
                    f"Expected {(parent or 'none')[:12]}. Run again, on top of the new one."
                )
            self._refuse_foreign(add, state.files.keys())
            self._bring(add, progress)
            pending = _Pending(
                add=tuple(sorted(add)),
                delete=tuple(sorted(set(delete) & state.files.keys())),
            )
            write_record(self._pending, pending)
            fsync_path(self._pending.parent)
            self._carry_out()
            commit = self._state().commit
        assert commit is not None
        return commit

    def tag(self, name: str, commit: str, *, move: bool) -> None:
        with self._held():
            kept = self._kept()
            there = kept.tags.get(name)
            if there not in (None, commit) and not move:
                raise PublishError(
                    f"{self.name}: tag {name!r} is at {(there or '')[:12]} already. Expected a new tag for "
                    f"{commit[:12]}. Take the next version as --tag, or move it with --move-tag."
                )
            if there != commit:
                write_record(
                    self._file,
                    kept.model_copy(update={"tags": {**kept.tags, name: commit}}),
                )

    def fetch(
        self, paths: Iterable[str], commit: str, folder: Path, progress: Progress
    ) -> None:
        files, wanted = self.state(commit).files, sorted(set(paths))
        if missing := [path for path in wanted if path not in files]:
            raise PublishError(
                f"{self.name}: {missing[0]!r} is not in it. Expected one of its {len(files)} files."
            )
        done, total = 0, sum(files[path].num_bytes for path in wanted)
        with self._mapped():
            for path in wanted:
                if not files[path].is_at(folder / path):
                    _copy(self._folder / path, folder / path)
                done += files[path].num_bytes
                progress(done, total)

    # -- what they are made of

    @property
    def _file(self) -> Path:
        return self._in_hidden("release.json")

    @property
    def _pending(self) -> Path:
        return self._in_hidden("pending.json")

    @property
    def _lock(self) -> Path:
        return self._in_hidden("lock")

    def _in_hidden(self, *parts: str) -> Path:
        """The place of a file of ours in .release; raises PublishError where a link
        stands there or on the way.
        """
        return plain_place(self._folder, PurePosixPath(HIDDEN, *parts), self.name)

    def _incoming(self, path: str) -> Path:
        """The place where a file of the release waits."""
        return self._in_hidden("incoming", *safe_path(path, self.name).parts)

    def _place(self, path: str) -> Path:
        """The place of a file of the release."""
        return safe_place(self._folder, path, self.name)

    def _kept(self) -> _Kept:
        return _read_own(self._file, _Kept) or _Kept()

    def _state(self) -> RemoteState:
        kept = self._kept()
        files = {}
        for path in kept.files:
            place = self._place(path)
            with suppress(FileNotFoundError):
                files[path] = RemoteFile(place.stat().st_size, file_sha256(place), None)
        commit = (
            digest(
                "folder/1", sorted((path, file.sha256) for path, file in files.items())
            )
            if files
            else None
        )
        return RemoteState(commit, files, kept.tags)

    def _refuse_foreign(self, paths: Iterable[str], ours: Collection[str]) -> None:
        """Raise PublishError where a file stands at one of the paths that is not among
        `ours`.
        """
        for path in paths:
            if path not in ours and self._place(path).exists():
                raise PublishError(
                    f"{self.name}: {path!r} stands there and is not of a release. Expected room for ours. Move it "
                    "away, or publish to another folder."
                )

    def _bring(self, add: Mapping[str, Path], progress: Progress) -> None:
        """Copy the files to incoming/, but for those that an interrupted attempt left
        there whole.
        """
        done, total = 0, sum(local.stat().st_size for local in add.values())
        for path, local in sorted(add.items()):
            place = self._incoming(path)
            if not (place.is_file() and file_sha256(place) == file_sha256(local)):
                _copy(local, place)
            done += local.stat().st_size
            progress(done, total)

    def _carry_out(self) -> None:
        """Put in place what pending.json names.

        Done again after a kill at any point, it comes to the same.
        """
        if not self._pending.is_file():
            return
        todo = _read_own(self._pending, _Pending) or _Pending()
        kept = self._kept()
        self._refuse_unsafe(todo, kept)
        ours = tuple(sorted({*kept.files, *todo.add}))
        write_record(self._file, kept.model_copy(update={"files": ours}))
        if MANIFEST in todo.add and self._incoming(MANIFEST).exists():
            self._place(MANIFEST).unlink(missing_ok=True)
            fsync_path(self._folder)
        for path in todo.delete:
            self._remove(path)
        for path in sorted(todo.add, key=lambda path: path == MANIFEST):
            self._install(path)
        left = tuple(path for path in ours if path not in todo.delete)
        write_record(self._file, kept.model_copy(update={"files": left}))
        shutil.rmtree(self._pending.with_name("incoming"), ignore_errors=True)
        self._pending.unlink()

    def _refuse_unsafe(self, todo: _Pending, kept: _Kept) -> None:
        """Raise PublishError before anything is done where pending.json names what no
        publish of ours would.
        """
        for path in todo.add:
            self._incoming(path)
        self._refuse_foreign((*todo.add, *todo.delete), kept.files)
        for path in kept.files:
            self._place(path)

    def _install(self, path: str) -> None:
        place, new = self._place(path), self._incoming(path)
        if new.exists():  # else a run before installed it
            place.parent.mkdir(parents=True, exist_ok=True)
            new.replace(place)
            fsync_path(place.parent)

    def _remove(self, path: str) -> None:
        place = self._place(path)
        place.unlink(missing_ok=True)
        with suppress(OSError):  # a folder that still holds something stays
            place.parent.rmdir()

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._mapped():
            lock = self._lock
            lock.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
            finally:
                os.close(handle)

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            raise PublishError(str(error)) from error
        except OSError as error:
            raise PublishError(
                f"{self.name}: {error.strerror or error}. Expected a folder that can be read and written, with room. "
                "Run the same command again."
            ) from error


def _read_own(path: Path, model: type[R]) -> R | None:
    """Read a record of the hidden folder. Raises StoreError if it is damaged."""
    remedy = f"Delete {HIDDEN} to publish into this folder as if for the first time."
    return read_record(path, model, remedy=remedy, error=StoreError)


def _copy(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.part")
    part.unlink(missing_ok=True)  # a link there would be written through
    shutil.copyfile(source, part)
    fsync_path(part)
    part.replace(place)

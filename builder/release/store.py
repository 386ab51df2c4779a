"""A place on an object store as a target of releases.

Each commit is a folder of its own and stays, so that tags of older ones can be read; see
`cloud.snapshots` for what is where. A commit or a tag is published by one create-only
write, last: an interrupted publish leaves the newest release as it was.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cotbuild.builder.cloud.blobs import open_blobs
from cotbuild.builder.cloud.build_lease import LEASES
from cotbuild.builder.cloud.probe import probe_store
from cotbuild.builder.cloud.snapshots import (
    Snapshot,
    SnapshotStore,
    commit_of,
    describe_files,
)
from cotbuild.builder.cloud.urls import StoreUrl
from cotbuild.builder.hub.target import Progress, RemoteFile, RemoteState
from cotbuild.builder.storage.answer_store import ANSWERS
from cotbuild.schemas.errors import PublishError, StoreError


class StoreTarget:
    """A place on a store; see ReleaseTarget for its methods."""

    def __init__(self, url: StoreUrl) -> None:
        self.name = str(url)
        self._url = url
        self._blobs = open_blobs(url)
        self._snapshots = SnapshotStore(self._blobs)

    # -- reading

    def read_state(self, revision: str | None = None) -> RemoteState:
        with _publish_errors():
            newest = self._snapshots.newest()
            if newest is None:
                return RemoteState(None, {}, {})
            if revision is None:
                return _state_of(newest, newest.tags)
            return _state_of(self._find(revision, newest), newest.tags)

    def fetch_files(
        self, paths: Iterable[str], commit: str, folder: Path, progress: Progress
    ) -> None:
        with _publish_errors():
            newest = self._snapshots.newest()
            if newest is None:
                raise PublishError(
                    f"{self.name}: no release there any more. Run again."
                )
            snapshot = self._find(commit, newest)
            wanted = sorted(set(paths))
            for path in wanted:
                if path not in snapshot.files:
                    raise PublishError(
                        f"{self.name}: no file {path!r}. The release is incomplete; "
                        "publish it again."
                    )
            total = sum(snapshot.files[path].num_bytes for path in wanted)
            done = 0
            for path in wanted:
                self._fetch_file(snapshot, path, folder)
                done += snapshot.files[path].num_bytes
                progress(done, total)

    def _fetch_file(self, snapshot: Snapshot, path: str, folder: Path) -> None:
        file = snapshot.files[path]
        local = folder / path
        listed = RemoteFile(file.num_bytes, file.sha256, None)
        try:
            is_there = listed.matches(local)
        except OSError as error:
            raise PublishError(
                f"{local}: {error.strerror or error}. Check its permissions."
            ) from error
        if not is_there:
            self._snapshots.download(snapshot, path, local)

    def _find(self, revision: str, newest: Snapshot) -> Snapshot:
        """Return the version that a tag or a commit names."""
        commit = newest.tags.get(revision, revision)
        if commit == newest.commit:
            return newest
        found = self._snapshots.find_commit(commit)
        if found is None:
            raise PublishError(
                f"{self.name}: no tag or commit {revision!r}. Tags there: "
                f"{', '.join(sorted(newest.tags)[:20]) or 'none'}."
            )
        return found

    # -- writing

    def finish_interrupted(self) -> None:
        """Do nothing: what is decided is complete."""

    # Who may read a bucket is up to its owner.
    def create(self, *, private: bool) -> RemoteState:  # noqa: ARG002
        with _publish_errors():
            probe_store(self._blobs)
        return self.read_state()

    def commit_files(
        self,
        parent: str | None,
        add: Mapping[str, Path],
        delete: Iterable[str],
        message: str,  # noqa: ARG002 (the fingerprint is in the manifest)
        progress: Progress,
    ) -> str:
        with _publish_errors():
            self._refuse_build()
            newest = self._snapshots.newest()
            self._refuse_other_parent(newest, parent)
            kept = {} if newest is None else dict(newest.files)
            for path in delete:
                kept.pop(path, None)
            files = {**kept, **describe_files(add)}
            if not files:
                raise PublishError(
                    f"{self.name}: the commit holds no file. Publish again."
                )
            self._snapshots.upload(files, add, newest, progress)
            snapshot = Snapshot(
                number=1 if newest is None else newest.number + 1,
                commit=commit_of(files),
                files=files,
                tags={} if newest is None else newest.tags,
            )
            while not self._snapshots.publish(snapshot):
                newest = self._snapshots.newest()
                self._refuse_other_parent(newest, parent)
                if newest is not None:  # with another tag
                    on_top = {"number": newest.number + 1, "tags": newest.tags}
                    snapshot = snapshot.model_copy(update=on_top)
        return snapshot.commit

    def set_tag(self, name: str, commit: str, *, move: bool) -> None:
        with _publish_errors():
            newest = self._snapshots.newest()
            if newest is None:
                raise PublishError(
                    f"{self.name}: no release there any more. Run again."
                )
            current = newest.tags.get(name)
            if current == commit:
                return
            if current is not None and not move:
                raise PublishError(
                    f"{self.name}: tag {name!r} is already at commit {current[:12]}. "
                    "Choose another --tag, or move it with --move-tag."
                )
            tagged = newest.model_copy(
                update={
                    "number": newest.number + 1,
                    "tags": {**newest.tags, name: commit},
                }
            )
            if not self._snapshots.publish(tagged):
                raise self._published_meanwhile()

    def _refuse_build(self) -> None:
        """Raise PublishError if a build is there, which the release would replace."""
        answers = open_blobs(self._url.child(ANSWERS))
        if any(True for _ in answers.list(LEASES)):
            raise PublishError(
                f"{self.name}: a build with its answers is there. Publish to another place."
            )

    def _refuse_other_parent(self, newest: Snapshot | None, parent: str | None) -> None:
        if (None if newest is None else newest.commit) != parent:
            raise self._published_meanwhile()

    def _published_meanwhile(self) -> PublishError:
        return PublishError(
            f"{self.name}: someone published to it meanwhile. Run again to publish on top "
            "of it."
        )


def _state_of(snapshot: Snapshot, tags: Mapping[str, str]) -> RemoteState:
    files = {
        path: RemoteFile(file.num_bytes, file.sha256, None)
        for path, file in snapshot.files.items()
    }
    return RemoteState(snapshot.commit, files, tags)


@contextmanager
def _publish_errors() -> Iterator[None]:
    """Raise errors of the store as PublishError."""
    try:
        yield
    except StoreError as error:
        raise PublishError(str(error)) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise PublishError(
            f"{where}{error.strerror or error}. Check its permissions, and run the same "
            "command again."
        ) from error

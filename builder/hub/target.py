"""The interface of places that releases are published to: the Hub, or a folder."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from cotbuild.schemas.files import file_sha256

Progress = Callable[[int, int], None]
"""Called with the number of bytes done and the total."""


class RemoteFile(NamedTuple):
    """A file of a release as the target lists it; one of the two digests is known."""

    num_bytes: int
    sha256: str | None
    """Of every file in a folder, and of large files on the Hub."""
    git_blob: str | None
    """Of the other files on the Hub: the id of git's blob, which is the SHA-1 of
    `blob SIZE`, a NUL byte and the content.
    """

    def matches(self, path: Path) -> bool:
        """Whether a local file exists and has the same bytes.

        Raises OSError if it cannot be read.
        """
        if not path.is_file() or path.stat().st_size != self.num_bytes:
            return False
        if self.sha256 is not None:
            return file_sha256(path) == self.sha256
        # A few MB at most: the Hub stores larger files with a SHA-256.
        data = path.read_bytes()
        blob = b"blob %d\0%b" % (len(data), data)
        return hashlib.sha1(blob).hexdigest() == self.git_blob


class RemoteState(NamedTuple):
    """What a target holds."""

    commit: str | None
    """None if the repo or folder does not exist yet, or has no commit."""
    files: Mapping[str, RemoteFile]
    """The files of that commit by path."""
    tags: Mapping[str, str]
    """From tag to commit."""


class ReleaseTarget(Protocol):
    """A place for releases.

    Every method raises PublishError, whose message is one line and holds no token.
    """

    name: str
    """As users write it: OWNER/NAME, or file:PATH."""

    def finish_interrupted(self) -> None:
        """Complete a commit that was interrupted after it was decided, if there is one.

        Only publishing calls this.
        """

    def read_state(self, revision: str | None = None) -> RemoteState:
        """Return what the target holds at a tag or commit; None: at the newest.

        Changes nothing. Raises PublishError if there is no such revision, or if a
        commit was interrupted that `finish_interrupted` would complete.
        """

    def create(self, *, private: bool) -> RemoteState:
        """Create the repo or folder unless it exists, and return its state.

        The Hub creates a repo with a first commit, so that `commit_files` always has a
        parent there.
        """

    def commit_files(
        self,
        parent: str | None,
        add: Mapping[str, Path],
        delete: Iterable[str],
        message: str,
        progress: Progress,
    ) -> str:
        """Add files (path to local file) and delete others in one atomic commit.

        Returns the new commit. What an interrupted attempt uploaded is not sent again.
        Raises PublishError if `parent` is not the newest commit.
        """

    def set_tag(self, name: str, commit: str, *, move: bool) -> None:
        """Name a commit. If another one has the name, `move` it, else raise."""

    def fetch_files(
        self, paths: Iterable[str], commit: str, folder: Path, progress: Progress
    ) -> None:
        """Download files of a commit to `folder`, keeping their paths.

        Files that are already there with the right bytes are skipped.
        """

"""Where releases go: a dataset repo on the Hub, or a folder.

All that publishing and pulling need of either.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from cotbuild.schemas.files import file_sha256

Progress = Callable[[int, int], None]
"""Called with bytes done and the total."""


class RemoteFile(NamedTuple):
    """A file of a release as the target tells it, without its bytes.

    Of the two digests one is known.
    """

    num_bytes: int
    sha256: str | None
    """Of large files on the Hub, and of all files in a folder."""
    git_blob: str | None
    """git's id of the blob, for the other files on the Hub: sha1 of `blob SIZE`, NUL
    and the bytes.
    """

    def is_at(self, path: Path) -> bool:
        """Whether a local file is there, with the same bytes.

        Raises OSError where it cannot be read.
        """
        if not path.is_file() or path.stat().st_size != self.num_bytes:
            return False
        if self.sha256 is not None:
            return file_sha256(path) == self.sha256
        data = (
            path.read_bytes()
        )  # A few MB: the Hub takes no larger files without sha256.
        return (
            hashlib.sha1(b"blob %d\0%b" % (len(data), data)).hexdigest()
            == self.git_blob
        )


class RemoteState(NamedTuple):
    """What stands at a target now."""

    commit: str | None
    """None: there is no such repo or folder yet, or it has no commit."""
    files: Mapping[str, RemoteFile]
    """By path, of that commit."""
    tags: Mapping[str, str]
    """Tag to commit."""


class ReleaseTarget(Protocol):
    """A place for releases.

    Every method raises PublishError in one line, which never holds a token.
    """

    name: str
    """As people write it: org/name, or file:PATH."""

    def recover(self) -> None:
        """Finish a commit that was interrupted once it was decided, if there is one.

        Only a publish calls this.
        """

    def state(self, revision: str | None = None) -> RemoteState:
        """What stands there; `revision`: a tag or commit, None: the newest. Changes
        nothing.

        PublishError where that does not exist, or a commit was interrupted that
        `recover` would finish.
        """

    def create(self, *, private: bool) -> RemoteState:
        """Make the repo or folder unless it is there already, and say what stands there
        then.

        The Hub begins a repo with a commit of its own, so that `commit` has a parent
        there from the start.
        """

    def commit(
        self,
        parent: str | None,
        add: Mapping[str, Path],
        delete: Iterable[str],
        message: str,
        progress: Progress,
    ) -> str:
        """Put files, by path, and remove others, all at once or not at all; the new
        commit.

        What an interrupted attempt brought over is not sent again. PublishError where
        `parent` is not the newest.
        """

    def tag(self, name: str, commit: str, *, move: bool) -> None:
        """Name a commit; with `move` also where the name is taken by another, else a
        PublishError.
        """

    def fetch(
        self, paths: Iterable[str], commit: str, folder: Path, progress: Progress
    ) -> None:
        """Bring files of a commit into a folder, each under its path; files that stand
        there whole are not sent.
        """

"""What a run with workers is given: how many to start, by what, and where they meet."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cotbuild.builder.launchers.base import Launcher
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.storage.blobs import Blobs, LocalBlobs
from cotbuild.schemas.config import BuildConfig

WORK = "work"
"""Folder of the answer store with the plans and leases of workers."""
MAX_IDLE_S = 60.0
"""How long a run waits while there is no worker."""


def board_folder(build_dir: Path) -> Path:
    """Return the folder of a build with the plans and leases of workers."""
    return AnswerStore(build_dir).root / WORK


def board_blobs(build_dir: Path) -> LocalBlobs:
    """Return the files in that folder."""
    return LocalBlobs(board_folder(build_dir))


@dataclass(frozen=True)
class SharedStore:
    """Where the workers of a build meet that is not a folder of this machine."""

    place: str
    """What a worker is given to open the build, such as s3://bucket/prefix."""
    board: Blobs
    """Its plans and leases."""
    bring_answers: Callable[[], object]
    """Copies what workers have stored so far into the build's folder here."""


@dataclass(frozen=True)
class WorkersOptions:
    """The workers of a run."""

    number: int
    """How many to start; 0 to wait for those that join."""
    max_idle_s: float = MAX_IDLE_S
    """Seconds without any worker after which the run ends."""
    make_launcher: Callable[[str, BuildConfig], Launcher] | None = None
    """Returns what starts them for the build at a place, a folder or the address of a
    store; None for processes of this machine.
    """
    store: SharedStore | None = None
    """None where the folder of the build is all that they need."""

    def shared_store(self, build_dir: Path) -> SharedStore:
        """Return where the workers of the build in a folder meet."""
        if self.store is not None:
            return self.store
        folder = build_dir.resolve()
        return SharedStore(str(folder), board_blobs(folder), lambda: None)

"""A worker's part of a build on a store: a journal of its own, shipped as it grows.

A worker has an answer store of its own in the cache. It brings the pictures of the build
and small files such as teacher.json, and of journals only those it asks for. What a
killed worker left unshipped on a machine, the next one on it ships.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cotbuild.builder.cloud.journals import JournalCopies, JournalShipper
from cotbuild.builder.cloud.mirror import Mirror
from cotbuild.builder.cloud.opening import lock_place, mirror_place
from cotbuild.builder.cloud.probe import probe_store
from cotbuild.builder.cloud.urls import StoreUrl
from cotbuild.builder.storage.blobs import Blobs
from cotbuild.builder.ui import Ui
from cotbuild.schemas.errors import StoreError

MAX_WORKERS_HERE = 1_000
"""Most workers of one build on one machine."""


class WorkerStore:
    """What a worker reads and writes of a build; `open_worker_store` returns one.

    Every method raises StoreError.
    """

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    @property
    def folder(self) -> Path:
        """The build directory of this worker."""
        return self._mirror.folder

    @property
    def board(self) -> Blobs:
        """What workers share."""
        return self._mirror.board

    def ship(self) -> None:
        """Ship every whole line of this worker's journal."""
        self._mirror.journals.ship()

    def bring(self, journal: str) -> int:
        """Bring what another worker has shipped of GENERATION/NAME; return the bytes."""
        return self._mirror.journals.bring(journal)


@contextmanager
def open_worker_store(url: StoreUrl, ui: Ui) -> Iterator[WorkerStore]:
    """Yield what a worker needs of a build on a store.

    Its journal is shipped while the block runs and at its end. Raises ConfigError if
    obstore is missing; StoreError if the store cannot be used, or if something could
    not be shipped, which the next worker on this machine does.
    """
    for number in range(MAX_WORKERS_HERE):
        place = mirror_place(url, f"worker-{number:04d}")
        with lock_place(place) as is_locked:
            if is_locked:
                mirror = Mirror(url, place)
                probe_store(mirror.answers)
                _ship_leftovers(mirror, ui)
                mirror.bring_inputs()
                with _shipping(mirror, ui):
                    yield WorkerStore(mirror)
                return
    raise StoreError(
        f"{url}: {MAX_WORKERS_HERE} workers of it run on this machine. Start no more."
    )


def _ship_leftovers(mirror: Mirror, ui: Ui) -> None:
    """Ship what a killed worker left in this place, and begin with an empty one."""
    for path in mirror.store.all_journals:
        # What the store has of it; by default of every worker's.
        mirror.journals.bring(f"{path.parent.name}/{path.name}")
    if mirror.journals.ship():
        ui.say(f"{mirror.url}: shipped the answers that a killed worker left here")
    _delete_journals(mirror)
    mirror.journals = JournalCopies(mirror.answers, mirror.store)


def _delete_journals(mirror: Mirror) -> None:
    """Delete the journals here, which are on the store."""
    for generation in mirror.store.generations:
        shutil.rmtree(generation, ignore_errors=True)


@contextmanager
def _shipping(mirror: Mirror, ui: Ui) -> Iterator[None]:
    try:
        with JournalShipper(mirror.journals.ship, mirror.journals, ui.say):
            yield
    finally:
        mirror.journals.ship()
    _delete_journals(mirror)

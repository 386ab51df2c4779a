"""Where a command finds a build: a folder, or a place on an object store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cotbuild.builder.cli.reporting import open_ui
from cotbuild.builder.cli.signals import DRAIN

if TYPE_CHECKING:
    from cotbuild.builder.cloud.mirror import Mirror
    from cotbuild.builder.cloud.opening import Use
    from cotbuild.builder.generate.worker_options import WorkersOptions


@contextmanager
def local_build(place: Path, use: "Use") -> Iterator[Path]:
    """Yield the folder on this disk in which to work on a build.

    It is the folder itself, or the mirror of a build on a store; see
    `cloud.opening.open_mirror` for what is brought and shipped, and the errors raised.
    """
    with _open_place(place, use) as (folder, _):
        yield folder


@contextmanager
def shared_build(
    place: Path, workers: "WorkersOptions | None"
) -> Iterator[tuple[Path, "WorkersOptions | None"]]:
    """Yield the folder in which to write a build, and its workers.

    Those of a build on a store meet there. Raises as `local_build` does, and StoreError
    for a run without workers while some are at work on a build on a store.
    """
    with _open_place(place, "write") as (folder, mirror):
        if mirror is not None and workers is None:
            # A folder's board is seen by the run itself; a mirror does not have it.
            from cotbuild.builder.generate.workers.board import Board
            from cotbuild.builder.generate.workers.driver import refuse_workers

            refuse_workers(Board(mirror.board), str(mirror.url))
        elif mirror is not None and workers is not None:
            from cotbuild.builder.generate.worker_options import SharedStore

            store = SharedStore(str(mirror.url), mirror.board, mirror.bring_answers)
            workers = replace(workers, store=store)
        yield folder, workers


@contextmanager
def _open_place(place: Path, use: "Use") -> Iterator[tuple[Path, "Mirror | None"]]:
    from cotbuild.builder.cloud.urls import find_store_url

    url = find_store_url(place)
    if url is None:
        yield place, None
        return
    from cotbuild.builder.cloud.opening import open_mirror

    with open_mirror(url, open_ui(), use, on_lost=DRAIN.request) as mirror:
        yield mirror.folder, mirror


def shown_place(place: Path) -> str:
    """Return a place as a user writes it; a Path has lost a slash of a URL."""
    from cotbuild.builder.cloud.urls import find_store_url

    return str(find_store_url(place) or place)

"""Opening a build on a store: who may use its mirror, and what is shipped when.

One run writes a build, which holds the build's lease on the store and its mirror here.
Readers have a mirror of their own, which they share.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from cotbuild.builder.cloud import build_lease
from cotbuild.builder.cloud.build_lease import BuildLease
from cotbuild.builder.cloud.journals import JournalShipper
from cotbuild.builder.cloud.mirror import Mirror, host_name
from cotbuild.builder.cloud.probe import probe_store
from cotbuild.builder.cloud.urls import StoreUrl
from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.ui import Ui
from cotbuild.schemas.errors import CotbuildError, DataError, PausedError, StoreError
from cotbuild.schemas.files import file_lock, write_error

Use = Literal["write", "read", "plan"]


@contextmanager
def open_mirror(
    url: StoreUrl,
    ui: Ui,
    use: Use = "write",
    on_lost: Callable[[], None] = lambda: None,
) -> Iterator[Mirror]:
    """Yield a build on a store through its mirror.

    Args:
        url: The build.
        ui: Hears what is brought and shipped.
        use: To `write`: no other run may write the build meanwhile, and what this one
            stores is shipped: answers while it runs, the finished build when the block
            ends without an error. To `read`: the finished build is brought. To `plan`:
            the answers too. The latter two have a mirror of their own and ship nothing.
        on_lost: Called, from a thread, when another run has taken over the build that
            this one writes: nothing of it will be published. It should end the block,
            by a PausedError for example.

    Raises:
        ConfigError: obstore is missing, or cannot use the environment.
        DataError: There is no finished build to read.
        StoreError: The store cannot be used, another run holds the build, or something
            could not be shipped, which the next run with the same URL does.
    """
    if use != "write":
        with _reading(url, ui, use) as mirror:
            yield mirror
        return
    place = mirror_place(url, "write")
    with lock_place(place) as is_locked:
        if not is_locked:
            raise StoreError(
                f"{url}: in use by another cotbuild process on this machine. Wait for it "
                "to finish, or choose another --out."
            )
        mirror = Mirror(url, place)
        with _writing(mirror, ui, on_lost):
            yield mirror


@contextmanager
def _reading(url: StoreUrl, ui: Ui, use: Use) -> Iterator[Mirror]:
    """Yield the mirror to read. Readers of what is here do not wait for each other."""
    place = mirror_place(url, "read")
    with _lock_to_read(place, url, ui, shared=True):
        mirror = Mirror(url, place)
        if use == "read" and mirror.is_current():
            mirror.bring_pictures_of_build()
            yield mirror
            return
    with _lock_to_read(place, url, ui, shared=False):
        if use == "plan":
            mirror.bring_all(ui)
        elif not mirror.bring_build(ui):
            raise DataError(
                f"{url}: no finished build there. Check the URL, or run `cotbuild "
                f"generate --out {url} …` until it completes."
            )
    with _lock_to_read(place, url, ui, shared=True):
        mirror.bring_pictures_of_build()
        yield mirror


@contextmanager
def _lock_to_read(
    place: Path, url: StoreUrl, ui: Ui, *, shared: bool
) -> Iterator[None]:
    with lock_place(place, shared=shared) as is_locked:
        if is_locked:
            yield
            return
    ui.say(f"{url}: waiting for another cotbuild process on this machine that reads it")
    with lock_place(place, shared=shared, wait=True):
        yield


@contextmanager
def _writing(mirror: Mirror, ui: Ui, on_lost: Callable[[], None]) -> Iterator[None]:
    mirror.refuse_release()
    probe_store(mirror.answers)
    holder, length_s = mirror.holder, build_lease.LEASE_S
    with BuildLease(mirror.answers, holder, ui.say, length_s, on_lost) as lease:

        def ship() -> None:
            lease.check()
            mirror.ship()

        mirror.bring_all(ui)
        try:
            with JournalShipper(ship, mirror.journals, ui.say):
                yield
        except PausedError:
            lease.check()  # which says why it was drained
            _ship_anyway(mirror, lease, ui)
            raise
        except BaseException:
            _ship_anyway(mirror, lease, ui)
            raise
        lease.check()
        _ship_at_end(mirror, lease, ui)


def _ship_at_end(mirror: Mirror, lease: BuildLease, ui: Ui) -> None:
    try:
        mirror.ship()
        lease.check()
        mirror.publish(ui)
    except StoreError as error:
        raise StoreError(
            f"{error} Nothing is lost: what was not shipped is in {mirror.folder}, and the "
            "same command on this machine ships it."
        ) from None


def _ship_anyway(mirror: Mirror, lease: BuildLease, ui: Ui) -> None:
    """Ship what a run stored that ends with an error, which stays the one to report."""
    try:
        lease.check()
        mirror.ship()
    except CotbuildError as error:
        ui.say(f"not shipped to the store: {error}")


def mirror_place(url: StoreUrl, use: str) -> Path:
    """Return the folder in the cache for one use of a build on a store.

    Machines that share a cache have one each: not every file system locks across them.
    """
    name = hashlib.sha256(str(url).encode()).hexdigest()[:16]
    return cache_dir() / "stores" / f"{name}-{host_name()}-{use}"


@contextmanager
def lock_place(
    place: Path, *, shared: bool = False, wait: bool = False
) -> Iterator[bool]:
    """Hold the folder of a mirror, alone or with others that only read what is here.

    Yields whether it was free. Raises StoreError.
    """
    try:
        (place / "build").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(place, error) from error
    with file_lock(place / "lock", wait=wait, shared=shared) as is_locked:
        yield is_locked

"""The lease of a build on a store: two runs on two machines do not write one build.

URL/.answers/lease/000001.json holds a `HeldLease`; each renewal is a new file with the next
number, which one of several writers gets. A lease is taken over when nothing renewed it
for as long as it lasts by the clock of whoever waits. Two clocks are compared only where a
lease expired more than `MAX_SKEW_S` ago, which is not waited for.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from pydantic import Field

from cotbuild.builder.storage.blobs import Blobs
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.json_text import JsonFault, parse_record_json
from cotbuild.schemas.record import Record

LEASES = "lease"
"""Folder of the files of a lease, below the answers of a build."""
LEASE_S = 45.0
"""How long a lease lasts without a renewal."""
MAX_SKEW_S = 600.0
"""A lease that expired longer ago counts as dead; clocks differ by less than this."""
_KEPT = 100
"""Old files that stay, so that no writer that slept gets a number a second time."""
_POLL_S = 1.0


class HeldLease(Record):
    """The lease as one of its files states it."""

    holder: str = Field(pattern=r"^[\w.-]{1,100}$", description="The run that has it.")
    number: int = Field(ge=1, description="Its number, and the name of its file.")
    length_s: float = Field(
        gt=0, le=3600, description="How long it lasts without a renewal."
    )
    expires_at: float = Field(
        description="When it ends by the clock of its holder, seconds since 1970."
    )
    is_released: bool = Field(
        default=False, description="Whether its holder gave it back."
    )


class BuildLease:
    """The lease of one build for one holder. A context manager.

    A holder is one mirror on one machine: the next run with the same mirror, which has
    its local lock, takes the lease over at once. `say` hears of waiting. `on_lost` is
    called, from a thread, when another run has taken the lease.
    """

    def __init__(
        self,
        blobs: Blobs,
        holder: str,
        say: Callable[[str], None],
        lease_s: float,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._blobs = blobs
        self._holder = holder
        self._say = say
        self._lease_s = lease_s
        self._on_lost = on_lost
        self._number = 0
        self._lost_to: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._renew_until_stopped, daemon=True, name="build-lease"
        )

    def __enter__(self) -> Self:
        """Take the lease; waits up to its length for one that seems dead.

        Raises StoreError if another run renews it.
        """
        newest = self._newest()
        if newest is not None and not self._is_free(newest):
            newest = self._wait_until_dead(newest)
        number = 1 if newest is None else newest.number + 1
        if not self._create(number, is_released=False):
            raise self._in_use(self._newest())
        self._number = number
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._lost_to is None:
            try:
                self._create(self._number + 1, is_released=True)
            except StoreError:
                if error is None:
                    raise

    def check(self) -> None:
        """Raise StoreError if another run has taken the lease."""
        if self._lost_to is not None:
            raise StoreError(
                f"{self._blobs.url}: this run was out of reach and {self._lost_to!r} took "
                "the build over. Its answers are kept here; run the same command again "
                "when the other run has ended."
            )

    def _is_free(self, lease: HeldLease) -> bool:
        is_long_dead = time.time() > lease.expires_at + MAX_SKEW_S
        return lease.is_released or lease.holder == self._holder or is_long_dead

    def _wait_until_dead(self, lease: HeldLease) -> HeldLease:
        """Return the lease once it was not renewed for its length."""
        self._say(
            f"{self._blobs.url}: held by {lease.holder!r}; waiting {lease.length_s:.0f} s to see "
            "whether that run is alive"
        )
        deadline_s = time.monotonic() + lease.length_s
        while time.monotonic() < deadline_s:
            time.sleep(_POLL_S)
            newest = self._newest()
            if newest is None or newest.number == lease.number:
                continue
            if self._is_free(newest):
                return newest
            raise self._in_use(newest)
        return lease

    def _in_use(self, lease: HeldLease | None) -> StoreError:
        holder = "unknown" if lease is None else lease.holder
        return StoreError(
            f"{self._blobs.url}: in use by another cotbuild run, {holder!r}. Wait for it to "
            "finish, or choose another --out."
        )

    def _renew_until_stopped(self) -> None:
        while not self._stop.wait(self._lease_s / 3):
            try:
                self._renew()
            except StoreError:
                continue  # tried again; whoever takes it over is seen then
            if self._lost_to is not None:
                return

    def _renew(self) -> None:
        is_created = self._create(self._number + 1, is_released=False)
        newest = self._newest()
        if newest is not None and newest.holder != self._holder:
            self._lost_to = newest.holder
            self._on_lost()
            return
        if is_created:
            self._number += 1
        elif newest is not None:
            self._number = newest.number  # its answer was lost
        if self._number > _KEPT:
            self._blobs.delete(_path(self._number - _KEPT))

    def _create(self, number: int, *, is_released: bool) -> bool:
        lease = HeldLease(
            holder=self._holder,
            number=number,
            length_s=self._lease_s,
            expires_at=time.time() + self._lease_s,
            is_released=is_released,
        )
        return self._blobs.create(_path(number), lease.model_dump_json().encode())

    def _newest(self) -> HeldLease | None:
        """Return the lease with the highest number, or None."""
        paths = [blob.path for blob in self._blobs.list(LEASES)]
        if not paths:
            return None
        where = f"{self._blobs.url}/{paths[-1]}"
        data = self._blobs.read(paths[-1])
        if data is None:
            raise StoreError(f"{where}: it was deleted meanwhile. Run again.")
        try:
            value = parse_record_json(data)
        except JsonFault as fault:
            raise StoreError(f"{where}: not JSON: {fault}. Delete it.") from fault
        return HeldLease.parse(
            value if isinstance(value, dict) else {}, where, StoreError
        )


def _path(number: int) -> str:
    return f"{LEASES}/{number:06d}.json"

"""The board of a build: its plan, units, leases and workers, as small shared files.

current.json                         which plan is the newest
workers/WORKER.json                  the heartbeat of a worker
PLAN/plan.json                       the plan
PLAN/units/UNIT.jsonl.gz             the chains of a unit, a line each
PLAN/signals/drain, closed           signals of the driver
PLAN/state/GROUP/UNIT/000003.json    the lease on a unit, as it was last renewed
                      second-…       the same of a second lease
                      000003.released    marks lease 3 as given back
                      done.json      marks the unit as done

A group is 100 units, the first digits of their numbers: one list shows who works on
them, and one that is done is never listed again.
"""

import gzip
import io
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeVar

from cotbuild.builder.storage.blobs import Blob, Blobs
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import MAX_RECORD_BYTES
from cotbuild.schemas.json_text import JsonFault, parse_record_json
from cotbuild.schemas.record import Record, check_format, short_repr
from cotbuild.schemas.work import (
    CurrentPlan,
    Lease,
    UnitDone,
    WorkerState,
    WorkPlan,
)

R = TypeVar("R", bound=Record)
Signal = Literal["drain", "closed"]

GROUP_DIGITS = 4
"""Digits of a unit's number that name its group."""
MAX_UNIT_BYTES = 1 << 30
"""Largest unit that is read, unpacked."""
MAX_SMALL_BYTES = 1 << 20
"""Largest lease, and largest other file of a few fields."""
SILENT_S = 600.0
"""A worker that has not written for so long is gone, whatever its clock says."""
REMEDY = "Delete the folder of this plan, and run the command of the build again."

_STATE_FILE = re.compile(r"(second-)?(\d{6})\.(json|released)")
_DONE = "done.json"


class LeaseFile(NamedTuple):
    """The newest lease of its kind on a unit, as a list of files shows it."""

    path: str
    number: int
    modified_s: float
    is_released: bool
    """Whether it was given back."""


@dataclass
class UnitState:
    """Who works on a unit, as a list of files shows it."""

    is_done: bool = False
    first: LeaseFile | None = None
    """The lease; None if nobody has had one."""
    second: LeaseFile | None = None
    """The second lease, of a worker that helps with what is left."""
    files: list[str] = field(default_factory=list)
    """The paths of all its files but that it is done."""

    @property
    def newest(self) -> list[LeaseFile]:
        """The newest lease of each kind."""
        return [file for file in (self.first, self.second) if file is not None]

    def newest_of(self, *, is_second: bool) -> LeaseFile | None:
        """Return the newest lease of one kind; None if nobody has had one."""
        return self.second if is_second else self.first


class Board:
    """The files that driver and workers of a build share. Blocks; for one thread each.

    Every file may have been written by others: its size is bounded, and what cannot be
    read raises StoreError in one line that names it.

    Args:
        blobs: The files, at `.answers/work` of the build.
        clock: Returns seconds since 1970.
    """

    def __init__(self, blobs: Blobs, clock: Callable[[], float] = time.time) -> None:
        self.blobs = blobs
        self.clock = clock

    # -- plans and units ---------------------------------------------------------------

    def find_plan(self) -> WorkPlan | None:
        """Return the newest plan; None where there is none."""
        name = self.find_plan_name()
        return None if name is None else self.read_plan(name)

    def find_plan_name(self) -> str | None:
        """Return the name of the newest plan; None where there is none."""
        current = self._read("current.json", CurrentPlan, MAX_SMALL_BYTES)
        return None if current is None else current.plan

    def read_plan(self, name: str) -> WorkPlan:
        """Return a plan by its name."""
        path = f"{name}/plan.json"
        plan = self._read(path, WorkPlan, MAX_RECORD_BYTES)
        if plan is None:
            raise StoreError(f"{self.where(path)}: there is no such file. {REMEDY}")
        return plan

    def publish(self, plan: WorkPlan) -> None:
        """Make a plan, whose units are written, the newest one."""
        self._create(f"{plan.name}/plan.json", plan)
        self._write("current.json", CurrentPlan(plan=plan.name))

    def write_unit(self, plan: str, unit: str, lines: Sequence[bytes]) -> None:
        """Write the chains of a unit, unless they are there."""
        data = gzip.compress(b"".join(line + b"\n" for line in lines), 1, mtime=0)
        self.blobs.create(unit_path(plan, unit), data)

    def read_unit(self, plan: str, unit: str) -> list[bytes]:
        """Return the lines of a unit."""
        path = unit_path(plan, unit)
        packed = self.blobs.read(path)
        if packed is None:
            raise StoreError(f"{self.where(path)}: there is no such file. {REMEDY}")
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
                data = file.read(MAX_UNIT_BYTES + 1)
        except (OSError, EOFError) as fault:
            raise self._damaged(path, f"not gzip: {fault}") from fault
        if len(data) > MAX_UNIT_BYTES:
            raise self._damaged(path, f"larger than {MAX_UNIT_BYTES >> 20} MiB")
        return data.splitlines()

    # -- signals of the driver, and heartbeats of the workers --------------------------

    def send(self, plan: str, signal: Signal) -> None:
        """Have every worker of a plan drain, or end since the driver has all it needs."""
        self.blobs.create(f"{plan}/signals/{signal}", b"")

    def signals(self, plan: str) -> set[str]:
        """Return what was sent."""
        return {blob.path.rpartition("/")[2] for blob in self._list(f"{plan}/signals")}

    def note_worker(self, state: WorkerState) -> None:
        """Write the heartbeat of a worker."""
        self._write(f"workers/{state.worker}.json", state)

    def remove_worker(self, worker: str) -> None:
        """Note that a worker ended."""
        self.blobs.delete(f"workers/{worker}.json")

    def live_workers(self) -> list[WorkerState]:
        """Return the workers that are there, whatever they do.

        A file that cannot be read is skipped: it should not end a run.
        """
        now, found = self.clock(), list[WorkerState]()
        for blob in self._list("workers"):
            if now - blob.modified_s >= SILENT_S:
                continue
            with suppress(StoreError):
                state = self._read(blob.path, WorkerState, MAX_SMALL_BYTES)
                if state is not None and state.expires_at > now:
                    found.append(state)
        return found

    def delete_silent_workers(self) -> None:
        """Delete what workers have left that were killed."""
        now = self.clock()
        for blob in self._list("workers"):
            if now - blob.modified_s >= SILENT_S:
                self.blobs.delete(blob.path)

    # -- the state of units ------------------------------------------------------------

    def list_states(self, plan: str, folder: str) -> dict[str, UnitState]:
        """Return the state of every unit below `GROUP` or `GROUP/UNIT` that has one."""
        states: dict[str, UnitState] = {}
        for blob in self._list(f"{plan}/state/{folder}"):
            *_, unit, name = blob.path.split("/")
            state = states.setdefault(unit, UnitState())
            if name == _DONE:
                state.is_done = True
                continue
            state.files.append(blob.path)
            found = _STATE_FILE.fullmatch(name)
            if found is None:
                continue
            number = int(found[2])
            is_released = found[3] == "released"
            file = LeaseFile(blob.path, number, blob.modified_s, is_released)
            if found[1]:
                state.second = _newer(state.second, file)
            else:
                state.first = _newer(state.first, file)
        return states

    def read_state(self, plan: str, unit: str) -> UnitState:
        """Return the state of one unit."""
        folder = f"{group_of(unit)}/{unit}"
        return self.list_states(plan, folder).get(unit, UnitState())

    def read_lease(self, file: LeaseFile) -> Lease | None:
        """Return a lease; None where it is gone, since the unit was done meanwhile."""
        path = file.path.removesuffix(".released").removesuffix(".json")
        return self._read(f"{path}.json", Lease, MAX_SMALL_BYTES)

    def create_lease(
        self, plan: str, unit: str, lease: Lease, *, is_second: bool
    ) -> bool:
        """Create a lease with its number; returns False where another one has it."""
        path = lease_path(plan, unit, lease.number, is_second=is_second)
        return self._create(path, lease)

    def release_lease(
        self, plan: str, unit: str, number: int, *, is_second: bool
    ) -> None:
        """Give a lease back."""
        path = lease_path(plan, unit, number, is_second=is_second)
        self.blobs.create(f"{path.removesuffix('.json')}.released", b"")

    def delete_lease(
        self, plan: str, unit: str, number: int, *, is_second: bool
    ) -> None:
        """Delete a lease that newer ones have replaced."""
        self.blobs.delete(lease_path(plan, unit, number, is_second=is_second))

    def finish_unit(self, plan: str, unit: str, done: UnitDone) -> None:
        """Note that a unit is done, and delete the leases on it."""
        self._create(f"{state_folder(plan, unit)}/{_DONE}", done)
        for path in self.read_state(plan, unit).files:
            self.blobs.delete(path)

    def read_done(self, plan: str, unit: str) -> UnitDone | None:
        """Return who finished a unit; None where it is open."""
        path = f"{state_folder(plan, unit)}/{_DONE}"
        return self._read(path, UnitDone, MAX_SMALL_BYTES)

    # -- records -----------------------------------------------------------------------

    def where(self, path: str) -> str:
        """Return what names a file in messages."""
        return f"{self.blobs.url}/{path}"

    def _list(self, folder: str) -> Iterator[Blob]:
        return self.blobs.list(folder)

    def _read(self, path: str, model: type[R], max_bytes: int) -> R | None:
        data = self.blobs.read(path, max_bytes)
        if data is None:
            return None
        try:
            value = parse_record_json(data)
        except JsonFault as fault:
            raise self._damaged(path, f"not JSON: {fault}") from fault
        if not isinstance(value, dict):
            raise self._damaged(path, f"{short_repr(value)} is not a JSON object")
        where = self.where(path)
        if "format_version" in model.model_fields:
            check_format(value.get("format_version"), where, StoreError)
        return model.parse(value, where, StoreError)

    def _create(self, path: str, record: Record) -> bool:
        return self.blobs.create(path, _encode(record))

    def _write(self, path: str, record: Record) -> None:
        self.blobs.write(path, _encode(record))

    def _damaged(self, path: str, reason: str) -> StoreError:
        return StoreError(f"{self.where(path)}: {reason}. {REMEDY}")


def _encode(record: Record) -> bytes:
    return record.model_dump_json().encode() + b"\n"


def _newer(known: LeaseFile | None, found: LeaseFile) -> LeaseFile:
    """Return the newer of two leases; of one number, that it was given back."""
    if known is None or found.number > known.number:
        return found
    if found.number == known.number and found.is_released:
        return found
    return known


def group_of(unit: str) -> str:
    """Return the group of a unit."""
    return unit[:GROUP_DIGITS]


def unit_path(plan: str, unit: str) -> str:
    """Return where the chains of a unit are."""
    return f"{plan}/units/{unit}.jsonl.gz"


def state_folder(plan: str, unit: str) -> str:
    """Return the folder of the leases on a unit."""
    return f"{plan}/state/{group_of(unit)}/{unit}"


def lease_path(plan: str, unit: str, number: int, *, is_second: bool) -> str:
    """Return where a lease is."""
    prefix = "second-" if is_second else ""
    return f"{state_folder(plan, unit)}/{prefix}{number:06d}.json"

"""All that the routes of a service share: settings, stores, limits of threads."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, ParamSpec, Protocol, TypeVar

import anyio
import anyio.to_thread
from anyio import CapacityLimiter

from cotbuild.builder.service.access import ServiceAccess
from cotbuild.builder.service.build_files import BuildFiles
from cotbuild.builder.service.job_desk import JobDesk
from cotbuild.builder.service.job_views import JobViews
from cotbuild.builder.service.jobs.store import JobStore
from cotbuild.builder.service.metrics import ServiceMetrics
from cotbuild.builder.service.ownership import TargetOwners
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.builder.service.shared_reads import SharedReads
from cotbuild.builder.service.teachers.pool import TeacherPool
from cotbuild.builder.service.tokens import TokenStore
from cotbuild.builder.service.upload_store import UploadStore
from cotbuild.builder.service.watch import JobWatcher
from cotbuild.builder.view.catalog import Catalog, CatalogEntry, EntryKind
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.faults import NotFoundError
from cotbuild.builder.web.problems import ProblemError
from cotbuild.schemas.errors import CotbuildError
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.service.principal import Principal

QUICK_THREADS: Final = 16
"""Threads for rows of the job table and other short reads."""
READING_THREADS: Final = 8
"""Threads for reads of builds and journals, which may take seconds each. They are other
ones, so that a hundred of them do not keep a list of jobs waiting."""
PLANNING_THREADS: Final = 2
"""Processes of plans and previews at a time: each reads a source."""
PLANNING_WAIT_S: Final = 15.0
"""Longest wait for one of them. With it, a plan ends before a proxy or client gives up."""
MAX_STREAMS: Final = 500
"""Streams of events at a time."""
_BLOCK_BYTES: Final = 64 << 10

P = ParamSpec("P")
R = TypeVar("R")


class JobRunner(Protocol):
    """Runs the jobs of the table on this machine."""

    @property
    def fault(self) -> str | None:
        """Why no job can be started now; None if jobs can."""

    @property
    def teachers(self) -> TeacherPool | None:
        """The teachers that jobs share; None where each starts its own."""

    async def run(self) -> None:
        """Run jobs until told to stop. Their processes run on then."""

    def stop(self) -> None:
        """Have `run` return soon."""

    def wake(self) -> None:
        """Look at the table at once. It may be called from any thread."""


@dataclass
class Service:
    """One running service; `app.state.service`."""

    settings: ServiceSettings
    tokens: TokenStore
    uploads: UploadStore
    owners: TargetOwners
    store: JobStore
    views: JobViews
    watcher: JobWatcher
    catalog: Catalog
    database: Database
    access: ServiceAccess
    desk: JobDesk
    runner: JobRunner
    metrics: ServiceMetrics
    files: BuildFiles
    quick: CapacityLimiter
    reading: CapacityLimiter
    planning: CapacityLimiter
    shared: SharedReads = field(default_factory=SharedReads)
    num_streams: int = 0

    def find_entry(
        self, principal: Principal, name: str, kind: EntryKind
    ) -> CatalogEntry:
        """Return what has a name and kind; raises NotFoundError.

        What someone may not read is not there for them.
        """
        if not self.owners.may_read(principal, name):
            shown = short_repr(name)
            raise NotFoundError(f"{shown}: there is no {kind.value} of this name.")
        return self.catalog.find(name, kind)

    def fault(self) -> str | None:
        """Return why no job can be submitted now; None if jobs can. It blocks briefly."""
        try:
            self.store.count_by_state()
        except CotbuildError as error:
            return str(error)
        return self.runner.fault

    async def run_quick(
        self, function: Callable[P, R], *args: P.args, **named: P.kwargs
    ) -> R:
        """Run a short blocking function in a thread."""
        return await _run(self.quick, function, *args, **named)

    async def run_reading(
        self, function: Callable[P, R], *args: P.args, **named: P.kwargs
    ) -> R:
        """Run a blocking function that reads a build in a thread."""
        return await _run(self.reading, function, *args, **named)

    async def run_planning(
        self, function: Callable[P, R], *args: P.args, **named: P.kwargs
    ) -> R:
        """Run a function that starts a process and waits for it in a thread.

        Raises ProblemError (503) if too many others run for PLANNING_WAIT_S.
        """
        borrower = object()
        with anyio.move_on_after(PLANNING_WAIT_S) as waiting:
            await self.planning.acquire_on_behalf_of(borrower)
        if waiting.cancelled_caught:
            raise ProblemError(
                503,
                "busy",
                f"{PLANNING_THREADS} plans or previews are being made, the most at a "
                "time.",
                "Try again in a moment, or submit the job without a plan.",
            )
        try:
            return await _run(CapacityLimiter(1), function, *args, **named)
        finally:
            self.planning.release_on_behalf_of(borrower)

    async def counted_stream(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield the parts of a stream, and count it for as long as it lasts."""
        self.num_streams += 1
        try:
            async for part in parts:
                yield part
        finally:
            self.num_streams -= 1

    async def read_blocks(self, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
        """Yield what an iterator that blocks yields, in blocks made by threads."""
        while block := await self.run_reading(_take_block, parts):
            yield block


def _take_block(parts: Iterator[bytes]) -> bytes:
    """Return the next parts as one block; no bytes at the end."""
    block = bytearray()
    for part in parts:
        block += part
        if len(block) >= _BLOCK_BYTES:
            break
    return bytes(block)


async def _run(
    limiter: CapacityLimiter, function: Callable[..., R], *args: Any, **named: Any
) -> R:
    return await anyio.to_thread.run_sync(
        partial(function, *args, **named), limiter=limiter
    )

"""Jobs as their owner sees them: the row, the state of its run, its place in the queue."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cotbuild.builder.events.read import read_run_progress
from cotbuild.builder.service.jobs.store import JobStore
from cotbuild.builder.service.watch import events_file
from cotbuild.schemas.event import RunProgress
from cotbuild.schemas.service.job import JobRecord, JobState, JobView

MAX_CACHED: Final = 1_000
_SHOWN: Final = frozenset(JobView.model_fields) & frozenset(JobRecord.model_fields)
"""The columns of a row that its owner sees."""


class _LogState(NamedTuple):
    inode: int
    num_bytes: int


class JobViews:
    """Makes views of jobs. It may be used from several threads.

    The state of a run is read again only where its log has grown.
    """

    def __init__(self, store: JobStore, jobs_folder: Path) -> None:
        self._store = store
        self._jobs_folder = jobs_folder
        self._cached: OrderedDict[str, tuple[_LogState, RunProgress]] = OrderedDict()
        self._lock = threading.Lock()

    def view(self, record: JobRecord) -> JobView:
        """Return one job. Raises StoreError."""
        return self.views([record])[0]

    def views(self, records: Sequence[JobRecord]) -> list[JobView]:
        """Return jobs in the order of `records`. Raises StoreError."""
        places = self._queue_places(records)
        return [self._view(record, places.get(record.id)) for record in records]

    def run_progress(self, job_id: str) -> RunProgress:
        """Return the state of a job's run, an empty one before it began."""
        path = events_file(self._jobs_folder, job_id)
        try:
            status = path.lstat()
        except OSError:
            return RunProgress()
        state = _LogState(status.st_ino, status.st_size)
        with self._lock:
            cached = self._cached.get(job_id)
        if cached is not None and cached[0] == state:
            return cached[1]
        try:
            progress = read_run_progress(path)
        except OSError:
            return RunProgress()
        with self._lock:
            self._cached[job_id] = (state, progress)
            self._cached.move_to_end(job_id)
            while len(self._cached) > MAX_CACHED:
                self._cached.popitem(last=False)
        return progress

    def _view(self, record: JobRecord, queue_position: int | None) -> JobView:
        shown = {name: getattr(record, name) for name in _SHOWN}
        return JobView(
            **shown,
            queue_position=queue_position,
            run=self.run_progress(record.id),
            links=job_links(record),
        )

    def _queue_places(self, records: Iterable[JobRecord]) -> dict[str, int]:
        if all(record.state is not JobState.QUEUED for record in records):
            return {}
        return {job_id: place for place, job_id in enumerate(self._store.queue())}


def job_links(record: JobRecord) -> dict[str, str]:
    """Return the addresses of what belongs to a job."""
    job = f"/v1/jobs/{record.id}"
    links = {"self": job}
    links |= {name: f"{job}/{name}" for name in ("events", "logs", "failures")}
    links["page"] = f"/jobs/{record.id}"
    links["target"] = f"/v1/builds/{record.target}"
    return links

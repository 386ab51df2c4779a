"""Adds up what the jobs of a service have done, from the events of their processes."""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cotbuild.builder.events import read_events
from cotbuild.builder.service.jobs.outcome import EVENTS
from cotbuild.schemas.event import Event, ProgressEvent, StartedEvent
from cotbuild.schemas.rationale import Verdict
from cotbuild.schemas.service.job import JobRecord, JobState

CHAINS = "chains"
"""Unit of the progress of asking a teacher."""
MAX_JOBS = 20_000
"""Jobs whose place in their log is remembered."""
MAX_PAGES = 64
"""Pages of a job's events read at a time, so that one job cannot hold up the others."""


@dataclass(slots=True)
class Figures:
    """Totals that only grow."""

    requests: Counter[str] = field(default_factory=Counter)
    """By outcome: completed, failed."""
    tokens: Counter[str] = field(default_factory=Counter)
    """By type: prompt, completion."""
    verdicts: Counter[str] = field(default_factory=Counter)

    def add(self, new: ProgressEvent, old: ProgressEvent | None) -> None:
        """Add what a run has done between two of its events."""
        self.requests["completed"] += _rise(_completed(new), _completed(old))
        self.requests["failed"] += _rise(new.failed, old.failed if old else 0)
        self.tokens["prompt"] += _rise(
            new.prompt_tokens, old.prompt_tokens if old else 0
        )
        self.tokens["completion"] += _rise(
            new.completion_tokens, old.completion_tokens if old else 0
        )
        before = old.verdicts if old else {}
        for verdict in Verdict:
            self.verdicts[verdict.value] += _rise(
                new.verdicts.get(verdict.value, 0), before.get(verdict.value, 0)
            )


def _completed(progress: ProgressEvent | None) -> int:
    return max(progress.requests - progress.failed, 0) if progress else 0


def _rise(new: int, old: int) -> int:
    """Return how much a count rose; one that fell began anew."""
    return new - old if new >= old else new


@dataclass(slots=True)
class _JobLog:
    """How far the events of one job were read."""

    is_counted: bool
    """Whether what is read next is added to the figures."""
    offset: int = 0
    log_id: int | None = None
    progress: ProgressEvent | None = None
    """The newest of the current run."""

    def follow(self, events: Iterable[Event], figures: Figures, since: str) -> None:
        """Add what a job did, in runs that began at `since` or later."""
        for event in events:
            if isinstance(event, StartedEvent):
                self.progress = None
                self.is_counted = self.is_counted or event.at >= since
            elif isinstance(event, ProgressEvent) and event.unit == CHAINS:
                if self.is_counted:
                    figures.add(event, self.progress)
                self.progress = event


class JobFigures:
    """The figures of all jobs since this object was made.

    What a job did before, as under an earlier server, is left out. Every call of
    `scan` reads what was appended to the logs of jobs since the last one.

    Args:
        jobs_folder: Folder with one folder a job.
        since: When this server began, as events state it.
    """

    def __init__(self, jobs_folder: Path, since: str) -> None:
        self.figures = Figures()
        self.in_flight = 0
        """Requests under way, of all jobs that run."""
        self._jobs_folder = jobs_folder
        self._since = since
        self._logs: OrderedDict[str, _JobLog] = OrderedDict()

    def scan(self, jobs: Sequence[JobRecord]) -> None:
        """Read the new events of jobs: those that run, or ran since the last scan.

        It blocks, and is to be called by one thread at a time.
        """
        in_flight = 0
        for job in jobs:
            log = self._read(job)
            if is_running(job) and log.progress is not None:
                in_flight += log.progress.in_flight or 0
        self.in_flight = in_flight

    def _read(self, job: JobRecord) -> _JobLog:
        log = self._logs.setdefault(job.id, _JobLog(job.created_at >= self._since))
        self._logs.move_to_end(job.id)
        while len(self._logs) > MAX_JOBS:
            self._logs.popitem(last=False)
        for _ in range(MAX_PAGES):
            page = read_events(
                self._jobs_folder / job.id / EVENTS, log.offset, log_id=log.log_id
            )
            has_more = page.next_offset != log.offset
            log.offset, log.log_id = page.next_offset, page.log_id
            log.follow(page.events, self.figures, self._since)
            if not has_more:
                # A run that an earlier server began counts from here on.
                log.is_counted = True
                break
        return log


def is_running(job: JobRecord) -> bool:
    """Whether a job has a process."""
    return job.state in (JobState.RUNNING, JobState.CANCELLING)

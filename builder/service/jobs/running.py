"""A job whose process this server watches, and what it does when the job is to stop."""

import time
from pathlib import Path

from cotbuild.builder.service.jobs.children import Child
from cotbuild.schemas.service.job import JobKind, JobRecord, StopMode

DRAINABLE = frozenset({JobKind.GENERATE})
"""Kinds whose command can stop sending requests and wait for those in flight."""


class RunningJob:
    """A job with its process.

    Args:
        job: Its row.
        child: Its process, which may have ended.
        folder: The folder of the job.
        kill_after_s: Seconds from SIGTERM to SIGKILL.
    """

    def __init__(
        self, job: JobRecord, child: Child, folder: Path, kill_after_s: float
    ) -> None:
        self.job = job
        self.child = child
        self.folder = folder
        self.is_ending = False
        """Whether its process is gone, and only its end is still to be recorded."""
        self._kill_after_s = kill_after_s
        self._sent: StopMode | None = None
        self._kill_at_s: float | None = None

    def is_attempt(self, job: JobRecord) -> bool:
        """Whether a row is that of the attempt that is watched here."""
        return job.id == self.job.id and job.attempt == self.job.attempt

    def follow(self, job: JobRecord) -> None:
        """Take the newest row: signal the process once it is to stop, later kill it.

        After a restart of the server the signal is sent once more, which changes
        nothing for a process that has seen it.
        """
        self.job = job
        if job.stop is None or job.stop_mode is None or self.is_ending:
            return
        if job.stop_mode is not self._sent:
            self._send(job.stop_mode)
        elif self._kill_at_s is not None and time.monotonic() >= self._kill_at_s:
            self.child.kill()

    def _send(self, mode: StopMode) -> None:
        can_drain = self.job.kind in DRAINABLE
        self.child.stop(mode, can_drain=can_drain)
        self._sent = mode
        if mode is StopMode.NOW or not can_drain:
            self._kill_at_s = time.monotonic() + self._kill_after_s

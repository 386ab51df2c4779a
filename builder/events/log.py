"""A log of events: one JSON object a line, appended as it happens.

A line is one write(2), so that a killed run tears at most the last one. What a run
writes is bounded: once its log has grown, progress is written more rarely, and near the
bound only the events that a reader needs to know how the run ended.
"""

import json
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.event import Event, ProgressEvent, SayEvent, StatusEvent

MAX_LOG_BYTES = 16 << 20
"""The most that one run writes, but for the few events at its end."""
THINNED_INTERVALS_S = (0.0, 10.0, 60.0, 600.0)
"""Seconds between two events of progress, by the quarter of the log that is written."""
_NUM_QUARTERS = len(THINNED_INTERVALS_S)


class EventLog:
    """Appends events to a file. A context manager; threads may share it.

    A write that fails never ends a run: `on_fault` receives one line, once, and later
    events are still tried.

    Args:
        path: The file, created where it is missing.
        on_fault: Receives a line if an event could not be written.
        max_bytes: The most that is written, but for the events at the end of a run.
        clock: Returns seconds that only grow.

    Raises:
        ConfigError: The file cannot be opened for appending, or is not a regular one.
    """

    def __init__(
        self,
        path: Path,
        on_fault: Callable[[str], None],
        *,
        max_bytes: int = MAX_LOG_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self._on_fault = on_fault
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._num_bytes = 0
        self._progress_at: float | None = None
        self._has_fault = False
        self._descriptor = _open_for_appending(path)
        self._is_torn = _ends_within_a_line(self._descriptor)

    def append(self, event: Event) -> None:
        """Append an event, unless the log has grown too large for one of its kind."""
        with self._lock:
            if self._is_due(event):
                self._write(encode_event(event))

    def _is_due(self, event: Event) -> bool:
        is_progress = isinstance(event, ProgressEvent | StatusEvent)
        if not is_progress and not isinstance(event, SayEvent):
            return True  # few, and what a reader needs most
        quarter = _NUM_QUARTERS * self._num_bytes // self._max_bytes
        if quarter >= _NUM_QUARTERS:
            return False
        if not is_progress:
            return True
        now = self._clock()
        interval_s = THINNED_INTERVALS_S[quarter]
        if self._progress_at is not None and now - self._progress_at < interval_s:
            return False
        self._progress_at = now
        return True

    def _write(self, line: bytes) -> None:
        data = b"\n" + line if self._is_torn else line
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            self._report_fault(error.strerror or str(error))
            return
        self._num_bytes += written
        self._is_torn = written != len(data)
        if self._is_torn:
            self._report_fault("the disk is full")

    def _report_fault(self, reason: str) -> None:
        if not self._has_fault:
            self._has_fault = True
            self._on_fault(
                f"{self.path}: events could not be written: {reason}. The run goes on."
            )

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def encode_event(event: Event) -> bytes:
    """Return an event as a line of JSON: its kind first, without what has its default."""
    fields = event.model_dump(mode="json", exclude_defaults=True)
    values = {"event": event.event, **fields}
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return text.encode() + b"\n"


def _open_for_appending(path: Path) -> int:
    # Without O_NONBLOCK opening a pipe would wait for its reader.
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError as error:
        raise ConfigError(
            f"{path}: events cannot be written: {error.strerror}. Pass a file in a "
            "folder that you may write to."
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigError(f"{path}: events need a regular file. Pass another name.")
    return descriptor


def _ends_within_a_line(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"

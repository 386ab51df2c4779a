"""Events of a run: written to a log of events, read, and folded to its state."""

from cotbuild.builder.events.event_ui import EventUi, TeeUi
from cotbuild.builder.events.fold import fold_events
from cotbuild.builder.events.log import EventLog
from cotbuild.builder.events.read import EventPage, read_events, read_run_progress
from cotbuild.builder.events.run_log import EVENTS, RunLog, RunNotes, log_build_run

__all__ = [
    "EVENTS",
    "EventLog",
    "EventPage",
    "EventUi",
    "RunLog",
    "RunNotes",
    "TeeUi",
    "fold_events",
    "log_build_run",
    "read_events",
    "read_run_progress",
]

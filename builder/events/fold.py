"""The state of a run, folded from its events. Pure."""

from collections.abc import Iterable

from cotbuild.schemas.event import (
    AccountEvent,
    Event,
    FinishedEvent,
    PhaseEvent,
    ProgressEvent,
    RunProgress,
    SayEvent,
    StartedEvent,
)

MAX_LINES_KEPT = 50
"""The newest lines that a state keeps."""


def fold_events(
    events: Iterable[Event], progress: RunProgress | None = None
) -> RunProgress:
    """Return the state after `events`, which follow those that `progress` is made of.

    A `started` event begins a new state: a log may hold several runs.
    """
    state = RunProgress() if progress is None else progress
    for event in events:
        state = _fold_event(state, event)
    return state


def _fold_event(state: RunProgress, event: Event) -> RunProgress:
    if isinstance(event, StartedEvent):
        return RunProgress(command=event.command, started_at=event.at)
    if isinstance(event, PhaseEvent):
        # What was counted or shown belongs to the phase before.
        update = {"phase": event.phase, "progress": None, "status": None}
        return state.model_copy(update=update)
    if isinstance(event, ProgressEvent):
        return state.model_copy(update={"progress": event})
    if isinstance(event, SayEvent):
        lines = (*state.lines, event.line)[-MAX_LINES_KEPT:]
        return state.model_copy(update={"lines": lines})
    if isinstance(event, AccountEvent):
        return state.model_copy(update={"account": event.account})
    if isinstance(event, FinishedEvent):
        return state.model_copy(update={"finished": event})
    return state.model_copy(update={"status": event.line})

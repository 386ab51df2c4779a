"""The events of a job: as a page of JSON, and as server-sent events.

A stream begins with a `snapshot` of the job, unless the client names where it goes on.
Then come the events under their kinds; the id of each is the byte at which the next one
begins, so that `Last-Event-ID` goes on there. `state` comes when the row of the job
changed. The stream ends when the job is over, and when the server stops.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from collections.abc import AsyncIterator
from typing import Final

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from cotbuild.builder.events.read import EventPage, read_events
from cotbuild.builder.service.service import Service
from cotbuild.builder.service.watch import JobSnapshot, events_file
from cotbuild.schemas.record import Record
from cotbuild.schemas.service.api import EventPageView
from cotbuild.schemas.service.job import JobView

KEEPALIVE_S: Final = 15.0
"""Longest silence of a stream: proxies close one that says nothing."""
MAX_EVENTS: Final = 1_000
"""Most events of one page."""


async def read_page(
    service: Service, snapshot: JobSnapshot, after: int, limit: int
) -> EventPageView:
    """Return the events behind byte `after` of a job's log."""
    page = await _read(service, snapshot, after, limit)
    is_at_end = page.next_offset >= snapshot.num_event_bytes
    return EventPageView(
        events=page.events,
        next=page.next_offset,
        is_final=snapshot.record.state.is_final and is_at_end,
    )


async def stream_events(
    service: Service, seen: JobSnapshot, after: int | None
) -> AsyncIterator[bytes]:
    """Yield the events of a job as they come, from byte `after` of its log on.

    `seen` is the job as it was read for this client. None for `after` begins with a
    snapshot of that and continues with what happens next. Raises CotbuildError if the
    job was deleted meanwhile.
    """
    job_id = seen.record.id
    if after is None:
        after = seen.num_event_bytes
        view = await shared_view(service, seen)
        yield format_event("snapshot", view, after)
    shown_revision = seen.record.revision
    while True:
        while after < seen.num_event_bytes:
            page = await _read(service, seen, after, MAX_EVENTS)
            if page.next_offset <= after:
                break  # a torn last line: its rest is still to come
            for event, end in zip(page.events, page.ends, strict=True):
                yield format_event(event.event, event, end)
            after = page.next_offset
        if seen.record.revision != shown_revision:
            shown_revision = seen.record.revision
            view = await shared_view(service, seen)
            yield format_event("state", view, after)
        if seen.record.state.is_final:
            return
        newer = await service.watcher.wait(job_id, seen, KEEPALIVE_S)
        if newer is not None:
            seen = newer
        elif service.watcher.is_closed:
            return
        else:
            yield KEEPALIVE_COMMENT


async def _read(
    service: Service, snapshot: JobSnapshot, after: int, limit: int
) -> EventPage:
    """Read a page once for all clients that are at the same place."""
    job_id = snapshot.record.id
    path = events_file(service.settings.jobs_folder, job_id)
    key = ("events", job_id, after, limit, snapshot.num_event_bytes)
    return await service.shared.get(
        key, lambda: service.run_quick(read_events, path, after, limit)
    )


async def shared_view(service: Service, snapshot: JobSnapshot) -> JobView:
    """Make a view once for all clients that see the same state."""
    key = ("view", snapshot.record.id, *snapshot.version)
    return await service.shared.get(
        key, lambda: service.run_quick(service.views.view, snapshot.record)
    )


def format_event(name: str, data: Record, offset: int) -> bytes:
    """Return one server-sent event, whose data is one line of JSON."""
    return format_sse_event(data_str=data.model_dump_json(), event=name, id=str(offset))

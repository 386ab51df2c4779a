"""What a running job says: events, its log, its failures."""

from typing import Annotated, Final

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cotbuild.builder.service.dependencies import (
    SECURITY,
    JobId,
    Reader,
    ServiceOf,
    problems,
)
from cotbuild.builder.service.downloads import Download, send_file
from cotbuild.builder.service.event_stream import (
    MAX_EVENTS,
    read_page,
    stream_events,
)
from cotbuild.builder.service.failures import find_failures
from cotbuild.builder.service.service import MAX_STREAMS, Service
from cotbuild.builder.service.watch import JobSnapshot, log_file, snapshot_of
from cotbuild.builder.web.problems import ProblemError, not_found
from cotbuild.schemas.files import open_regular
from cotbuild.schemas.service.api import EventPageView

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"], dependencies=SECURITY)

EVENT_STREAM: Final = "text/event-stream"
JSON_LINES: Final = "application/jsonl"
_MAX_OFFSET: Final = 1 << 62
Offset = Annotated[
    int | None,
    Query(
        ge=0, le=_MAX_OFFSET, description="Byte of the log: `next`, or an event's id."
    ),
]


@router.get(
    "/events",
    response_model=EventPageView,
    responses={
        200: {
            "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
            "description": "Events: JSON, or with `Accept: text/event-stream` a stream "
            "of server-sent events.",
        },
        204: {"description": "A stream that has nothing more to say, now or later."},
        **problems(404),
    },
)
async def list_events(
    service: ServiceOf,
    principal: Reader,
    job_id: JobId,
    after: Offset = None,
    limit: Annotated[int, Query(ge=1, le=MAX_EVENTS)] = MAX_EVENTS,
    accept: Annotated[str, Header(max_length=1_000)] = "",
    last_event_id: Annotated[
        str | None, Header(max_length=30, description="Id of the last event received.")
    ] = None,
) -> Response:
    """Return the events of a job behind a byte of its log."""

    def read() -> JobSnapshot:
        record = service.desk.get(principal, job_id)
        return snapshot_of(record, service.settings.jobs_folder)

    # One thread for it: with 200 clients each one is waited for.
    snapshot = await service.run_quick(read)
    if last_event_id is not None and last_event_id.isdecimal():
        after = min(int(last_event_id), _MAX_OFFSET)
    if EVENT_STREAM not in accept:
        page = await read_page(service, snapshot, after or 0, limit)
        return Response(page.model_dump_json(), media_type="application/json")
    is_at_end = after is not None and after >= snapshot.num_event_bytes
    if is_at_end and snapshot.record.state.is_final:
        return Response(status_code=204)  # an EventSource does not come back then
    return _stream(service, snapshot, after)


def _stream(service: Service, snapshot: JobSnapshot, after: int | None) -> Response:
    if service.num_streams >= MAX_STREAMS:
        raise ProblemError(
            503,
            "busy",
            f"{MAX_STREAMS} clients follow events, the most at a time.",
            "Ask with `wait` in place of a stream.",
        )
    headers = {
        "cache-control": "no-cache",
        "x-accel-buffering": "no",  # nginx would hold events back
    }
    events = stream_events(service, snapshot, after)
    return StreamingResponse(
        service.counted_stream(events), headers=headers, media_type=EVENT_STREAM
    )


@router.get(
    "/logs",
    response_class=Response,
    responses={
        200: {
            "content": {"text/plain": {"schema": {"type": "string"}}},
            "description": "The log up to now.",
        },
        206: {
            "content": {"text/plain": {"schema": {"type": "string"}}},
            "description": "A part of it.",
        },
        **problems(404, 416),
    },
)
async def get_log(
    request: Request,
    service: ServiceOf,
    principal: Reader,
    job_id: JobId,
    range: Annotated[  # noqa: ARG001 (send_file reads it; here for the OpenAPI)
        str | None,
        Header(description="bytes=N- for what follows byte N, bytes=-N for the end."),
    ] = None,
) -> Response:
    """Return what the command of a job printed, all attempts in one."""
    record = await service.run_quick(service.desk.get, principal, job_id)
    path = log_file(service.settings.jobs_folder, record.id)
    try:
        file = await service.run_quick(open_regular, path)
    except OSError:
        raise not_found("The log of the job", "It has none before it starts.") from None
    download = Download(file, "text/plain; charset=utf-8")
    return send_file(request, download, service.reading)


@router.get(
    "/failures",
    response_class=Response,
    responses={
        200: {
            "content": {
                JSON_LINES: {"schema": {"$ref": "#/components/schemas/FailureLine"}}
            },
            "description": "A line of JSON for each request that failed and has no "
            "answer yet.",
        },
        **problems(404),
    },
)
async def list_failures(
    service: ServiceOf, principal: Reader, job_id: JobId
) -> Response:
    """Return the requests that failed, at any time, from the journals of the build."""
    record = await service.run_quick(service.desk.get, principal, job_id)
    target = service.settings.target(record.target)
    failures = await service.run_reading(find_failures, target)
    lines = (line.model_dump_json().encode() + b"\n" for line in failures)
    return StreamingResponse(service.read_blocks(lines), media_type=JSON_LINES)

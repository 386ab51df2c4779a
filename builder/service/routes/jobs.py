"""Jobs: submit, list, wait, stop, go on, repeat, delete."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query
from starlette.requests import Request
from starlette.responses import Response

from cotbuild.builder.service.dependencies import (
    MAX_PAGE,
    SECURITY,
    JobId,
    Reader,
    Runner,
    ServiceOf,
    body_of,
    json_body,
    problems,
    read_json_object,
)
from cotbuild.builder.service.event_stream import shared_view
from cotbuild.builder.service.jobs.store import JobFilter
from cotbuild.builder.service.routes.examples import GENERATE
from cotbuild.builder.service.service import Service
from cotbuild.builder.service.watch import JobSnapshot, snapshot_of
from cotbuild.builder.web.problems import ProblemError
from cotbuild.schemas.service.api import (
    JobPage,
    ResumeRequest,
    RetryRequest,
    StopRequest,
)
from cotbuild.schemas.service.job import (
    JOB_ID,
    TARGET_NAME,
    JobKind,
    JobState,
    JobView,
)
from cotbuild.schemas.service.principal import PrincipalName

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=SECURITY)

MAX_WAIT_S: Final = 60
MAX_LABELS: Final = 16
_LABEL_NAME: Final = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
REPLAYED: Final = "idempotent-replayed"
Wait = Annotated[
    int,
    Query(
        ge=0,
        le=MAX_WAIT_S,
        description="Seconds to wait for a change from the state that If-None-Match "
        "names; without it, until the job is over or paused.",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key and body give the same job, however often they come.",
    ),
]


@router.post(
    "",
    status_code=201,
    response_model=JobView,
    responses={
        200: {"model": JobView, "description": "The job that was there already."},
        **problems(409, 415, 502),
    },
    openapi_extra=body_of("JobRequest", GENERATE),
)
async def submit_job(
    request: Request,
    service: ServiceOf,
    principal: Runner,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Submit a job.

    Without an Idempotency-Key, an equal request of yours that is not over is answered
    with its job.
    """
    value = await read_json_object(request)
    submitted = await service.run_quick(
        service.desk.submit, principal, value, idempotency_key
    )
    job = submitted.job
    headers = {"location": f"/v1/jobs/{job.id}"}
    if submitted.is_replayed:
        headers[REPLAYED] = "true"
    return _respond(job, 200 if submitted.is_replayed else 201, headers)


@router.get("", response_model=JobPage, responses=problems())
async def list_jobs(
    service: ServiceOf,
    principal: Reader,
    state: Annotated[
        list[JobState] | None, Query(description="In any of these.")
    ] = None,
    kind: Annotated[JobKind | None, Query(description="Of this kind.")] = None,
    target: Annotated[
        str | None, Query(pattern=TARGET_NAME, description="That write this folder.")
    ] = None,
    owner: Annotated[PrincipalName | None, Query(description="Of this token.")] = None,
    label: Annotated[
        list[str] | None,
        Query(max_length=MAX_LABELS, description="With all of these: NAME=VALUE."),
    ] = None,
    after: Annotated[
        str | None, Query(pattern=JOB_ID, description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> JobPage:
    """List jobs, newest first."""
    wanted = JobFilter(
        states=state or None,
        kind=kind,
        target=target,
        owner=owner,
        labels=_parse_labels(label or []) or None,
    )

    def read() -> JobPage:
        records = service.desk.list_jobs(principal, wanted, after, limit)
        jobs = tuple(service.views.views(records))
        return JobPage(jobs=jobs, next=jobs[-1].id if len(jobs) == limit else None)

    return await service.run_quick(read)


@router.get(
    "/{job_id}",
    response_model=JobView,
    responses={
        304: {"description": "It is as If-None-Match says, also after `wait`."},
        **problems(404),
    },
)
async def get_job(
    service: ServiceOf,
    principal: Reader,
    job_id: JobId,
    wait: Wait = 0,
    if_none_match: Annotated[str | None, Header(max_length=1_000)] = None,
) -> Response:
    """Return a job, at once or when it has changed."""

    def read() -> JobSnapshot:
        record = service.desk.get(principal, job_id)
        return snapshot_of(record, service.settings.jobs_folder)

    snapshot = await service.run_quick(read)
    if wait:
        snapshot = await _wait_for_news(service, snapshot, if_none_match, wait)
    etag = _etag(snapshot)
    if _is_known(etag, if_none_match):
        return Response(status_code=304, headers={"etag": etag})
    if snapshot.record.state is JobState.QUEUED:
        # Its place in the queue changes without it.
        job = await service.run_quick(service.views.view, snapshot.record)
    else:
        job = await shared_view(service, snapshot)
    return _respond(job, 200, {"etag": etag})


async def _wait_for_news(
    service: Service, snapshot: JobSnapshot, known: str | None, wait_s: float
) -> JobSnapshot:
    """Return the newest state of a job once it is news, or after `wait_s` seconds."""

    def is_news(newest: JobSnapshot) -> bool:
        if known is not None:
            return not _is_known(_etag(newest), known)
        state = newest.record.state
        return state.is_final or state is JobState.PAUSED

    now = asyncio.get_running_loop().time
    deadline_s = now() + wait_s
    while not is_news(snapshot):
        left_s = deadline_s - now()
        newer = None
        if left_s > 0:
            newer = await service.watcher.wait(snapshot.record.id, snapshot, left_s)
        if newer is None:
            break
        snapshot = newer
    return snapshot


@router.post(
    "/{job_id}/cancel",
    response_model=JobView,
    responses=problems(404, 409, 415),
    openapi_extra=body_of("StopRequest", {"mode": "drain"}),
)
async def cancel_job(
    service: ServiceOf,
    principal: Runner,
    job_id: JobId,
    body: Annotated[StopRequest, Depends(json_body(StopRequest))],
) -> Response:
    """Cancel a job. What it has so far stays, and `retry` goes on from there."""
    return _respond(
        await service.run_quick(
            service.desk.stop, principal, job_id, "cancel", body.mode
        )
    )


@router.post(
    "/{job_id}/pause",
    response_model=JobView,
    responses=problems(404, 409, 415),
    openapi_extra=body_of("StopRequest", {"mode": "drain"}),
)
async def pause_job(
    service: ServiceOf,
    principal: Runner,
    job_id: JobId,
    body: Annotated[StopRequest, Depends(json_body(StopRequest))],
) -> Response:
    """Pause a job, which gives its place to others."""
    return _respond(
        await service.run_quick(
            service.desk.stop, principal, job_id, "pause", body.mode
        )
    )


@router.post(
    "/{job_id}/resume",
    response_model=JobView,
    responses=problems(404, 409, 415),
    openapi_extra=body_of("ResumeRequest", {"budget": {"max_requests": 5000}}),
)
async def resume_job(
    service: ServiceOf,
    principal: Runner,
    job_id: JobId,
    body: Annotated[ResumeRequest, Depends(json_body(ResumeRequest))],
) -> Response:
    """Queue a paused job again, with a higher budget if that is why it paused."""
    return _respond(
        await service.run_quick(service.desk.resume, principal, job_id, body.budget)
    )


@router.post(
    "/{job_id}/retry",
    response_model=JobView,
    responses=problems(404, 409, 415),
    openapi_extra=body_of("RetryRequest", {"failed": True}),
)
async def retry_job(
    service: ServiceOf,
    principal: Runner,
    job_id: JobId,
    body: Annotated[RetryRequest, Depends(json_body(RetryRequest))],
) -> Response:
    """Queue a job that is over again: what is answered is not asked again."""
    return _respond(
        await service.run_quick(
            service.desk.retry, principal, job_id, failed=body.failed
        )
    )


@router.delete("/{job_id}", status_code=204, responses=problems(404, 409))
async def delete_job(service: ServiceOf, principal: Runner, job_id: JobId) -> Response:
    """Delete the record of a job that is over, and its log. What it made stays."""
    await service.run_quick(service.desk.delete, principal, job_id)
    return Response(status_code=204)


def _respond(
    job: JobView, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        job.model_dump_json(), status, headers, media_type="application/json"
    )


def _etag(snapshot: JobSnapshot) -> str:
    """Return the ETag of a job: its row and the length of its log are all it shows.

    It is a weak one, since the place in the queue changes without either.
    """
    text = f"{snapshot.record.id} {snapshot.version}"
    return f'W/"{hashlib.sha256(text.encode()).hexdigest()[:24]}"'


def _is_known(etag: str, known: str | None) -> bool:
    """Return whether If-None-Match names a weak ETag, as RFC 9110, 13.1.2 compares."""
    if known is None:
        return False
    opaque = etag.removeprefix("W/")
    return opaque in (tag.strip().removeprefix("W/") for tag in known.split(","))


def _parse_labels(texts: Sequence[str]) -> dict[str, str]:
    labels = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not _LABEL_NAME.fullmatch(name):
            raise ProblemError(
                422,
                "invalid",
                f"label {text!r} is not NAME=VALUE.",
                "Pass owner=alice.",
            )
        labels[name] = value
    return labels

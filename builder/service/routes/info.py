"""Whether the service works, and what it is."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

import cotbuild
from cotbuild.builder.service.dependencies import (
    MAX_PAGE,
    SECURITY,
    Reader,
    ServiceOf,
    problems,
)
from cotbuild.builder.service.routes.jobs import MAX_WAIT_S
from cotbuild.builder.web.problems import ProblemError
from cotbuild.builder.web.security import SecurityRules
from cotbuild.schemas.service.api import Health, Limits, ServiceInfo
from cotbuild.schemas.service.job import JobKind
from cotbuild.schemas.service.requests import MAX_PREVIEW_ROWS

router = APIRouter(tags=["service"])


@router.get("/healthz", response_model=Health, responses=problems())
async def check_health() -> Response:
    """Say that the process answers. Anyone may ask."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", response_model=Health, responses=problems())
async def check_ready(service: ServiceOf) -> Response:
    """Say whether jobs can be submitted: the table of jobs answers. Anyone may ask."""
    fault = await service.run_quick(service.fault)
    if fault is not None:
        # The reason may name hosts and folders: it is in the server's log.
        raise ProblemError(503, "not_ready", "The table of jobs cannot be used now.")
    return JSONResponse({"status": "ok"})


@router.get(
    "/v1/info",
    response_model=ServiceInfo,
    responses=problems(),
    dependencies=SECURITY,
)
async def show_info(service: ServiceOf, principal: Reader) -> ServiceInfo:
    """Return the version, the limits, and who asks."""
    uploads = service.uploads
    return ServiceInfo(
        cotbuild=cotbuild.__version__,
        api="v1",
        kinds=tuple(JobKind),
        limits=Limits(
            max_body_bytes=SecurityRules().max_body_bytes,
            max_file_bytes=uploads.max_file_bytes,
            max_files_bytes=uploads.max_total_bytes,
            max_page=MAX_PAGE,
            max_wait_s=MAX_WAIT_S,
            max_preview_rows=MAX_PREVIEW_ROWS,
            max_jobs=service.settings.max_jobs,
        ),
        principal=principal,
    )

"""What a job would do, and a few rows of it, before it is submitted."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request

from cotbuild.builder.service.dependencies import (
    SECURITY,
    Runner,
    ServiceOf,
    body_of,
    json_body,
    problems,
    read_json_object,
)
from cotbuild.builder.service.plans import plan_request, preview_request
from cotbuild.builder.service.preview_teacher import lend_teacher
from cotbuild.builder.service.routes.examples import GENERATE
from cotbuild.schemas.service.api import PreviewRequest
from cotbuild.schemas.service.requests import PlanView, PreviewView

router = APIRouter(prefix="/v1", tags=["jobs"], dependencies=SECURITY)


@router.post(
    "/plans",
    response_model=PlanView,
    responses=problems(404, 409, 415),
    openapi_extra=body_of("JobRequest", GENERATE),
)
async def plan_job(request: Request, service: ServiceOf, principal: Runner) -> PlanView:
    """Say what a job would do: requests, tokens, cost, one request as sent, problems.

    No teacher is asked, and nothing is written.
    """
    value = await read_json_object(request)
    wanted = await service.run_quick(service.desk.check_target, principal, value)
    return await service.run_planning(
        plan_request, wanted, service.settings, principal.name
    )


@router.post(
    "/previews",
    response_model=PreviewView,
    responses=problems(404, 409, 415, 502),
    openapi_extra=body_of("PreviewRequest", {"request": GENERATE, "num_rows": 3}),
)
async def preview_job(
    service: ServiceOf,
    principal: Runner,
    body: Annotated[PreviewRequest, Depends(json_body(PreviewRequest))],
) -> PreviewView:
    """Ask for a few rows now. Their answers are kept, and the job pays nothing for them."""
    desk = service.desk
    wanted = await service.run_quick(desk.claim_target, principal, body.request)
    target = service.settings.target(wanted.target)
    async with lend_teacher(
        service.runner.teachers, wanted, principal.name, target
    ) as socket:
        return await service.run_planning(
            preview_request,
            wanted,
            service.settings,
            principal.name,
            num_rows=body.num_rows,
            teacher_socket=socket,
        )

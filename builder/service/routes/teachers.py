"""The teachers that jobs share, and the figures of the service for Prometheus."""

from fastapi import APIRouter
from starlette.responses import Response

from cotbuild.builder.service.dependencies import (
    SECURITY,
    Reader,
    ServiceOf,
    problems,
)
from cotbuild.builder.service.jobs.store import NoJobError
from cotbuild.builder.service.metrics import CONTENT_TYPE
from cotbuild.builder.service.policy import NotAllowedError
from cotbuild.builder.service.service import Service
from cotbuild.schemas.service.api import TeacherList
from cotbuild.schemas.service.principal import Principal
from cotbuild.schemas.service.teacher import TeacherStatus

router = APIRouter(tags=["service"], dependencies=SECURITY)


@router.get("/v1/teachers", response_model=TeacherList, responses=problems())
async def list_teachers(service: ServiceOf, principal: Reader) -> TeacherList:
    """List the teachers that are up, with their load."""
    shown = await service.run_quick(teachers_shown_to, principal, service)
    return TeacherList(teachers=shown)


@router.get("/metrics", include_in_schema=False)
async def show_metrics(service: ServiceOf, principal: Reader) -> Response:
    """Return the figures of the service in the text format of Prometheus.

    They are about the jobs of all owners, so a runner does not get them.
    """
    if not principal.can_read(None):
        raise NotAllowedError(
            f"{principal.name} has the role {principal.role.value}, which reads its own "
            "jobs alone. Use a token with the role viewer."
        )
    return Response(await service.metrics.render(), media_type=CONTENT_TYPE)


def teachers_shown_to(
    principal: Principal, service: Service
) -> tuple[TeacherStatus, ...]:
    """Return the teachers that someone may know of, without the jobs of others.

    A teacher whose jobs are all of others is left out: its model is theirs. Only
    administrators see lines that name folders of this machine.
    """
    pool = service.runner.teachers
    teachers = () if pool is None else pool.status()

    def may_see(job_id: str) -> bool:
        try:
            service.desk.get(principal, job_id)
        except NoJobError:
            return False
        return True

    shown = []
    for teacher in teachers:
        jobs = tuple(job for job in teacher.jobs if may_see(job.id))
        if not jobs and not principal.can_read(None):
            continue
        lines = teacher.lines if principal.is_admin else ()
        shown.append(teacher.model_copy(update={"jobs": jobs, "lines": lines}))
    return tuple(shown)

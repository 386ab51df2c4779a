"""Evaluations of students, and studies."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import TypeAdapter
from starlette.responses import Response

from cotbuild.builder.service.dependencies import (
    MAX_PAGE,
    SECURITY,
    Name,
    Reader,
    ServiceOf,
    problems,
)
from cotbuild.builder.service.routes.builds import EntryPage, list_entries
from cotbuild.builder.study.report.write import RESULTS
from cotbuild.builder.view.catalog import EntryKind
from cotbuild.builder.view.evaluation import EvaluationView, Outcome, view_evaluation
from cotbuild.builder.view.study import StudyView, read_report_file, view_study
from cotbuild.schemas.service.job import TARGET_NAME

router = APIRouter(prefix="/v1", tags=["builds"], dependencies=SECURITY)

After = Annotated[
    str | None, Query(pattern=TARGET_NAME, description="`next` of the page before.")
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
_EVALUATION: Final[TypeAdapter[EvaluationView]] = TypeAdapter(EvaluationView)
_STUDY: Final[TypeAdapter[StudyView]] = TypeAdapter(StudyView)


@router.get("/evaluations", response_model=EntryPage, responses=problems())
async def list_evaluations(
    service: ServiceOf, principal: Reader, after: After = None, limit: Limit = 50
) -> EntryPage:
    """List evaluations of students."""
    kind = EntryKind.EVALUATION
    return await service.run_reading(
        list_entries, service, principal, kind, after, limit
    )


@router.get(
    "/evaluations/{name}",
    response_model=EvaluationView,
    responses=problems(404, 504),
)
async def get_evaluation(
    service: ServiceOf,
    principal: Reader,
    name: Name,
    outcome: Annotated[Outcome | None, Query(description="Only these.")] = None,
    after: Annotated[
        int, Query(ge=-1, le=1 << 40, description="`next` of the page before.")
    ] = -1,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> Response:
    """Return the metrics of an evaluation, and its results page by page."""

    def read() -> bytes:
        entry = service.find_entry(principal, name, EntryKind.EVALUATION)
        view = view_evaluation(
            service.database, entry.folder, outcome=outcome, after=after, limit=limit
        )
        return _EVALUATION.dump_json(view)

    content = await service.run_reading(read)
    return Response(content, media_type="application/json")


@router.get("/studies", response_model=EntryPage, responses=problems())
async def list_studies(
    service: ServiceOf, principal: Reader, after: After = None, limit: Limit = 50
) -> EntryPage:
    """List studies."""
    kind = EntryKind.STUDY
    return await service.run_reading(
        list_entries, service, principal, kind, after, limit
    )


@router.get("/studies/{name}", response_model=StudyView, responses=problems(404))
async def get_study(service: ServiceOf, principal: Reader, name: Name) -> Response:
    """Return a study: its declaration, its cells, the results of its last report."""

    def read() -> bytes:
        entry = service.find_entry(principal, name, EntryKind.STUDY)
        return _STUDY.dump_json(view_study(entry.folder))

    content = await service.run_reading(read)
    return Response(content, media_type="application/json")


@router.get(
    "/studies/{name}/report",
    response_class=Response,
    responses={
        200: {
            "content": {"application/json": {"schema": {"type": "object"}}},
            "description": "The figures of the last report.",
        },
        **problems(404),
    },
)
async def get_report(service: ServiceOf, principal: Reader, name: Name) -> Response:
    """Return the figures of a study's last report; its page is at /studies/{name}."""

    def read() -> bytes:
        entry = service.find_entry(principal, name, EntryKind.STUDY)
        return read_report_file(entry.folder, RESULTS)

    content = await service.run_reading(read)
    return Response(content, media_type="application/json")

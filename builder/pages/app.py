"""The pages of a server: routes, files of the page itself, and pages of problems.

`cotbuild view` and `cotbuild serve` mount the same ones.
"""

from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from cotbuild.builder.pages import (
    build_pages,
    compare_pages,
    evaluation_pages,
    home_pages,
    job_pages,
    new_job_pages,
    question_pages,
    row_pages,
    service_pages,
    study_pages,
)
from cotbuild.builder.pages.render import STATIC, render
from cotbuild.builder.pages.site import Site
from cotbuild.builder.view.faults import NotFoundError, QueryStopped
from cotbuild.builder.web.problems import ProblemResponder, Statuses
from cotbuild.schemas.service.problem import Problem

ROUTERS: Final[tuple[APIRouter, ...]] = (
    home_pages.router,
    build_pages.router,
    row_pages.router,
    question_pages.router,
    compare_pages.router,
    evaluation_pages.router,
    study_pages.router,
)
"""The routes of all pages that show data."""
SERVICE_ROUTERS: Final[tuple[APIRouter, ...]] = (
    job_pages.router,
    new_job_pages.router,
    service_pages.router,
)
"""The routes of pages that only a service has."""


def add_pages(app: FastAPI, site: Site) -> None:
    """Add the pages that show what `site` has."""
    app.state.site = site
    has_jobs = site.jobs is not None
    for router in ROUTERS + (SERVICE_ROUTERS if has_jobs else ()):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")


def page_responder(statuses: Statuses = ()) -> ProblemResponder:
    """Return what answers errors with pages, for `protect_app`.

    `statuses` are those of errors that a layer above defines.
    """
    known: Statuses = (
        (NotFoundError, 404, "not_found"),
        (QueryStopped, 503, "query_stopped"),
    )
    return ProblemResponder(render_problem, statuses + known)


def render_problem(request: Request, problem: Problem) -> Response:
    """Return the page of a problem."""
    return render(request, "problem.html.jinja", status=problem.status, problem=problem)

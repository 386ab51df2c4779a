"""The app of `cotbuild serve`: what it is made of, its routes, its start and its end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from anyio import CapacityLimiter
from fastapi import APIRouter, FastAPI

import cotbuild
from cotbuild.builder.pages.app import add_pages, render_problem
from cotbuild.builder.pages.links import ServerLinks
from cotbuild.builder.pages.site import Site
from cotbuild.builder.service.access import open_access
from cotbuild.builder.service.build_files import BuildFiles
from cotbuild.builder.service.job_desk import JobDesk
from cotbuild.builder.service.job_views import JobViews
from cotbuild.builder.service.jobs.states import JobStateError
from cotbuild.builder.service.jobs.store import (
    IdempotencyError,
    JobStore,
    NoJobError,
)
from cotbuild.builder.service.metrics import RequestTimer, ServiceMetrics
from cotbuild.builder.service.openapi import describe_api
from cotbuild.builder.service.ownership import TargetOwners
from cotbuild.builder.service.page_jobs import PageJobs
from cotbuild.builder.service.policy import NotAllowedError
from cotbuild.builder.service.routes import (
    builds,
    evaluations,
    files,
    info,
    job_output,
    jobs,
    plans,
    teachers,
    tokens,
)
from cotbuild.builder.service.service import (
    PLANNING_THREADS,
    QUICK_THREADS,
    READING_THREADS,
    JobRunner,
    Service,
)
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.builder.service.tokens import TokenStore
from cotbuild.builder.service.upload_store import UploadStore
from cotbuild.builder.service.watch import JobWatcher, look_at_job
from cotbuild.builder.view.catalog import Catalog
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.faults import NotFoundError, QueryStopped
from cotbuild.builder.web.problems import ProblemResponder, Statuses
from cotbuild.builder.web.protect import protect_app
from cotbuild.builder.web.security import LOOPBACK_HOSTS, BodyLimit, SecurityRules
from cotbuild.schemas.service.principal import Principal

MAX_FORM_BYTES: Final = 256 << 20
"""Largest form of a new job, with its files; larger ones are uploaded by the API."""
STOP_S: Final = 2.0
"""Longest wait for the runner of jobs when the server stops, seconds."""
STATUSES: Final[Statuses] = (
    (NotFoundError, 404, "not_found"),
    (NoJobError, 404, "not_found"),
    (JobStateError, 409, "job_state"),
    (IdempotencyError, 409, "idempotency_conflict"),
    (NotAllowedError, 403, "wrong_role"),
    (QueryStopped, 504, "query_stopped"),
)
"""The statuses of errors that layers below the routes raise."""
ROUTERS: Final[tuple[APIRouter, ...]] = (
    info.router,
    files.router,
    jobs.router,
    job_output.router,
    plans.router,
    builds.router,
    evaluations.router,
    teachers.router,
    tokens.router,
)


def open_service(
    settings: ServiceSettings, runner: JobRunner, store: JobStore, port: int
) -> Service:
    """Open all that a service keeps under its root; its server listens at `port`.

    `make_service_folders` was called before. Raises ConfigError or StoreError if
    something cannot be used.
    """
    tokens = TokenStore(settings.tokens_file)
    owners = TargetOwners(settings.root, settings.folder)
    uploads = UploadStore(settings.folder)
    views = JobViews(store, settings.jobs_folder)
    quick = CapacityLimiter(QUICK_THREADS)
    return Service(
        settings=settings,
        tokens=tokens,
        uploads=uploads,
        owners=owners,
        store=store,
        views=views,
        watcher=JobWatcher(look_at_job(store, settings.jobs_folder), quick),
        catalog=Catalog([settings.root], is_root=True),
        database=Database([settings.root]),
        access=open_access(tokens, port, is_secure=settings.behind_proxy),
        desk=JobDesk(settings, store, views, owners, uploads, runner.wake),
        runner=runner,
        metrics=ServiceMetrics(store, settings.jobs_folder, runner.teachers),
        files=BuildFiles(),
        quick=quick,
        reading=CapacityLimiter(READING_THREADS),
        planning=CapacityLimiter(PLANNING_THREADS),
    )


def create_app(service: Service) -> FastAPI:
    """Return the app of a service: the API, and the pages with jobs.

    Its jobs are run for as long as it is: from its start until its server stops.
    """

    @contextlib.asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[None]:
        # run_server has set it; another server that is used in tests has not.
        if not hasattr(app.state, "stopping"):
            app.state.stopping = asyncio.Event()
        async with _running(service, app.state.stopping):
            yield

    app = FastAPI(
        title="cotbuild",
        version=cotbuild.__version__,
        lifespan=run,
        docs_url=None,  # its pages load scripts of another site
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,  # an address is right or it is not there
    )
    app.state.service = service
    for router in ROUTERS:
        app.include_router(router)
    add_pages(app, _site(service))
    describe_api(app)
    responder = ProblemResponder(render_problem, STATUSES)
    app.add_middleware(RequestTimer, metrics=service.metrics)
    protect_app(app, security_rules(service), service.access, responder)
    return app


def security_rules(service: Service) -> SecurityRules:
    """Return which requests are refused before a route sees them."""
    settings = service.settings
    hosts = {*LOOPBACK_HOSTS, *settings.public_hosts}
    if settings.host not in ("0.0.0.0", "::"):
        hosts.add(f"[{settings.host}]" if ":" in settings.host else settings.host)
    upload = BodyLimit("PUT", "/v1/files/", service.uploads.max_file_bytes)
    form = BodyLimit("POST", "/new", MAX_FORM_BYTES)
    return SecurityRules(
        hosts=frozenset(host.lower() for host in hosts), body_limits=(upload, form)
    )


def _site(service: Service) -> Site:
    def may_see(principal: Principal | None, name: str) -> bool:
        return principal is not None and service.owners.may_read(principal, name)

    return Site(
        catalog=service.catalog,
        database=service.database,
        links=ServerLinks(has_jobs=True, has_files=True),
        may_see=may_see,
        jobs=PageJobs(service),
        access=service.access,
    )


@contextlib.asynccontextmanager
async def _running(service: Service, stopping: asyncio.Event) -> AsyncIterator[None]:
    """Run jobs, and let clients go who wait when the server stops."""
    let_go = asyncio.create_task(_let_go(service, stopping))
    jobs_run = asyncio.create_task(service.runner.run())
    watching = asyncio.create_task(service.metrics.watch())
    try:
        yield
    finally:
        stopping.set()
        service.runner.stop()
        # The processes of jobs go on whether or not it ends in time.
        await asyncio.wait([let_go, jobs_run], timeout=STOP_S)
        jobs_run.cancel()
        watching.cancel()
        await asyncio.gather(let_go, jobs_run, watching, return_exceptions=True)
        service.database.close()
        service.store.close()


async def _let_go(service: Service, stopping: asyncio.Event) -> None:
    await stopping.wait()
    service.watcher.close()

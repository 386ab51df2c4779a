"""The page of a build: what it holds and how to load it; or how far its run is."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from cotbuild.builder.pages.render import render
from cotbuild.builder.pages.site import Site, SiteOf
from cotbuild.builder.view.catalog import CatalogEntry, EntryKind, open_build
from cotbuild.builder.view.live import MAX_ANSWERS, read_live
from cotbuild.builder.view.summary import summarise_build
from cotbuild.schemas.errors import CotbuildError

router = APIRouter(include_in_schema=False)

FIRST_ANSWERS = 50
"""Newest answers that the page of a build that is being made shows at first."""


@router.get("/builds/{name}")
def show_build(
    request: Request, name: str, site: SiteOf, answers: int = FIRST_ANSWERS
) -> Response:
    """Show a finished build; of one that is being made, its newest answers."""
    entry = site.find(request, name, EntryKind.BUILD)
    if not entry.is_complete and entry.fault is None:
        return _show_live(request, site, entry, answers)
    try:
        build = open_build(entry.folder)
    except CotbuildError as fault:
        line = " ".join(str(fault).split())
        return render(
            request, "build_fault.html.jinja", entry=entry, fault=line, status=409
        )
    return render(
        request,
        "build.html.jinja",
        entry=entry,
        build=summarise_build(build, _place_of(site, entry)),
    )


def _place_of(site: Site, entry: CatalogEntry) -> str:
    """Return where programs find a build: of a service, where it was downloaded to."""
    is_for_others = site.links.jobs() is not None or site.copy_policy is not None
    return entry.name if is_for_others else str(entry.folder)


def _show_live(
    request: Request, site: Site, entry: CatalogEntry, answers: int
) -> Response:
    limit = min(max(answers, 1), MAX_ANSWERS)
    live = read_live(entry.folder, site.database.remembered, limit)
    return render(
        request,
        "build_live.html.jinja",
        entry=entry,
        live=live,
        limit=limit,
        max_answers=MAX_ANSWERS,
    )

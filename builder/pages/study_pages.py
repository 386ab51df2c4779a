"""Studies: the declaration, the state of the cells, the claims, and the report."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from cotbuild.builder.pages.render import render
from cotbuild.builder.pages.site import SiteOf
from cotbuild.builder.study.folder import PAGE
from cotbuild.builder.study.report import claim_words, wording
from cotbuild.builder.view.catalog import EntryKind
from cotbuild.builder.view.study import REPORT_FILES, read_report_file, view_study
from cotbuild.builder.web.problems import not_found
from cotbuild.schemas.record import short_repr

router = APIRouter(include_in_schema=False)

REPORT_POLICY: Final = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of a report: what its page states itself, and no frames.

Its styles and pictures are inside the page. Nothing of it runs as a script.
"""
_MEDIA_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "png": "image/png",
}
MAX_CELLS: Final = 500


@router.get("/studies/{name}")
def show_study(request: Request, site: SiteOf, name: str) -> Response:
    """Show a study, whether finished or not."""
    entry = site.find(request, name, EntryKind.STUDY)
    view = view_study(entry.folder)
    links = site.links
    return render(
        request,
        "study.html.jinja",
        entry=entry,
        view=view,
        study=view.study,
        cells=view.cells[:MAX_CELLS],
        num_more=max(0, len(view.cells) - MAX_CELLS),
        wording=wording,
        claim_words=claim_words,
        report=links.report(name) if view.has_report else None,
    )


@router.get("/studies/{name}/report")
def show_report(request: Request, site: SiteOf, name: str) -> Response:
    """Send the page of a study's report as it is."""
    entry = site.find(request, name, EntryKind.STUDY)
    data = read_report_file(entry.folder, PAGE)
    headers = {"content-security-policy": REPORT_POLICY}
    return Response(data, media_type=_MEDIA_TYPES["html"], headers=headers)


@router.get("/studies/{name}/{file}")
def send_report_file(request: Request, site: SiteOf, name: str, file: str) -> Response:
    """Send a table of a study's report, which its page links to."""
    entry = site.find(request, name, EntryKind.STUDY)
    if file not in REPORT_FILES or file == PAGE:
        raise not_found(f"file {short_repr(file)}")
    data = read_report_file(entry.folder, file)
    media_type = _MEDIA_TYPES[file.rpartition(".")[2]]
    headers = {"content-disposition": f'attachment; filename="{file}"'}
    return Response(data, media_type=media_type, headers=headers)

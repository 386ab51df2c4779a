"""Two variants of a build, or two builds, side by side."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from cotbuild.builder.pages.marked import count_marks
from cotbuild.builder.pages.render import render
from cotbuild.builder.pages.site import Site, SiteOf
from cotbuild.builder.view.catalog import EntryKind, open_build
from cotbuild.builder.view.compare_builds import (
    PairFilter,
    changed_cells,
    compare_builds,
    read_pairs,
)
from cotbuild.builder.view.compare_variants import compare_variants
from cotbuild.schemas.fingerprint import canonical_json
from cotbuild.schemas.rationale import Verdict

router = APIRouter(include_in_schema=False)

Name = Annotated[str, Query(max_length=200)]
Position = Annotated[int, Query(ge=0, le=10**15)]


@router.get("/builds/{name}/compare")
def show_variants(
    request: Request,
    site: SiteOf,
    name: str,
    a: Name = "",
    b: Name = "",
    start: Position = 0,
    differ: bool = False,
) -> Response:
    """Compare two variants of a build, from row `start` of the first one on."""
    entry = site.find(request, name, EntryKind.BUILD)
    build = open_build(entry.folder)
    names = [spec.name for spec in build.specs]
    a = a or (names[0] if names else "")
    b = b or next((one for one in names if one != a), a)
    links = site.links

    def link(**changes: Any) -> str | None:
        query = {"a": a, "b": b, "differ": 1 if differ else None, **changes}
        return links.variants(name, **query)

    found = None
    if names:
        found = compare_variants(
            site.database, build, a, b, start=start, only_differing=differ
        )
    return render(
        request,
        "variants.html.jinja",
        entry=entry,
        names=names,
        a=a,
        b=b,
        differ=differ,
        found=found,
        num_measured=_num_measured(build.manifest.variants),
        count_marks=count_marks,
        first_page=link() if start else None,
        next=link(start=found.next) if found and found.next else None,
        toggle=link(differ=None if differ else 1),
        swapped=link(a=b, b=a),
    )


def _num_measured(variants: Any) -> int:
    """Return how many rationales were searched for answers."""
    return 0 if variants is None else int(variants.num_looked_at)


@router.get("/compare")
def show_builds(
    request: Request,
    site: SiteOf,
    a: Name = "",
    b: Name = "",
    first: Verdict | None = None,
    second: Verdict | None = None,
    after: Annotated[int | None, Query(ge=0, le=10**15)] = None,
) -> Response:
    """Compare two builds; `first` and `second` are verdicts of the pairs to list."""
    names = finished_names(request, site, EntryKind.BUILD)
    if not (a and b):
        return render(
            request,
            "choose_two.html.jinja",
            names=names,
            a=a,
            b=b,
            what="builds",
            action=site.links.builds(),
        )
    one = open_build(site.find(request, a, EntryKind.BUILD).folder)
    other = open_build(site.find(request, b, EntryKind.BUILD).folder)
    is_chosen = first is not None or second is not None
    pair_filter = PairFilter(first, second, changed=not is_chosen)
    found = compare_builds(site.database, one, other)
    page = read_pairs(site.database, one, other, pair_filter, after=after)
    query = {"a": a, "b": b, "first": first, "second": second}
    links = site.links
    return render(
        request,
        "builds.html.jinja",
        names=names,
        a=a,
        b=b,
        found=found,
        num_changed=changed_cells(found.cells),
        page=page,
        chosen=(first, second),
        is_chosen=is_chosen,
        format_value=format_value,
        cell_link=lambda x, y: links.builds(a=a, b=b, first=x, second=y),
        changed_link=links.builds(a=a, b=b),
        first_page=links.builds(**query) if after is not None else None,
        next=None if page.next is None else links.builds(**query, after=page.next),
    )


def format_value(value: Any) -> str:
    """Return a setting as JSON on one line, without quotes around a text."""
    if value is None:
        return "–"
    return value if isinstance(value, str) else canonical_json(value)


def finished_names(request: Request, site: Site, kind: EntryKind) -> list[str]:
    """Return the names of what is finished and can be shown."""
    return [
        entry.name
        for entry in site.entries(request)
        if entry.kind is kind and entry.is_complete and entry.fault is None
    ]

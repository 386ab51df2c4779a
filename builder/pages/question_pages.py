"""One question of a build: samples and variants side by side."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from cotbuild.builder.pages.links import Links
from cotbuild.builder.pages.marked import MAX_SHOWN_CHARS, count_marks
from cotbuild.builder.pages.render import cut, render, shown
from cotbuild.builder.pages.site import Site, SiteOf
from cotbuild.builder.view.catalog import EntryKind, open_build
from cotbuild.builder.view.marks import Mark, MarkedText, Segment, mark_differences
from cotbuild.builder.view.neighbours import Neighbour, find_neighbours
from cotbuild.builder.view.pictures import read_picture
from cotbuild.builder.view.question import QuestionView, VariantView, read_question
from cotbuild.builder.view.row_filter import RowFilter
from cotbuild.schemas.rationale import Rationale

router = APIRouter(include_in_schema=False)

MAX_SHOWN_VARIANTS = 24
"""Variants that are shown where none are chosen."""
OWN_PARAMETERS = frozenset(("id", "near", "show", "differ"))
"""Parameters of the page besides those of the filter that the question was found by."""
Position = Annotated[int | None, Query(ge=0, le=10**15)]


@router.get("/builds/{name}/question")
def show_question(
    request: Request,
    site: SiteOf,
    name: str,
    id: str,
    near: Position = None,
    show: Annotated[list[str] | None, Query(max_length=200)] = None,
    differ: bool = False,
) -> Response:
    """Show a question of a build.

    `near` is about where its rows are. `show` names variants; `differ` leaves out what
    is the same. All other parameters are the filter by which j and k find the next one.
    """
    entry = site.find(request, name, EntryKind.BUILD)
    build = open_build(entry.folder)
    row_filter = RowFilter.from_query(
        (key, value)
        for key, value in request.query_params.multi_items()
        if key not in OWN_PARAMETERS
    )
    names = [spec.name for spec in build.specs]
    view = read_question(
        site.database,
        build,
        id,
        near=near,
        variants=show if show is not None else names[:MAX_SHOWN_VARIANTS],
    )
    around = find_neighbours(
        site.database, build, row_filter, id, near or view.position
    )
    query = _page_query(row_filter, show, differ)
    return render(
        request,
        "question.html.jinja",
        entry=entry,
        view=view,
        shown_names=frozenset(one.name for one in view.variants),
        variants=_variants_of_samples(view, differ),
        differences=_sample_differences(view) if differ else {},
        count_marks=count_marks,
        completion_segments=completion_segments,
        facts=list_facts,
        variant_link=lambda one: _variant_link(site.links, name, names, one),
        form_action=request.url.path,
        filter_words=_filter_words(row_filter),
        differ=differ,
        filter_query=row_filter.to_query(),
        previous=_neighbour_link(site.links, name, around.previous, query),
        next=_neighbour_link(site.links, name, around.next, query),
        toggle=site.links.question(
            name, id, near=view.position, **query | {"differ": None if differ else 1}
        ),
        pictures=_picture_links(site, name, view),
    )


def _variant_link(
    links: Links, name: str, names: Sequence[str], variant: str
) -> str | None:
    """Return the address that compares a variant with the build's first one."""
    first = names[0]
    other = next((one for one in names if one != first), first)
    return links.variants(name, a=first, b=other if variant == first else variant)


def _filter_words(row_filter: RowFilter) -> str:
    """Return the filter by which the next question is found, in words."""
    query = row_filter.to_query()
    query.pop("id", None)
    return ", ".join(f"{name} {value}" for name, value in query.items())


def list_facts(row: Rationale) -> list[tuple[str, str]]:
    """Return what is known of how a rationale was made, by name."""
    facts: dict[str, object] = {
        "Teacher": row.teacher,
        "Purpose": row.purpose.value,
        "Template": row.template,
        "Rule of the answer": row.answer_rule,
        "Comparison": row.verdict_rule,
        "Finish reason": row.finish_reason,
        "Prompt tokens": row.prompt_tokens,
        "Completion tokens": row.completion_tokens,
        "Request": row.request_key[:12],
        "Failure": row.failure,
    }
    if row.origin is not None:
        facts["Read from"] = f"{row.origin.file}, row {row.origin.row}"
    return [
        (name, cut(shown(value), 300))
        for name, value in facts.items()
        if value is not None
    ]


def completion_segments(row: Rationale) -> list[Segment]:
    """Return a completion with its answer marked."""
    text = (row.completion or "")[:MAX_SHOWN_CHARS]
    start, end = row.answer_start, row.answer_end
    if start is None or end is None or end > len(text):
        return [Segment(text, Mark.KEPT)]
    return [
        Segment(text[:start], Mark.KEPT),
        Segment(text[start:end], Mark.LABEL),
        Segment(text[end:], Mark.KEPT),
    ]


def _page_query(
    row_filter: RowFilter, show: list[str] | None, differ: bool
) -> dict[str, Any]:
    """Return the parameters that stay when one goes on to another question."""
    return {
        **row_filter.to_query(),
        "show": show or None,
        "differ": 1 if differ else None,
    }


def _neighbour_link(
    links: Links, name: str, neighbour: Neighbour | None, query: dict[str, Any]
) -> str | None:
    if neighbour is None:
        return None
    query = {key: value for key, value in query.items() if key != "id"}
    return links.question(name, neighbour.question_id, near=neighbour.position, **query)


def _variants_of_samples(
    view: QuestionView, only_differing: bool
) -> dict[int, list[VariantView]]:
    """Return the variants with rows of each sample, with these rows alone."""
    found: dict[int, list[VariantView]] = {}
    for sample in view.samples:
        index = sample.row.sample_index
        for variant in view.variants:
            rows = tuple(
                row
                for row in variant.rows
                if row.sample_index == index
                and not (only_differing and (row.same_as or not row.differs))
            )
            if rows:
                one = VariantView(variant.name, variant.about, rows)
                found.setdefault(index, []).append(one)
    return found


def _sample_differences(view: QuestionView) -> dict[int, MarkedText]:
    """Return each sample but the first with what differs from the first."""
    return {
        sample.row.sample_index: mark_differences(
            view.samples[0].row.rationale, sample.row.rationale
        )
        for sample in view.samples[1:]
    }


def _picture_links(site: Site, name: str, view: QuestionView) -> dict[str, str]:
    """Return the address of each picture of the question, by the input's name."""
    found = {}
    for one in view.question.inputs:
        if one.image is not None:
            href = site.links.picture(
                name, view.question.id, one.image.sha256, near=view.position
            )
            if href is not None:
                found[one.name] = href
    return found


@router.get("/builds/{name}/picture")
def show_picture(
    request: Request,
    site: SiteOf,
    name: str,
    id: str,
    sha256: Annotated[str, Query(pattern=r"^[0-9a-f]{64}$")],
    near: Position = None,
) -> Response:
    """Send a picture of a question; only PNG and JPEG are."""
    entry = site.find(request, name, EntryKind.BUILD)
    picture = read_picture(
        site.database, open_build(entry.folder), id, sha256, near=near
    )
    return Response(picture.data, media_type=picture.media_type)

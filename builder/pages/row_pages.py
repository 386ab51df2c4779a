"""The rows of a build: a filter, facets, histograms of lengths, and a list in pages."""

from typing import Any, NamedTuple

from fastapi import APIRouter
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from cotbuild.builder.build.build import QUESTIONS, RATIONALES, StoredBuild
from cotbuild.builder.pages.links import Links
from cotbuild.builder.pages.render import render
from cotbuild.builder.pages.site import SiteOf
from cotbuild.builder.pages.svg import histogram_svg, range_text
from cotbuild.builder.view.catalog import EntryKind, open_build
from cotbuild.builder.view.database import Database
from cotbuild.builder.view.facets import Facets, read_facets
from cotbuild.builder.view.histogram import Bin, Histogram, Unit, read_histogram
from cotbuild.builder.view.row_filter import RowFilter
from cotbuild.builder.view.rows import PAGE_ROWS, read_page
from cotbuild.builder.view.shown_rows import ShownRow
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import Flag, Purpose, Verdict
from cotbuild.schemas.record import short_repr

router = APIRouter(include_in_schema=False)

_UNITS: dict[Unit, str] = {
    "chars": "Length in characters",
    "tokens": "Tokens generated",
}
_FACET_TITLES = {
    "verdict": "Verdict",
    "flag": "Flag",
    "purpose": "Purpose",
    "kind": "Kind of question",
    "template": "Template",
}


class ListedRow(NamedTuple):
    """A row with the address of its question."""

    row: ShownRow
    href: str | None


class Condition(NamedTuple):
    """A condition of the filter, and the rows without it."""

    text: str
    href: str | None


class FacetLink(NamedTuple):
    """A value of a facet: the rows that have it too, or, if chosen, all others too."""

    value: str
    num_rows: int
    is_chosen: bool
    href: str | None


class FacetList(NamedTuple):
    """A facet with links."""

    name: str
    title: str
    values: list[FacetLink]


class Plot(NamedTuple):
    """A histogram as a picture and as a table."""

    title: str
    unit: Unit
    svg: Markup
    rows: list[tuple[str, int, str | None]]
    stopped: str | None


@router.get("/builds/{name}/rows")
def show_rows(request: Request, name: str, site: SiteOf) -> Response:
    """Show the rows that match the query: a RowFilter, `after` and `limit`."""
    entry = site.find(request, name, EntryKind.BUILD)
    build = open_build(entry.folder)
    row_filter, after, limit = _read_query(request)
    page = read_page(site.database, build, row_filter, after, limit)
    query = row_filter.to_query()
    if limit != PAGE_ROWS:
        query["limit"] = str(limit)
    facets = read_facets(site.database, build, row_filter)
    links = site.links
    return render(
        request,
        "rows.html.jinja",
        entry=entry,
        page=page,
        rows=[_listed(row, row_filter, links, name) for row in page.rows],
        query=query,
        filter=row_filter,
        is_filtered=row_filter.has_conditions,
        conditions=_conditions(row_filter, links, name),
        first=links.rows(name, **query),
        after=after,
        previous=page.previous and links.rows(name, **query, after=page.previous),
        next=page.next and links.rows(name, **query, after=page.next),
        facets=_facet_lists(facets, row_filter, links, name),
        facets_stopped=facets.stopped,
        plots=_plots(site.database, build, row_filter, links, name),
        fields=_form_fields(build, row_filter, facets),
    )


def _read_query(request: Request) -> tuple[RowFilter, str | None, int]:
    """Return filter, cursor and number of rows of a request; raises ConfigError."""
    pairs = request.query_params.multi_items()
    own = {key: value for key, value in pairs if key in ("after", "limit")}
    row_filter = RowFilter.from_query(pair for pair in pairs if pair[0] not in own)
    limit = own.get("limit") or str(PAGE_ROWS)
    if not limit.isascii() or not limit.isdigit() or len(limit) > 4:
        raise ConfigError(
            f"parameter limit: {short_repr(limit)} is not a whole number."
        )
    return row_filter, own.get("after") or None, int(limit)


def _listed(row: ShownRow, row_filter: RowFilter, links: Links, name: str) -> ListedRow:
    # The question page finds the rationale at once by its position, and the next
    # question by the filter.
    near = row.position if row_filter.config == RATIONALES else None
    query = _without(row_filter, "id")
    return ListedRow(row, links.question(name, row.question_id, near=near, **query))


# -- conditions and facets -----------------------------------------------------------------


def _without(row_filter: RowFilter, *names: str) -> dict[str, str]:
    query = row_filter.to_query()
    return {name: value for name, value in query.items() if name not in names}


def _conditions(row_filter: RowFilter, links: Links, name: str) -> list[Condition]:
    """Return the conditions of a filter, each with the rows without it."""
    query = row_filter.to_query()
    found = []
    for parameter, value in query.items():
        if parameter not in ("config", "split"):
            text = f"{parameter.replace('_', ' ')}: {value}"
            href = links.rows(name, **_without(row_filter, parameter))
            found.append(Condition(text, href))
    return found


def _facet_lists(
    facets: Facets, row_filter: RowFilter, links: Links, name: str
) -> list[FacetList]:
    lists = []
    for facet in facets.facets:
        others = _without(row_filter, facet.name)
        values = []
        for one in facet.values:
            query = others if one.is_chosen else {**others, facet.name: one.value}
            href = links.rows(name, **query)
            values.append(FacetLink(one.value, one.count, one.is_chosen, href))
        lists.append(FacetList(facet.name, _FACET_TITLES[facet.name], values))
    return lists


def _plots(
    database: Database,
    build: StoredBuild,
    row_filter: RowFilter,
    links: Links,
    name: str,
) -> list[Plot]:
    plots = []
    for unit, title in _UNITS.items():
        histogram = read_histogram(database, build, row_filter, unit)
        if histogram.bins or histogram.stopped:
            plots.append(_plot(histogram, title, row_filter, links, name))
    return plots


def _plot(
    histogram: Histogram, title: str, row_filter: RowFilter, links: Links, name: str
) -> Plot:
    least, greatest = f"min_{histogram.unit}", f"max_{histogram.unit}"
    others = _without(row_filter, least, greatest)

    def href_of(one: Bin) -> str | None:
        # Not part of an offline copy, as no filter is: its links are None.
        return links.rows(name, **others, **{least: one.low, greatest: one.high})

    svg = histogram_svg(histogram, f"plot-{histogram.unit}", title, href_of)
    rows = [(range_text(one), one.count, href_of(one)) for one in histogram.bins]
    return Plot(title, histogram.unit, svg, rows, histogram.stopped)


# -- the form ------------------------------------------------------------------------------


class Field(NamedTuple):
    """A field of the filter form."""

    name: str
    label: str
    kind: str
    """select, text, number or search."""
    value: str
    options: list[str]


def _form_fields(
    build: StoredBuild, row_filter: RowFilter, facets: Facets
) -> list[Field]:
    """Return the fields that rows of this config have."""
    query = row_filter.to_query()

    def field(name: str, label: str, kind: str, options: Any = ()) -> Field:
        return Field(
            name, label, kind, query.get(name, ""), [str(one) for one in options]
        )

    config = row_filter.config
    configs = list(dict.fromkeys(entry.config_name for entry in build.manifest.files))
    fields = [field("text", "Text contains", "search")]
    if len(configs) > 1:
        fields.append(field("config", "Rows of", "select", configs))
    if len(splits := build.splits(config)) > 1:
        fields.append(field("split", "Split", "select", ["", *splits]))
    if config == RATIONALES:
        templates = _names_in(facets, "template", row_filter.template)
        fields += [
            field("verdict", "Verdict", "select", ["", *Verdict]),
            field("flag", "Flag", "select", ["", *Flag]),
            field("purpose", "Purpose", "select", ["", *Purpose]),
            field("template", "Template", "select", ["", *templates]),
        ]
    if config in (RATIONALES, QUESTIONS):
        fields += [
            field("kind", "Kind", "select", ["", *QuestionKind]),
            field("tag", "Tag (name:value)", "text"),
        ]
    fields.append(field("id", "Question id", "text"))
    if config != QUESTIONS:
        fields += [
            field("min_chars", "Characters from", "number"),
            field("max_chars", "to", "number"),
        ]
    if config == RATIONALES:
        fields += [
            field("min_tokens", "Tokens from", "number"),
            field("max_tokens", "to", "number"),
        ]
    return fields


def _names_in(facets: Facets, name: str, chosen: str | None) -> list[str]:
    """Return the values of a facet, and the chosen one if no row has it."""
    values = [
        one.value
        for facet in facets.facets
        if facet.name == name
        for one in facet.values
    ]
    return list(dict.fromkeys([*values, *([chosen] if chosen else [])]))

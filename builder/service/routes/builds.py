"""What is under the root: builds with rows, counts and files; also while a job runs."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query
from pydantic import Field, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.service.dependencies import (
    MAX_PAGE,
    SECURITY,
    Name,
    Reader,
    ServiceOf,
    problems,
)
from cotbuild.builder.service.downloads import send_file
from cotbuild.builder.service.service import Service
from cotbuild.builder.view.catalog import CatalogEntry, EntryKind, open_build
from cotbuild.builder.view.facets import Facets, read_facets
from cotbuild.builder.view.histogram import Histogram, read_histogram
from cotbuild.builder.view.live import MAX_ANSWERS, LiveBuild, read_live
from cotbuild.builder.view.question import QuestionView, read_question
from cotbuild.builder.view.row_filter import RowFilter
from cotbuild.builder.view.rows import RowPage, read_page
from cotbuild.builder.view.summary import BuildSummary, summarise_build
from cotbuild.schemas.record import Record
from cotbuild.schemas.service.files import BuildFile
from cotbuild.schemas.service.job import TARGET_NAME
from cotbuild.schemas.service.principal import Principal

router = APIRouter(prefix="/v1/builds", tags=["builds"], dependencies=SECURITY)

MAX_ROWS: Final = 100
"""Most rows of one page: they hold texts."""
Rows = Annotated[int, Query(ge=1, le=MAX_ROWS)]
Cursor = Annotated[
    str | None, Query(max_length=100, description="`next` of the page before.")
]
_QUESTION: Final[TypeAdapter[QuestionView]] = TypeAdapter(QuestionView)
_NOT_IN_FILTER: Final = frozenset({"after", "limit"})


class EntryPage(Record):
    """Some of what is under the root, by name."""

    entries: tuple[CatalogEntry, ...] = Field(description="Names, kinds and counts.")
    next: str | None = Field(
        default=None, description="`after` of the next page; None at the end."
    )


class Statistics(Record):
    """Lengths of the rows that match a filter."""

    chars: Histogram = Field(description="Characters of rationales.")
    tokens: Histogram = Field(description="Tokens generated.")


class BuildFiles(Record):
    """The files of a build."""

    files: tuple[BuildFile, ...] = Field(description="Records, then parquet files.")


def _filter_parameters() -> dict[str, Any]:
    """Return the part of the OpenAPI that describes the parameters of a filter."""
    schema = RowFilter.model_json_schema(ref_template="#/components/schemas/{model}")
    parameters = []
    for name, described in schema["properties"].items():
        text = described.pop("description", "")
        described.pop("title", None)
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": text,
                "schema": _plain(described, schema.get("$defs", {})),
            }
        )
    return {"parameters": parameters}


def _plain(described: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter, which is absent where a field is None."""
    options = [
        option
        for option in described.get("anyOf", [described])
        if option.get("type") != "null"
    ]
    plain = dict(options[0])
    if "$ref" in plain:
        plain = dict(definitions[plain["$ref"].rpartition("/")[2]])
        plain.pop("title", None)
        plain.pop("description", None)
    return plain


FILTER: Final = _filter_parameters()


@router.get("", response_model=EntryPage, responses=problems())
async def list_builds(
    service: ServiceOf,
    principal: Reader,
    kind: Annotated[EntryKind, Query(description="Of this kind.")] = EntryKind.BUILD,
    after: Annotated[
        str | None, Query(pattern=TARGET_NAME, description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> EntryPage:
    """List builds, training runs, evaluations or studies."""
    return await service.run_reading(
        list_entries, service, principal, kind, after, limit
    )


def list_entries(
    service: Service,
    principal: Principal,
    kind: EntryKind,
    after: str | None,
    limit: int,
) -> EntryPage:
    """Return what someone may read of a kind, by name."""
    following = [
        entry
        for entry in service.catalog.entries()
        if entry.kind is kind
        and (after is None or entry.name > after)
        and service.owners.may_read(principal, entry.name)
    ]
    page = tuple(following[:limit])
    is_more = len(following) > len(page)
    return EntryPage(entries=page, next=page[-1].name if is_more else None)


@router.get("/{name}", response_model=CatalogEntry, responses=problems(404))
async def get_build(service: ServiceOf, principal: Reader, name: Name) -> CatalogEntry:
    """Return what a list says about a build. `is_live`: a run is writing to it."""
    return await service.run_reading(
        service.find_entry, principal, name, EntryKind.BUILD
    )


@router.get(
    "/{name}/summary", response_model=BuildSummary, responses=problems(404, 504)
)
async def summarise(service: ServiceOf, principal: Reader, name: Name) -> BuildSummary:
    """Return counts, settings and provenance of a finished build."""

    def read() -> BuildSummary:
        return summarise_build(_open(service, principal, name), name)

    return await service.run_reading(read)


@router.get("/{name}/answers", response_model=LiveBuild, responses=problems(404))
async def list_answers(
    service: ServiceOf,
    principal: Reader,
    name: Name,
    limit: Annotated[int, Query(ge=1, le=MAX_ANSWERS)] = 50,
) -> LiveBuild:
    """Return the newest answers of a build and how far its run is, also while it runs.

    `partial` is true: these are answers, not the rows of a build.
    """

    def read() -> LiveBuild:
        entry = service.find_entry(principal, name, EntryKind.BUILD)
        return read_live(entry.folder, service.database.remembered, limit)

    return await service.run_reading(read)


@router.get(
    "/{name}/rows",
    response_model=RowPage,
    responses=problems(404, 504),
    openapi_extra=FILTER,
)
async def list_rows(
    request: Request,
    service: ServiceOf,
    principal: Reader,
    name: Name,
    after: Cursor = None,
    limit: Rows = 50,
) -> RowPage:
    """Return rows that match a filter, page by page; a slow search stops and says so."""
    row_filter = _filter_of(request)

    def read() -> RowPage:
        build = _open(service, principal, name)
        return read_page(service.database, build, row_filter, after, limit)

    return await service.run_reading(read)


@router.get(
    "/{name}/facets",
    response_model=Facets,
    responses=problems(404, 504),
    openapi_extra=FILTER,
)
async def count_facets(
    request: Request, service: ServiceOf, principal: Reader, name: Name
) -> Facets:
    """Count the rows that match a filter by verdict, flag, purpose and more."""
    row_filter = _filter_of(request)

    def read() -> Facets:
        build = _open(service, principal, name)
        return read_facets(service.database, build, row_filter)

    return await service.run_reading(read)


@router.get(
    "/{name}/statistics",
    response_model=Statistics,
    responses=problems(404, 504),
    openapi_extra=FILTER,
)
async def count_lengths(
    request: Request, service: ServiceOf, principal: Reader, name: Name
) -> Statistics:
    """Return histograms of the lengths of the rows that match a filter."""
    row_filter = _filter_of(request)

    def read() -> Statistics:
        build = _open(service, principal, name)
        chars = read_histogram(service.database, build, row_filter, "chars")
        tokens = read_histogram(service.database, build, row_filter, "tokens")
        return Statistics(chars=chars, tokens=tokens)

    return await service.run_reading(read)


@router.get(
    "/{name}/questions/{question_id:path}",
    response_model=QuestionView,
    responses=problems(404, 504),
)
async def get_question(
    service: ServiceOf,
    principal: Reader,
    name: Name,
    question_id: Annotated[str, Path(max_length=1_000, description="Its id.")],
    near: Annotated[
        int | None,
        Query(ge=0, le=1 << 40, description="Position of a row of it, if known."),
    ] = None,
) -> Response:
    """Return a question with all its rationales, and what each variant made of them."""

    def read() -> bytes:
        build = _open(service, principal, name)
        view = read_question(service.database, build, question_id, near=near)
        return _QUESTION.dump_json(view)

    content = await service.run_reading(read)
    return Response(content, media_type="application/json")


@router.get("/{name}/files", response_model=BuildFiles, responses=problems(404))
async def list_files(service: ServiceOf, principal: Reader, name: Name) -> BuildFiles:
    """List the files of a build: with all of them one has the dataset."""

    def read() -> BuildFiles:
        build = _open(service, principal, name)
        return BuildFiles(files=tuple(service.files.list_files(name, build)))

    return await service.run_reading(read)


_BYTES: Final = {
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    "application/vnd.apache.parquet": {
        "schema": {"type": "string", "format": "binary"}
    },
    "application/json": {"schema": {}},
    "text/markdown": {"schema": {"type": "string"}},
}


@router.head("/{name}/files/{path:path}", include_in_schema=False)
@router.get(
    "/{name}/files/{path:path}",
    response_class=Response,
    responses={
        200: {"content": _BYTES, "description": "The file. ETag is its SHA-256."},
        206: {"content": _BYTES, "description": "A part of it."},
        304: {"description": "It is the one that If-None-Match names."},
        **problems(404, 409, 416),
    },
)
async def get_file(
    request: Request,
    service: ServiceOf,
    principal: Reader,
    name: Name,
    path: Annotated[str, Path(max_length=1_024, description="As in the list.")],
    range: Annotated[  # noqa: ARG001 (send_file reads it; here for the OpenAPI)
        str | None, Header(description="bytes=N-M; several ranges give all of it.")
    ] = None,
    if_none_match: Annotated[  # noqa: ARG001 (as above)
        str | None, Header(description="ETags that one has.")
    ] = None,
    if_range: Annotated[  # noqa: ARG001 (as above)
        str | None, Header(description="ETag of the file that Range goes on with.")
    ] = None,
) -> Response:
    """Download a file of a build, whole or a range."""

    def read() -> Any:
        return service.files.open(_open(service, principal, name), path)

    download = await service.run_reading(read)
    return send_file(request, download, service.reading)


def _open(service: Service, principal: Principal, name: str) -> StoredBuild:
    """Open a finished build that someone may read."""
    entry = service.find_entry(principal, name, EntryKind.BUILD)
    return open_build(entry.folder)


def _filter_of(request: Request) -> RowFilter:
    pairs = request.query_params.multi_items()
    return RowFilter.from_query(pair for pair in pairs if pair[0] not in _NOT_IN_FILTER)

"""Uploaded files: questions, templates, specs, rationales, by their SHA-256."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from cotbuild.builder.service.dependencies import (
    MAX_PAGE,
    SECURITY,
    Runner,
    ServiceOf,
    problems,
)
from cotbuild.builder.service.requests.uploads import forget_upload
from cotbuild.builder.web.problems import ProblemError, not_found
from cotbuild.schemas.service.files import SHA256, FilePage, FileView

router = APIRouter(prefix="/v1/files", tags=["files"], dependencies=SECURITY)

Sha256 = Annotated[
    str, Path(pattern=SHA256, description="SHA-256 of the file, 64 hex digits.")
]
_BYTES = {
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
}


@router.put(
    "/{sha256}",
    status_code=201,
    response_model=FileView,
    responses={
        200: {"model": FileView, "description": "It was uploaded before."},
        **problems(408, 507),
    },
    openapi_extra={"requestBody": {"required": True, "content": _BYTES}},
)
async def put_file(
    request: Request, service: ServiceOf, principal: Runner, sha256: Sha256
) -> Response:
    """Upload a file. All of it is sent, also where somebody has uploaded the same."""
    try:
        stored = await service.uploads.put(sha256, principal.name, request.stream())
    except ClientDisconnect:
        raise ProblemError(400, "body_incomplete", "The body did not end.") from None
    return Response(
        stored.view.model_dump_json(),
        status_code=201 if stored.is_new else 200,
        headers={"location": f"/v1/files/{sha256}"},
        media_type="application/json",
    )


@router.get("", response_model=FilePage, responses=problems())
async def list_files(
    service: ServiceOf,
    principal: Runner,
    after: Annotated[
        str | None, Query(pattern=SHA256, description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> FilePage:
    """List the files that this token has uploaded."""
    files = await service.run_quick(service.uploads.list_files, principal.name)
    following = [file for file in files if after is None or file.sha256 > after]
    page = tuple(following[:limit])
    is_more = len(following) > len(page)
    return FilePage(files=page, next=page[-1].sha256 if is_more else None)


@router.head("/{sha256}", responses=problems(404), include_in_schema=False)
@router.get("/{sha256}", response_model=FileView, responses=problems(404))
async def find_file(service: ServiceOf, principal: Runner, sha256: Sha256) -> FileView:
    """Say whether this token has uploaded a file, without its bytes."""
    view = await service.run_quick(service.uploads.find, sha256, principal.name)
    if view is None:
        raise not_found(f"File {sha256}")
    return view


@router.delete("/{sha256}", status_code=204, responses=problems(404))
async def delete_file(
    service: ServiceOf, principal: Runner, sha256: Sha256
) -> Response:
    """Delete a file. A job that has opened it reads on; one that is queued will fail."""
    await service.run_quick(_delete, service, sha256, principal.name)
    return Response(status_code=204)


def _delete(service: ServiceOf, sha256: str, owner: str) -> None:
    if service.uploads.delete(sha256, owner):
        forget_upload(sha256, service.settings)

"""Tokens, for administrators. A token itself is shown once, when it is made."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from cotbuild.builder.service.dependencies import (
    SECURITY,
    Admin,
    ServiceOf,
    body_of,
    json_body,
    problems,
)
from cotbuild.builder.web.problems import not_found
from cotbuild.schemas.service.api import TokenList
from cotbuild.schemas.service.principal import PRINCIPAL_NAME
from cotbuild.schemas.service.tokens import MadeToken, NewToken

router = APIRouter(prefix="/v1/tokens", tags=["tokens"], dependencies=SECURITY)


@router.get("", response_model=TokenList, responses=problems())
async def list_tokens(service: ServiceOf, principal: Admin) -> TokenList:  # noqa: ARG001
    """List the tokens by name."""
    views = await service.run_quick(service.tokens.views)
    return TokenList(tokens=tuple(views))


@router.post(
    "",
    status_code=201,
    response_model=MadeToken,
    responses=problems(409, 415),
    openapi_extra=body_of("NewToken", {"name": "alice", "role": "runner"}),
)
async def make_token(
    service: ServiceOf,
    principal: Admin,  # noqa: ARG001
    body: Annotated[NewToken, Depends(json_body(NewToken))],
) -> MadeToken:
    """Make a token. The response is the only place where it ever stands."""
    return await service.run_quick(service.tokens.add, body)


@router.delete("/{name}", status_code=204, responses=problems(404))
async def remove_token(
    service: ServiceOf,
    principal: Admin,  # noqa: ARG001
    name: Annotated[str, Path(pattern=PRINCIPAL_NAME, description="Name of a token.")],
) -> Response:
    """Delete a token, and end the sessions that it opened."""

    def remove() -> bool:
        entries = service.tokens.entries()
        if all(entry.name != name for entry in entries):
            return False
        service.tokens.remove(name)
        service.tokens.entries()  # reads the file again, which ends the sessions
        return True

    if not await service.run_quick(remove):
        raise not_found(f"Token {name!r}")
    return Response(status_code=204)

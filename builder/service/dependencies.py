"""What routes ask for: the service, who makes the request, its body."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Path
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.requests import ClientDisconnect, Request

from cotbuild.builder.service.service import Service
from cotbuild.builder.web.problems import ProblemError
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.json_text import JsonFault, parse_record_json
from cotbuild.schemas.record import Record
from cotbuild.schemas.service.job import JOB_ID, TARGET_NAME
from cotbuild.schemas.service.principal import Principal
from cotbuild.schemas.service.problem import PROBLEM_TYPE

R = TypeVar("R", bound=Record)

bearer_scheme: Final = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="A token that `cotbuild serve token add` made.",
)
cookie_scheme: Final = APIKeyCookie(
    name="cotbuild_PORT",
    auto_error=False,
    scheme_name="session",
    description="The session of a browser; its name ends in the port. Writes must come "
    "from the page itself.",
)
SECURITY: Final = [Depends(bearer_scheme), Depends(cookie_scheme)]
"""Documents both ways to say who one is; the middleware has checked them."""

MAX_PAGE: Final = 200
"""Most entries of one page of a list."""

JobId = Annotated[str, Path(pattern=JOB_ID, description="Id of a job.")]
Name = Annotated[
    str,
    Path(pattern=TARGET_NAME, description="Name of a folder under the root."),
]


def service_of(request: Request) -> Service:
    """Return the service that got a request."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


async def _service(request: Request) -> Service:
    return service_of(request)


async def current_principal(request: Request) -> Principal:
    """Return who makes a request; raises ProblemError 401 if nobody is known."""
    principal = getattr(request.state, "principal", None)
    if not isinstance(principal, Principal):
        raise ProblemError(401, "no_access", "The request has no valid token.")
    return principal


async def current_runner(request: Request) -> Principal:
    """Return who makes a request; raises ProblemError 403 unless it may submit jobs."""
    principal = await current_principal(request)
    if not principal.can_submit:
        raise _wrong_role(principal, "runner")
    return principal


async def current_admin(request: Request) -> Principal:
    """Return who makes a request; raises ProblemError 403 unless it is an admin."""
    principal = await current_principal(request)
    if not principal.is_admin:
        raise _wrong_role(principal, "admin")
    return principal


def _wrong_role(principal: Principal, needed: str) -> ProblemError:
    return ProblemError(
        403,
        "wrong_role",
        f"The token {principal.name!r} has the role {principal.role.value}.",
        f"Use a token with the role {needed}.",
    )


ServiceOf = Annotated[Service, Depends(_service)]
Reader = Annotated[Principal, Depends(current_principal)]
"""Whoever has a token; what it may read is checked for each thing."""
Runner = Annotated[Principal, Depends(current_runner)]
Admin = Annotated[Principal, Depends(current_admin)]


# -- bodies ------------------------------------------------------------------------------


async def read_json_object(request: Request) -> dict[str, Any]:
    """Return the JSON object that a request's body is; one of no bytes is an empty one.

    Raises ProblemError 415 if it is sent as something else, 400 if it is no JSON object.
    """
    try:
        body = await request.body()
    except ClientDisconnect:
        raise ProblemError(400, "body_incomplete", "The body did not end.") from None
    if not body:
        return {}
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if media_type.lower() != "application/json":
        raise ProblemError(
            415,
            "unsupported_media_type",
            f"The body is sent as {media_type!r}.",
            "Send JSON with Content-Type: application/json.",
        )
    try:
        value = parse_record_json(body)
    except JsonFault as fault:
        raise ProblemError(
            400, "bad_json", f"The body is not JSON: {fault}."
        ) from fault
    if not isinstance(value, dict):
        raise ProblemError(400, "bad_json", "The body is not a JSON object.")
    return value


def json_body(form: type[R]) -> Callable[[Request], Awaitable[R]]:
    """Return a dependency that reads a body as a record.

    FastAPI's own would parse JSON without bounds, and refuse lists where strict records
    have tuples.
    """

    async def read(request: Request) -> R:
        return form.parse(await read_json_object(request), "body", ConfigError)

    return read


# -- documentation -----------------------------------------------------------------------


def body_of(schema: str, example: object | None = None) -> dict[str, Any]:
    """Return the part of the OpenAPI that describes a body of JSON."""
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    if example is not None:
        content["example"] = example
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


_PROBLEMS: Final = {
    400: "The request is malformed.",
    401: "No valid token.",
    403: "The role of the token does not allow it, or another site sent it.",
    404: "There is no such thing, or it is not for this token to see.",
    408: "The rest of the body did not come.",
    409: "The state of the thing, or another request, contradicts this one.",
    413: "The body is too large.",
    414: "The address is too long.",
    415: "The body has another type than JSON.",
    416: "The range begins behind the end.",
    421: "The server does not answer for the host that the request names.",
    422: "A value does not fit.",
    431: "The headers are too large.",
    500: "A fault of the service.",
    502: "A teacher or the Hub failed.",
    503: "Too much at a time; try again later.",
    504: "A query took too long.",
    507: "There is no room for it.",
}
_ALWAYS: Final = (400, 401, 403, 413, 414, 421, 422, 431, 500, 503)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the error responses of a route: `statuses`, and those of every route."""
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _PROBLEMS[status], "content": content}
        for status in sorted({*statuses, *_ALWAYS})
    }

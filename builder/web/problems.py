"""Errors as responses: problem+json for programs, a page for people.

A CotbuildError is shown as it is, since it is written for users. Anything else is a
fault of ours: the response says so and nothing more, and the traceback goes to the log.
"""

import logging
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cotbuild.builder.visible import escape_hidden
from cotbuild.schemas.errors import (
    ConfigError,
    CotbuildError,
    DataError,
    OtherVersionError,
    PublishError,
    StoreError,
    TeacherError,
)
from cotbuild.schemas.record import short_repr
from cotbuild.schemas.service.problem import PROBLEM_TYPE, Problem

_LOG: Final = logging.getLogger("uvicorn.error")
API_PREFIX: Final = "/v1"
RenderProblem = Callable[[Request, Problem], Response]
"""Makes the page that shows a problem."""
Statuses = tuple[tuple[type[CotbuildError], int, str], ...]
"""Kinds of errors with their HTTP status and code; the first that fits holds."""


class ProblemError(CotbuildError):
    """A request that is refused, with its HTTP status.

    `code` is the machine-readable kind, `hint` what to do.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail if hint is None else f"{detail} {hint}")
        self.headers = headers
        self.status = status
        self.code = code
        self.detail = detail
        self.hint = hint

    @property
    def problem(self) -> Problem:
        """The error as a record."""
        return Problem(
            title=title_of(self.status),
            status=self.status,
            code=self.code,
            detail=escape_hidden(self.detail),
            hint=self.hint,
        )


def not_found(what: str, hint: str | None = None) -> ProblemError:
    """Return the error for a thing that is absent, or not for this user to see."""
    return ProblemError(404, "not_found", f"{what} was not found.", hint)


_STATUSES: Final[Statuses] = (
    (ConfigError, 422, "invalid"),
    (DataError, 422, "invalid_data"),
    (OtherVersionError, 409, "other_version"),
    (TeacherError, 502, "teacher_failed"),
    (PublishError, 502, "publish_failed"),
    (StoreError, 500, "store_failed"),
)
_SENTENCE_END: Final = re.compile(r"\. (?=[A-Z`'\"])")
_MAX_SENTENCES: Final = 20
"""The sentences at the end of a message that may say what to do."""
_QUOTES: Final = re.compile(r"(?<!\\)(?<!\w)['\"`]|(?<!\\)['\"`](?!\w)")
"""Quotation marks, but not the apostrophe of `it's`."""
_HTTP_CODES: Final = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "body_incomplete",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid",
    503: "unavailable",
}


class ProblemResponder:
    """Answers exceptions, in the form that the request asks for.

    `render_page` makes the page of a problem; without it there is only problem+json.
    `statuses` are those of errors that a layer above defines.
    """

    def __init__(
        self, render_page: RenderProblem | None = None, statuses: Statuses = ()
    ) -> None:
        self._render_page = render_page
        self._statuses = statuses + _STATUSES

    def respond(self, request: Request, error: Exception) -> Response:
        """Return the response to a request that ended in `error`."""
        problem = self.problem_of(error)
        if self._render_page is not None and not wants_json(request):
            response = self._render_page(request, problem)
        else:
            response = Response(
                problem.model_dump_json(exclude_none=True),
                status_code=problem.status,
                media_type=PROBLEM_TYPE,
            )
        if problem.status in (408, 413):
            response.headers["connection"] = "close"  # the rest of the body is not read
        if problem.status == 401:
            response.headers["www-authenticate"] = "Bearer"
        if isinstance(error, HTTPException | ProblemError) and error.headers:
            response.headers.update(error.headers)
        return response

    def problem_of(self, error: Exception) -> Problem:
        """Return the problem that an exception is shown as."""
        if isinstance(error, ProblemError):
            return error.problem
        if isinstance(error, RequestValidationError):
            return _problem(422, "invalid", _describe_faults(error))
        if isinstance(error, HTTPException):
            code = _HTTP_CODES.get(error.status_code, "refused")
            return _problem(error.status_code, code, str(error.detail))
        for kind, status, code in self._statuses:
            if isinstance(error, kind):
                return _problem(status, code, *split_advice(str(error)))
        if isinstance(error, CotbuildError):
            return _problem(500, "failed", *split_advice(str(error)))
        return _problem(
            500,
            "internal_error",
            "A fault inside cotbuild ended this request.",
            "The log of the server has the traceback; please report it.",
        )


def split_advice(message: str) -> tuple[str, str | None]:
    """Split the line of an error into what happened and what to do.

    What to do is the last sentence, if it is one of several: what the line quotes may
    hold the end of a sentence too, and a part that would end inside a quotation stays
    whole.
    """
    ends = [*_SENTENCE_END.finditer(message)][-_MAX_SENTENCES:]
    for match in reversed(ends):
        detail, hint = message[: match.start() + 1], message[match.end() :]
        if not _ends_in_quotation(detail):
            return detail, hint
    return message, None


def _ends_in_quotation(text: str) -> bool:
    """Return whether a quotation that `repr` or a command began is still open."""
    is_open = False
    opener = ""
    for quote in _QUOTES.findall(text):
        if not is_open:
            is_open, opener = True, quote
        elif quote == opener:
            is_open = False
    return is_open


def _problem(status: int, code: str, detail: str, hint: str | None = None) -> Problem:
    shown = escape_hidden(detail)
    title = title_of(status)
    return Problem(title=title, status=status, code=code, detail=shown, hint=hint)


def _describe_faults(error: RequestValidationError) -> str:
    """Describe the first faults of a request: where, what, and the value."""
    faults = []
    for fault in error.errors()[:3]:
        where = ".".join(str(part) for part in fault["loc"])
        faults.append(f"{where}: {fault['msg']} (got {short_repr(fault.get('input'))})")
    return "; ".join(faults) or "The request is malformed."


def title_of(status: int) -> str:
    """Return the reason phrase of a status, such as `Not Found`."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def wants_json(request: Request) -> bool:
    """Return whether a request comes from a program: the API, or no browser's Accept."""
    path = request.url.path
    if path == API_PREFIX or path.startswith(f"{API_PREFIX}/"):
        return True
    return "text/html" not in request.headers.get("accept", "")


async def refuse(
    error: ProblemError, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer a request that no route sees, and close its connection.

    Its body may not have been read, so the connection cannot be used again.
    """
    response = _PLAIN.respond(Request(scope), error)
    response.headers["connection"] = "close"
    await response(scope, receive, send)


def _plain_page(request: Request, problem: Problem) -> Response:  # noqa: ARG001
    """Return a problem as text, for requests that are refused before there are pages."""
    text = f"{problem.status} {problem.title}\n\n{problem.detail}\n{problem.hint or ''}"
    return Response(
        text.strip() + "\n",
        status_code=problem.status,
        media_type="text/plain; charset=utf-8",
    )


_PLAIN: Final = ProblemResponder(_plain_page)


class FaultMiddleware:
    """Answers exceptions that no handler knows, and logs them with their traceback."""

    def __init__(self, app: ASGIApp, responder: ProblemResponder) -> None:
        self.app = app
        self.responder = responder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; a fault becomes a 500 unless the response has begun."""
        has_begun = False

        async def watch(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            if scope["type"] != "http" or has_begun:
                raise
            _LOG.exception("%s %s failed", scope["method"], scope["path"])
            response = self.responder.respond(Request(scope), error)
            await response(scope, receive, send)


def install_problem_handlers(app: FastAPI, responder: ProblemResponder) -> None:
    """Have `app` answer every exception as a problem."""
    for kind in (CotbuildError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, responder.respond)
    app.add_middleware(FaultMiddleware, responder=responder)

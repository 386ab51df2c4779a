"""Pages of a service beside its jobs: teachers, settings and tokens, logging in."""

from typing import Annotated, Final

from fastapi import APIRouter, Form
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cotbuild.builder.pages.job_pages import JobsOf, PersonOf
from cotbuild.builder.pages.render import render
from cotbuild.builder.pages.site import SiteOf, visitor_of
from cotbuild.builder.web.access import Access
from cotbuild.builder.web.problems import ProblemError, not_found
from cotbuild.schemas.record import explain_validation_error
from cotbuild.schemas.service.principal import Principal, Role
from cotbuild.schemas.service.tokens import MadeToken, NewToken

router = APIRouter(include_in_schema=False)

TEACHER_LOG_BYTES: Final = 16 << 10
TEACHERS_MS: Final = 2000


@router.get("/teachers")
def show_teachers(request: Request, jobs: JobsOf, person: PersonOf) -> Response:
    """Show the teachers that the service runs, with their load and log."""
    teachers = jobs.list_teachers(person)
    logs = {
        one.key: jobs.read_teacher_log(person, one.key, TEACHER_LOG_BYTES)
        for one in teachers
    }
    return render(
        request,
        "teachers.html.jinja",
        teachers=teachers,
        logs=logs,
        refresh_ms=TEACHERS_MS,
    )


@router.get("/settings")
def show_settings(request: Request, jobs: JobsOf, person: PersonOf) -> Response:
    """Show what the service allows, and its tokens to administrators."""
    return _settings(request, jobs, person)


@router.post("/settings/tokens")
def add_token(
    request: Request,
    jobs: JobsOf,
    person: PersonOf,
    name: Annotated[str, Form(max_length=100)] = "",
    role: Annotated[str, Form(max_length=20)] = "",
    hub_token_env: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Make a token and show it, once."""
    _check_admin(person)
    values = {"name": name, "role": role, "hub_token_env": hub_token_env or None}
    try:
        new = NewToken.model_validate(values, strict=False)
    except ValidationError as error:
        fault = explain_validation_error(error)
        raise ProblemError(422, "invalid", f"The token: {fault}") from None
    return _settings(request, jobs, person, new_token=jobs.add_token(person, new))


@router.post("/settings/tokens/{name}/remove")
def remove_token(jobs: JobsOf, person: PersonOf, site: SiteOf, name: str) -> Response:
    """Remove a token and show the others."""
    _check_admin(person)
    jobs.remove_token(person, name)
    target = site.links.settings()
    assert target is not None
    return RedirectResponse(target, status_code=303)


@router.get("/login")
def show_login(request: Request, site: SiteOf) -> Response:
    """Show the form that takes a token; who has a session is sent on."""
    _access_of(site)
    if visitor_of(request) is not None:
        return RedirectResponse(site.links.home() or "/", status_code=303)
    return render(request, "login.html.jinja", is_wrong=False)


@router.post("/login")
def log_in(
    request: Request,
    jobs: JobsOf,
    site: SiteOf,
    token: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Open a session for a token, or show the form again."""
    access = _access_of(site)
    person = jobs.log_in(token.strip())
    if person is None:
        return render(request, "login.html.jinja", status=401, is_wrong=True)
    response = RedirectResponse(site.links.home() or "/", status_code=303)
    access.open_session(request, response, person)
    return response


@router.post("/logout")
def log_out(request: Request, site: SiteOf) -> Response:
    """End the session and show the form that takes a token."""
    response = RedirectResponse(site.links.login() or "/", status_code=303)
    _access_of(site).close_session(request, response)
    return response


def _settings(
    request: Request,
    jobs: JobsOf,
    person: Principal,
    new_token: MadeToken | None = None,
) -> Response:
    return render(
        request,
        "settings.html.jinja",
        limits=jobs.limits(person).rows,
        tokens=jobs.list_tokens(person) if person.is_admin else (),
        roles=list(Role),
        new_token=new_token,
    )


def _check_admin(person: Principal) -> None:
    if not person.is_admin:
        raise ProblemError(
            403, "forbidden", f"{person.name} is no administrator of this service."
        )


def _access_of(site: SiteOf) -> Access[Principal]:
    if site.access is None:
        raise not_found("This page")
    return site.access

"""The form of a new job: typed, planned, then submitted."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cotbuild.builder.pages.job_forms import (
    FORMS,
    SETTINGS,
    SETTINGS_HINTS,
    FormField,
    fields_of,
    fill_form,
    read_form,
)
from cotbuild.builder.pages.job_pages import JobsOf, PersonOf
from cotbuild.builder.pages.jobs_source import JobsSource
from cotbuild.builder.pages.render import render
from cotbuild.builder.pages.site import SiteOf
from cotbuild.builder.web.problems import ProblemError
from cotbuild.builder.web.security import MIB, BodyLimit
from cotbuild.schemas.errors import CotbuildError
from cotbuild.schemas.service.job import JobKind
from cotbuild.schemas.service.principal import Principal
from cotbuild.schemas.service.requests import JobRequest, PlanView, parse_request

router = APIRouter(include_in_schema=False)

MAX_FORM_BYTES: Final = 256 * MIB
"""Largest form, with its file. Larger files go through `PUT /v1/files`."""
FORM_LIMIT: Final = BodyLimit("POST", "/new", MAX_FORM_BYTES)
"""For the SecurityRules of a service with these pages."""
MAX_FIELDS: Final = 100
MAX_FIELD_BYTES: Final = MIB
UPLOAD_SUFFIX: Final = ".file"
"""End of the name of a field that holds a file, in place of a reference to it."""


@router.get("/new")
def show_form(
    request: Request,
    jobs: JobsOf,
    person: PersonOf,
    kind: JobKind = JobKind.GENERATE,
    copy: str = "",
    target: Annotated[str, Query(max_length=128)] = "",
    build: Annotated[str, Query(max_length=128)] = "",
) -> Response:
    """Show the form of a kind of job: empty, or as a job had it that is copied."""
    _check_role(person)
    typed = {"target": target, "build": build}
    if copy:
        job = jobs.get_job(person, copy)
        kind = job.kind
        typed = fill_form(kind, job.request)
    return _page(request, jobs, person, kind, typed)


@router.post("/new")
async def plan_or_submit(
    request: Request, jobs: JobsOf, person: PersonOf, site: SiteOf
) -> Response:
    """Plan what was typed and show the form again, or submit it and show the job."""
    _check_role(person)
    async with request.form(
        max_files=len(FORMS), max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
    ) as form:
        kind = _kind_of(form)
        typed = {name: text for name, text in form.items() if isinstance(text, str)}
        page = partial(_page, request, jobs, person, kind, typed)
        try:
            await _keep_uploads(form, kind, jobs, person, typed)
            job_request = parse_request(read_form(kind, typed), "the form")
            if form.get("do") != "submit":
                plan = await jobs.plan(person, job_request)
                return await run_in_threadpool(page, job_request=job_request, plan=plan)
            job = await run_in_threadpool(jobs.submit, person, job_request)
        except CotbuildError as error:
            status = error.status if isinstance(error, ProblemError) else 422
            return await run_in_threadpool(page, fault=str(error), status=status)
    target = site.links.job(job.id)
    assert target is not None
    return RedirectResponse(target, status_code=303)


def _check_role(person: Principal) -> None:
    if not person.can_submit:
        raise ProblemError(
            403,
            "forbidden",
            f"{person.name} has the role {person.role.value}, which submits no jobs.",
            hint="Log in with a token that has the role runner.",
        )


def _kind_of(form: FormData) -> JobKind:
    kind = form.get("kind")
    if isinstance(kind, str) and kind in set(JobKind):
        return JobKind(kind)
    raise ProblemError(422, "invalid", "The form names no kind of job.")


async def _keep_uploads(
    form: FormData,
    kind: JobKind,
    jobs: JobsSource,
    person: Principal,
    typed: dict[str, str],
) -> None:
    """Keep the files of a form, and put their references into the fields."""
    for field in fields_of(kind):
        file = form.get(field.path + UPLOAD_SUFFIX)
        if field.upload and isinstance(file, UploadFile) and file.size:
            name = file.filename or "file"
            typed[field.path] = await jobs.upload(person, name, file.file)


def _page(
    request: Request,
    jobs: JobsSource,
    person: Principal,
    kind: JobKind,
    typed: Mapping[str, str],
    *,
    job_request: JobRequest | None = None,
    plan: PlanView | None = None,
    fault: str | None = None,
    status: int = 200,
) -> Response:
    choices = jobs.choices(person)
    lists = {
        name: getattr(choices, name)
        for name in sorted({f.suggestions for f in fields_of(kind) if f.suggestions})
    }
    return render(
        request,
        "new_job.html.jinja",
        status=status,
        kind=kind,
        kinds=list(JobKind),
        groups=FORMS[kind],
        typed={name: text for name, text in typed.items() if text},
        settings=typed.get(SETTINGS, ""),
        settings_name=SETTINGS,
        settings_hint=SETTINGS_HINTS.get(kind, ""),
        settings_are_needed=kind in SETTINGS_HINTS,
        upload_suffix=UPLOAD_SUFFIX,
        lists=lists,
        list_of=_list_of,
        plan=plan,
        first_request=_json(plan.first_request) if plan else "",
        request_text="" if job_request is None else _describe(job_request),
        fault=fault,
    )


def _list_of(field: FormField, lists: Mapping[str, tuple[str, ...]]) -> str | None:
    """Return the id of the list that a field offers; None where it has nothing."""
    return f"list-{field.suggestions}" if lists.get(field.suggestions) else None


def _describe(job_request: JobRequest) -> str:
    """Return a request as JSON, without what is as it is by default."""
    values = job_request.model_dump(mode="json", exclude_defaults=True)
    return _json({"kind": job_request.kind, **values})


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)

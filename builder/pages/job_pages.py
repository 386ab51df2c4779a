"""The pages of jobs: the list, one job with its progress, and the buttons."""

import json
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import APIRouter, Depends, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cotbuild.builder.pages.jobs_source import JobAction, JobQuery, JobsSource
from cotbuild.builder.pages.render import query_of, render
from cotbuild.builder.pages.site import SiteOf, site_of, visitor_of
from cotbuild.builder.ui import format_duration
from cotbuild.builder.web.problems import ProblemError, not_found
from cotbuild.schemas.budget import Budget
from cotbuild.schemas.errors import ConfigError, DataError, StoreError
from cotbuild.schemas.event import Phase, ProgressEvent
from cotbuild.schemas.rationale import Verdict
from cotbuild.schemas.service.api import FailureLine
from cotbuild.schemas.service.job import JobKind, JobState, JobView, StopMode
from cotbuild.schemas.service.principal import Principal

router = APIRouter(include_in_schema=False)

LOG_BYTES: Final = 64 << 10
MAX_FAILURES: Final = 50
LIST_MS: Final = 3000
"""How often the list of jobs is read again, milliseconds."""
JOB_MS: Final = 1500
_STOPPABLE: Final = frozenset({JobState.QUEUED, JobState.RUNNING})


def jobs_of(request: Request) -> JobsSource:
    """Return the jobs of the server; raises ProblemError (404) where it has none."""
    jobs = site_of(request).jobs
    if jobs is None:
        raise not_found("This page")
    return jobs


def person_of(request: Request) -> Principal:
    """Return who makes a request; raises ProblemError (401) where that is unknown."""
    visitor = visitor_of(request)
    if visitor is None:
        raise ProblemError(401, "no_access", "Log in to see this page.")
    return visitor


JobsOf = Annotated[JobsSource, Depends(jobs_of)]
PersonOf = Annotated[Principal, Depends(person_of)]


class Progress(NamedTuple):
    """How far a job is, as the page writes it."""

    done: int
    total: int
    words: str
    """Such as `12 of 100 requests`."""
    left: str | None
    """Time left as an interval; None where it is not known."""
    verdicts: list[tuple[str, int]]


class FailedRequests(NamedTuple):
    """The failed requests of a job, as its page shows them."""

    shown: tuple[FailureLine, ...]
    has_more: bool = False
    fault: str | None = None
    """Why they could not be read."""


NO_FAILURES: Final = FailedRequests(())


class Buttons(NamedTuple):
    """What a visitor may do with a job now."""

    pause: bool
    cancel: bool
    stop_now: bool
    resume: bool
    retry: bool
    retry_failed: bool
    delete: bool


@router.get("/jobs")
def show_jobs(
    request: Request,
    jobs: JobsOf,
    person: PersonOf,
    state: Annotated[list[JobState | Literal[""]] | None, Query()] = None,
    kind: JobKind | Literal[""] = "",
    owner: str = "",
    after: str = "",
) -> Response:
    """Show the jobs that the visitor may see, the newest first."""
    states = tuple(one for one in state or () if one)  # a form sends empty fields too
    query = JobQuery(states, kind or None, owner or None, after or None)
    page = jobs.list_jobs(person, query)
    links = site_of(request).links
    next_query = query_of(request, after=page.next)
    return render(
        request,
        "jobs.html.jinja",
        rows=[(job, progress_of(job)) for job in page.jobs],
        query=query,
        kinds=list(JobKind),
        states=list(JobState),
        refresh_ms=LIST_MS if not after else None,
        first_page=links.jobs(**query_of(request, after=None)) if after else None,
        next_page=links.jobs(**next_query) if page.next is not None else None,
    )


@router.get("/jobs/{job_id}")
def show_job(
    request: Request,
    jobs: JobsOf,
    person: PersonOf,
    job_id: str,
    failures: bool = False,
) -> Response:
    """Show a job: what it does, how far it is, what it printed.

    A job that goes on is read again and again, and finding its failed requests may
    take seconds: they are shown on a page that does not follow the job, with `failures`.
    """
    job = jobs.get_job(person, job_id)
    goes_on = job.state in _STOPPABLE or _is_stopping(job)
    has_failures = job.state is not JobState.SUCCEEDED or job.num_failed > 0
    failed = NO_FAILURES
    if failures or (has_failures and not goes_on):
        failed = _list_failures(jobs, person, job_id)
    return render(
        request,
        "job.html.jinja",
        job=job,
        progress=progress_of(job),
        buttons=buttons_of(job, person),
        budget=_budget_of(job),
        costs=cost_rows(job),
        log=jobs.read_log(person, job_id, LOG_BYTES),
        failed=failed,
        has_stopped_following=goes_on and failures,
        request_text=json.dumps(job.request, indent=2, ensure_ascii=False),
        refresh_ms=JOB_MS if goes_on and not failures else None,
        is_build=job.kind in (JobKind.GENERATE, JobKind.IMPORT, JobKind.VARIANTS),
    )


@router.post("/jobs/{job_id}/{action}")
def act_on_job(
    request: Request,
    jobs: JobsOf,
    person: PersonOf,
    site: SiteOf,
    job_id: str,
    action: JobAction,
    mode: Annotated[StopMode, Form()] = StopMode.DRAIN,
    failed: Annotated[bool, Form()] = False,
    max_requests: Annotated[str, Form(max_length=30)] = "",
    max_output_tokens: Annotated[str, Form(max_length=30)] = "",
    max_cost: Annotated[str, Form(max_length=30)] = "",
) -> Response:
    """Do what a button says and show the job again, or the list if it is gone."""
    del request
    budget = None
    if action is JobAction.RESUME:
        typed = (max_requests, max_output_tokens, max_cost)
        budget = _raised_budget(jobs.get_job(person, job_id), typed)
    jobs.act(person, job_id, action, mode=mode, budget=budget, failed=failed)
    is_gone = action is JobAction.DELETE
    target = site.links.jobs() if is_gone else site.links.job(job_id)
    assert target is not None
    return RedirectResponse(target, status_code=303)


def _list_failures(jobs: JobsSource, person: Principal, job_id: str) -> FailedRequests:
    try:
        found = jobs.list_failures(person, job_id, MAX_FAILURES + 1)
    except (StoreError, DataError) as fault:
        return FailedRequests((), fault=str(fault))
    return FailedRequests(found[:MAX_FAILURES], len(found) > MAX_FAILURES)


def progress_of(job: JobView) -> Progress | None:
    """Return how far a job is; None where nothing is known or it is over."""
    event = job.run.progress
    if event is None:
        return None
    total = f" of {event.total:,}" if event.total else ""
    is_over = job.state not in _STOPPABLE
    return Progress(
        done=event.done,
        total=event.total,
        words=f"{event.done:,}{total} {event.unit}",
        left=None if is_over else time_left(event),
        verdicts=[
            (verdict.value, event.verdicts[verdict.value])
            for verdict in Verdict
            if event.verdicts.get(verdict.value)
        ],
    )


def time_left(event: ProgressEvent) -> str | None:
    """Return the time left as `2:05 to 2:40`; None where it is not known."""
    if event.eta_s is None:
        return None
    low, high = (format_duration(seconds) for seconds in event.eta_s)
    return low if low == high else f"{low} to {high}"


def buttons_of(job: JobView, person: Principal) -> Buttons:
    """Return what someone may do with a job in its state."""
    if not person.can_control(job.owner):
        return Buttons(*[False] * 7)
    is_stopping = _is_stopping(job)
    is_stoppable = job.state in _STOPPABLE and not is_stopping
    return Buttons(
        pause=is_stoppable,
        cancel=is_stoppable or job.state is JobState.PAUSED,
        stop_now=is_stopping and job.stop_mode is not StopMode.NOW,
        resume=job.state is JobState.PAUSED,
        retry=job.state in (JobState.FAILED, JobState.CANCELLED),
        retry_failed=job.state.is_final and job.num_failed > 0,
        delete=job.state.is_final,
    )


def _is_stopping(job: JobView) -> bool:
    is_active = not job.state.is_final and job.state is not JobState.PAUSED
    return is_active and job.stop_mode is not None


def cost_rows(job: JobView) -> list[tuple[str, str]]:
    """Return what the build of a job has spent, as pairs of name and value."""
    account = job.run.account
    if account is None:
        return []
    rows = [
        ("Requests answered", f"{account.requests:,}"),
        ("Prompt tokens", f"{account.prompt_tokens:,}"),
        ("Generated tokens", f"{account.completion_tokens:,}"),
    ]
    if account.gpu_seconds:
        rows.append(("GPU time", format_duration(account.gpu_seconds)))
    if account.cost is not None:
        rows.append(("Cost", f"{account.cost:,.4f}"))
    if account.reused_requests:
        reused = account.reused_prompt_tokens + account.reused_completion_tokens
        rows.append(
            (
                "Not paid again",
                f"{account.reused_requests:,} requests, {reused:,} tokens",
            )
        )
    return rows


def _budget_of(job: JobView) -> dict[str, Any]:
    """Return the limits of a job's budget, for the form that raises them."""
    budget = job.request.get("budget") or {}
    names = ("max_requests", "max_output_tokens", "max_cost")
    return {name: budget.get(name) for name in names}


def _raised_budget(job: JobView, typed: tuple[str, str, str]) -> Budget | None:
    """Return the budget of a job with what was typed; None if nothing was.

    Raises ProblemError or ConfigError for what is no limit.
    """
    names = ("max_requests", "max_output_tokens", "max_cost")
    given = {
        name: text.strip()
        for name, text in zip(names, typed, strict=True)
        if text.strip()
    }
    if not given:
        return None
    before = dict(job.request.get("budget") or {})
    for name, text in given.items():
        before[name] = _limit(name, text)
    return Budget.parse(before, "budget", ConfigError)


def _limit(name: str, text: str) -> int | float:
    kind = float if name == "max_cost" else int
    try:
        return kind(text.replace(",", ""))
    except ValueError:
        raise ProblemError(
            422, "invalid", f"{name} is {text!r}. Write a number, or nothing."
        ) from None


def phase_words(phase: Phase | None) -> str:
    """Return what a job is doing, in words."""
    return "" if phase is None else phase.value.replace("_", " ")

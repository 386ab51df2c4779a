"""Jobs that exist only in memory, behind the protocol of the pages."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from cotbuild.builder.pages.app import add_pages, page_responder
from cotbuild.builder.pages.jobs_source import (
    FormChoices,
    JobAction,
    JobPage,
    JobQuery,
    Limits,
)
from cotbuild.builder.pages.links import ServerLinks
from cotbuild.builder.pages.new_job_pages import FORM_LIMIT
from cotbuild.builder.pages.site import Site
from cotbuild.builder.pages.viewer import bare_app
from cotbuild.builder.view.catalog import Catalog
from cotbuild.builder.view.database import Database
from cotbuild.builder.web.access import Access
from cotbuild.builder.web.problems import not_found
from cotbuild.builder.web.protect import protect_app
from cotbuild.builder.web.security import SecurityRules
from cotbuild.schemas.budget import Account, Budget, Prices
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.event import (
    FinishedEvent,
    Outcome,
    Phase,
    ProgressEvent,
    RunProgress,
)
from cotbuild.schemas.service.api import FailureLine
from cotbuild.schemas.service.job import (
    JobKind,
    JobState,
    JobView,
    PauseReason,
    StopMode,
)
from cotbuild.schemas.service.principal import Principal, Role
from cotbuild.schemas.service.requests import JobRequest, PlanView
from cotbuild.schemas.service.teacher import (
    TeacherJob,
    TeacherLoad,
    TeacherState,
    TeacherStatus,
)
from cotbuild.schemas.service.tokens import MadeToken, NewToken, TokenView
from tests.support.waiting import HANG_S
from tests.support.web_servers import serving

ADMIN = Principal(name="ada", role=Role.ADMIN)
RUNNER = Principal(name="rob", role=Role.RUNNER)
VIEWER = Principal(name="vic", role=Role.VIEWER)
AT = "2026-11-28T14:05:00.000Z"
REQUEST = {
    "kind": "generate",
    "target": "demo",
    "config": {"source": {"name": "bundled"}, "teacher": {"model": "scripted"}},
    "budget": {"max_requests": 100},
}


def job_id(number: int) -> str:
    """Return an id in the form of the table of jobs."""
    return f"j{number:015d}"


def running_job(number: int = 1, **changes: Any) -> JobView:
    """Return a job that asks its teacher; the build's name is hostile text's twin."""
    progress = ProgressEvent(
        at=AT,
        unit="requests",
        done=1_234,
        total=5_000,
        failed=3,
        completion_tokens=250_000,
        tokens_per_s=812.4,
        eta_s=(290.0, 331.0),
        verdicts={"correct": 900, "incorrect": 300, "no_answer": 34},
        in_flight=64,
        servers_up=1,
        servers=2,
    )
    account = Account(
        requests=1_234,
        prompt_tokens=500_000,
        completion_tokens=250_000,
        cost=1.25,
        prices=Prices(output=5.0),
        reused_requests=40,
        reused_completion_tokens=8_000,
    )
    run = RunProgress(
        command="generate",
        started_at=AT,
        phase=Phase.ASKING,
        progress=progress,
        account=account,
        lines=("5,000 requests to send", "server 2 is down: <b>refused</b> \u202e"),
    )
    fields: dict[str, Any] = {
        "id": job_id(number),
        "kind": JobKind.GENERATE,
        "target": "demo",
        "owner": "rob",
        "state": JobState.RUNNING,
        "attempt": 1,
        "created_at": AT,
        "started_at": AT,
        "request": REQUEST,
        "run": run,
    }
    return JobView(**{**fields, **changes})


def jobs_of_all_states() -> list[JobView]:
    """Return a job in each state, as a list shows them."""
    bare = RunProgress()
    ended = FinishedEvent(at=AT, outcome=Outcome.FAILED, exit_code=1)
    return [
        running_job(1),
        running_job(2, state=JobState.QUEUED, queue_position=2, run=bare),
        running_job(3, state=JobState.QUEUED, waits_for="the build demo", run=bare),
        running_job(4, state=JobState.PAUSED, pause_reason=PauseReason.BUDGET),
        running_job(5, state=JobState.CANCELLING, stop_mode=StopMode.DRAIN),
        running_job(6, state=JobState.SUCCEEDED, finished_at=AT, exit_code=0, num_failed=3),
        running_job(
            7,
            state=JobState.FAILED,
            finished_at=AT,
            exit_code=1,
            error="Qwen/none: no such model on the Hub. Check its <name>.",
            run=bare.model_copy(update={"finished": ended}),
        ),
        running_job(8, state=JobState.CANCELLED, finished_at=AT, kind=JobKind.STUDY),
    ]  # fmt: skip


@dataclass
class FakeJobs:
    """A `JobsSource` in memory, which remembers what it was asked to do."""

    jobs: dict[str, JobView] = field(default_factory=dict)
    people: dict[str, Principal] = field(default_factory=dict)
    teachers: tuple[TeacherStatus, ...] = ()
    log: str = "line 1\n<script>alert(1)</script>\n"
    failures: tuple[FailureLine, ...] = ()
    failures_read: list[str] = field(default_factory=list)
    """Jobs whose failures were read."""
    journal_fault: StoreError | None = None
    problems: tuple[str, ...] = ()
    tokens: list[TokenView] = field(default_factory=list)
    acts: list[tuple[str, JobAction, StopMode, Budget | None, bool]] = field(
        default_factory=list
    )
    planned: list[JobRequest] = field(default_factory=list)
    submitted: list[JobRequest] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def list_jobs(self, principal: Principal, query: JobQuery) -> JobPage:
        found = [
            job
            for job in reversed(self.jobs.values())
            if principal.can_read(job.owner)
            and (not query.states or job.state in query.states)
            and query.kind in (None, job.kind)
            and query.owner in (None, job.owner)
            and (query.after is None or job.id < query.after)
        ]
        page = tuple(found[: query.limit])
        has_more = len(found) > query.limit
        return JobPage(page, page[-1].id if has_more else None)

    def get_job(self, principal: Principal, job_id: str) -> JobView:
        job = self.jobs.get(job_id)
        if job is None or not principal.can_read(job.owner):
            raise not_found(f"job {job_id!r}")
        return job

    def read_log(self, principal: Principal, job_id: str, max_bytes: int) -> str:
        self.get_job(principal, job_id)
        return self.log[-max_bytes:]

    def list_failures(
        self, principal: Principal, job_id: str, limit: int
    ) -> tuple[FailureLine, ...]:
        self.get_job(principal, job_id)
        self.failures_read.append(job_id)
        if self.journal_fault is not None:
            raise self.journal_fault
        return self.failures[:limit]

    def choices(self, principal: Principal) -> FormChoices:  # noqa: ARG002
        return FormChoices(
            builds=("demo",),
            sources=("bundled", "gsm8k"),
            teachers=("scripted", "embedded"),
        )

    async def upload(self, principal: Principal, name: str, file: BinaryIO) -> str:  # noqa: ARG002
        data = file.read()
        sha256 = hashlib.sha256(data).hexdigest()
        self.files[sha256] = data
        return f"upload:{sha256}/{name}"

    async def plan(self, principal: Principal, request: JobRequest) -> PlanView:  # noqa: ARG002
        self.planned.append(request)
        return PlanView(
            kind=JobKind(request.kind),
            target=request.target,
            to_send=5_000,
            answered=40,
            questions=5_000,
            max_output_tokens=2_560_000,
            cost=12.8,
            first_request={"messages": [{"role": "user", "content": "<b>Which?</b>"}]},
            lines=("5,000 requests to send", "40 answered already"),
            problems=self.problems,
        )

    def submit(self, principal: Principal, request: JobRequest) -> JobView:
        self.submitted.append(request)
        number = len(self.jobs) + 1
        job = running_job(
            number,
            state=JobState.QUEUED,
            queue_position=0,
            run=RunProgress(),
            owner=principal.name,
            kind=JobKind(request.kind),
            target=request.target,
            request=request.model_dump(mode="json"),
        )
        self.jobs[job.id] = job
        return job

    def act(
        self,
        principal: Principal,
        job_id: str,
        action: JobAction,
        *,
        mode: StopMode = StopMode.DRAIN,
        budget: Budget | None = None,
        failed: bool = False,
    ) -> None:
        job = self.get_job(principal, job_id)
        self.acts.append((job_id, action, mode, budget, failed))
        if action is JobAction.DELETE:
            del self.jobs[job_id]
            return
        changes: dict[JobAction, dict[str, Any]] = {
            JobAction.PAUSE: {
                "state": JobState.PAUSED,
                "pause_reason": PauseReason.USER,
            },
            JobAction.CANCEL: {"state": JobState.CANCELLED, "finished_at": AT},
            JobAction.RESUME: {"state": JobState.RUNNING, "pause_reason": None},
            JobAction.RETRY: {"state": JobState.QUEUED, "finished_at": None},
        }
        self.jobs[job_id] = job.model_copy(update=changes[action])

    def list_teachers(self, principal: Principal) -> tuple[TeacherStatus, ...]:  # noqa: ARG002
        return self.teachers

    def read_teacher_log(self, principal: Principal, key: str, max_bytes: int) -> str:  # noqa: ARG002
        return self.log[-max_bytes:]

    def log_in(self, token: str) -> Principal | None:
        return self.people.get(token)

    def limits(self, principal: Principal) -> Limits:  # noqa: ARG002
        return Limits((("Jobs at once", "2"), ("Endpoints", "https://llm.lan/*")))

    def list_tokens(self, principal: Principal) -> tuple[TokenView, ...]:  # noqa: ARG002
        return tuple(self.tokens)

    def add_token(self, principal: Principal, new: NewToken) -> MadeToken:  # noqa: ARG002
        view = TokenView(**new.model_dump(), created_at=AT)
        self.tokens.append(view)
        return MadeToken(**view.model_dump(), token="cot_made")

    def remove_token(self, principal: Principal, name: str) -> None:  # noqa: ARG002
        self.tokens = [token for token in self.tokens if token.name != name]


def a_teacher() -> TeacherStatus:
    """Return a teacher that two jobs share."""
    return TeacherStatus(
        key="0123456789abcdef",
        model="Qwen/Qwen3-0.6B",
        state=TeacherState.UP,
        engine="vLLM 0.12, 1 GPU",
        started_at=AT,
        slots=256,
        in_flight=200,
        queued=31,
        finished=10_000,
        jobs=(
            TeacherJob(id=job_id(1), owner="rob", in_flight=100, queued=31, finished=9_000),
            TeacherJob(id=job_id(2), owner="ada", in_flight=100, finished=1_000),
        ),
        load=TeacherLoad(running=180, waiting=20, kv_cache_frac=0.61, tokens_per_s=5_120.0),
    )  # fmt: skip


@dataclass
class ServedJobs:
    """The pages of a service, over jobs in memory."""

    url: str
    jobs: FakeJobs
    access: Access[Principal]

    def link(self, person: Principal = ADMIN) -> str:
        """The address that opens the page as someone, once."""
        return f"{self.url}/?token={self.access.tokens.issue(person)}"

    @contextmanager
    def client(self, person: Principal = ADMIN) -> Iterator[httpx.Client]:
        """Open a client with a session, which sends what a browser does."""
        headers = {"accept": "text/html", "sec-fetch-site": "same-origin"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=HANG_S) as client:
            session = self.access.sessions.open(person)
            client.cookies.set(self.access.cookie, session, "127.0.0.1")
            yield client


@contextmanager
def served_jobs(root: Path, jobs: FakeJobs) -> Iterator[ServedJobs]:
    """Serve the pages of a service whose builds are in `root`."""
    catalog = Catalog([root], is_root=True)
    access: Access[Principal] = Access("cotbuild_1", public=("/static/", "/login"))
    with Database(catalog.folders) as database:
        links = ServerLinks(has_jobs=True)
        site = Site(catalog, database, links, jobs=jobs, access=access)
        app = bare_app()
        add_pages(app, site)
        rules = SecurityRules(body_limits=(FORM_LIMIT,))
        protect_app(app, rules, access, page_responder())
        with serving(app) as server:
            yield ServedJobs(server.url, jobs, access)

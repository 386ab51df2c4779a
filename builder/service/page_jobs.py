"""The jobs, teachers and tokens of a service, as its pages show and change them."""

import hashlib
import os
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import anyio.to_thread

from cotbuild.builder.pages.jobs_source import (
    FormChoices,
    JobAction,
    JobPage,
    JobQuery,
    Limits,
)
from cotbuild.builder.service.failures import find_failures
from cotbuild.builder.service.jobs.store import JobFilter
from cotbuild.builder.service.plans import plan_request
from cotbuild.builder.service.requests.uploads import listed_folders
from cotbuild.builder.service.routes.teachers import teachers_shown_to
from cotbuild.builder.service.service import Service
from cotbuild.builder.service.watch import log_file
from cotbuild.builder.sources import list_sources
from cotbuild.builder.view.catalog import EntryKind
from cotbuild.builder.web.access import cannot_identify
from cotbuild.builder.web.problems import ProblemError
from cotbuild.schemas.budget import Budget
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import open_regular
from cotbuild.schemas.service.api import FailureLine
from cotbuild.schemas.service.job import JobView, StopMode
from cotbuild.schemas.service.principal import Principal
from cotbuild.schemas.service.references import upload_name
from cotbuild.schemas.service.requests import JobRequest, PlanView
from cotbuild.schemas.service.teacher import TeacherStatus
from cotbuild.schemas.service.tokens import MadeToken, NewToken, TokenView

_BLOCK_BYTES: Final = 1 << 20
MAX_CHOICES: Final = 200


class PageJobs:
    """The `JobsSource` of a service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._desk = service.desk

    # -- jobs --------------------------------------------------------------------------

    def list_jobs(self, principal: Principal, query: JobQuery) -> JobPage:
        """Return the jobs that someone may see."""
        wanted = JobFilter(
            states=query.states or None, kind=query.kind, owner=query.owner
        )
        # One more than is shown tells whether there is another page.
        records = self._desk.list_jobs(principal, wanted, query.after, query.limit + 1)
        jobs = tuple(self._service.views.views(records[: query.limit]))
        is_more = len(records) > len(jobs)
        return JobPage(jobs, jobs[-1].id if is_more else None)

    def get_job(self, principal: Principal, job_id: str) -> JobView:
        """Return a job."""
        return self._service.views.view(self._desk.get(principal, job_id))

    def read_log(self, principal: Principal, job_id: str, max_bytes: int) -> str:
        """Return the end of what a job printed; an empty text where it did not begin."""
        record = self._desk.get(principal, job_id)
        return _read_end(
            log_file(self._service.settings.jobs_folder, record.id), max_bytes
        )

    def list_failures(
        self, principal: Principal, job_id: str, limit: int
    ) -> tuple[FailureLine, ...]:
        """Return the first failed requests of a job; raises StoreError."""
        record = self._desk.get(principal, job_id)
        target = self._service.settings.target(record.target)
        return tuple(islice(find_failures(target), limit))

    async def plan(self, principal: Principal, request: JobRequest) -> PlanView:
        """Return what a job would do."""
        service = self._service
        value = request.model_dump(mode="json")
        checked = await service.run_quick(self._desk.check_target, principal, value)
        return await service.run_planning(
            plan_request, checked, service.settings, principal.name
        )

    def submit(self, principal: Principal, request: JobRequest) -> JobView:
        """Queue a job; where an equal one is not over yet, return that one."""
        _check_submits(principal)
        return self._desk.submit(principal, request.model_dump(mode="json")).job

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
        """Change a job. `budget` is for resume, `failed` for retry."""
        if action is JobAction.PAUSE:
            self._desk.stop(principal, job_id, "pause", mode)
        elif action is JobAction.CANCEL:
            self._desk.stop(principal, job_id, "cancel", mode)
        elif action is JobAction.RESUME:
            self._desk.resume(principal, job_id, budget)
        elif action is JobAction.RETRY:
            self._desk.retry(principal, job_id, failed=failed)
        else:
            self._desk.delete(principal, job_id)

    # -- the form ----------------------------------------------------------------------

    def choices(self, principal: Principal) -> FormChoices:
        """Return what the form of a new job offers."""
        service = self._service
        settings = service.settings
        entries = [
            entry
            for entry in service.catalog.entries()
            if service.owners.may_read(principal, entry.name)
        ]
        builds = (entry.name for entry in entries if entry.kind is EntryKind.BUILD)
        runs = (entry.name for entry in entries if entry.kind is EntryKind.RUN)
        known = (info.name for info in list_sources())
        folders = (f"folder:{name}" for name in listed_folders(settings))
        uploads = (
            f"upload:{file.sha256}"
            for file in service.uploads.list_files(principal.name)
        )
        return FormChoices(
            builds=tuple(islice(builds, MAX_CHOICES)),
            runs=tuple(islice(runs, MAX_CHOICES)),
            sources=(*known, *folders, *islice(uploads, MAX_CHOICES)),
            teachers=("scripted", "embedded"),
            endpoints=settings.allow_endpoints,
            variables=settings.secret_variables,
            repos=settings.allow_repos,
        )

    async def upload(self, principal: Principal, name: str, file: BinaryIO) -> str:
        """Keep a file and return its reference for a request, `upload:SHA256/NAME`."""
        _check_submits(principal)
        sha256 = await anyio.to_thread.run_sync(_sha256_of, file)
        await self._service.uploads.put(sha256, principal.name, _blocks_of(file))
        return f"upload:{sha256}/{upload_name(name)}"

    # -- teachers, tokens, settings ----------------------------------------------------

    def list_teachers(self, principal: Principal) -> tuple[TeacherStatus, ...]:
        """Return the teachers that the service runs."""
        return teachers_shown_to(principal, self._service)

    def read_teacher_log(self, principal: Principal, key: str, max_bytes: int) -> str:
        """Return the end of the log of a teacher's server, for administrators.

        It names folders of this machine, and jobs of everyone.
        """
        pool = self._service.runner.teachers
        if pool is None or not principal.is_admin:
            return ""
        return pool.read_log(key, max_bytes)

    def log_in(self, token: str) -> Principal | None:
        """Return whose token a text is; None for any other text."""
        try:
            return self._service.tokens.find(token)
        except StoreError as fault:
            raise cannot_identify(fault) from fault

    def limits(self, principal: Principal) -> Limits:
        """Return what the service allows."""
        del principal  # everyone may know
        settings, uploads = self._service.settings, self._service.uploads
        return Limits(
            (
                ("Jobs at once", str(settings.max_jobs)),
                ("Largest upload", f"{uploads.max_file_bytes:,} bytes"),
                ("All uploads", f"{uploads.max_total_bytes:,} bytes"),
                ("Endpoints of teachers", _listed(settings.allow_endpoints)),
                ("Folders with sources", _listed(listed_folders(settings))),
                ("Repos to publish to", _listed(settings.allow_repos)),
                ("A teacher stays up", f"{settings.keep_teacher_s:g} s"),
            )
        )

    def list_tokens(self, principal: Principal) -> tuple[TokenView, ...]:
        """Return all tokens, for administrators."""
        _check_admin(principal)
        return tuple(self._service.tokens.views())

    def add_token(self, principal: Principal, new: NewToken) -> MadeToken:
        """Make a token."""
        _check_admin(principal)
        return self._service.tokens.add(new)

    def remove_token(self, principal: Principal, name: str) -> None:
        """Remove a token and end the sessions that it opened."""
        _check_admin(principal)
        self._service.tokens.remove(name)
        self._service.tokens.entries()  # reads the file again, which ends the sessions


def _check_submits(principal: Principal) -> None:
    if not principal.can_submit:
        raise ProblemError(
            403,
            "wrong_role",
            f"{principal.name} has the role {principal.role.value}, which submits no jobs.",
            "Log in with a token that has the role runner.",
        )


def _check_admin(principal: Principal) -> None:
    if not principal.is_admin:
        raise ProblemError(
            403,
            "wrong_role",
            f"{principal.name} has the role {principal.role.value}, which manages no "
            "tokens.",
        )


def _read_end(path: Path, max_bytes: int) -> str:
    """Return the end of a text file, from the beginning of a line; empty if missing."""
    try:
        file = open_regular(path)
    except OSError:
        return ""
    with file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - max_bytes))
        data = file.read(max_bytes)
    if size > max_bytes:
        data = data[data.find(b"\n") + 1 :]
    return data.decode("utf-8", "replace")


def _sha256_of(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


async def _blocks_of(file: BinaryIO) -> AsyncIterator[bytes]:
    while block := await anyio.to_thread.run_sync(file.read, _BLOCK_BYTES):
        yield block


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"

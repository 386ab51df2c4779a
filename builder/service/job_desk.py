"""What may be done with jobs, and by whom: shared by the routes of the API and pages.

Everything here blocks briefly and may run in any thread. A job of another owner is not
there for a runner: NoJobError, as for an id that never was.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cotbuild.builder.service.job_views import JobViews
from cotbuild.builder.service.jobs.states import Stop
from cotbuild.builder.service.jobs.store import JobFilter, JobStore, NewJob, NoJobError
from cotbuild.builder.service.ownership import TargetOwners
from cotbuild.builder.service.policy import check_request
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.builder.service.upload_store import UploadStore
from cotbuild.builder.web.problems import ProblemError
from cotbuild.schemas.budget import Budget
from cotbuild.schemas.service.job import JobRecord, JobState, JobView, StopMode
from cotbuild.schemas.service.principal import Principal
from cotbuild.schemas.service.requests import (
    JobRequest,
    parse_request,
    request_digest,
    request_kind,
)

UPLOAD: Final = re.compile(r"upload:([0-9a-f]{64})")
ACTIVE: Final = tuple(state for state in JobState if not state.is_final)


@dataclass(frozen=True)
class Submitted:
    """The answer to a submit."""

    job: JobView
    is_replayed: bool
    """Whether it is a job that was there already."""


class JobDesk:
    """The jobs of a service, as far as someone may see and change them."""

    def __init__(
        self,
        settings: ServiceSettings,
        store: JobStore,
        views: JobViews,
        owners: TargetOwners,
        uploads: UploadStore,
        wake: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._views = views
        self._owners = owners
        self._uploads = uploads
        self._wake = wake

    # -- reading -----------------------------------------------------------------------

    def get(self, principal: Principal, job_id: str) -> JobRecord:
        """Return a job that someone may read. Raises NoJobError."""
        try:
            record = self._store.get(job_id)
        except NoJobError:
            raise _no_job(job_id) from None
        if not principal.can_read(record.owner):
            raise _no_job(job_id)
        return record

    def list_jobs(
        self, principal: Principal, wanted: JobFilter, after: str | None, limit: int
    ) -> list[JobRecord]:
        """Return up to `limit` jobs that someone may read, newest first."""
        if not principal.can_read(None):
            if wanted.owner not in (None, principal.name):
                return []
            wanted = replace(wanted, owner=principal.name)
        return self._store.list_jobs(wanted, after=after, limit=limit)

    # -- submitting --------------------------------------------------------------------

    def check(
        self, principal: Principal, value: Mapping[str, Any], where: str = "request"
    ) -> JobRequest:
        """Return the request that JSON holds, if someone may submit it.

        Nothing is changed. Raises ConfigError or ProblemError.
        """
        request = parse_request(value, where)
        # First: whoever only knows a digest must not learn whether the file is here.
        self._check_uploads(principal, value)
        check_request(request, principal, self._settings)
        for name in request.reads:
            self._owners.check_read(principal, name)
        return request

    def check_target(
        self, principal: Principal, value: Mapping[str, Any]
    ) -> JobRequest:
        """Do as `check`, for someone who may also write the target."""
        request = self.check(principal, value)
        self._owners.check_claim(principal, request.target)
        return request

    def claim_target(
        self, principal: Principal, value: Mapping[str, Any]
    ) -> JobRequest:
        """Do as `check`, and make the target's name that of who asks."""
        request = self.check(principal, value)
        self._owners.claim(principal, request.target)
        return request

    def submit(
        self,
        principal: Principal,
        value: Mapping[str, Any],
        idempotency_key: str | None = None,
    ) -> Submitted:
        """Add a job, or return the one that is the same.

        The same is one that was submitted with the same key; without a key, one of an
        equal request that is not over. Raises ConfigError, ProblemError, or
        IdempotencyError if the key came with another request.
        """
        request = self.claim_target(principal, value)
        digest = request_digest(request)
        if idempotency_key is None:
            equal = self._find_equal(principal, request.target, digest)
            if equal is not None:
                return Submitted(self._views.view(equal), is_replayed=True)
        added = self._store.add(
            NewJob(
                kind=request_kind(request),
                target=request.target,
                owner=principal.name,
                request=request.model_dump(mode="json"),
                request_digest=digest,
                priority=request.priority,
                labels=request.labels,
                idempotency_key=idempotency_key,
            )
        )
        self._wake()
        return Submitted(self._views.view(added.job), added.is_replayed)

    def _find_equal(
        self, principal: Principal, target: str, digest: str
    ) -> JobRecord | None:
        wanted = JobFilter(states=ACTIVE, target=target, owner=principal.name)
        for record in self._store.list_jobs(wanted, limit=100):
            if record.request_digest == digest:
                return record
        return None

    def _check_uploads(self, principal: Principal, value: Mapping[str, Any]) -> None:
        """Raise ProblemError for an upload of somebody else: who knows its digest is
        not who has it.
        """
        for sha256 in set(_uploads_in(value)):
            if self._uploads.find(sha256, principal.name) is None:
                raise ProblemError(
                    422,
                    "no_upload",
                    f"The request names the upload {sha256[:16]}…, which "
                    f"{principal.name!r} has not uploaded.",
                    "Upload the file with PUT /v1/files/SHA256 first.",
                )

    # -- changing ----------------------------------------------------------------------

    def stop(
        self, principal: Principal, job_id: str, stop: Stop, mode: StopMode
    ) -> JobView:
        """Pause or cancel a job. Raises NoJobError, JobStateError, ProblemError."""
        self._controlled(principal, job_id)
        return self._changed(self._store.request_stop(job_id, stop, mode))

    def resume(
        self, principal: Principal, job_id: str, budget: Budget | None = None
    ) -> JobView:
        """Have a paused job go on, with another budget if one is passed.

        Raises NoJobError, JobStateError, ProblemError, or ConfigError if the job's kind
        has no budget.
        """
        record = self._controlled(principal, job_id)
        request = None
        if budget is not None:
            # The rest was checked when its owner submitted it: an admin, who may resume
            # it too, has not uploaded its files.
            changed = record.request | {"budget": budget.model_dump(mode="json")}
            parsed = parse_request(changed, f"job {job_id}")
            request = parsed.model_dump(mode="json")
        return self._changed(self._store.resume(job_id, request))

    def retry(self, principal: Principal, job_id: str, *, failed: bool) -> JobView:
        """Queue a job that is over again. Raises NoJobError, JobStateError."""
        self._controlled(principal, job_id)
        return self._changed(self._store.retry(job_id, failed=failed))

    def delete(self, principal: Principal, job_id: str) -> JobRecord:
        """Delete the record of a job that is over, never what it made.

        Raises NoJobError, JobStateError, ProblemError.
        """
        self._controlled(principal, job_id)
        record = self._store.delete(job_id)
        shutil.rmtree(self._settings.jobs_folder / record.id, ignore_errors=True)
        return record

    def _controlled(self, principal: Principal, job_id: str) -> JobRecord:
        """Return a job that someone may change; raises NoJobError or ProblemError 403."""
        record = self.get(principal, job_id)
        if not principal.can_control(record.owner):
            raise ProblemError(
                403,
                "wrong_role",
                f"Job {job_id} belongs to {record.owner!r}, and the role "
                f"{principal.role.value} of {principal.name!r} only reads it.",
            )
        return record

    def _changed(self, record: JobRecord) -> JobView:
        self._wake()
        return self._views.view(record)


def _no_job(job_id: str) -> NoJobError:
    """Return the error for a job that is absent, or not for this caller to see."""
    return NoJobError(f"job {job_id!r}: there is none. Check its id.")


def _uploads_in(value: Any) -> Iterator[str]:
    """Yield the digests of the uploads that JSON names anywhere, keys included."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield from UPLOAD.findall(item)
        elif isinstance(item, Mapping):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, Sequence):
            waiting += item

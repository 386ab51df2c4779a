"""`cotbuild.Client`: the service as Python.

client = cotbuild.Client("http://gpu-box:8787")
job = client.generate("questions.jsonl", out="mine", teacher="Qwen/Qwen2.5-7B-Instruct")
build = job.wait().build().download("builds/mine")
"""

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from cotbuild.builder.api import resolve_config
from cotbuild.builder.client.connection import Connection, Reply, Sleeps
from cotbuild.builder.client.records import receive
from cotbuild.builder.client.remote_build import RemoteBuild
from cotbuild.builder.client.remote_job import RemoteJob
from cotbuild.builder.client.uploads import (
    file_size,
    hash_file,
    read_blocks,
    reference_to,
    upload_files_of,
)
from cotbuild.schemas.budget import Budget
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError, ServiceError
from cotbuild.schemas.service.job import JobKind, JobState, JobView
from cotbuild.schemas.service.references import UploadRef
from cotbuild.schemas.service.requests import (
    MAX_PREVIEW_ROWS,
    JobRequest,
    PlanView,
    PreviewView,
    parse_request,
)

PAGE_JOBS = 200
PLAN_TIMEOUT_S = 180.0
"""Longer than a service takes for a plan: it waits for others, and stops one in time."""
PREVIEW_TIMEOUT_S = 900.0
"""Longer than a service takes, which may have to start a teacher for the preview first."""


class Client:
    """A client of a service (`cotbuild serve`).

    It may be used by several threads, and is a context manager that closes its
    connections. Every method raises ServiceError, in one line, if the service cannot be
    reached or refuses, and ConfigError if what was passed is wrong.

    Args:
        url: Where the service is, such as http://gpu-box:8787.
        token: A token of it; None for the environment variable COTBUILD_TOKEN.
        sleep: Waits between two attempts.
    """

    def __init__(
        self, url: str, token: str | None = None, *, sleep: Sleeps = time.sleep
    ) -> None:
        self._connection = Connection(url, token, sleep=sleep)

    def __repr__(self) -> str:
        return f"Client({self._connection.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._connection.close()

    @property
    def url(self) -> str:
        """Address of the service."""
        return self._connection.url

    def info(self) -> dict[str, Any]:
        """Return version and limits of the service, and whose token this is."""
        return dict(self._connection.request("GET", "/v1/info").json())

    # -- making builds

    def generate(
        self,
        source: str | Path | BuildConfig,
        *,
        out: str,
        teacher: str | None = None,
        endpoint: str | Sequence[str] | None = None,
        retry_failed: bool = False,
        budget: Budget | None = None,
        api_key_from: str | None = None,
        priority: int = 0,
        labels: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> RemoteJob:
        """Have the service ask a teacher about every question of a source.

        The arguments are those of `cotbuild.generate`; `out` is the name of the build
        on the service. Files of this machine are uploaded. `api_key_from` names the
        variable of the service with the key for `endpoint`. Returns the job at once.
        """
        config = resolve_config(source, teacher, endpoint, settings)
        request = {
            "kind": "generate",
            "target": out,
            "config": self.upload_files_of(config).model_dump(mode="json"),
            "budget": None if budget is None else budget.model_dump(mode="json"),
            "retry_failed": retry_failed,
            "api_key_from": api_key_from,
            "priority": priority,
            "labels": dict(labels or {}),
        }
        return self.submit(parse_request(request, "generate()"))

    def submit(
        self, request: JobRequest | Mapping[str, Any], *, key: str | None = None
    ) -> RemoteJob:
        """Submit a job and return it at once.

        `key` identifies the submission: the same key gives the same job. It is made
        here by default, so that a submission whose answer was lost is not made twice.
        """
        value = _request_values(request)
        reply = self._connection.request(
            "POST",
            "/v1/jobs",
            json_body=value,
            headers={"Idempotency-Key": key or secrets.token_hex(16)},
            repeats=True,
        )
        return self._job(reply)

    def plan(self, request: JobRequest | Mapping[str, Any]) -> PlanView:
        """Return what a job would do; nothing is asked."""
        # Not repeated: the service would begin another process while the first one runs.
        reply = self._connection.request(
            "POST",
            "/v1/plans",
            json_body=_request_values(request),
            timeout_s=PLAN_TIMEOUT_S,
        )
        return receive(PlanView, reply.json(), "plan")

    def preview(
        self, request: JobRequest | Mapping[str, Any], num_rows: int = MAX_PREVIEW_ROWS
    ) -> PreviewView:
        """Ask for the first rows now; the job finds them and pays nothing for them."""
        body = {"request": _request_values(request), "num_rows": num_rows}
        reply = self._connection.request(
            "POST",
            "/v1/previews",
            json_body=body,
            timeout_s=PREVIEW_TIMEOUT_S,
        )
        return receive(PreviewView, reply.json(), "preview")

    # -- files

    def upload(self, path: str | Path) -> str:
        """Upload a file unless the service has it, and return its reference."""
        return str(self.upload_file(Path(path).expanduser()))

    def upload_files_of(self, config: BuildConfig) -> BuildConfig:
        """Upload the files that a configuration names, and name the uploads in it."""
        return upload_files_of(config, self.upload_file)

    def upload_file(self, path: Path) -> UploadRef:
        """Upload a file unless the service has it."""
        sha256 = hash_file(path)
        place = f"/v1/files/{sha256}"
        known = self._connection.request("HEAD", place, expected=(404, 405))
        if known.status != 200:
            self._connection.request(
                "PUT",
                place,
                body=lambda: read_blocks(path),
                headers={
                    "Content-Length": str(file_size(path)),
                    "Content-Type": "application/octet-stream",
                },
                repeats=True,
            )
        return reference_to(path, sha256)

    # -- jobs and builds

    def jobs(
        self,
        *,
        state: JobState | str | None = None,
        kind: JobKind | str | None = None,
        target: str | None = None,
        limit: int = PAGE_JOBS,
    ) -> list[RemoteJob]:
        """Return the newest jobs that this token may see, newest first."""
        found: list[RemoteJob] = []
        after: str | None = None
        while len(found) < limit:
            query = {
                "state": state if state is None else JobState(state).value,
                "kind": kind if kind is None else JobKind(kind).value,
                "target": target,
                "limit": min(limit - len(found), PAGE_JOBS),
                "after": after,
            }
            page = self._connection.request("GET", "/v1/jobs", query=query).json()
            views = _list_in(page, "jobs")
            found += [
                RemoteJob(self._connection, receive(JobView, view, "job"))
                for view in views
            ]
            after = page.get("next")
            if after is None or not views:
                break
        return found

    def job(self, job_id: str) -> RemoteJob:
        """Return a job by its id."""
        if not job_id.isascii() or not job_id.isalnum():
            raise ConfigError(
                f"{job_id!r} is no id of a job. `cotbuild jobs list` shows them."
            )
        return self._job(self._connection.request("GET", f"/v1/jobs/{job_id}"))

    def builds(self) -> list[dict[str, Any]]:
        """Return the builds that this token may see."""
        return list(self._pages("/v1/builds", "entries"))

    def build(self, name: str) -> RemoteBuild:
        """Return a build by its name, without asking for it."""
        return RemoteBuild(self._connection, name)

    def _pages(self, path: str, name: str) -> Iterator[dict[str, Any]]:
        after: str | None = None
        while True:
            page = self._connection.request("GET", path, query={"after": after}).json()
            entries = _list_in(page, name)
            yield from entries
            after = page.get("next")
            if after is None or not entries:
                return

    def _job(self, reply: Reply) -> RemoteJob:
        return RemoteJob(self._connection, receive(JobView, reply.json(), "job"))


def _request_values(request: JobRequest | Mapping[str, Any]) -> dict[str, Any]:
    """Return a request as JSON values; raises ConfigError if it is none."""
    parsed = parse_request(request) if isinstance(request, Mapping) else request
    return parsed.model_dump(mode="json")


def _list_in(page: Any, name: str) -> list[Any]:
    entries = page.get(name) if isinstance(page, dict) else None
    if not isinstance(entries, list):
        raise ServiceError(
            f"the answer has no list of {name}. Check that the address is that of a "
            "cotbuild service."
        )
    return entries

"""The command of a job: what its process runs, from the request for it.

A job is a command of the command line in a process of its own, with settings in files
of the job's folder. The process starts in an empty folder of the service, and every
path in its arguments is relative to that, so that logs, events and build.json show no
folder of the machine, and a root that was moved changes no digest. A command that was
interrupted is continued by the same one.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cotbuild.builder.environment import HUB_TOKENS, child_environment
from cotbuild.builder.service.requests.arguments import JobFiles, list_arguments
from cotbuild.builder.service.requests.rules import WORK_FOLDER
from cotbuild.builder.service.requests.table import resolve_request
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.files import write_error
from cotbuild.schemas.service.job import JobRecord
from cotbuild.schemas.service.requests import (
    GenerateRequest,
    JobRequest,
    PublishRequest,
    parse_request,
)

API_KEY = "OPENAI_API_KEY"
"""Variable that a command reads the key for its endpoints from."""
HUB_TOKEN = "HF_TOKEN"
EVENTS = "events.jsonl"
"""File in the folder of a job that its process appends events to."""


@dataclass(frozen=True)
class ChildCommand:
    """A process to start."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    """Its whole environment."""
    cwd: Path
    """Where it starts: its arguments are relative to it."""


def command_for(
    job: JobRecord, job_folder: Path, settings: ServiceSettings
) -> ChildCommand:
    """Return the command of the next attempt of a job; see `build_command`."""
    request = parse_request(job.request, f"job {job.id}")
    return build_command(
        request,
        settings,
        job_folder,
        owner=job.owner,
        retry_failed=job.retry_failed,
    )


def build_command(
    request: JobRequest,
    settings: ServiceSettings,
    job_folder: Path,
    *,
    owner: str,
    retry_failed: bool = False,
    is_plan: bool = False,
) -> ChildCommand:
    """Return the command of a request, after writing its settings to the job's folder.

    `owner` is who submitted it; `retry_failed` also repeats requests to a teacher that
    failed for good; for a plan nothing is written to the target. Raises ConfigError if
    the service does not take what is asked for, or a file or folder that it names is
    missing; StoreError if nothing can be written.
    """
    values = resolve_request(request, settings, owner, is_starting=True)
    if retry_failed and isinstance(request, GenerateRequest):
        values["retry_failed"] = True
    files = JobFiles(job_folder, settings, is_plan=is_plan)
    # -P: nothing is imported from the folder that it starts in.
    program = (sys.executable, "-P", "-m", "cotbuild", "--events", files.path(EVENTS))
    return ChildCommand(
        argv=(*program, *list_arguments(request.kind, values, files)),
        env=_environment(request, settings, owner),
        cwd=_work_folder(settings),
    )


def _work_folder(settings: ServiceSettings) -> Path:
    """Return the empty folder in which processes start; raises StoreError."""
    folder = settings.folder / WORK_FOLDER
    try:
        folder.mkdir(mode=0o500, parents=True, exist_ok=True)
    except OSError as fault:
        raise write_error(folder, fault) from fault
    return folder


def _environment(
    request: JobRequest, settings: ServiceSettings, owner: str
) -> dict[str, str]:
    """Return the environment of a job's process: no secret but those it may have."""
    environment = child_environment(downloads=True)
    for name in HUB_TOKENS - set(settings.secret_variables):
        environment.pop(name, None)
    environment.pop(API_KEY, None)
    if isinstance(request, GenerateRequest) and request.api_key_from is not None:
        environment[API_KEY] = _secret(request.api_key_from)
    if isinstance(request, PublishRequest):
        environment[HUB_TOKEN] = _secret(settings.hub_tokens[owner])
    return environment


def _secret(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ConfigError(
            f"the service has no variable {name}, which holds a secret of this job. Ask "
            "who runs it to set it."
        )
    return value

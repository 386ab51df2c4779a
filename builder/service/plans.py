"""Plans and previews: what a job would do, before it is submitted.

A plan is the dry run of the job's command; a preview asks for a few rows of a build
now. Both run in a process of their own with a bound on its time, with the same
settings, folder and environment as the job, so that they say and ask the same.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, NamedTuple

from cotbuild.builder.service.commands import ChildCommand, build_command
from cotbuild.builder.service.plan_task import PlanResult, PlanTask
from cotbuild.builder.service.requests.rules import root_path
from cotbuild.builder.service.requests.table import resolve_request
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.builder.variants.registry import (
    DEFAULT_SET,
    builtin_variants,
    variant_sets,
)
from cotbuild.schemas.errors import ConfigError, CotbuildError, TeacherError
from cotbuild.schemas.json_text import JsonFault, parse_record_json
from cotbuild.schemas.service.requests import (
    MAX_PREVIEW_ROWS,
    GenerateRequest,
    ImportRequest,
    JobRequest,
    PlanView,
    PreviewView,
    StudyRequest,
    VariantsRequest,
    request_kind,
)
from cotbuild.schemas.service.teacher import SOCKET_VARIABLE

PLAN_S = 60.0
"""Most time that a plan takes, seconds."""
PREVIEW_S = 300.0
STOP_S = 10.0
"""Time that a process has to end after it was told to, seconds."""
MAX_RESULT_BYTES = 32 << 20
MAX_LINES_BYTES = 1 << 20


def plan_request(
    request: JobRequest,
    settings: ServiceSettings,
    owner: str,
    *,
    timeout_s: float = PLAN_S,
) -> PlanView:
    """Return what a job would do; why it would fail is part of it.

    Asks no teacher and writes nothing into the folder of the target. Blocks for up to
    `timeout_s`. The request has passed `policy.check_request`.
    """
    view = PlanView(kind=request_kind(request), target=request.target)
    try:
        if isinstance(request, VariantsRequest):
            return view.model_copy(update={"lines": _variant_lines(request, settings)})
        if isinstance(request, GenerateRequest | ImportRequest):
            plan = _run_task(request, settings, owner, "plan", timeout_s).plan
            assert plan is not None
            return _with_cost(plan, request)
        return _dry_run(request, settings, owner, timeout_s, view)
    except CotbuildError as fault:
        return view.model_copy(update={"problems": (str(fault),)})


def preview_request(
    request: JobRequest,
    settings: ServiceSettings,
    owner: str,
    *,
    num_rows: int = MAX_PREVIEW_ROWS,
    teacher_socket: Path | None = None,
    timeout_s: float = PREVIEW_S,
) -> PreviewView:
    """Ask for the first rows of a build now, and return them.

    The answers are stored where the job finds them. `teacher_socket` leads to a shared
    teacher. Blocks for up to `timeout_s`; what was answered until then is kept. Raises
    ConfigError for a job of another kind, for a teacher that would have to be started,
    and where the build or the preview fails, in one line.
    """
    if not isinstance(request, GenerateRequest | ImportRequest):
        raise ConfigError(
            f"a job of kind {request.kind} has no rows to preview. Preview one of kind "
            "generate or import."
        )
    if not 1 <= num_rows <= MAX_PREVIEW_ROWS:
        raise ConfigError(f"num_rows is {num_rows}. Expected 1 to {MAX_PREVIEW_ROWS}.")
    teacher = request.config.teacher
    is_started = bool(teacher.endpoints) or teacher.model == "scripted"
    if isinstance(request, GenerateRequest) and not is_started and not teacher_socket:
        raise ConfigError(
            f"config.teacher.model {teacher.model!r} would have to be started for a "
            "preview. Submit a job with source.limit 10 in its place."
        )
    result = _run_task(
        request,
        settings,
        owner,
        "preview",
        timeout_s,
        num_rows=num_rows,
        socket=teacher_socket,
    )
    if result.preview is None:
        raise ConfigError(result.error or "the preview gave no rows. Try it again.")
    return result.preview


# -- generate and import ---------------------------------------------------------------


def _run_task(
    request: GenerateRequest | ImportRequest,
    settings: ServiceSettings,
    owner: str,
    action: str,
    timeout_s: float,
    *,
    num_rows: int = 1,
    socket: Path | None = None,
) -> PlanResult:
    """Run the process of a plan or a preview on the settings that the job would have."""
    values = resolve_request(request, settings, owner, is_starting=True)
    task = PlanTask.parse(
        {
            "action": action,
            "kind": request.kind,
            "target": request.target,
            "out": root_path(request.target),
            "config": values["config"],
            "budget": values.get("budget"),
            "retry_failed": values.get("retry_failed", False),
            "num_rows": num_rows,
        },
        "task",
    )
    with _plan_folder(settings) as folder:
        command = build_command(request, settings, folder, owner=owner)
    env = dict(command.env)
    if socket is not None:
        env[SOCKET_VARIABLE] = str(socket)
    module = f"{__package__}.plan_process"
    argv = (sys.executable, "-P", "-m", module)
    done = _run(
        replace(command, argv=argv, env=env), timeout_s, task.model_dump_json().encode()
    )
    if done.timed_out:
        raise TeacherError(
            f"the {action} took longer than {timeout_s:g} s and was stopped. Submit the "
            "job, which has no such limit; answers received until then are kept."
        )
    try:
        return PlanResult.parse(parse_record_json(done.output), action)
    except (JsonFault, CotbuildError) as fault:
        raise TeacherError(
            f"the process of the {action} ended with code {done.code}: "
            f"{_last_line(done.messages)}"
        ) from fault


def _with_cost(plan: PlanView, request: GenerateRequest | ImportRequest) -> PlanView:
    """Add what the generated tokens cost at most, where their price is known."""
    budget = request.budget if isinstance(request, GenerateRequest) else None
    price = None if budget is None else budget.prices.output
    if price is None or plan.max_output_tokens is None:
        return plan
    return plan.model_copy(update={"cost": plan.max_output_tokens * price / 1e6})


# -- the other kinds -------------------------------------------------------------------


def _variant_lines(
    request: VariantsRequest, settings: ServiceSettings
) -> tuple[str, ...]:
    """Return what would be derived; raises ConfigError for a name that is unknown."""
    own = [spec.name for spec in request.specs]
    sets = variant_sets()
    wanted = request.variants or tuple(own) or (DEFAULT_SET,)
    names = [
        name
        for one in wanted
        for name in ([one] if one in own else sets.get(one, [one]))
    ]
    unknown = [
        name for name in names if name not in own and name not in builtin_variants()
    ]
    if unknown:
        raise ConfigError(
            f"variants has {unknown[0]!r}, which is not known. Choose of "
            f"{', '.join([*sets, *builtin_variants(), *own])}."
        )
    distinct = list(dict.fromkeys(names))
    lines = [f"{len(distinct)} variants: {', '.join(distinct)}"]
    if not settings.target(request.target).is_dir():
        lines.append(f"the build {request.target!r} is not there yet")
    return tuple(lines)


def _dry_run(
    request: JobRequest,
    settings: ServiceSettings,
    owner: str,
    timeout_s: float,
    view: PlanView,
) -> PlanView:
    """Return what the command of a job prints with --dry-run."""
    with _plan_folder(settings) as folder:
        command = build_command(request, settings, folder, owner=owner, is_plan=True)
        if isinstance(request, StudyRequest):
            _link_cells(settings.target(request.target), folder)
        at = command.argv.index("--")
        argv = (*command.argv[:at], "--dry-run", *command.argv[at:])
        done = _run(replace(command, argv=argv), timeout_s)
    if done.timed_out:
        line = f"no estimate: measuring one took longer than {timeout_s:g} s"
        return view.model_copy(update={"lines": (line,)})
    lines = tuple(done.output.decode(errors="replace").splitlines())
    problems = () if done.code == 0 else (_last_line(done.messages),)
    return view.model_copy(update={"lines": lines, "problems": problems})


def _link_cells(study: Path, folder: Path) -> None:
    """Show a dry run the cells and trials that a study has finished."""
    for name in ("study.json", "cells", "trials"):
        if (study / name).exists():
            (folder / name).symlink_to(study / name)


def _last_line(messages: bytes) -> str:
    """Return the error that a command printed last."""
    lines = messages.decode(errors="replace").splitlines()
    faults = [line for line in lines if line.startswith("error: ")]
    found = faults or [line for line in lines if line.strip()] or ["no message"]
    return found[-1].removeprefix("error: ")


# -- processes -------------------------------------------------------------------------


@contextmanager
def _plan_folder(settings: ServiceSettings) -> Iterator[Path]:
    """Give a folder for the settings of a plan, below the root as that of a job is."""
    with TemporaryDirectory(prefix="plan-", dir=settings.folder) as folder:
        yield Path(folder)


class _Done(NamedTuple):
    """A process that has ended."""

    code: int
    output: bytes
    messages: bytes
    timed_out: bool


def _run(command: ChildCommand, timeout_s: float, stdin: bytes = b"") -> _Done:
    """Run a process to its end, or until it has taken too long."""
    with (
        TemporaryFile() as given,
        TemporaryFile() as output,
        TemporaryFile() as messages,
    ):
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(
            command.argv,
            env=dict(command.env),
            cwd=command.cwd,
            stdin=given,
            stdout=output,
            stderr=messages,
            start_new_session=True,
        )
        timed_out = False
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            _stop(process)
        return _Done(
            process.returncode,
            _read(output, MAX_RESULT_BYTES),
            _read(messages, MAX_LINES_BYTES),
            timed_out,
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started, gently first."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(file: IO[bytes], max_bytes: int) -> bytes:
    """Return the end of what was written to a file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - max_bytes))
    return file.read()

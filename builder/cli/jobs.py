"""`cotbuild jobs`: the jobs of a service."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import GroupedCommand, examples
from cotbuild.builder.console import print_line, print_message
from cotbuild.builder.visible import shell_join
from cotbuild.schemas.errors import ConfigError

if TYPE_CHECKING:
    from cotbuild.builder.client import Client, RemoteJob
    from cotbuild.schemas.service.job import JobView

VARIABLE = "COTBUILD_SERVER"
COLUMNS = ("id", "state", "kind", "target", "owner", "created", "progress")
SUBMIT_EXAMPLES = examples(
    "cotbuild jobs submit request.yaml --server http://gpu-box:8787",
    "cotbuild generate --source q.jsonl --out mine --server http://gpu-box:8787",
)
LIST_EXAMPLES = examples(
    "cotbuild jobs list --server http://gpu-box:8787",
    "COTBUILD_SERVER=http://gpu-box:8787 cotbuild jobs list --state running",
)
WATCH_EXAMPLES = examples(
    "cotbuild jobs watch 00abc1def2ghi3jk --server http://gpu-box:8787"
)

Text = str | None
Server = Annotated[
    Text,
    typer.Option(
        "--server",
        metavar="URL",
        help=f"Address of the service; the default is the variable {VARIABLE}. A token "
        "is taken from COTBUILD_TOKEN.",
        show_default=False,
    ),
]
JobId = Annotated[
    str, typer.Argument(metavar="ID", help="Id of a job.", show_default=False)
]
Now = Annotated[
    bool,
    typer.Option("--now", help="Do not wait for the requests in flight."),
]

app = typer.Typer(
    help="Jobs of a service (`cotbuild serve`): submit, list, watch and control them.",
    no_args_is_help=True,
)


@contextmanager
def _client(server: str | None) -> Iterator["Client"]:
    """Open the service of an option or the environment, errors as lines."""
    with errors():
        url = server or os.environ.get(VARIABLE)
        if not url:
            raise ConfigError(
                f"no service. Pass --server http://HOST:8787, or set {VARIABLE}."
            )
        from cotbuild.builder.client import Client

        with Client(url) as client:
            yield client


@app.command(cls=GroupedCommand, epilog=SUBMIT_EXAMPLES)
def submit(
    request: Annotated[
        Path,
        typer.Argument(
            metavar="REQUEST.yaml",
            help="A request as the API takes it, YAML or JSON; files of this machine "
            "that its config names are uploaded.",
            show_default=False,
        ),
    ],
    server: Server = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Print the id of the job and return.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print what it would do; submit nothing.")
    ] = False,
) -> None:
    """Submit a job and follow it."""
    with _client(server) as client:
        from cotbuild.builder.cli.remote import run_on_server

        def make_request(client: "Client") -> dict[str, Any]:
            return _read_request(request, client)

        run_on_server(client.url, make_request, detach=detach, dry_run=plan)


@app.command("list", cls=GroupedCommand, epilog=LIST_EXAMPLES)
def list_jobs(
    server: Server = None,
    state: Annotated[
        Text, typer.Option(help="Only jobs in this state, such as running.")
    ] = None,
    kind: Annotated[
        Text, typer.Option(help="Only jobs of this kind, such as generate.")
    ] = None,
    target: Annotated[Text, typer.Option(help="Only jobs of this folder.")] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="At most N jobs, newest first.")
    ] = 20,
) -> None:
    """List the newest jobs."""
    with _client(server) as client:
        state, kind = _check_word(state, "--state"), _check_word(kind, "--kind")
        jobs = client.jobs(state=state, kind=kind, target=target, limit=limit)
        for line in table_lines([job.view for job in jobs]):
            print_line(line)


@app.command(cls=GroupedCommand)
def show(job: JobId, server: Server = None) -> None:
    """Show one job."""
    with _client(server) as client:
        for line in job_lines(client.job(job).view):
            print_line(line)


@app.command(cls=GroupedCommand, epilog=WATCH_EXAMPLES)
def watch(job: JobId, server: Server = None) -> None:
    """Follow a job, and end with its exit code; Ctrl-C lets it run on."""
    with _client(server) as client:
        from cotbuild.builder.cli.watch import watch_job

        code = watch_job(client.job(job), client.url)
        if code:
            raise typer.Exit(code)


@app.command(cls=GroupedCommand)
def cancel(job: JobId, server: Server = None, now: Now = False) -> None:
    """Cancel a job; what was answered until then is kept."""
    with _client(server) as client:
        _print_state(client, client.job(job).cancel("now" if now else "drain"))


@app.command(cls=GroupedCommand)
def pause(job: JobId, server: Server = None, now: Now = False) -> None:
    """Stop a job so that `resume` continues it."""
    with _client(server) as client:
        _print_state(client, client.job(job).pause("now" if now else "drain"))


@app.command(cls=GroupedCommand)
def resume(
    job: JobId,
    server: Server = None,
    max_requests: Annotated[
        int | None, typer.Option(min=0, help="A new limit of requests answered.")
    ] = None,
    max_output_tokens: Annotated[
        int | None, typer.Option(min=0, help="A new limit of tokens generated.")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(min=0, help="A new limit of the cost.")
    ] = None,
) -> None:
    """Continue a paused job, with a higher budget if one is passed."""
    with _client(server) as client:
        found = client.job(job)
        limits = {
            "max_requests": max_requests,
            "max_output_tokens": max_output_tokens,
            "max_cost": max_cost,
        }
        _print_state(client, found.resume(_raised_budget(found, limits)))


@app.command(cls=GroupedCommand)
def retry(
    job: JobId,
    server: Server = None,
    failed: Annotated[
        bool,
        typer.Option(
            "--failed", help="Also repeat requests that the teacher rejected."
        ),
    ] = False,
) -> None:
    """Queue a job that is over again."""
    with _client(server) as client:
        _print_state(client, client.job(job).retry(failed=failed))


@app.command(cls=GroupedCommand)
def logs(job: JobId, server: Server = None) -> None:
    """Print what the process of a job printed."""
    with _client(server) as client:
        for line in client.job(job).logs().splitlines():
            print_line(line)


@app.command(cls=GroupedCommand)
def failures(job: JobId, server: Server = None) -> None:
    """Print the requests to the teacher that failed, one JSON object per line."""
    with _client(server) as client:
        import json

        for failure in client.job(job).failures():
            print_line(json.dumps(failure, ensure_ascii=False))


# -- what is printed -------------------------------------------------------------------


def table_lines(views: "list[JobView]") -> Iterator[str]:
    """Yield a table of jobs, the columns as wide as their longest value."""
    if not views:
        yield "no jobs"
        return
    rows = [COLUMNS, *(_row(view) for view in views)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()


def _row(view: "JobView") -> tuple[str, ...]:
    created = view.created_at[:16].replace("T", " ")
    return (
        view.id,
        view.state.value,
        view.kind.value,
        view.target,
        view.owner,
        created,
        _describe_run(view),
    )


def _describe_run(view: "JobView") -> str:
    """Return how far a job is, or why it is not further."""
    from cotbuild.builder.cli.watch import describe_progress

    if view.state.value == "queued":
        return f"waits for {view.waits_for}" if view.waits_for else "waits"
    if view.state.value == "paused":
        return view.pause_reason.value if view.pause_reason else ""
    if view.state.value == "failed":
        return (view.error or "")[:60]
    if view.state.value == "succeeded":
        return f"{view.num_failed} unscored" if view.num_failed else ""
    progress = view.run.progress
    if progress is not None and (line := describe_progress(progress)):
        return line
    return view.run.phase.value if view.run.phase else ""


def job_lines(view: "JobView") -> Iterator[str]:
    """Yield what is known of a job, a line each."""
    yield f"job {view.id}: {view.kind.value} {view.target}, {view.state.value}"
    facts: dict[str, object] = {
        "owner": view.owner,
        "created": view.created_at,
        "started": view.started_at,
        "finished": view.finished_at,
        "attempt": view.attempt or None,
        "queue position": view.queue_position,
        "waits for": view.waits_for,
        "paused by": view.pause_reason.value if view.pause_reason else None,
        "exit code": view.exit_code,
        "error": view.error,
        "unscored": view.num_failed or None,
        "phase": view.run.phase.value if view.run.phase else None,
        "progress": _describe_run(view) if view.run.progress else None,
        "labels": ", ".join(f"{k}={v}" for k, v in sorted(view.labels.items())) or None,
    }
    for name, value in facts.items():
        if value is not None:
            yield f"{name:<15} {value}"
    account = view.run.account
    if account is not None:
        cost = "" if account.cost is None else f", cost {account.cost:g}"
        yield (
            f"{'spent':<15} {account.requests} requests, "
            f"{account.completion_tokens} tokens generated{cost}"
        )


def _print_state(client: "Client", view: "JobView") -> None:
    print_line(f"job {view.id}: {view.state.value}")
    if not view.state.is_final:
        watch = shell_join(
            ["cotbuild", "jobs", "watch", view.id, "--server", client.url]
        )
        print_message(f"next: {watch}")


# -- arguments -------------------------------------------------------------------------


def _read_request(path: Path, client: "Client") -> dict[str, Any]:
    """Read a request, and upload the files of this machine that its config names."""
    from cotbuild.schemas.files import read_yaml
    from cotbuild.schemas.service.requests import (
        GenerateRequest,
        ImportRequest,
        parse_request,
    )

    value = read_yaml(path)
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: holds no request. Write kind, target and config.")
    request = parse_request(value, str(path))
    if isinstance(request, GenerateRequest | ImportRequest):
        config = client.upload_files_of(request.config)
        request = request.model_copy(update={"config": config})
    return request.model_dump(mode="json")


def _raised_budget(job: "RemoteJob", limits: dict[str, Any]) -> Any:
    """Return the budget of a job with other limits; None where none was passed."""
    from cotbuild.schemas.budget import Budget

    given = {name: limit for name, limit in limits.items() if limit is not None}
    if not given:
        return None
    previous = job.view.request.get("budget") or {}
    return Budget.parse({**previous, **given}, "budget", ConfigError)


def _check_word(text: str | None, option: str) -> str | None:
    """Return a state or kind; raises ConfigError for another word."""
    from cotbuild.schemas.service.job import JobKind, JobState

    words = [one.value for one in (JobState if option == "--state" else JobKind)]
    if text is None or text in words:
        return text
    raise ConfigError(
        f"{option} {text!r}: not known. Choose one of {', '.join(words)}."
    )

"""`--server URL`: a command that runs as a job of a service."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cotbuild.builder.cli.help import SERVICE
from cotbuild.builder.console import print_line, print_message
from cotbuild.builder.exit_codes import ExitCode
from cotbuild.builder.visible import shell_join
from cotbuild.schemas.errors import ConfigError

if TYPE_CHECKING:
    from cotbuild.builder.client import Client
    from cotbuild.schemas.service.requests import PlanView

server_option = partial(
    typer.Option,
    "--server",
    metavar="URL",
    help="Run as a job of the service at URL; folders are then names on it, files are "
    "uploaded.",
    rich_help_panel=SERVICE,
)
detach_option = partial(
    typer.Option,
    "--detach",
    help="With --server: print the id of the job and return.",
    rich_help_panel=SERVICE,
)
api_key_from_option = partial(
    typer.Option,
    metavar="VARIABLE",
    help="With --server: variable of the service that holds the key for --endpoint.",
    rich_help_panel=SERVICE,
)

MakeRequest = Callable[["Client"], Mapping[str, Any]]
"""Makes the request for a job, uploading the files that it names."""


def run_on_server(
    server: str, make_request: MakeRequest, *, detach: bool, dry_run: bool = False
) -> None:
    """Submit a job and follow it, or print its plan with `dry_run`.

    Ends the command with the exit code of the job. Raises ConfigError or ServiceError.
    """
    from cotbuild.builder.client import Client

    with Client(server) as client:
        request = make_request(client)
        if dry_run:
            raise typer.Exit(print_plan(client.plan(request)))
        job = client.submit(request)
        if detach:
            print_line(job.id)
            watch = shell_join(
                ["cotbuild", "jobs", "watch", job.id, "--server", server]
            )
            print_message(f"next: {watch}")
            return
        from cotbuild.builder.cli.watch import watch_job

        code = watch_job(job, server)
    if code:
        raise typer.Exit(code)


def print_plan(plan: "PlanView") -> int:
    """Print a plan, its problems as errors, and return the exit code."""
    for line in plan.lines:
        print_line(line)
    for problem in plan.problems:
        print_message(f"error: {problem}")
    return ExitCode.FAILED if plan.problems else ExitCode.DONE


def target_name(folder: Path | str, option: str) -> str:
    """Return the name of a folder of the service that an option or argument holds.

    Raises ConfigError for a path.
    """
    from cotbuild.schemas.service.job import TARGET_NAME

    name = str(folder)
    if re.fullmatch(TARGET_NAME, name) is None:
        raise ConfigError(
            f"{option} {name!r} is no name of a folder on the service. With --server "
            "write a name of letters, digits, '.', '_' and '-', such as mine."
        )
    return name


def refuse_beside_server(options: Mapping[str, object]) -> None:
    """Raise ConfigError if an option was given that a job of a service has not."""
    given = [name for name, value in options.items() if value]
    if given:
        raise ConfigError(
            f"--server with {', '.join(given)}, which a job of a service has not. Leave "
            "it out."
        )

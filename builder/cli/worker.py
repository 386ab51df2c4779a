"""`cotbuild worker`: ask units of a build that is planned elsewhere."""

import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotbuild.builder.cli.errors import errors
from cotbuild.builder.cli.help import TEACHER, examples
from cotbuild.builder.cli.launch_options import (
    ScriptOptions,
    claim_option,
    count_option,
    image_option,
    kubernetes_option,
    print_script,
    script_gpus_option,
    secret_option,
    slurm_option,
)
from cotbuild.builder.cli.reporting import open_ui
from cotbuild.builder.cli.signals import DRAIN, worker_signals
from cotbuild.builder.console import print_line
from cotbuild.builder.exit_codes import ExitCode
from cotbuild.schemas.errors import ConfigError, DataError

if TYPE_CHECKING:
    from cotbuild.builder.generate.workers.board import Board
    from cotbuild.builder.generate.workers.sink import JournalSink
    from cotbuild.builder.generate.workers.worker import WorkerOptions, WorkerResult

EXAMPLES = examples(
    "cotbuild generate --source questions.jsonl --out builds/mine --workers 0",
    "cotbuild worker builds/mine",
    "cotbuild worker builds/mine --endpoint http://gpu-box:8000/v1",
)
WAIT_S = 600.0
Many = list[str] | None


def worker(
    build: Annotated[
        str,
        typer.Argument(
            metavar="BUILD",
            help="Folder of the build, which all its workers share.",
            show_default=False,
        ),
    ],
    id: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of this worker; no other one of the build may have it.",
        ),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            help="How long to wait for work: for a first plan, and for the next one "
            f"while the build is not complete ({WAIT_S:g}).",
            show_default=False,
        ),
    ] = WAIT_S,
    endpoint: Annotated[
        Many,
        typer.Option(
            metavar="URL",
            help="Server to ask in place of the plan's teacher, with the same model; "
            "repeatable.",
            rich_help_panel=TEACHER,
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            help="Maximum requests in flight per server.", rich_help_panel=TEACHER
        ),
    ] = None,
    slurm: Annotated[bool, slurm_option()] = False,
    kubernetes: Annotated[bool, kubernetes_option()] = False,
    count: Annotated[int | None, count_option()] = None,
    gpus_per_worker: Annotated[int | None, script_gpus_option()] = None,
    image: Annotated[str | None, image_option()] = None,
    claim: Annotated[str | None, claim_option()] = None,
    secret: Annotated[Many, secret_option()] = None,
) -> None:
    """Ask requests of a build that `cotbuild generate --workers` has planned.

    Any number of workers share a build, on any machine that sees it. Each takes units of
    requests, asks them and stores the answers; it ends when the build needs no more. One
    that gets SIGTERM or SIGUSR1 stores what is under way, gives its units back and exits
    with 4; what a killed one had goes to the others.
    """
    with errors(), worker_signals():
        from cotbuild.builder.generate.workers.worker import WorkerOptions, run_worker

        options = WorkerOptions(
            name=_check_name(id),
            endpoints=tuple(endpoint or ()),
            window=_check_window(window),
            wait_s=_check_wait(wait),
        )
        script = ScriptOptions(
            slurm, kubernetes, count, gpus_per_worker, image, claim, secret or ()
        )
        if (slurm or kubernetes) and id is not None:
            raise ConfigError(
                f"--id {id!r} names one worker, and a script runs many, which it names. "
                "Leave it out."
            )
        if print_script(build, script, _arguments_of(options), bool(endpoint)):
            return
        with _open_work(build) as (board, sink):
            result = run_worker(board, sink, options, open_ui(), DRAIN)
        print_line(closing_line(options.name, result, options.wait_s))
        if result.reason == "drained":
            raise typer.Exit(ExitCode.PAUSED)


@contextmanager
def _open_work(build: str) -> Iterator[tuple["Board", "JournalSink"]]:
    """Yield the plans and leases of a build, and where answers go."""
    from cotbuild.builder.cloud.urls import find_store_url
    from cotbuild.builder.generate.worker_options import board_blobs
    from cotbuild.builder.generate.workers.board import Board
    from cotbuild.builder.generate.workers.sink import FolderSink

    url = find_store_url(build)
    if url is not None:
        from cotbuild.builder.cloud.worker_store import open_worker_store

        with open_worker_store(url, open_ui()) as store:
            sink = FolderSink(store.folder, ship=store.ship, bring=store.bring)
            yield Board(store.board), sink
        return
    folder = Path(build)
    if not folder.is_dir():
        raise DataError(
            f"{build}: there is no such folder. Pass the --out of a `cotbuild generate "
            "--workers` that runs, or that will."
        )
    yield Board(board_blobs(folder)), FolderSink(folder)


def closing_line(name: str, result: "WorkerResult", wait_s: float) -> str:
    """Return what a worker did, and why it ended."""
    from cotbuild.builder.generate.accounts import pluralize_thousands
    from cotbuild.builder.ui import format_duration, pluralize

    counts = result.counts
    requests = pluralize_thousands(counts.requests, "request")
    failed = f" ({counts.failures:,} failed)" if counts.failures else ""
    units = pluralize(result.num_units, "unit")
    tokens = f"{counts.prompt_tokens:,} + {counts.completion_tokens:,} tokens"
    why = {
        "done": "nothing is left",
        "drained": "drained",
        "no_plan": f"no plan came in {format_duration(wait_s)}",
    }[result.reason]
    return f"{name}: {units} finished, {requests}{failed}, {tokens}; {why}"


def _arguments_of(options: "WorkerOptions") -> list[str]:
    """Return the options of the command line that were given, beside --id."""
    arguments = []
    for url in options.endpoints:
        arguments += ["--endpoint", url]
    if options.window is not None:
        arguments += ["--window", str(options.window)]
    if options.wait_s != WAIT_S:
        arguments += ["--wait", f"{options.wait_s:g}"]
    return arguments


def _check_name(name: str | None) -> str:
    from cotbuild.schemas.work import WORKER_NAME

    if name is None:
        host = re.sub(r"[^\w.-]", "-", socket.gethostname(), flags=re.ASCII)[:40]
        return f"{host}-{os.getpid()}-{secrets.token_hex(2)}"
    if re.fullmatch(WORKER_NAME, name) is None:
        raise ConfigError(
            f"--id {name!r} is no name of a worker. Write 1 to 64 letters, digits, '.', "
            "'_' and '-', such as node7-gpu0."
        )
    return name


def _check_window(window: int | None) -> int | None:
    if window is not None and window < 1:
        raise ConfigError(f"--window {window} is below 1. Pass at least 1.")
    return window


def _check_wait(wait: float) -> float:
    if not wait >= 0:
        raise ConfigError(f"--wait {wait:g} is below 0. Pass a number of seconds.")
    return wait

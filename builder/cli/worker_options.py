"""Options of a run with workers, and how they are read.

Each is `typer.Option` with its name and help, as in source_options.py.
"""

from functools import partial
from typing import TYPE_CHECKING

import typer

from cotbuild.builder.cli.help import WORKERS
from cotbuild.schemas.errors import ConfigError

if TYPE_CHECKING:
    from cotbuild.builder.generate.worker_options import WorkersOptions

workers_option = partial(
    typer.Option,
    metavar="N",
    help="Have N worker processes ask, each with a server of its own where the teacher "
    "is not an endpoint; 0 waits for `cotbuild worker` to join. A budget is then counted "
    "every second: requests under way may exceed it, those of --max-requests only where "
    "a rationale takes several.",
    rich_help_panel=WORKERS,
)
worker_timeout_option = partial(
    typer.Option,
    metavar="SECONDS",
    help="How long to go on without any worker (60); the run then exits with 3.",
    rich_help_panel=WORKERS,
)


def parse_workers(
    number: int | None, max_idle_s: float | None
) -> "WorkersOptions | None":
    """Return the workers that options state; None for a run without.

    Raises ConfigError for a number below 0, or a timeout without workers.
    """
    if number is None:
        if max_idle_s is not None:
            raise ConfigError(
                f"--worker-timeout {max_idle_s:g} is for a run with workers. Pass "
                "--workers too, or leave it out."
            )
        return None
    from cotbuild.builder.generate.worker_options import MAX_IDLE_S, WorkersOptions

    if number < 0:
        raise ConfigError(
            f"--workers {number} is below 0. Pass a number, or 0 to wait for others."
        )
    if max_idle_s is None:
        max_idle_s = MAX_IDLE_S
    if not max_idle_s >= 0:
        raise ConfigError(
            f"--worker-timeout {max_idle_s:g} is below 0. Pass a number of seconds."
        )
    return WorkersOptions(number, max_idle_s)

"""Workers beyond this machine: on Ray, as a Slurm array, as a Kubernetes Job.

Each option is `typer.Option` with its name and help, as in source_options.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cotbuild.builder.cli.help import SCRIPTS, WORKERS
from cotbuild.builder.console import print_line
from cotbuild.builder.visible import escape_hidden
from cotbuild.schemas.errors import ConfigError

if TYPE_CHECKING:
    from cotbuild.builder.generate.worker_options import WorkersOptions
    from cotbuild.builder.launchers.base import Launcher
    from cotbuild.schemas.config import BuildConfig

RAY = "ray"

engine_option = partial(
    typer.Option,
    metavar="ray",
    help="Start the workers on the Ray cluster in RAY_ADDRESS, or on a Ray of this "
    "machine, in place of processes.",
    rich_help_panel=WORKERS,
)
gpus_per_worker_option = partial(
    typer.Option,
    "--gpus-per-worker",
    metavar="K",
    help="GPUs of each worker on Ray (1 where the cluster has any); 0 takes a CPU.",
    rich_help_panel=WORKERS,
)
slurm_option = partial(
    typer.Option,
    "--slurm",
    help="Print a script for sbatch that runs workers as an array, and run none.",
    rich_help_panel=SCRIPTS,
)
kubernetes_option = partial(
    typer.Option,
    "--kubernetes",
    help="Print the manifest of a Job that runs workers as pods, and run none.",
    rich_help_panel=SCRIPTS,
)
count_option = partial(
    typer.Option,
    metavar="N",
    help="Workers of the array or Job (1).",
    rich_help_panel=SCRIPTS,
)
script_gpus_option = partial(
    typer.Option,
    "--gpus-per-worker",
    metavar="K",
    help="GPUs of each (1; 0 with --endpoint).",
    rich_help_panel=SCRIPTS,
)
image_option = partial(
    typer.Option,
    help="Image of the pods.",
    rich_help_panel=SCRIPTS,
)
claim_option = partial(
    typer.Option,
    metavar="CLAIM:PATH",
    help="PersistentVolumeClaim with the build, and where pods see it.",
    rich_help_panel=SCRIPTS,
)
secret_option = partial(
    typer.Option,
    metavar="VARIABLE=SECRET/KEY",
    help="Variable of the pods from a Secret of the cluster; repeatable.",
    rich_help_panel=SCRIPTS,
)


def choose_engine(
    options: "WorkersOptions | None", engine: str | None, gpus_per_worker: int | None
) -> "WorkersOptions | None":
    """Return the options of a run, with workers on Ray if `engine` says so.

    Raises ConfigError for another engine, a negative number of GPUs, or options that do
    not go together.
    """
    if engine is None:
        if gpus_per_worker is not None:
            raise ConfigError(
                f"--gpus-per-worker {gpus_per_worker} is for workers on Ray; processes "
                "share the GPUs of this machine. Pass --engine ray, or leave it out."
            )
        return options
    if engine != RAY:
        raise ConfigError(
            f"--engine {engine!r} is not known. Pass ray, or leave it out for processes "
            "of this machine."
        )
    if options is None or options.number == 0:
        raise ConfigError("--engine ray starts workers. Pass --workers N too.")
    _check_gpus(gpus_per_worker)

    def launch_on_ray(place: str, config: "BuildConfig") -> "Launcher":
        from cotbuild.builder.launchers.ray import RayLauncher

        return RayLauncher(
            place,
            number=options.number,
            gpus_per_worker=_gpus_of(config, gpus_per_worker),
        )

    return replace(options, make_launcher=launch_on_ray)


def _gpus_of(config: "BuildConfig", stated: int | None) -> int | None:
    """Return the GPUs of a worker that its teacher needs; None if that is not known."""
    if stated is not None:
        return stated
    teacher = config.teacher
    if teacher.endpoints or teacher.model == "scripted":
        return 0
    # Here, since other engines need nothing of it.
    from cotbuild.builder.teachers.vllm.plan import stated_parallel

    return stated_parallel(teacher.server.extra_args)


@dataclass(frozen=True)
class ScriptOptions:
    """What `cotbuild worker` is given to print a script in place of running."""

    slurm: bool
    kubernetes: bool
    count: int | None
    gpus_per_worker: int | None
    image: str | None
    claim: str | None
    secrets: Sequence[str]


def print_script(
    build: str, options: ScriptOptions, arguments: Sequence[str], asks_endpoint: bool
) -> bool:
    """Print the script that was asked for; return whether one was.

    Args:
        build: What the worker is given.
        options: The options of the script.
        arguments: The other options of the worker.
        asks_endpoint: Whether it needs no GPU, since a server stands.

    Raises:
        ConfigError: The options do not go together, or the text would hold characters
            that cannot be seen.
    """
    _check_options(options)
    if not (options.slurm or options.kubernetes):
        return False
    count = 1 if options.count is None else options.count
    gpus = options.gpus_per_worker
    if gpus is None:
        gpus = 0 if asks_endpoint else 1
    if options.slurm:
        from cotbuild.builder.launchers.slurm import slurm_script

        place = build if "://" in build else str(Path(build).absolute())
        text = slurm_script(place, arguments, count=count, gpus_per_worker=gpus)
    else:
        from cotbuild.builder.launchers.kubernetes import (
            kubernetes_manifest,
            parse_claim,
            parse_secret,
        )

        if options.image is None:
            raise ConfigError(
                "--kubernetes needs the image that the pods run. Pass --image."
            )
        text = kubernetes_manifest(
            build,
            arguments,
            image=options.image,
            count=count,
            gpus_per_worker=gpus,
            secrets=[parse_secret(secret) for secret in options.secrets],
            claim=None if options.claim is None else parse_claim(options.claim),
        )
    _print_text(text, build)
    return True


def _check_options(options: ScriptOptions) -> None:
    if options.slurm and options.kubernetes:
        raise ConfigError("--slurm and --kubernetes exclude each other. Pass one.")
    for_any = {
        "--count": options.count is not None,
        "--gpus-per-worker": options.gpus_per_worker is not None,
    }
    for_kubernetes = {
        "--image": options.image is not None,
        "--claim": options.claim is not None,
        "--secret": bool(options.secrets),
    }
    if not options.kubernetes:
        for name, is_given in for_kubernetes.items():
            if is_given:
                raise ConfigError(f"{name} is for --kubernetes. Pass it too.")
    if not (options.slurm or options.kubernetes):
        for name, is_given in for_any.items():
            if is_given:
                raise ConfigError(
                    f"{name} is for --slurm and --kubernetes. Pass one of them."
                )
    if options.count is not None and options.count < 1:
        raise ConfigError(f"--count {options.count} is below 1. Pass at least 1.")
    _check_gpus(options.gpus_per_worker)


def _check_gpus(number: int | None) -> None:
    if number is not None and number < 0:
        raise ConfigError(f"--gpus-per-worker {number} is below 0. Pass at least 0.")


def _print_text(text: str, build: str) -> None:
    lines = text.rstrip("\n").split("\n")
    if any(escape_hidden(line, keep="\t") != line for line in lines):
        # Escaped as everything that is printed, they would be another path.
        raise ConfigError(
            f"{build!r} or an option has characters that cannot be seen. Rename the "
            "folder, or pass another option."
        )
    for line in lines:
        print_line(line)

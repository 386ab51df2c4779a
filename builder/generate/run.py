"""Build a dataset of rationales in a folder, or say what that would take."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cotbuild.builder.build.directory import read_manifest, set_aside_damaged_manifest
from cotbuild.builder.build.install import (
    lock_build,
    refuse_other_content,
    refuse_other_files,
)
from cotbuild.builder.events import log_build_run
from cotbuild.builder.generate.budget import RunLimits
from cotbuild.builder.generate.drain import Drain
from cotbuild.builder.generate.import_job import resolve_import
from cotbuild.builder.generate.jobs import Job, is_up_to_date
from cotbuild.builder.generate.teacher_job import resolve_teacher_job
from cotbuild.builder.generate.worker_options import WorkersOptions
from cotbuild.builder.sources import remember_source
from cotbuild.builder.teachers import refuse_recorded
from cotbuild.builder.ui import Ui
from cotbuild.schemas.budget import NO_BUDGET, Budget
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.event import Phase
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.names import BASE_CONFIGS


@dataclass(frozen=True)
class GenerateResult:
    """What a run did."""

    manifest: Manifest
    asked: int
    """Requests made; 0, and no server started, where every answer was stored."""
    rebuilt: bool
    """False where the build in the folder was up to date."""

    @property
    def num_failed(self) -> int:
        """The number of rationales that are unscored because a request failed."""
        return self.manifest.num_failed


def generate(
    config: BuildConfig,
    out: Path,
    ui: Ui,
    *,
    fresh: bool = False,
    retry_failed: bool = False,
    budget: Budget = NO_BUDGET,
    drain: Drain | None = None,
    workers: WorkersOptions | None = None,
) -> GenerateResult:
    """Build the dataset of `config` in the folder `out`.

    Only requests without a stored answer are made. `fresh` ignores the stored answers;
    `retry_failed` also repeats the requests that the server rejected. May be called
    where an event loop runs, as in a notebook. `workers`: other processes that make the
    requests; None for this one. Raises a CotbuildError, PausedError where `budget` is
    spent, `drain` was requested or no worker was left before the last request; answers
    received until then stay in the store, and the same call continues from them.
    """
    started = time.monotonic()
    if config.imported is not None and budget.has_limit:
        raise ConfigError("a budget: an import asks nobody. Leave the budget out.")
    limits = RunLimits(budget, drain)
    refuse_other_content(out)
    job = resolve(config, out)
    with lock_build(out):
        if fresh:
            # Before the stored answers are set aside.
            refuse_recorded(config.teacher)
            job.store.start_generation()
        command = "generate" if config.imported is None else "import"
        with log_build_run(job.store.root, command, ui) as (logged_ui, notes):
            result = _build(
                job, started, logged_ui, limits, workers, retry_failed=retry_failed
            )
            notes.num_failed = result.num_failed
        return result


def _build(
    job: Job,
    started: float,
    ui: Ui,
    limits: RunLimits,
    workers: WorkersOptions | None,
    *,
    retry_failed: bool,
) -> GenerateResult:
    """Build the dataset of a job, unless it is there already."""
    inputs, out = job.digest_inputs(), job.out
    damaged = set_aside_damaged_manifest(out)
    if damaged is not None:
        ui.say(
            f"{out}: its manifest.json was damaged and is kept as {damaged.name}; "
            "variants have to be derived again"
        )
    previous = None if retry_failed else read_manifest(out)
    if previous is not None and is_up_to_date(job, inputs, previous):
        return GenerateResult(previous, asked=0, rebuilt=False)
    ui.phase(Phase.PLANNING)
    refuse_other_files(out, BASE_CONFIGS)
    remember_source(job.source, job.store.root)
    # Here, since pyarrow takes a while to import.
    from cotbuild.builder.generate.assemble import assemble

    rows = job.collect_rows(
        ui, retry_failed=retry_failed, limits=limits, workers=workers
    )
    ui.phase(Phase.DERIVING)
    manifest = assemble(job, rows, inputs, started, ui)
    return GenerateResult(manifest, asked=rows.num_requests, rebuilt=True)


def dry_run(
    config: BuildConfig,
    out: Path,
    *,
    fresh: bool = False,
    retry_failed: bool = False,
    budget: Budget = NO_BUDGET,
    workers: WorkersOptions | None = None,
) -> Iterator[str]:
    """Yield what `generate` would do: counts, expected tokens, the first request.

    With prices in `budget` also what that would cost, with `workers` how many units.

    Starts no server, takes no lock and writes nothing. Raises as `generate` does.
    """
    refuse_other_content(out)
    refuse_other_files(out, BASE_CONFIGS)
    job = resolve(config, out, preview=True)
    return job.preview(
        fresh=fresh, retry_failed=retry_failed, budget=budget, workers=workers
    )


def resolve(config: BuildConfig, out: Path, *, preview: bool = False) -> Job:
    """Return the job of a configuration, for a `preview` one that writes nothing.

    Makes no request for a completion, but may look up a Hub id or an endpoint that is
    new to `out`. Raises ConfigError, DataError or TeacherError.
    """
    if config.imported is not None:
        return resolve_import(config, config.imported, out, preview=preview)
    return resolve_teacher_job(config, out, preview=preview)

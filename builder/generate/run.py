"""The one place that joins pure and IO: resolve, plan, ask, derive, install."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from cotbuild.builder.build.directory import clear_stage, read_config, read_manifest
from cotbuild.builder.generate.ask import ask_all
from cotbuild.builder.generate.chains import (
    Chain,
    Lookup,
    RequestPlan,
    make_plan,
    open_requests,
)
from cotbuild.builder.generate.changes import announcement, import_announcement
from cotbuild.builder.generate.jobs import Job, is_up_to_date, known_answers, prepare
from cotbuild.builder.sources import remember_source
from cotbuild.builder.storage.answer_store import AnswerIndex
from cotbuild.builder.teachers import open_teacher, refuse_recorded
from cotbuild.builder.teachers.early_stop import EarlyStop
from cotbuild.builder.ui import ChainProgress, Ui
from cotbuild.schemas.completion import Answer, Completion
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.rationale import Verdict


@dataclass(frozen=True)
class GenerateResult:
    """What a run did."""

    manifest: Manifest
    asked: int
    """Requests made; 0, and no server started, where everything was answered."""
    rebuilt: bool
    """False where the build that stood there was already what was asked for."""


def generate(
    config: BuildConfig,
    out: Path,
    ui: Ui,
    *,
    fresh: bool = False,
    retry_failed: bool = False,
) -> GenerateResult:
    """Bring `out` to what `config` says, asking only what the store does not know.

    `fresh` begins the answers anew; `retry_failed` asks again also what the server
    refused. Raises a CotbuildError in one line; every answer had until then stays in
    the store.
    """
    started = time.monotonic()
    job = prepare(config, out)
    with job.store.hold():
        if fresh:
            refuse_recorded(config.teacher)  # before the answers at hand are set aside
            job.store.new_generation()
        clear_stage(
            out
        )  # also where the run before was killed right after its manifest, and nothing is left to do
        standing = read_manifest(out)
        if standing is not None and not retry_failed and is_up_to_date(job, standing):
            return GenerateResult(standing, asked=0, rebuilt=False)
        remember_source(job.source, job.store.root)
        # Here: pyarrow takes a while to import.
        from cotbuild.builder.generate.assemble import asked_for, assemble, imported

        if config.imported is None:
            index = job.store.index()
            num_chains, asked = _ask_open(job, index, standing, ui, retry_failed)
            derived = asked_for(
                job, job.store.index() if asked else index, num_chains, asked
            )
        else:
            for line in import_announcement(job, standing, read_config(out)):
                ui.say(line)
            derived = imported(job)
        manifest = assemble(job, derived, started, ui.say)
    return GenerateResult(manifest, asked=derived.asked, rebuilt=True)


def _ask_open(
    job: Job, index: AnswerIndex, standing: Manifest | None, ui: Ui, retry_failed: bool
) -> tuple[int, int]:
    """Plan, say so, and ask what is open; the number of chains, and of requests made."""
    asked = 0
    with known_answers(index, retry=True, retry_failed=retry_failed) as lookup:
        plan = make_plan(job.chains(lookup), job.config.samples)
        for line in announcement(job, plan, standing, read_config(job.out)):
            ui.say(line)
        if plan.num_open:
            asked = asyncio.run(_ask(job, plan, lookup, ui))
    return plan.num_chains, asked


async def _ask(job: Job, plan: RequestPlan, lookup: Lookup, ui: Ui) -> int:
    """Ask all that is open; the number of requests that were made."""
    assert plan.longest is not None
    async with open_teacher(
        job.config.teacher, job.teacher, job.store.root, ui.say
    ) as teacher:
        if warning := await teacher.check(plan.longest):
            ui.say(f"question {plan.longest_id!r}: {warning}")
        about = teacher.provenance()
        stop = EarlyStop(plan.num_chains - plan.num_open_chains)
        asked = 0
        with (
            job.store.journal({"teacher": about}) as journal,
            ui.asking(plan.num_open) as show,
        ):

            def on_step(chain: Chain, answer: Answer | None) -> None:
                nonlocal asked
                show(chain_progress(chain, answer))
                if answer is not None:
                    asked += 1
                    stop.note(answer)

            await ask_all(
                teacher,
                open_requests(job.chains(lookup), plan.repeats),
                lookup,
                journal,
                on_step,
            )
            # Two questions that differ in their target alone share the first request of
            # their chains, so one of them was left out above: it goes on from the
            # answer the other one had.
            while plan.repeats and (rest := _left_open(job)).num_open:
                with known_answers(job.store.index(), retry=False) as known:
                    await ask_all(
                        teacher,
                        open_requests(job.chains(known), rest.repeats),
                        known,
                        journal,
                        on_step,
                    )
    return asked


def chain_progress(chain: Chain, answer: Answer | None) -> ChainProgress:
    """What a step adds to the progress of the run; a finished chain is graded for it."""
    tokens = answer.completion_tokens if isinstance(answer, Completion) else 0
    verdict = None
    if chain.open is None:
        verdict = Verdict.UNSCORED
        if chain.ending is not None:
            verdict = chain.ending.judge(flags=False).verdict
    return ChainProgress(tokens or 0, verdict)


def _left_open(job: Job) -> RequestPlan:
    with known_answers(job.store.index(), retry=False) as known:
        return make_plan(job.chains(known), job.asking.samples)

"""One cell: trained, asked, written down; what a call that was cut off had is not done
again.
"""

import gc
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cotbuild.builder.build.build import Build
from cotbuild.builder.study.evaluate import QuestionSplit, StudentUnderTest, ask
from cotbuild.builder.study.folder import (
    add_touch,
    cell_path,
    now,
    read_cell,
    read_cells,
    work_folder,
    write_cell,
)
from cotbuild.builder.study.plan import CellPlan, CellPlanner, check_same
from cotbuild.builder.ui import TrainingRate, Ui, format_duration
from cotbuild.schemas.study.declaration import Study
from cotbuild.schemas.study.record import Cell, Curve, Measurement, TrainingRecord
from cotbuild.schemas.training import StudentRun, UpdateMetrics
from cotbuild.student.model import load_student
from cotbuild.student.training.metrics import read_metrics
from cotbuild.student.training.run_dir import (
    library_versions,
    load_trained,
    read_run,
    run_identity,
)
from cotbuild.student.training.train import BaseStudent, train_student

POINTS = 60
"""Most points of a cell's curve."""


@dataclass(frozen=True)
class StudyContext:
    """A study on a machine."""

    folder: Path
    study: Study
    build: Build
    planner: CellPlanner
    dev: QuestionSplit
    test: QuestionSplit
    ui: Ui
    keep: bool = False
    """Whether the weights of finished cells stay."""
    paces: list[tuple[str, float]] = field(default_factory=list)
    """Variant and seconds of each cell finished here."""


def ask_dev(site: StudyContext, plan: CellPlan) -> Measurement:
    """The answers to the dev questions of the student that is planned, trained where it
    is not yet.
    """
    return ask(_subject(site, plan), site.dev, _work(site, plan), "dev", site.ui)


def finish_dev(site: StudyContext, plan: CellPlan) -> None:
    """See that the cell is written with its answers to the dev questions."""
    there = _there(site, plan)
    if there is None or there.dev is None:
        cell = there or _begun(site, plan)
        write_cell(site.folder, cell.model_copy(update={"dev": ask_dev(site, plan)}))
        gc.collect()  # a trainer and its model hold each other


def finish_test(site: StudyContext, plan: CellPlan) -> None:
    """See that the cell is written with its answers to the test questions, which are
    asked once; its weights go.
    """
    there, started = _there(site, plan), time.monotonic()
    if there is not None and there.test is not None:
        return
    cell = there or _begun(site, plan)
    work = _work(site, plan)
    if not any((work / name).exists() for name in (".test.jsonl", "test.parquet")):
        add_touch(site.folder, cell)
    test = ask(_subject(site, plan), site.test, work, "test", site.ui)
    write_cell(
        site.folder, cell.model_copy(update={"test": test, "finished_at": now()})
    )
    if not site.keep:
        drop_weights(site, plan)
    gc.collect()
    site.paces.append((plan.key.variant, time.monotonic() - started))
    site.ui.say(_how_far(site, plan, test))


def drop_weights(site: StudyContext, plan: CellPlan) -> None:
    """Of a student that is needed no more."""
    shutil.rmtree(_work(site, plan), ignore_errors=True)


def _there(site: StudyContext, plan: CellPlan) -> Cell | None:
    found = read_cell(site.folder, plan.key)
    if found is not None:
        check_same(plan, found, cell_path(site.folder, plan.key))
    return found


def _begun(site: StudyContext, plan: CellPlan) -> Cell:
    return Cell(
        key=plan.key,
        fingerprint=plan.fingerprint,
        identity=plan.model.identity,
        training=_training(plan, _run(site, plan), read_metrics(_work(site, plan)))
        if plan.config
        else None,
        versions=library_versions(),
        finished_at=now(),
    )


def _work(site: StudyContext, plan: CellPlan) -> Path:
    """Of this student, whichever cell or grid point needs it."""
    return work_folder(site.folder) / plan.fingerprint[:16]


def _run(site: StudyContext, plan: CellPlan) -> StudentRun:
    """The cell's student, trained now, or to its end, or found trained."""
    assert plan.config is not None
    out, rate = _work(site, plan), TrainingRate()
    there = read_run(out)
    if there is not None and there.finished:
        return there
    site.ui.say(f"{plan.key.name}: training")
    with site.ui.lines() as show:
        return train_student(
            plan.config,
            site.build.variant_rows(plan.key.variant),
            BaseStudent(*plan.model),
            out,
            lambda update: show(rate.line(update)),
        )


def _training(
    plan: CellPlan, run: StudentRun, updates: Sequence[UpdateMetrics]
) -> TrainingRecord:
    assert plan.config is not None
    assert run.config.precision is not None, "a run's is resolved"
    return TrainingRecord(
        config=plan.config,
        precision=run.config.precision,
        spec=plan.rows.spec,
        rationales=plan.rows.rationales,
        rows=plan.rows.fingerprint,
        num_rows=run.data.num_rows,
        too_long=run.data.too_long,
        updates=len(updates),
        tokens=sum(update.tokens for update in updates),
        seconds=round(sum(update.seconds for update in updates), 1),
        curve=curve(updates),
    )


def curve(updates: Sequence[UpdateMetrics]) -> Curve:
    """The losses as a cell keeps them; `updates` holds at least one."""
    points = min(POINTS, len(updates))
    ends = [len(updates) * (i + 1) // points for i in range(points)]
    parts = [updates[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    return Curve(
        update=tuple(ends),
        label_loss=tuple(
            round(sum(one.label_loss for one in part) / len(part), 4) for part in parts
        ),
        rationale_loss=tuple(
            round(sum(one.rationale_loss for one in part) / len(part), 4)
            for part in parts
        ),
    )


def _subject(site: StudyContext, plan: CellPlan) -> StudentUnderTest:
    spec, layout, model = plan.rows.spec, plan.rows.layout, plan.model
    if plan.config is None:
        identity = model.identity
        return StudentUnderTest(
            identity,
            spec,
            layout,
            0,
            (),
            lambda: load_student(model.where, identity, revision=model.revision),
        )
    run, out = _run(site, plan), _work(site, plan)
    data = run.data
    return StudentUnderTest(
        run_identity(run),
        spec,
        run.layout,
        data.rationale_tokens_p99,
        data.question_digests,
        lambda: load_trained(out),
    )


def _how_far(site: StudyContext, plan: CellPlan, test: Measurement) -> str:
    """`4/12 cells · post_cot.embedded.500.parts.s0: 31.8 % · about 1:02:00 left`, by
    the pace of such cells here.
    """
    cells, every = read_cells(site.folder), site.study.all_cells()
    left = [key for key in every if key not in cells or cells[key].test is None]
    seconds = sum(_pace(site, key.variant) for key in left)
    right = test.answers.percent_correct(site.study.metric)
    said = (
        f"{len(every) - len(left)}/{len(every)} cells · {plan.key.name}: {right:.1f} %"
    )
    return f"{said} · about {format_duration(seconds)} left" if left else said


def _pace(site: StudyContext, variant: str) -> float:
    own = [seconds for of, seconds in site.paces if of == variant] or [
        seconds for _, seconds in site.paces
    ]
    return sum(own) / len(own)

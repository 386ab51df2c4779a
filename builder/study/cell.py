"""Running one cell of a study: train the student, evaluate it, write the cell's file.

A call that was interrupted is resumed by the next one.
"""

import gc
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from cotbuild.builder.evaluation.results import ResultsFile
from cotbuild.builder.evaluation.task import (
    StudentUnderTest,
    make_task,
    trained_student,
    untrained_student,
)
from cotbuild.builder.study.context import QuestionSplit, StudyContext
from cotbuild.builder.study.evaluation_settings import evaluation_settings
from cotbuild.builder.study.folder import (
    CELLS,
    cell_path,
    log_question_access,
    now,
    read_cell,
    read_cells,
    work_folder,
    write_cell,
    write_trial,
)
from cotbuild.builder.study.measures import OPTION_DIGITS, make_measure
from cotbuild.builder.study.plan import CellPlan, check_same
from cotbuild.builder.study.report.wording import format_metric
from cotbuild.builder.study.target_probability import temperature_of
from cotbuild.builder.study.training_settings import kept_precision, study_execution
from cotbuild.builder.ui import TrainingRate, format_duration
from cotbuild.schemas.evaluation import QuestionResult
from cotbuild.schemas.event import Phase
from cotbuild.schemas.question import Question
from cotbuild.schemas.study.option_scores import OptionScores, StoredOption
from cotbuild.schemas.study.record import (
    AnswerString,
    Cell,
    Curve,
    Measurement,
    StoredStatistics,
    TrainingRecord,
)
from cotbuild.schemas.study.version_2 import StudyV2
from cotbuild.schemas.training import StudentRun, TrainConfig, UpdateMetrics
from cotbuild.student.evaluation.metrics import compute_metrics
from cotbuild.student.evaluation.prose_metrics import collect_statistics
from cotbuild.student.precision import (
    processor_kind,
    resolve_precision,
    runs_at_speed,
)
from cotbuild.student.training.metrics import read_metrics
from cotbuild.student.training.run_dir import library_versions, read_run
from cotbuild.student.training.train import BaseStudent, train_student

CURVE_POINTS = 60
"""Maximum points of a cell's loss curve."""


def finish_dev(context: StudyContext, plan: CellPlan) -> None:
    """Ensure the cell's file has the answers to the dev questions."""
    cell = _read_planned_cell(context, plan)
    if cell is not None and cell.dev is not None:
        return
    cell = cell or _train_cell(context, plan)
    dev = evaluate_dev(context, plan)
    write_cell(context.folder, cell.model_copy(update={"dev": dev}))
    gc.collect()  # a trainer and its model reference each other


def finish_trial(context: StudyContext, plan: CellPlan, fingerprint: str) -> None:
    """Train the planned student, evaluate it on dev and write the trial's file.

    `fingerprint` is that of the trial.
    """
    trial = _train_cell(context, plan)
    dev = evaluate_dev(context, plan)
    update = {"dev": dev, "fingerprint": fingerprint}
    write_trial(context.folder, trial.model_copy(update=update))
    gc.collect()


def write_diverged_trial(
    context: StudyContext, plan: CellPlan, fingerprint: str
) -> None:
    """Write the file of a trial whose loss diverged, without any answers."""
    trial = Cell(
        key=plan.key,
        fingerprint=fingerprint,
        identity=plan.model.identity,
        training=None,
        versions=library_versions(),
        processor=_processor(context),
        finished_at=now(),
    )
    write_trial(context.folder, trial)
    delete_weights(context, plan)
    gc.collect()


def finish_test(context: StudyContext, plan: CellPlan, part: str = CELLS) -> None:
    """Ensure the cell's file has the answers to the test questions.

    A cell evaluates the test questions once. Then its weights are deleted, unless the
    context keeps them. `part` is the folder of the cell's file.
    """
    started = time.monotonic()
    cell = _read_planned_cell(context, plan, part)
    if cell is not None and cell.test is not None:
        # A process that was killed in between has left them.
        if not context.keep_weights:
            delete_weights(context, plan)
        return
    cell = cell or _train_cell(context, plan)
    fits_temperature = evaluation_settings(context.registered).fits_temperature
    if fits_temperature and cell.dev is None:
        dev = evaluate_dev(context, plan)
        cell = cell.model_copy(update={"dev": dev})
        write_cell(context.folder, cell, part)
    work = _work_folder_of(context, plan)
    begun = any((work / name).exists() for name in (".test.jsonl", "test.parquet"))
    if not begun:
        log_question_access(context.folder, cell, part)
    test = _evaluate(context, plan, context.test, "test", "test")
    if cell.dev is not None and fits_temperature:
        test = test.model_copy(update={"temperature": temperature_of(cell.dev)})
    update = {"test": test, "finished_at": now()}
    write_cell(context.folder, cell.model_copy(update=update), part)
    if not context.keep_weights:
        delete_weights(context, plan)
    gc.collect()
    context.durations.append((plan.key.variant, time.monotonic() - started))
    context.ui.say(_progress_line(context, plan, test))


def evaluate_dev(context: StudyContext, plan: CellPlan) -> Measurement:
    """Evaluate the planned student on dev, training it first where needed."""
    # The dev questions can change before the first cell, after trials on others.
    file_name = f"dev.{context.dev.registered.rows[:12]}"
    return _evaluate(context, plan, context.dev, "dev", file_name)


def delete_weights(context: StudyContext, plan: CellPlan) -> None:
    """Delete the working folder of a student that is no longer needed."""
    shutil.rmtree(_work_folder_of(context, plan), ignore_errors=True)


def _read_planned_cell(
    context: StudyContext, plan: CellPlan, part: str = CELLS
) -> Cell | None:
    """Read the cell's file; raises ConfigError if it is not of the planned cell."""
    cell = read_cell(context.folder, plan.key, part)
    if cell is not None:
        check_same(plan, cell, cell_path(context.folder, plan.key, part))
    return cell


def _work_folder_of(context: StudyContext, plan: CellPlan) -> Path:
    """Return the working folder of a student.

    It is named by the fingerprint, so a grid point and a cell with the same settings
    share one student.
    """
    return work_folder(context.folder) / plan.fingerprint[:16]


# -- training ---------------------------------------------------------------------------


def _train_cell(context: StudyContext, plan: CellPlan) -> Cell:
    """Train the cell's student, where it is trained, and return the cell to write."""
    training = None
    if plan.config is not None:
        run = _train_student(context, plan, plan.config)
        updates = read_metrics(_work_folder_of(context, plan))
        training = _training_record(plan, plan.config, run, updates)
    return Cell(
        key=plan.key,
        fingerprint=plan.fingerprint,
        identity=plan.model.identity,
        training=training,
        versions=library_versions(),
        processor=_processor(context),
        finished_at=now(),
    )


def _processor(context: StudyContext) -> str | None:
    """Return the kind of processor that cells record; None in version 1."""
    return processor_kind() if isinstance(context.study, StudyV2) else None


def _train_student(
    context: StudyContext, plan: CellPlan, config: TrainConfig
) -> StudentRun:
    """Train the cell's student, resume its training, or return the finished run."""
    out, rate = _work_folder_of(context, plan), TrainingRate()
    existing = read_run(out)
    if existing is not None and existing.finished:
        return existing
    config = _with_precision(context, plan, config, existing)
    context.ui.phase(Phase.TRAINING)
    context.ui.say(f"{plan.key.name}: training")
    with context.ui.lines() as show:
        return train_student(
            config,
            context.planner.training_rows(plan.key),
            BaseStudent(*plan.model),
            out,
            lambda update: show(rate.line(update)),
            execution=study_execution(config),
        )


def _with_precision(
    context: StudyContext,
    plan: CellPlan,
    config: TrainConfig,
    existing: StudentRun | None,
) -> TrainConfig:
    """Return the config with the precision of the run to resume, or of a new one."""
    if config.precision is not None:
        return config
    if existing is not None:
        precision = existing.config.precision
    else:
        cells = read_cells(context.folder).values()
        precision = kept_precision(context.study, plan.key, cells)
    precision = precision or resolve_precision(config)
    if not runs_at_speed(precision):
        context.ui.say(
            f"{plan.key.name}: in {precision.value}, as it or other cells began; this "
            "machine has no units for that, so it takes longer than in float32"
        )
    return config.model_copy(update={"precision": precision})


def _training_record(
    plan: CellPlan,
    config: TrainConfig,
    run: StudentRun,
    updates: Sequence[UpdateMetrics],
) -> TrainingRecord:
    assert run.config.precision is not None, "a run records its precision"
    return TrainingRecord(
        config=config,
        precision=run.config.precision,
        execution=run.execution,
        spec=plan.rows.spec,
        rationales=plan.rows.rationales,
        rows=plan.rows.fingerprint,
        num_rows=run.data.num_rows,
        too_long=run.data.too_long,
        updates=len(updates),
        tokens=sum(update.tokens for update in updates),
        seconds=round(sum(update.seconds for update in updates), 1),
        curve=loss_curve(updates),
    )


def loss_curve(updates: Sequence[UpdateMetrics]) -> Curve:
    """Average the losses of at least one update into at most `CURVE_POINTS` points."""
    points = min(CURVE_POINTS, len(updates))
    ends = [len(updates) * (point + 1) // points for point in range(points)]
    starts = [0, *ends[:-1]]
    parts = [updates[start:end] for start, end in zip(starts, ends, strict=True)]
    return Curve(
        update=tuple(ends),
        label_loss=tuple(_mean(one.label_loss for one in part) for part in parts),
        rationale_loss=tuple(
            _mean(one.rationale_loss for one in part) for part in parts
        ),
    )


def _mean(losses: Iterable[float]) -> float:
    values = list(losses)
    return round(sum(values) / len(values), 4)


# -- evaluation -------------------------------------------------------------------------


def _evaluate(
    context: StudyContext,
    plan: CellPlan,
    split: QuestionSplit,
    name: str,
    file_name: str,
) -> Measurement:
    """Evaluate the planned student on dev or test, which is the `name`."""
    student = _student_under_test(context, plan)
    free_answers = evaluation_settings(context.study).free_answers
    task = make_task(student, split.questions, split.split, free_answers=free_answers)
    file = ResultsFile(_work_folder_of(context, plan), file_name, task.inputs)
    context.ui.phase(Phase.EVALUATING)
    results = task.collect_results(file, context.ui, f"{name} questions")
    return Measurement(
        evaluated=task.inputs,
        figures=compute_metrics(results, label_first=student.layout.label_first),
        answers=encode_answers(results),
        prose=store_statistics(split.questions, results),
        option_scores=store_option_scores(results),
    )


def store_statistics(
    questions: Sequence[Question], results: Sequence[QuestionResult]
) -> tuple[StoredStatistics, ...]:
    """Return what metrics of prose are computed from; empty for other questions."""
    scored = collect_statistics(questions, results)
    if scored is None:
        return ()
    return tuple(
        StoredStatistics(
            metric=one.metric,
            signature=one.signature,
            rows=tuple(map(tuple, one.rows)),
        )
        for one in scored.statistics
    )


def store_option_scores(results: Sequence[QuestionResult]) -> OptionScores | None:
    """Return the score of every option; None if no question has options."""
    if not any(one.options for one in results):
        return None
    return OptionScores.pack(
        [
            [
                StoredOption(option.log_prob, option.chars, option.correct)
                for option in one.options
            ]
            for one in results
        ]
    )


def _student_under_test(context: StudyContext, plan: CellPlan) -> StudentUnderTest:
    precision = evaluation_settings(context.study).precision
    if plan.config is None:
        rows = plan.rows
        return untrained_student(plan.model, rows.spec, rows.layout, precision)
    run = _train_student(context, plan, plan.config)
    return trained_student(_work_folder_of(context, plan), run, precision)


def encode_answers(results: Sequence[QuestionResult]) -> AnswerString:
    """Encode results as a cell stores them: one character for each question."""
    return AnswerString(
        choice="".join(_option_digit(one, one.choice) for one in results),
        correct="".join(_flag_digit(one.correct) for one in results),
        normalised="".join(_flag_digit(one.correct_normalised) for one in results),
        free="".join(_flag_digit(one.correct_free) for one in results),
        forced="".join(_flag_digit(one.forced) for one in results),
        tokens=tuple(one.rationale_tokens + one.answer_tokens for one in results),
        answered=_encode_free_answers(results),
    )


def _encode_free_answers(results: Sequence[QuestionResult]) -> str:
    """Return the option of each free answer; empty if no question has options."""
    if not any(one.options for one in results):
        return ""
    return "".join(_option_digit(one, one.answer) for one in results)


def _flag_digit(value: bool | None) -> str:
    return "-" if value is None else str(int(value))


def _option_digit(result: QuestionResult, name: str | None) -> str:
    """Return the character of the option of a name; `-` for None or without options."""
    if name is None or not result.options:
        return "-"
    position = [option.name for option in result.options].index(name)
    return OPTION_DIGITS[position] if position < len(OPTION_DIGITS) else "+"


# -- progress ---------------------------------------------------------------------------


def _progress_line(context: StudyContext, plan: CellPlan, test: Measurement) -> str:
    """`4/12 cells · post_cot.embedded.500.parts.s0: 31.8 % · about 1:02:00 left`.

    The time left is estimated from the cells that this process has finished.
    """
    cells, keys = read_cells(context.folder), context.study.all_cells()
    left = [key for key in keys if key not in cells or cells[key].test is None]
    metric = context.registered.metric
    value = make_measure(metric, context.test.registered).value(test)
    num_done = len(keys) - len(left)
    shown = format_metric(value, metric)
    line = f"{num_done}/{len(keys)} cells · {plan.key.name}: {shown}"
    if not left:
        return line
    seconds = sum(_mean_duration(context, key.variant) for key in left)
    return f"{line} · about {format_duration(seconds)} left"


def _mean_duration(context: StudyContext, variant: str) -> float:
    """Return the mean seconds of the variant's cells, or of all cells if it has none."""
    every = [seconds for _, seconds in context.durations]
    own = [seconds for name, seconds in context.durations if name == variant]
    seconds = own or every
    return sum(seconds) / len(seconds)

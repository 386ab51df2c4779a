"""Train a student on a variant and write the run's folder; resumes interrupted runs."""

import contextlib
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import PartialState

from cotbuild.schemas.errors import DataError, StoreError
from cotbuild.schemas.files import write_error
from cotbuild.schemas.training import (
    Execution,
    StudentRun,
    TrainConfig,
    UpdateMetrics,
    VariantRows,
)
from cotbuild.student.model import (
    Student,
    context_length,
    load_student,
)
from cotbuild.student.precision import resolve_precision
from cotbuild.student.training.batches import UpdateDataset
from cotbuild.student.training.examples import TrainingExamples, make_examples
from cotbuild.student.training.execution import (
    choose_execution,
    older_execution,
    prepare_model,
)
from cotbuild.student.training.lora_base import name_base_portably, record_base
from cotbuild.student.training.metrics import (
    append_metrics,
    plot_losses,
    read_metrics,
    summarize_metrics,
    write_metrics,
)
from cotbuild.student.training.run_dir import (
    CHECKPOINTS,
    MODEL,
    check_same_rules,
    check_same_run,
    checkpoint_step,
    find_last_checkpoint,
    library_versions,
    read_run,
    refuse_other_content,
    write_run,
)
from cotbuild.student.training.trainer import (
    StopOnRequest,
    StudentTrainer,
    check_weights_are_finite,
    make_trainer_args,
    resolve_learning_rate,
)

MEASURED_UPDATES = 3
"""Updates with rows that are run for a cost estimate; the first one, a warm-up, is not
counted.
"""

MACHINE_FILES = ("training_args.bin", "README.md")
"""Files beside a saved model that hold paths of this machine: a pickle, peft's card."""


class BaseStudent(NamedTuple):
    """The student before training."""

    source: str
    """A folder, or a Hub id."""
    identity: str
    """Digest or commit of its weights."""
    revision: str | None = None


# -- training ----------------------------------------------------------------------------


def train_student(
    config: TrainConfig,
    variant_rows: VariantRows,
    base: BaseStudent,
    out: Path,
    on_update: Callable[[UpdateMetrics], None] = lambda _: None,
    execution: Execution | None = None,
) -> StudentRun:
    """Train a student into `out`, or resume the run there.

    If the run in `out` is finished already, it is returned as it is. A resumed run ends
    with the same weights as one that was not interrupted. Under `accelerate launch`
    every process calls this. The loss is that of `training.loss`.

    Args:
        config: the settings. Precision and learning rate may be left to their defaults,
            which depend on the machine and on LoRA; the run records what was used.
        variant_rows: the rows of the variant, in the order of the build.
        base: the student before training.
        out: folder of the run; see `training.run_dir`.
        on_update: called after every update, in the main process.
        execution: how a new run computes its updates; None: as is best for its rows on
            this machine. A resumed run goes on as it began.

    Raises:
        ConfigError: `out` holds another run, or the loss or weights become infinite or
            NaN.
        DataError: no row of the updates fits the student's context or `max_tokens`.
        StoreError: the folder cannot be written.
        KeyboardInterrupt: after a first Ctrl-C, once the current update is done and a
            checkpoint is written; a second Ctrl-C interrupts at once. Only in the main
            thread, which alone hears of Ctrl-C.
    """
    existing = read_run(out)
    if existing is None:
        refuse_other_content(out)
    elif config.precision is None:
        config = config.model_copy(update={"precision": existing.config.precision})
    student, examples, run = _prepare(config, variant_rows, base)
    if existing is not None:
        check_same_run(out, existing, run)
        if existing.finished:
            _delete_checkpoints(out)  # a run may be killed just before it does
            return existing
    if existing is not None:
        execution = _recorded_execution(out, existing, run, student, examples)
    elif execution is None:
        execution = _choose_execution(student, examples, run.config)
    prepare_model(student.model, execution, run.config)
    run = _record_start(run, existing, execution)
    checkpoint = _start_or_resume(out, run)
    if run.config.lora_rank is not None and PartialState().is_main_process:
        record_base(out, run, base.source)

    def record_update(update: UpdateMetrics) -> None:
        append_metrics(out, update)
        on_update(update)

    with _os_errors_as_store_errors(out):
        trainer = _make_trainer(
            student, examples, run.config, execution, out / CHECKPOINTS, record_update
        )
        with _interrupted_after_an_update(trainer):
            trainer.train(
                resume_from_checkpoint=str(checkpoint) if checkpoint else None
            )
        return _finish(trainer, out, run)


def _prepare(
    config: TrainConfig, variant_rows: VariantRows, base: BaseStudent
) -> tuple[Student, TrainingExamples, StudentRun]:
    # Weights are float32, also under autocast: an update of 5e-5 of a weight is lost in
    # bfloat16. So are those that LoRA leaves as they are, whatever their files have.
    student = load_student(
        base.source, base.identity, revision=base.revision, dtype=torch.float32
    )
    max_tokens = min(config.max_tokens, context_length(student.model))
    examples = make_examples(variant_rows, student.tokenizer, config, max_tokens)
    updates = UpdateDataset(examples, config, student.pad_id)
    if updates.count_empty() == len(updates):
        raise DataError(
            f"variant {config.variant!r}: all rows of the {len(updates)} updates in "
            f"{config.epochs:g} epochs have more than {max_tokens} tokens. Raise "
            "max_tokens, or epochs."
        )
    resolved = {
        "lr": resolve_learning_rate(config),
        "precision": resolve_precision(config),
    }
    run = StudentRun(
        config=config.model_copy(update=resolved),
        student=base.identity,
        data=examples.info,
        layout=examples.layout,
        versions=library_versions(),
    )
    return student, examples, run


def _recorded_execution(
    out: Path,
    existing: StudentRun,
    run: StudentRun,
    student: Student,
    examples: TrainingExamples,
) -> Execution:
    """Return how the run to resume has computed its updates.

    Raises ConfigError if it is of a version that computed something else.
    """
    if existing.execution is not None:
        return existing.execution
    updates = UpdateDataset(examples, run.config, student.pad_id)
    check_same_rules(out, run, updates.count_empty())
    assert run.config.precision is not None, "a run records its precision"
    return older_execution(run.config.precision, _longest_row(examples))


def _choose_execution(
    student: Student, examples: TrainingExamples, config: TrainConfig
) -> Execution:
    rows = [row for of_example in examples.rows for row in of_example]
    tokens = round(config.epochs * sum(len(row.input_ids_T) for row in rows))
    return choose_execution(student.model, rows, config, tokens, student.pad_id)


def _longest_row(examples: TrainingExamples) -> int:
    return max(len(row.input_ids_T) for rows in examples.rows for row in rows)


def _record_start(
    run: StudentRun, existing: StudentRun | None, execution: Execution
) -> StudentRun:
    """Return the record of a run that starts or is resumed, with how it is computed."""
    update: dict[str, object] = {"execution": execution}
    if existing is not None:
        update["versions"] = existing.versions
        if run.versions != existing.versions:
            update["resumed_with"] = run.versions
    return run.model_copy(update=update)


def _start_or_resume(out: Path, run: StudentRun) -> Path | None:
    """Write run.json and the metrics so far; return the checkpoint to resume from."""
    state = PartialState()
    checkpoint = find_last_checkpoint(out)
    done = read_metrics(out, upto=checkpoint_step(checkpoint) if checkpoint else 0)
    state.wait_for_everyone()  # every process has read before one writes
    if state.is_main_process:
        write_run(out, run)
        write_metrics(out, done)
    return checkpoint


def _make_trainer(
    student: Student,
    examples: TrainingExamples,
    config: TrainConfig,
    execution: Execution,
    checkpoints: Path,
    on_update: Callable[[UpdateMetrics], None],
    max_updates: int | None = None,
) -> StudentTrainer:
    """Make the trainer of a run; with `max_updates` it is cut short, without checkpoints."""
    updates = max_updates or len(UpdateDataset(examples, config, student.pad_id))
    keep = max_updates is None
    args = make_trainer_args(
        config, checkpoints, updates, execution.optimizer, keep=keep
    )
    return StudentTrainer(student, examples, config, args, execution, on_update)


@contextlib.contextmanager
def _interrupted_after_an_update(trainer: StudentTrainer) -> Iterator[None]:
    """Turn a first Ctrl-C into a KeyboardInterrupt after the current update.

    A second one interrupts at once, as the first one does if there are several
    processes: each of them would stop at another update. Outside the main thread
    Python lets no one handle signals.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if trainer.args.world_size > 1 or not in_main_thread:
        yield
        return
    stop = StopOnRequest()
    trainer.add_callback(stop)

    def handle_signal(number: int, frame: Any) -> None:
        if stop.requested:
            signal.default_int_handler(number, frame)
        stop.requested = True

    previous = signal.signal(signal.SIGINT, handle_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if stop.requested and trainer.state.global_step < trainer.state.max_steps:
        raise KeyboardInterrupt


def _finish(trainer: StudentTrainer, out: Path, run: StudentRun) -> StudentRun:
    """Save the trained student and the plot, and mark the run as finished.

    Raises DivergedError if its weights are not finite.
    """
    assert trainer.model is not None, "it has trained one"
    check_weights_are_finite(trainer.model, run.config)
    staging = out / f".{MODEL}"
    trainer.save_model(str(staging))
    trainer.accelerator.wait_for_everyone()
    updates = read_metrics(out)
    result = summarize_metrics(updates)
    finished = run.model_copy(update={"finished": True, "result": result})
    if trainer.is_world_process_zero():
        for name in MACHINE_FILES:
            (staging / name).unlink(missing_ok=True)
        if run.config.lora_rank is not None:
            name_base_portably(staging, run.student)
        shutil.rmtree(out / MODEL, ignore_errors=True)
        staging.replace(out / MODEL)
        config = run.config
        title = f"{run.data.spec.ref}, {config.loss.value} loss, seed {config.seed}"
        plot_losses(out, updates, title)
        write_run(out, finished)
        _delete_checkpoints(out)
    return finished


def _delete_checkpoints(out: Path) -> None:
    """Delete the checkpoints of a finished run, in the main process."""
    if PartialState().is_main_process:
        shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)


@contextlib.contextmanager
def _os_errors_as_store_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except StoreError:  # an OSError too
        raise
    except OSError as error:
        raise write_error(out, error) from error


# -- cost --------------------------------------------------------------------------------


class TrainingCost(NamedTuple):
    """What a run takes."""

    rows: int
    too_long: int
    """Rows left out for their length."""
    updates: int
    tokens: int
    """Over all passes, without padding."""
    padded_tokens: int
    """Over all passes, padding included."""
    seconds: float
    """Estimated from the updates measured on this machine."""
    measured: int
    """Number of updates measured."""


def estimate_training_cost(
    config: TrainConfig,
    variant_rows: VariantRows,
    base: BaseStudent,
    execution: Execution | None = None,
) -> TrainingCost:
    """Estimate what training takes from a few updates on the real rows.

    Nothing is kept on disk. `execution` and errors are those of `train_student`.
    """
    student, examples, run = _prepare(config, variant_rows, base)
    if execution is None:
        execution = _choose_execution(student, examples, run.config)
    prepare_model(student.model, execution, run.config)
    updates = UpdateDataset(
        examples,
        run.config,
        student.pad_id,
        micro_batch_cost=execution.micro_batch_cost,
    )
    tokens, padded_tokens = updates.count_tokens()
    metrics: list[UpdateMetrics] = []
    with tempfile.TemporaryDirectory() as folder:
        trainer = _make_trainer(
            student,
            examples,
            run.config,
            execution,
            Path(folder),
            metrics.append,
            max_updates=_updates_to_measure(updates),
        )
        trainer.train()
    with_rows = [update for update in metrics if update.tokens]
    measured = with_rows[1:] or with_rows
    seconds = sum(update.seconds for update in measured)
    seconds_per_token = seconds / sum(update.tokens for update in measured)
    return TrainingCost(
        rows=run.data.num_rows,
        too_long=run.data.too_long,
        updates=len(updates),
        tokens=tokens,
        padded_tokens=padded_tokens,
        seconds=seconds_per_token * tokens,
        measured=len(measured),
    )


def _updates_to_measure(updates: UpdateDataset) -> int:
    """Return how many updates to run, so that `MEASURED_UPDATES` of them have rows."""
    numbers = [number for number in range(len(updates)) if updates.rows(number)]
    return numbers[:MEASURED_UPDATES][-1] + 1

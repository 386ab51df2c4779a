"""Training a student on a variant, from rows to a run's folder; the same call goes on
with a run that was cut off.
"""

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import PartialState

from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.training import (
    StudentRun,
    TrainConfig,
    UpdateMetrics,
    VariantRows,
)
from cotbuild.student.model import (
    Student,
    context_length,
    load_student,
    resolve_precision,
    set_attention,
)
from cotbuild.student.training.examples import TrainingExamples, make_examples
from cotbuild.student.training.plot import plot_losses
from cotbuild.student.training.run_dir import (
    CHECKPOINTS,
    MODEL,
    append_metrics,
    check_same_run,
    find_last_checkpoint,
    library_versions,
    read_metrics,
    read_run,
    summarize_metrics,
    write_metrics,
    write_run,
)
from cotbuild.student.training.trainer import (
    StopOnRequest,
    StudentTrainer,
    make_trainer_args,
    resolve_learning_rate,
)
from cotbuild.student.training.updates import UpdateDataset

MEASURED = 3
"""Updates run for `estimate_training_cost`; the first, which warms up, does not count."""


class BaseStudent(NamedTuple):
    """The student before training."""

    where: str
    """A folder, or a Hub id."""
    identity: str
    """Weights by digest or commit."""
    revision: str | None = None


class TrainingCost(NamedTuple):
    """What a run will take."""

    rows: int
    too_long: int
    updates: int
    tokens: int
    padded_tokens: int
    """Tokens that are run, padding included."""
    seconds: float
    """On this machine, if all of it goes as the updates that were measured."""
    measured: int
    """Updates measured."""


def train_student(
    config: TrainConfig,
    variant_rows: VariantRows,
    base: BaseStudent,
    out: Path,
    on_update: Callable[[UpdateMetrics], None] = lambda _: None,
) -> StudentRun:
    """Train into `out`, or go on there, or return the run that is finished there. See
    `resolve_precision` for which.

    Under `accelerate launch` every process calls this. A first Ctrl-C ends it behind
    the update at hand, with a checkpoint, as KeyboardInterrupt. Raises ConfigError
    where another run stands in `out`, DataError where the rows are not what they should
    be, StoreError where the folder cannot be written.
    """
    student, examples, run = _prepare(config, variant_rows, base)
    there = read_run(out)
    if there is not None:
        check_same_run(out, there, run)
        if there.finished:
            return there
    state = PartialState()
    checkpoint = find_last_checkpoint(out)
    done = read_metrics(
        out, upto=int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    )
    state.wait_for_everyone()  # all have read before one writes
    if state.is_main_process:
        write_run(out, run)
        write_metrics(out, done)

    def tell(update: UpdateMetrics) -> None:
        append_metrics(out, update)
        on_update(update)

    with _disk(out):
        trainer = _trainer(student, examples, run.config, out / CHECKPOINTS, tell)
        with _ends_at_an_update(trainer):
            trainer.train(
                resume_from_checkpoint=str(checkpoint) if checkpoint else None
            )
        return _finish(trainer, out, run)


def estimate_training_cost(
    config: TrainConfig, variant_rows: VariantRows, base: BaseStudent
) -> TrainingCost:
    """What training will take: a few updates are run on real rows, and nothing is
    written. Raises as `train_student` does.
    """
    student, examples, run = _prepare(config, variant_rows, base)
    updates = UpdateDataset(examples, run.config, student.pad_id)
    tokens, padded = updates.tokens()
    told: list[UpdateMetrics] = []
    with tempfile.TemporaryDirectory() as folder:
        trainer = _trainer(
            student,
            examples,
            run.config,
            Path(folder),
            told.append,
            only=min(MEASURED, len(updates)),
        )
        trainer.train()
    timed = told[1:] or told
    spent = sum(update.seconds for update in timed) / sum(
        update.tokens for update in timed
    )
    info = run.data
    return TrainingCost(
        info.num_rows,
        info.too_long,
        len(updates),
        tokens,
        padded,
        spent * tokens,
        len(timed),
    )


def _prepare(
    config: TrainConfig, variant_rows: VariantRows, base: BaseStudent
) -> tuple[Student, TrainingExamples, StudentRun]:
    # All weights train in float32, bfloat16 or not: 5e-5 of a weight is lost in
    # bfloat16.
    dtype = torch.float32 if config.lora_rank is None else None
    student = load_student(
        base.where, base.identity, revision=base.revision, dtype=dtype
    )
    examples = make_examples(
        variant_rows,
        student.tokenizer,
        config,
        min(config.max_tokens, context_length(student.model)),
    )
    longest = max(len(row.input_ids_T) for rows in examples.rows for row in rows)
    set_attention(student.model, config, longest)
    run = StudentRun(
        config=config.model_copy(
            update={
                "lr": resolve_learning_rate(config),
                "precision": resolve_precision(config),
            }
        ),
        student=base.identity,
        data=examples.info,
        layout=examples.layout,
        versions=library_versions(),
    )
    return student, examples, run


def _trainer(
    student: Student,
    examples: TrainingExamples,
    config: TrainConfig,
    checkpoints: Path,
    tell: Callable[[UpdateMetrics], None],
    only: int | None = None,
) -> StudentTrainer:
    """`only`: so many updates and no checkpoint."""
    updates = only or len(UpdateDataset(examples, config, student.pad_id))
    args = make_trainer_args(config, checkpoints, updates, keep=only is None)
    return StudentTrainer(student, examples, config, args, tell)


@contextlib.contextmanager
def _ends_at_an_update(trainer: StudentTrainer) -> Iterator[None]:
    """SIGINT has the run end behind its update, and comes as KeyboardInterrupt then; a
    second one does so at once.

    Of several processes each would stop at another update: there it comes at once.
    """
    if trainer.args.world_size > 1:
        yield
        return
    stop = StopOnRequest()
    trainer.add_callback(stop)

    def on_signal(number: int, frame: Any) -> None:
        if stop.asked:
            signal.default_int_handler(number, frame)
        stop.asked = True

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if stop.asked and trainer.state.global_step < trainer.state.max_steps:
        raise KeyboardInterrupt


def _finish(trainer: StudentTrainer, out: Path, run: StudentRun) -> StudentRun:
    """Put the student in its place, draw the plot, and say in run.json that it is
    finished.
    """
    made = out / f".{MODEL}"
    trainer.save_model(str(made))
    trainer.accelerator.wait_for_everyone()
    updates = read_metrics(out)
    finished = run.model_copy(
        update={"finished": True, "result": summarize_metrics(updates)}
    )
    if trainer.is_world_process_zero():
        for name in (
            "training_args.bin",
            "README.md",
        ):  # a pickle and peft's card, both with paths of this machine
            (made / name).unlink(missing_ok=True)
        shutil.rmtree(out / MODEL, ignore_errors=True)
        made.replace(out / MODEL)
        plot_losses(
            out,
            updates,
            f"{run.data.spec.ref}, {run.config.loss.value} loss, seed {run.config.seed}",
        )
        write_run(out, finished)
        shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    return finished


@contextlib.contextmanager
def _disk(out: Path) -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"{out}: {error}. Expected room to write the run. Run the same command again."
        ) from error

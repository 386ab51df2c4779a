"""Training rate beside transformers.Trainer, on the embedded student and real rows.

    PYTHONPATH=. OMP_NUM_THREADS=1 python tests/bench/train_rate.py BUILD
        [--variants post_cot,label_only] [--pairs 3] [--updates 4]

All sides: the same rows, as many an update, the same supervised tokens, AdamW, no
dropout, no gradient checkpointing. Beside ours:

- as it comes: float32, which is what Trainer does on a CPU, the rows of an update in
  one batch that is padded to its longest row;
- tuned: the precision of ours, rows grouped by length
  (train_sampling_strategy="group_by_length", whose window is 50 updates, wider than
  ours), about --batch-tokens tokens run at once, gradients accumulated over as many
  batches as make an update. It is run with each attention; the faster one counts.

Each side is warmed up by one run; then they alternate. The rate is tokens without
padding per second of CPU time, over whole updates, the first one left out. CPU time is
of all threads, so compare rates of one thread each.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from harness import load, spread, table
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.utils import logging

from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.teachers.vllm.embedded import embedded_folder
from cotbuild.schemas.training import (
    Execution,
    Loss,
    Precision,
    TrainConfig,
    UpdateMetrics,
)
from cotbuild.student.model import Student, load_student
from cotbuild.student.precision import processor_kind, resolve_precision
from cotbuild.student.tokenize_parts import TokenizedParts, TokenPart
from cotbuild.student.training.examples import TrainingExamples, make_examples
from cotbuild.student.training.execution import choose_execution, set_attention
from cotbuild.student.training.trainer import StudentTrainer, make_trainer_args
from tests.support.student_builds import variant_rows

LONG_RUN = 10**9
"""Tokens of a run so long that what pays is measured, as in one that is."""


class Rival(NamedTuple):
    """A way to use transformers.Trainer."""

    name: str
    precision: Precision
    attention: str
    tuned: bool
    """Whether rows are grouped by length and run in batches of about as many tokens."""


class Clock(TrainerCallback):
    """The CPU time at which each update ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *args: object, **kwargs: object) -> None:  # noqa: ARG002
        self.ends.append(time.process_time())

    @property
    def seconds(self) -> float:
        """CPU seconds of all updates but the first."""
        return self.ends[-1] - self.ends[0]


def fresh_student() -> Student:
    """Load the student anew: each trainer wraps the forward pass of its model."""
    return load_student(embedded_folder(cache_dir()), "embedded", dtype=torch.float32)


def ours(
    examples: TrainingExamples, config: TrainConfig, execution: Execution, updates: int
) -> float:
    """Return the tokens per CPU second."""
    student = fresh_student()
    set_attention(student.model, execution)
    metrics: list[UpdateMetrics] = []
    with tempfile.TemporaryDirectory() as folder:
        args = make_trainer_args(
            config, Path(folder), updates, execution.optimizer, keep=False
        )
        trainer = StudentTrainer(
            student, examples, config, args, execution, metrics.append
        )
        clock = Clock()
        trainer.add_callback(clock)
        trainer.train()
    return sum(update.tokens for update in metrics[1:]) / clock.seconds


def theirs(
    rival: Rival, rows: list[TokenizedParts], config: TrainConfig, updates: int
) -> float:
    """Return the tokens per CPU second."""
    student = fresh_student()
    student.model.set_attn_implementation(rival.attention)
    at_once = _rows_at_once(rows, config) if rival.tuned else config.batch_rows
    batches = config.batch_rows // at_once
    tokens_run: list[int] = []

    def collate(batch: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        tokens_run.append(sum(len(row["input_ids"]) for row in batch))
        width = max(len(row["input_ids"]) for row in batch)
        filled = {"input_ids": student.pad_id, "labels": -100, "attention_mask": 0}
        return {
            name: torch.tensor(
                [row[name] + [fill] * (width - len(row[name])) for row in batch]
            )
            for name, fill in filled.items()
        }

    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            output_dir=folder,
            max_steps=updates,
            per_device_train_batch_size=at_once,
            gradient_accumulation_steps=batches,
            train_sampling_strategy="group_by_length" if rival.tuned else "random",
            learning_rate=5e-5,
            bf16=rival.precision is Precision.BFLOAT16,
            use_cpu=True,
            save_strategy="no",
            logging_steps=1,
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
            remove_unused_columns=False,
        )
        trainer = Trainer(
            student.model,
            args,
            data_collator=collate,
            train_dataset=_supervised_rows(rows),
        )
        trainer.remove_callback(PrinterCallback)
        clock = Clock()
        trainer.add_callback(clock)
        trainer.train()
    return sum(tokens_run[batches : batches * updates]) / clock.seconds


def _rows_at_once(rows: list[TokenizedParts], config: TrainConfig) -> int:
    """Return how many rows of mean length are about `batch_tokens` tokens.

    It divides the rows of an update.
    """
    mean = sum(len(row.input_ids_T) for row in rows) / len(rows)
    at_once = max(1, min(config.batch_rows, int(config.batch_tokens / mean)))
    while config.batch_rows % at_once:
        at_once -= 1
    return at_once


def _supervised_rows(rows: list[TokenizedParts]) -> list[dict[str, list[int]]]:
    return [
        {
            "input_ids": row.input_ids_T,
            "labels": [
                -100 if part == TokenPart.PROMPT else i
                for i, part in zip(row.input_ids_T, row.parts_T, strict=True)
            ],
            "attention_mask": [1] * len(row.input_ids_T),
        }
        for row in rows
    ]


def compare(build: Path, variant: str, args: argparse.Namespace) -> list[str]:
    """Return a row of the table."""
    student = fresh_student()
    config = TrainConfig(
        variant=variant,
        rows=args.updates * args.batch_rows,
        epochs=1,
        loss=Loss.PLAIN,
        batch_rows=args.batch_rows,
        batch_tokens=args.batch_tokens,
        lr=5e-5,
        precision=args.precision,
    )
    precision = resolve_precision(config)
    examples = make_examples(
        variant_rows(build, variant), student.tokenizer, config, 1024
    )
    rows = [row for of_example in examples.rows for row in of_example]
    execution = choose_execution(student.model, rows, config, LONG_RUN, student.pad_id)
    print(f"{variant}: {precision.value}, {execution!r}", flush=True)
    rivals = [Rival("as it comes", Precision.FLOAT32, "sdpa", tuned=False)]
    rivals += [
        Rival("tuned", precision, attention, tuned=True)
        for attention in args.attention.split(",")
    ]
    sides: list[Callable[[], float]] = [
        partial(ours, examples, config, execution, args.updates)
    ]
    sides += [partial(theirs, rival, rows, config, args.updates) for rival in rivals]
    for side in sides:  # warm-up
        side()
    rounds = [_run_round(number, sides) for number in range(args.pairs)]
    tokens = sum(len(row.input_ids_T) for row in rows) / len(rows)
    our_rates = [rates[0] for rates in rounds]
    plain_rates = [rates[1] for rates in rounds]
    tuned_rates = [max(rates[2:]) for rates in rounds]
    columns = (our_rates, plain_rates, tuned_rates)
    return [
        variant,
        f"{tokens:.0f}",
        *(spread(rates, ".0f") for rates in columns),
        *(
            spread(a / b for a, b in zip(our_rates, rates, strict=True))
            for rates in columns[1:]
        ),
    ]


def _run_round(number: int, sides: list[Callable[[], float]]) -> list[float]:
    """Run every side once, in the other order every second time."""
    order = range(len(sides)) if number % 2 == 0 else reversed(range(len(sides)))
    rates = {position: sides[position]() for position in order}
    return [rates[position] for position in range(len(sides))]


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("build", type=Path)
    options.add_argument("--variants", default="post_cot,label_only")
    options.add_argument("--pairs", type=int, default=3)
    options.add_argument("--updates", type=int, default=4)
    options.add_argument("--batch-rows", type=int, default=16)
    options.add_argument("--batch-tokens", type=int, default=2048)
    options.add_argument("--attention", default="sdpa,eager", help="of the tuned rival")
    options.add_argument(
        "--precision", type=Precision, help="default: bfloat16 where it is at speed"
    )
    args = options.parse_args()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    print(f"{processor_kind()}, {torch.get_num_threads()} threads, {load()}")
    head = [
        "variant",
        "tokens a row",
        "cotbuild tok/s",
        "as it comes",
        "tuned",
        "ratio, as it comes",
        "ratio, tuned",
    ]
    table(
        head,
        [compare(args.build, variant, args) for variant in args.variants.split(",")],
    )


if __name__ == "__main__":
    main()

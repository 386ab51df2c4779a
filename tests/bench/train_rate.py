"""Training rate beside transformers.Trainer in its best documented setting, on the
embedded student and real rows.

    python tests/bench/train_rate.py BUILD [--variants post_cot,label_only] [--pairs 3] [--updates 4]

Both sides: the same model in float32, the same rows, as many an update, the same
supervised tokens, AdamW, no dropout, no gradient checkpointing, about --batch-tokens
tokens run at once. Theirs pads each batch to its longest row, groups rows by length
(train_sampling_strategy="group_by_length", whose window is 50 updates, wider than ours)
and accumulates gradients over as many batches as make an update. Each side is warmed up
by one run; then pairs alternate. The rate is tokens without padding a second, over
whole updates, the first one left out.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from harness import alternate, spread, table
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.utils import logging

from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.teachers.vllm.embedded import embedded_folder
from cotbuild.schemas.training import Loss, TrainConfig, UpdateMetrics
from cotbuild.student.model import Student, load_student
from cotbuild.student.tokenize_parts import TokenizedParts, TokenPart
from cotbuild.student.training.examples import TrainingExamples, make_examples
from cotbuild.student.training.trainer import StudentTrainer, make_trainer_args
from tests.support.student_builds import variant_rows


class Clock(TrainerCallback):
    """When each update ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *args: object, **kwargs: object) -> None:  # noqa: ARG002
        self.ends.append(time.perf_counter())


def ours(
    student: Student, examples: TrainingExamples, config: TrainConfig, updates: int
) -> float:
    """Tokens a second."""
    told: list[UpdateMetrics] = []
    with tempfile.TemporaryDirectory() as folder:
        args = make_trainer_args(config, Path(folder), updates, keep=False)
        trainer = StudentTrainer(student, examples, config, args, told.append)
        clock = Clock()
        trainer.add_callback(clock)
        trainer.train()
    return sum(update.tokens for update in told[1:]) / (clock.ends[-1] - clock.ends[0])


def theirs(
    student: Student, rows: list[TokenizedParts], config: TrainConfig, updates: int
) -> float:
    """Tokens a second.

    Its own batches hold as many rows as `batch_tokens` of rows of mean length.
    """
    mean = sum(len(row.input_ids_T) for row in rows) / len(rows)
    at_once = max(1, min(config.batch_rows, int(config.batch_tokens / mean)))
    while config.batch_rows % at_once:
        at_once -= 1
    ran: list[int] = []

    def collate(batch: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        ran.append(sum(len(row["input_ids"]) for row in batch))
        width = max(len(row["input_ids"]) for row in batch)
        filled = {"input_ids": student.pad_id, "labels": -100, "attention_mask": 0}
        return {
            name: torch.tensor(
                [row[name] + [fill] * (width - len(row[name])) for row in batch]
            )
            for name, fill in filled.items()
        }

    data = [
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
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            output_dir=folder,
            max_steps=updates,
            per_device_train_batch_size=at_once,
            gradient_accumulation_steps=config.batch_rows // at_once,
            train_sampling_strategy="group_by_length",
            learning_rate=5e-5,
            use_cpu=True,
            save_strategy="no",
            logging_steps=1,
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
            remove_unused_columns=False,
        )
        trainer = Trainer(
            student.model, args, data_collator=collate, train_dataset=data
        )
        trainer.remove_callback(PrinterCallback)
        clock = Clock()
        trainer.add_callback(clock)
        trainer.train()
    batches = config.batch_rows // at_once
    return sum(ran[batches : batches * updates]) / (clock.ends[-1] - clock.ends[0])


def compared(build: Path, variant: str, args: argparse.Namespace) -> list[str]:
    """A row of the table."""
    student = load_student(embedded_folder(cache_dir()), "embedded")
    number = args.updates * args.batch_rows
    config = TrainConfig(
        variant=variant,
        rows=number,
        epochs=1,
        loss=Loss.PLAIN,
        batch_rows=args.batch_rows,
        batch_tokens=args.batch_tokens,
        lr=5e-5,
    )
    examples = make_examples(
        variant_rows(build, variant), student.tokenizer, config, 1024
    )
    rows = [row for inner in examples.rows for row in inner]
    sides: tuple[Callable[[], float], Callable[[], float]] = (
        lambda: ours(student, examples, config, args.updates),
        lambda: theirs(student, rows, config, args.updates),
    )
    alternate(0, *sides)  # warm-up
    pairs = [alternate(n, *sides) for n in range(args.pairs)]
    tokens = sum(len(row.input_ids_T) for row in rows) / len(rows)
    supervised = sum(
        part != TokenPart.PROMPT for row in rows for part in row.parts_T
    ) / len(rows)
    rates = [spread((pair[i] for pair in pairs), ".0f") for i in (0, 1)]
    return [
        variant,
        f"{tokens:.0f}",
        f"{supervised:.0f}",
        *rates,
        spread(a / b for a, b in pairs),
    ]


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
    args = options.parse_args()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    head = [
        "variant",
        "tokens a row",
        "supervised",
        "cotbuild tok/s",
        "Trainer tok/s",
        "ratio",
    ]
    table(
        head,
        [compared(args.build, variant, args) for variant in args.variants.split(",")],
    )


if __name__ == "__main__":
    main()

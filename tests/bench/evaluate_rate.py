"""Forced choice beside lm-evaluation-harness: the same model, prompts and
continuations; choices, margins and rate.

    pip install lm_eval       # in an environment of its own, which has cotbuild[student] too
    python tests/bench/evaluate_rate.py QUESTIONS [--split test] [--questions 500] [--timed 60] [--pairs 3]

QUESTIONS is a file or folder, such as OpenBookQA's test questions. Both sides are given the
prompt, then each option's text with the end of text behind it, as continuation. Theirs
is `HFLM.loglikelihood`, with the fastest batch size of 4, 8, 16, 32 on the first
questions. Choices are compared on all questions, rates on the first --timed ones: per
second of the process's CPU time on --threads threads, so that other work on the machine
counts for little. A
choice that differs is printed with its margin: how much more likely each side finds its
own choice than the other's. Each side is warmed up by the comparison; then pairs
alternate.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import torch
from harness import alternate, spread, table
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers.utils import logging

from cotbuild.builder.evaluation.questions import evaluation_rows
from cotbuild.builder.sources.open import open_source
from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.teachers.vllm.embedded import embedded_folder
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.prompts.student import layout_of
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.variant_rows import (
    TrainingRow,
)
from cotbuild.student.evaluation.options import score_options, tokenize_options
from cotbuild.student.model import Student, load_student

Scores = list[list[float]]


def ours(student: Student, rows: Sequence[TrainingRow], batch_tokens: int) -> Scores:
    """log p of each option, tokenization included."""
    layout = layout_of(builtin_variants()["label_only"])
    asked = [
        tokenize_options(student.tokenizer, layout, row.prompt, row.choices)
        for row in rows
    ]
    found = dict(score_options(student, asked, batch_tokens))
    return [[score.log_prob for score in found[i]] for i in range(len(rows))]


def theirs(harness: Any, rows: Sequence[TrainingRow], end: str) -> Scores:
    """The same of the harness."""
    pairs = [(row.prompt, f" {choice}{end}") for row in rows for choice in row.choices]
    requests = [
        Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=number)
        for number, pair in enumerate(pairs)
    ]
    found = iter(harness.loglikelihood(requests, disable_tqdm=True))
    return [[float(next(found)[0]) for _ in row.choices] for row in rows]


def fastest(student: Student, rows: Sequence[TrainingRow], end: str) -> Any:
    """The harness with the batch size that is fastest on these rows."""
    rates = {}
    for size in (4, 8, 16, 32):
        harness = HFLM(
            pretrained=student.model, tokenizer=student.tokenizer, batch_size=size
        )
        theirs(harness, rows[:4], end)
        started = time.process_time()
        theirs(harness, rows, end)
        rates[size] = len(rows) / (time.process_time() - started), harness
    size = max(rates, key=lambda size: rates[size][0])
    print(
        f"harness: batch size {size} of {', '.join(f'{size}: {rate:.1f}/s' for size, (rate, _) in rates.items())}",
        flush=True,
    )
    return rates[size][1]


def compare(rows: Sequence[TrainingRow], a: Scores, b: Scores) -> None:
    """Prints how many choices agree, and each that does not.

    Scores are compared less their question's mean: what all options share, such as a
    space before digits, may be counted by one side alone.
    """
    differ, furthest = 0, 0.0
    for row, one, other in zip(rows, a, b, strict=True):
        gaps = [x - y for x, y in zip(one, other, strict=True)]
        furthest = max(furthest, *(abs(gap - sum(gaps) / len(gaps)) for gap in gaps))
        i, j = one.index(max(one)), other.index(max(other))
        if i != j:
            differ += 1
            print(
                f"{row.question_id}: ours {i} by {one[i] - one[j]:.2e}, theirs {j} by {other[j] - other[i]:.2e}"
            )
    same = f"same choice on {len(rows) - differ} of {len(rows)} questions"
    print(
        f"{same}; between options log p differs by at most {furthest:.2e}", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("questions")
    parser.add_argument("--questions", type=int, default=500, dest="count")
    parser.add_argument("--timed", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--split", default="test")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    student = load_student(embedded_folder(cache_dir()), "embedded")
    source = open_source(SourceConfig(name=args.questions, split=args.split))
    questions = list(islice(source.read(args.split), args.count))
    made = evaluation_rows(builtin_variants()["label_only"], questions, None)
    rows = [row for row in made if isinstance(row, TrainingRow)]
    end = str(student.tokenizer.eos_token)
    harness = fastest(student, rows[:16], end)
    compare(rows, ours(student, rows, args.batch_tokens), theirs(harness, rows, end))

    timed = rows[: args.timed]

    def rate(side: Callable[[], Scores]) -> float:
        started = time.process_time()
        side()
        return len(timed) / (time.process_time() - started)

    def pair(number: int) -> tuple[float, float]:
        return alternate(
            number,
            lambda: rate(lambda: ours(student, timed, args.batch_tokens)),
            lambda: rate(lambda: theirs(harness, timed, end)),
        )

    pairs = [pair(number) for number in range(args.pairs)]
    rates = [spread(one[i] for one in pairs) for i in (0, 1)]
    table(
        ["questions", "cotbuild /CPU-s", "harness /CPU-s", "ratio"],
        [[len(timed), *rates, spread(a / b for a, b in pairs)]],
    )


if __name__ == "__main__":
    main()

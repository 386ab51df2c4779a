"""Forced choice of a student in bfloat16 beside the same in float32.

    python tests/bench/evaluate_precision.py QUESTIONS [--split test] [--questions 200]

QUESTIONS is a file or folder, such as OpenBookQA's test questions. The embedded student
scores the options of each question in both precisions. Printed are the questions with
the same choice, the accuracy of either, and how far log p differs. No time is measured.
"""

import argparse
from collections.abc import Sequence
from itertools import islice

import numpy as np
from transformers.utils import logging

from cotbuild.builder.evaluation.questions import evaluation_rows
from cotbuild.builder.sources.open import open_source
from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.teachers.vllm.embedded import embedded_folder
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.prompts.student import layout_of
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.training import Precision
from cotbuild.schemas.variant_rows import TrainingRow
from cotbuild.student.evaluation.options import score_options, tokenize_options
from cotbuild.student.model import load_for_inference

BATCH_TOKENS = 8192


def score(rows: Sequence[TrainingRow], precision: Precision) -> list[list[float]]:
    """Return log p of each option of each row."""
    folder = embedded_folder(cache_dir())
    student = load_for_inference(folder, "embedded", precision=precision)
    layout = layout_of(builtin_variants()["label_only"])
    options = [
        tokenize_options(student.tokenizer, layout, row.prompt, row.choices)
        for row in rows
    ]
    found = dict(score_options(student, options, BATCH_TOKENS))
    return [[one.log_prob for one in found[i]] for i in range(len(rows))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("questions")
    parser.add_argument("--questions", type=int, default=200, dest="count")
    parser.add_argument("--split", default="test")
    args = parser.parse_args()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    source = open_source(SourceConfig(name=args.questions, split=args.split))
    questions = list(islice(source.read(args.split), args.count))
    made = evaluation_rows(builtin_variants()["label_only"], questions, None)
    rows = [row for row in made if isinstance(row, TrainingRow)]
    full, low = (score(rows, one) for one in (Precision.FLOAT32, Precision.BFLOAT16))

    targets = [
        [choice.label for choice in question.choices].index(str(question.target))
        for question in questions
    ]
    choices = [[int(np.argmax(one)) for one in scores] for scores in (full, low)]
    same = sum(a == b for a, b in zip(*choices, strict=True))
    correct = [
        sum(a == b for a, b in zip(one, targets, strict=True)) for one in choices
    ]
    gaps = np.abs(np.concatenate(full) - np.concatenate(low))
    print(f"same choice on {same} of {len(rows)} questions")
    print(f"correct: {correct[0]} in float32, {correct[1]} in bfloat16")
    print(
        f"log p differs by {np.median(gaps):.3f} in the median, by {gaps.max():.3f} at most"
    )


if __name__ == "__main__":
    main()

"""Greedy decoding of a student beside `transformers.generate`: same prompts, same batch.

    python tests/bench/decode_rate.py QUESTIONS [--split test] [--batches 32,96] [--tokens 40] [--pairs 3]

QUESTIONS is a file or folder of questions, whose prompts of `pre_cot` the embedded model
continues. Tokens a second of the process's CPU time on --threads threads; pairs
alternate, after two tokens each to warm up. A text that ends early counts with its
tokens on both sides.
"""

import argparse
import time
from collections.abc import Callable
from itertools import islice

import torch
from harness import alternate, spread, table
from transformers.utils import logging

from cotbuild.builder.evaluation.questions import evaluation_rows
from cotbuild.builder.sources.open import open_source
from cotbuild.builder.storage.cache import cache_dir
from cotbuild.builder.teachers.vllm.embedded import embedded_folder
from cotbuild.builder.variants.registry import builtin_variants
from cotbuild.schemas.config import SourceConfig
from cotbuild.student.evaluation.decode import decode_prompts, tokenize_prompt
from cotbuild.student.evaluation.grouped_attention import use_grouped_attention
from cotbuild.student.model import Student, load_student

Prompts = list[list[int]]


def decode_ours(student: Student, prompts: Prompts, tokens: int) -> int:
    """Decode as an evaluation does; return the number of tokens."""
    limits, stops = [tokens] * len(prompts), [()] * len(prompts)
    texts = decode_prompts(student, prompts, limits, stops, batch_tokens=1 << 20)
    return sum(text.tokens for _, text in texts)


def decode_theirs(student: Student, prompts: Prompts, tokens: int) -> int:
    """Decode with `generate`; return the number of tokens."""
    width = max(map(len, prompts))
    pad = student.pad_id
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in prompts])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts])
    with torch.inference_mode():
        output = student.model.generate(  # type: ignore[operator]
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=tokens,
            do_sample=False,
            pad_token_id=pad,
        )
    end = student.tokenizer.eos_token_id
    count = 0
    for row in output[:, width:].tolist():
        count += row.index(end) + 1 if end in row else len(row)
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("questions")
    parser.add_argument("--split", default="test")
    parser.add_argument("--batches", default="32,96")
    parser.add_argument("--tokens", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    folder = embedded_folder(cache_dir())
    ours, theirs = load_student(folder, "embedded"), load_student(folder, "embedded")
    use_grouped_attention(ours.model)
    source = open_source(SourceConfig(name=args.questions, split=args.split))
    batches = [int(size) for size in args.batches.split(",")]
    questions = list(islice(source.read(args.split), max(batches)))
    rows = evaluation_rows(builtin_variants()["pre_cot"], questions, None)
    prompts = [tokenize_prompt(ours, str(row.prompt)) for row in rows]

    def rate(decode: Callable[[], int]) -> float:
        started = time.process_time()
        return decode() / (time.process_time() - started)

    lines = []
    for size in batches:
        some = prompts[:size]
        decode_ours(ours, some, 2)
        decode_theirs(theirs, some, 2)
        pairs = [
            alternate(
                number,
                lambda: rate(lambda: decode_ours(ours, some, args.tokens)),  # noqa: B023
                lambda: rate(lambda: decode_theirs(theirs, some, args.tokens)),  # noqa: B023
            )
            for number in range(args.pairs)
        ]
        rates = [spread(pair[i] for pair in pairs) for i in (0, 1)]
        lines.append([size, *rates, spread(a / b for a, b in pairs)])
    table(["prompts", "cotbuild /CPU-s", "generate /CPU-s", "ratio"], lines)


if __name__ == "__main__":
    main()

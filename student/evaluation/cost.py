"""What an evaluation takes, measured on some of its own questions before it is begun."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from cotbuild.student.evaluation.decode import tokenize_prompt
from cotbuild.student.evaluation.evaluate import (
    FREE_TOKENS,
    EvaluationItem,
    EvaluationPlan,
    check_prompts_fit,
    evaluate_group,
)
from cotbuild.student.evaluation.options import count_shared_tokens, tokenize_options
from cotbuild.student.model import Student

WARM, MEASURED = 2, 16


class EvaluationCost(NamedTuple):
    """Of all questions."""

    tokens: int
    """Read: prompts and options, what options have in common once."""
    generated: int
    """At most; texts may end earlier."""
    seconds: float
    measured: int
    """Questions that the seconds are told from."""


def estimate_evaluation_cost(
    student: Student, items: Sequence[EvaluationItem], plan: EvaluationPlan
) -> EvaluationCost:
    """Runs a few questions, spread over all lengths, behind two to warm up.

    Raises DataError as `evaluate` does.
    """
    lengths = check_prompts_fit(student, items, plan)
    order = sorted(range(len(items)), key=lambda i: lengths[i])
    step = max(1, len(order) // MEASURED)
    some = [items[i] for i in order[step // 2 :: step][:MEASURED]]
    evaluate_group(student, some[:WARM], plan)
    started = time.perf_counter()
    evaluate_group(student, some, plan)
    seconds = (time.perf_counter() - started) / len(some) * len(items)
    tokens = [_tokens(student, item, plan) for item in items]
    return EvaluationCost(
        sum(read for read, _ in tokens),
        sum(generated for _, generated in tokens),
        seconds,
        len(some),
    )


def _tokens(
    student: Student, item: EvaluationItem, plan: EvaluationPlan
) -> tuple[int, int]:
    """Read, and at most generated."""
    options = tokenize_options(
        student.tokenizer, plan.layout, item.row.prompt, item.labels, item.chain or ""
    )
    rationale = plan.rationale_tokens if item.chain is None else 0
    if not options:
        return len(tokenize_prompt(student, item.row.prompt)), rationale + FREE_TOKENS
    shared = count_shared_tokens(options)
    read = shared + sum(len(option.ids_T) - shared for option in options)
    return read, rationale + max(option.tokens for option in options)

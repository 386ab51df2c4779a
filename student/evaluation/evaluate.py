"""Evaluate a student question by question.

Each question is answered by forced choice among its options in the place of the label,
and by a free greedy answer. Of the latter a sample may do.
"""

import math
import time
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from cotbuild.schemas.errors import DataError
from cotbuild.schemas.evaluation import QuestionResult
from cotbuild.schemas.training import Layout
from cotbuild.student.chat import ChatForm
from cotbuild.student.evaluation.decode import (
    DecodedText,
    damaged_remedy,
    decode_prompts,
    label_stops,
    tokenize_prompt,
)
from cotbuild.student.evaluation.grouped_attention import use_grouped_attention
from cotbuild.student.evaluation.options import (
    TokenizedOption,
    count_shared_tokens,
    tokenize_options,
)
from cotbuild.student.evaluation.plan import EvaluationItem, EvaluationPlan
from cotbuild.student.evaluation.results import make_rationale_result, make_result
from cotbuild.student.evaluation.score import (
    PromptedQuestion,
    StudentReply,
    answer_questions,
)
from cotbuild.student.model import Student, context_length

GROUP_SIZE = 96
"""Questions that are run together. An interrupted evaluation loses at most these."""

MAX_FREE_TOKENS = 32
"""Most tokens of the free answer to a question without options."""

WARMUP_QUESTIONS, MEASURED_QUESTIONS = 2, 16
"""Questions run before and under the clock of a cost estimate."""


# -- running -----------------------------------------------------------------------------


def evaluate_questions(
    student: Student,
    items: Sequence[EvaluationItem],
    plan: EvaluationPlan,
    done: Collection[int] = (),
) -> Iterator[tuple[int, QuestionResult]]:
    """Yield (index in `items`, result) of every question, longest prompts first.

    Questions are run GROUP_SIZE at a time. Log-likelihoods are natural logarithms, of
    the label and the token that ends it; see `evaluation.options`.

    Args:
        student: the model, on the device that it shall run on.
        items: the questions with their rows in the variant.
        plan: layout and limits; see `make_evaluation_plan`.
        done: indices to skip, such as those of a run that was interrupted.

    Raises DataError, before anything is run, if a question does not fit the student's
    context; later if it does not with its rationale, or a logit or log-likelihood is not
    finite; ConfigError if the rows are
    messages and the student's tokenizer has no chat template.
    """
    student, items, plan = render_messages(student, items, plan)
    lengths = check_prompts_fit(student, items, plan)
    use_grouped_attention(student.model)
    remaining = [i for i in range(len(items)) if i not in done]
    remaining.sort(key=lambda i: (-lengths[i], i))
    for start in range(0, len(remaining), GROUP_SIZE):
        group = remaining[start : start + GROUP_SIZE]
        results = evaluate_group(student, [items[i] for i in group], plan)
        yield from zip(group, results, strict=True)


def render_messages(
    student: Student, items: Sequence[EvaluationItem], plan: EvaluationPlan
) -> tuple[Student, Sequence[EvaluationItem], EvaluationPlan]:
    """Render rows of messages to text by the student's chat template.

    Everything else here works on text. Rows of text are returned as they are.
    """
    if not items or isinstance(items[0].row.prompt, str):
        return student, items, plan
    chat = ChatForm(student.tokenizer, student.identity)
    rendered = [item._replace(row=chat.evaluation_row(item.row)) for item in items]
    layout = chat.evaluation_layout(plan.layout)
    ending_student = student._replace(end_ids=chat.end_ids())
    return ending_student, rendered, plan._replace(layout=layout)


def evaluate_group(
    student: Student, items: Sequence[EvaluationItem], plan: EvaluationPlan
) -> list[QuestionResult]:
    """Evaluate questions together and return their results in order."""
    started = time.perf_counter()
    rationales = _generate_rationales(student, items, plan)
    if not plan.layout.has_label:
        seconds = (time.perf_counter() - started) / len(items)
        return [
            make_rationale_result(item, plan, rationale, seconds)
            for item, rationale in zip(items, rationales, strict=True)
        ]
    questions = [
        _prompt_question(student, item, rationale.text.strip(), plan)
        for item, rationale in zip(items, rationales, strict=True)
    ]
    replies = answer_questions(student, questions, plan.batch_tokens)
    for item, reply in zip(items, replies, strict=True):
        _check_scores(student, item, reply)
    seconds = (time.perf_counter() - started) / len(items)
    return [
        make_result(item, plan, rationale, reply, seconds)
        for item, rationale, reply in zip(items, rationales, replies, strict=True)
    ]


def _generate_rationales(
    student: Student, items: Sequence[EvaluationItem], plan: EvaluationPlan
) -> list[DecodedText]:
    """Return what comes before the label: generated, given, or nothing."""
    given = [item.given_rationale for item in items if item.given_rationale is not None]
    if given:
        return [DecodedText(rationale, 0, True) for rationale in given]
    if plan.layout.label_first:
        return [DecodedText("", 0, False)] * len(items)
    prompts = [tokenize_prompt(student, item.prompt) for item in items]
    limits = [plan.rationale_tokens] * len(items)
    end = [plan.layout.text_before_label.rstrip()] if plan.layout.has_label else []
    stops = [end] * len(items)
    texts = dict(decode_prompts(student, prompts, limits, stops, plan.batch_tokens))
    return [texts[i] for i in range(len(items))]


def _prompt_question(
    student: Student,
    item: EvaluationItem,
    rationale: str,
    plan: EvaluationPlan,
) -> PromptedQuestion:
    options = _tokenize_item_options(student, item, plan, rationale)
    before = item.prompt + compose_before_label(plan.layout, rationale)
    stops = _answer_stops(item, plan)
    limit = 0
    if item.answers_freely:
        stop_tokens = [_count_tokens(student, stop, special=False) for stop in stops]
        limit = _max_answer_tokens(item, options, plan) + max(stop_tokens, default=1)
    question = PromptedQuestion(
        options=options,
        before_T=tokenize_prompt(student, before),
        limit=limit,
        stops=stops,
    )
    _check_answer_fits(student, item, question)
    return question


def _check_scores(student: Student, item: EvaluationItem, reply: StudentReply) -> None:
    """Raise DataError if a score is infinite or NaN, which compares with no other."""
    for score in reply.scores:
        if not math.isfinite(score.log_prob):
            raise DataError(
                f"student {student.identity!r}: question {item.question.id!r} has an "
                f"option with log-likelihood {score.log_prob}. {damaged_remedy(student)}"
            )


def _answer_stops(item: EvaluationItem, plan: EvaluationPlan) -> tuple[str, ...]:
    """Return the texts that end the free answer to a question."""
    prose = plan.prose_limits_of(item.question)
    return label_stops(plan.layout, multiline=prose is not None and prose.multiline)


def _tokenize_item_options(
    student: Student, item: EvaluationItem, plan: EvaluationPlan, rationale: str
) -> list[TokenizedOption]:
    if not plan.layout.has_label:
        return []
    return tokenize_options(
        student.tokenizer, plan.layout, item.prompt, item.labels, rationale
    )


def compose_before_label(layout: Layout, rationale: str) -> str:
    """Return what comes between the prompt and the label.

    It lacks the last space, which is part of the label's first token. The separator is
    there even if the student did not generate it.
    """
    if layout.label_first:
        return ""
    return f"{layout.opening}{rationale}{layout.text_before_label}".rstrip(" ")


def _max_answer_tokens(
    item: EvaluationItem, options: Sequence[TokenizedOption], plan: EvaluationPlan
) -> int:
    """Return the most tokens of a free answer, without the stop that ends it."""
    if options:
        return max(option.tokens for option in options)
    return _max_free_tokens(item, plan)


def _max_free_tokens(item: EvaluationItem, plan: EvaluationPlan) -> int:
    """Return the most tokens of a free answer to a question without options."""
    prose = plan.prose_limits_of(item.question)
    return MAX_FREE_TOKENS if prose is None else prose.tokens


def _count_tokens(student: Student, text: str, *, special: bool = True) -> int:
    return len(student.tokenizer.encode(text, add_special_tokens=special))


# -- limits ------------------------------------------------------------------------------


def check_prompts_fit(
    student: Student, items: Sequence[EvaluationItem], plan: EvaluationPlan
) -> list[int]:
    """Return the number of tokens of each prompt.

    Raises DataError if a prompt and the most that can follow it exceed the student's
    context.
    """
    lengths = [len(tokenize_prompt(student, item.prompt)) for item in items]
    limit = context_length(student.model)
    for item, length in zip(items, lengths, strict=True):
        tokens = length + _max_completion_tokens(student, item, plan)
        if tokens > limit:
            raise DataError(
                f"question {item.question.id!r}: up to {tokens} tokens with the "
                f"rationale and answer, but the student reads at most {limit}. "
                "Use a student with a longer context, or leave the question out."
            )
    return lengths


def _max_completion_tokens(
    student: Student, item: EvaluationItem, plan: EvaluationPlan
) -> int:
    """Return the most tokens after a prompt, as far as they are known before the rationale.

    Texts that follow each other may be split into other tokens than each alone; see
    `_check_answer_fits`.
    """
    layout = plan.layout
    if not layout.has_label:
        return plan.rationale_tokens
    labels = [_count_tokens(student, label) for label in item.labels]
    rationale = plan.rationale_tokens
    if item.given_rationale is not None:
        rationale = _count_tokens(student, item.given_rationale)
    label = max(labels, default=_max_free_tokens(item, plan))
    # The opening of a label that comes first is part of its first token.
    opening = "" if layout.label_first else layout.opening
    before = _count_tokens(student, opening + layout.text_before_label)
    ends = [layout.text_after_label]
    if item.answers_freely:
        ends += _answer_stops(item, plan)
    end = max(_count_tokens(student, text, special=False) for text in ends)
    return rationale + before + label + end


def _check_answer_fits(
    student: Student, item: EvaluationItem, question: PromptedQuestion
) -> None:
    """Raise DataError unless what is run for a question fits the student's context.

    The last token of an option is only predicted, as is that of a free answer.
    """
    lengths = [len(question.before_T) + question.limit]
    lengths += [len(option.ids_T) for option in question.options]
    tokens, limit = max(lengths) - 1, context_length(student.model)
    if tokens > limit:
        raise DataError(
            f"question {item.question.id!r}: {tokens} tokens with its rationale and "
            f"answer, but the student reads at most {limit}. Use a student with a longer "
            "context, or leave the question out."
        )


# -- cost --------------------------------------------------------------------------------


class EvaluationCost(NamedTuple):
    """What an evaluation takes, over all its questions."""

    tokens: int
    """Tokens of prompts and options; what options share counts once."""
    generated: int
    """Most tokens generated; texts may end earlier."""
    seconds: float
    """Estimated from the questions measured."""
    measured: int
    """Number of questions measured."""


def estimate_evaluation_cost(
    student: Student, items: Sequence[EvaluationItem], plan: EvaluationPlan
) -> EvaluationCost:
    """Measure an evaluation on some of its questions, spread over all lengths.

    Raises DataError as `evaluate_questions` does.
    """
    student, items, plan = render_messages(student, items, plan)
    lengths = check_prompts_fit(student, items, plan)
    use_grouped_attention(student.model)
    by_length = sorted(range(len(items)), key=lambda i: lengths[i])
    step = max(1, len(by_length) // MEASURED_QUESTIONS)
    chosen = by_length[step // 2 :: step][:MEASURED_QUESTIONS]
    sample = [items[i] for i in chosen]
    options = [
        _tokenize_item_options(student, item, plan, item.given_rationale or "")
        for item in items
    ]
    evaluate_group(student, sample[:WARMUP_QUESTIONS], plan)
    started = time.perf_counter()
    evaluate_group(student, sample, plan)
    seconds_per_question = (time.perf_counter() - started) / len(sample)
    return EvaluationCost(
        tokens=sum(
            _count_read_tokens(of_item, length)
            for of_item, length in zip(options, lengths, strict=True)
        ),
        generated=sum(
            _max_generated_tokens(item, of_item, plan)
            for item, of_item in zip(items, options, strict=True)
        ),
        seconds=seconds_per_question * len(items),
        measured=len(sample),
    )


def _count_read_tokens(options: Sequence[TokenizedOption], prompt_tokens: int) -> int:
    if not options:
        return prompt_tokens
    shared = count_shared_tokens(options)
    return shared + sum(len(option.ids_T) - shared for option in options)


def _max_generated_tokens(
    item: EvaluationItem, options: Sequence[TokenizedOption], plan: EvaluationPlan
) -> int:
    rationale = plan.rationale_tokens if item.given_rationale is None else 0
    if not plan.layout.has_label:
        return rationale
    if not item.answers_freely:
        return rationale
    return rationale + _max_answer_tokens(item, options, plan)

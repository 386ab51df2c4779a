"""Score a question's options and decode its free answer.

Both continue from the same tokens if they can, so that these are run only once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from cotbuild.student.evaluation.decode import (
    DecodedText,
    decode_from_prefix,
    decode_prompts,
)
from cotbuild.student.evaluation.options import (
    OptionScore,
    TokenizedOption,
    count_shared_tokens,
    score_options,
    score_options_from_prefix,
)
from cotbuild.student.evaluation.prefix import Prefix, batch_by_tokens, run_prefix
from cotbuild.student.model import Student


class PromptedQuestion(NamedTuple):
    """A question with everything that comes before its label, tokenized."""

    options: list[TokenizedOption]
    """Empty if the question has none."""
    before_T: list[int]
    """Tokens before the free answer."""
    limit: int
    """Most tokens of the free answer; 0: none is generated."""
    stops: Sequence[str]
    """Texts that end the free answer."""


class StudentReply(NamedTuple):
    """The scores of a question's options, and the student's free answer."""

    scores: list[OptionScore]
    free: DecodedText


def answer_questions(
    student: Student,
    questions: Sequence[PromptedQuestion],
    batch_tokens: int,
) -> list[StudentReply]:
    """Score the options of questions and decode their free answers, in order.

    `batch_tokens` is the most tokens whose keys and values are held at once, for the
    answers and for the options each.
    """
    shares_prefix = [_shares_prefix(question) for question in questions]
    shared = [i for i, shares in enumerate(shares_prefix) if shares]
    apart = [i for i, shares in enumerate(shares_prefix) if not shares]
    replies: dict[int, StudentReply] = {}
    of_shared = _answer_from_prefixes(
        student, [questions[i] for i in shared], batch_tokens
    )
    replies.update(zip(shared, of_shared, strict=True))
    of_apart = _answer_apart(student, [questions[i] for i in apart], batch_tokens)
    replies.update(zip(apart, of_apart, strict=True))
    return [replies[i] for i in range(len(questions))]


def _shares_prefix(question: PromptedQuestion) -> bool:
    """Whether all options begin with the tokens before the free answer.

    They do not if the tokenizer joins the end of the prompt with the start of a label.
    """
    length = len(question.before_T)
    if not question.options or count_shared_tokens(question.options) < length:
        return False
    return question.options[0].ids_T[:length] == question.before_T


def _answer_from_prefixes(
    student: Student,
    questions: Sequence[PromptedQuestion],
    batch_tokens: int,
) -> list[StudentReply]:
    replies: dict[int, StudentReply] = {}
    sizes = [(1, len(question.before_T) + question.limit) for question in questions]
    for batch in batch_by_tokens(sizes, batch_tokens):
        of_batch = [questions[i] for i in batch]
        before = [question.before_T for question in of_batch]
        limits = [question.limit for question in of_batch]
        with torch.inference_mode():
            prefix = run_prefix(student.model, before, student.pad_id)
            scores = _score_from_prefix(student, prefix, of_batch, batch_tokens)
            stops = [question.stops for question in of_batch]
            texts = decode_from_prefix(student, prefix, limits, stops)
        for i, of_options, text in zip(batch, scores, texts, strict=True):
            replies[i] = StudentReply(of_options, text)
    return [replies[i] for i in range(len(questions))]


def _score_from_prefix(
    student: Student,
    prefix: Prefix,
    questions: Sequence[PromptedQuestion],
    batch_tokens: int,
) -> list[list[OptionScore]]:
    """Score options from a prefix, a batch of them at a time."""
    sizes = [
        (
            len(question.options),
            max(len(option.ids_T) for option in question.options),
        )
        for question in questions
    ]
    scores: dict[int, list[OptionScore]] = {}
    for batch in batch_by_tokens(sizes, batch_tokens):
        rows = torch.tensor(batch, device=student.model.device)
        of_batch = score_options_from_prefix(
            student,
            prefix.select(rows),
            [len(questions[i].before_T) for i in batch],
            [questions[i].options for i in batch],
        )
        scores.update(zip(batch, of_batch, strict=True))
    return [scores[i] for i in range(len(questions))]


def _answer_apart(
    student: Student,
    questions: Sequence[PromptedQuestion],
    batch_tokens: int,
) -> list[StudentReply]:
    with_options = [i for i, question in enumerate(questions) if question.options]
    options = [questions[i].options for i in with_options]
    scores: dict[int, list[OptionScore]] = {}
    for number, of_options in score_options(student, options, batch_tokens):
        scores[with_options[number]] = of_options
    prompts = [question.before_T for question in questions]
    limits = [question.limit for question in questions]
    stops = [question.stops for question in questions]
    texts = dict(decode_prompts(student, prompts, limits, stops, batch_tokens))
    return [StudentReply(scores.get(i, []), texts[i]) for i in range(len(questions))]

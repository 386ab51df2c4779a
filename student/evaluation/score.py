"""What a student says of questions at the label's place: how likely each option is, and
its own answer.

The free answer and the options go on from the same tokens, which are run once.
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
from cotbuild.student.model import Student
from cotbuild.student.prefix import batch_by_tokens, run_prefix


class PromptedQuestion(NamedTuple):
    """A question with all that stands before the label."""

    options: list[TokenizedOption]
    """Empty: there are none."""
    before_T: list[int]
    """Before the free answer."""
    limit: int
    """Most tokens of the free answer."""


class StudentReply(NamedTuple):
    """What a student says of a question."""

    scores: list[OptionScore]
    free: DecodedText


def answer_questions(
    student: Student,
    asked: Sequence[PromptedQuestion],
    stops: Sequence[str],
    batch_tokens: int,
) -> list[StudentReply]:
    """In the order of `asked`.

    `batch_tokens`: most tokens whose keys and values are held at once, twice over.
    """
    together = [i for i, one in enumerate(asked) if _goes_on_alike(one)]
    apart = [i for i in range(len(asked)) if i not in set(together)]
    found: dict[int, StudentReply] = {}
    for places, of_all in ((together, _together), (apart, _apart)):
        replies = of_all(student, [asked[i] for i in places], stops, batch_tokens)
        found |= dict(zip(places, replies, strict=True))
    return [found[i] for i in range(len(asked))]


def _goes_on_alike(one: PromptedQuestion) -> bool:
    """Whether all options begin with the tokens before the free answer: a tokenizer may
    join what stands there.
    """
    n = len(one.before_T)
    if not one.options or count_shared_tokens(one.options) < n:
        return False
    return one.options[0].ids_T[:n] == one.before_T


def _together(
    student: Student,
    asked: Sequence[PromptedQuestion],
    stops: Sequence[str],
    batch_tokens: int,
) -> list[StudentReply]:
    found: dict[int, StudentReply] = {}
    for batch in batch_by_tokens(
        [(1, len(one.before_T) + one.limit) for one in asked], batch_tokens
    ):
        with torch.inference_mode():
            replies = _of_batch(student, [asked[i] for i in batch], stops, batch_tokens)
        found |= dict(zip(batch, replies, strict=True))
    return [found[i] for i in range(len(asked))]


def _of_batch(
    student: Student,
    asked: Sequence[PromptedQuestion],
    stops: Sequence[str],
    batch_tokens: int,
) -> list[StudentReply]:
    prefix = run_prefix(student.model, [one.before_T for one in asked], student.pad_id)
    scores: dict[int, list[OptionScore]] = {}
    sizes = [
        (len(one.options), max(len(option.ids_T) for option in one.options))
        for one in asked
    ]
    for part in batch_by_tokens(sizes, batch_tokens):
        some = [asked[i] for i in part]
        state = prefix.copy().pick(torch.tensor(part, device=student.model.device))
        of_part = score_options_from_prefix(
            student,
            state,
            [len(one.before_T) for one in some],
            [one.options for one in some],
        )
        scores |= dict(zip(part, of_part, strict=True))
    free = decode_from_prefix(student, prefix, [one.limit for one in asked], stops)
    return [StudentReply(scores[i], said) for i, said in enumerate(free)]


def _apart(
    student: Student,
    asked: Sequence[PromptedQuestion],
    stops: Sequence[str],
    batch_tokens: int,
) -> list[StudentReply]:
    places = [i for i, one in enumerate(asked) if one.options]
    scores: list[list[OptionScore]] = [[] for _ in asked]
    for i, of_options in score_options(
        student, [asked[place].options for place in places], batch_tokens
    ):
        scores[places[i]] = of_options
    free = dict(
        decode_prompts(
            student,
            [one.before_T for one in asked],
            [one.limit for one in asked],
            stops,
            batch_tokens,
        )
    )
    return [StudentReply(scores[i], free[i]) for i in range(len(asked))]

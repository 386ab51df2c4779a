"""Log-likelihood of each option at the label's place: log p(label, the one token behind
that ends it | all before).

What the options of a question have in common is run once; each goes on from there.

    prompt, rationale, separator | label | token that ends it
    run once a question          | run for each option

The space before a label is the label's, also where it is a token of its own: SmolLM2 cuts it off before a digit.
*Measured*: left out there and counted elsewhere, it gave "1 day" 1.7 over "millions of years".
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from cotbuild.prompts.student import compose_option
from cotbuild.schemas.training import Layout
from cotbuild.student.model import Student
from cotbuild.student.prefix import Prefix, batch_by_tokens, continue_from, run_prefix
from cotbuild.student.tokenize_parts import TokenPart, tokenize_with_parts


class TokenizedOption(NamedTuple):
    """An option behind all that comes before it, in tokens as it was in training."""

    ids_T: list[int]
    """To the token that ends the label, which is the last one."""
    start: int
    """The label's first token."""
    chars: int
    """Of the label, at least 1."""

    @property
    def tokens(self) -> int:
        """Of the label, without the one that ends it."""
        return len(self.ids_T) - 1 - self.start


class OptionScore(NamedTuple):
    """What a student says of an option; natural logarithms."""

    log_prob: float
    """Of the label and the token that ends it."""
    label_log_prob: float
    """Without the one that ends it."""
    tokens: int
    chars: int


def tokenize_options(
    tokenizer: PreTrainedTokenizerBase,
    layout: Layout,
    prompt: str,
    options: Sequence[str],
    rationale: str = "",
) -> list[TokenizedOption]:
    """The options behind a prompt, with `rationale` before them where the layout has it
    there.
    """
    return [_encode(tokenizer, layout, prompt, option, rationale) for option in options]


def _encode(
    tokenizer: PreTrainedTokenizerBase,
    layout: Layout,
    prompt: str,
    option: str,
    rationale: str,
) -> TokenizedOption:
    completion, span = compose_option(layout, option, rationale)
    found = tokenize_with_parts(
        tokenizer, prompt, completion, [span], end=not layout.text_after_label
    )
    label = [i for i, part in enumerate(found.parts_T) if part == TokenPart.LABEL]
    return TokenizedOption(found.input_ids_T[: label[-1] + 1], label[0], len(option))


def count_shared_tokens(options: Sequence[TokenizedOption]) -> int:
    """Leading tokens that all options of a question have in common, none of them a
    label's.
    """
    least = min(option.start for option in options)
    for i in range(least):
        if len({option.ids_T[i] for option in options}) > 1:
            return i
    return least


def score_options(
    student: Student, asked: Sequence[Sequence[TokenizedOption]], batch_tokens: int
) -> Iterator[tuple[int, list[OptionScore]]]:
    """(question, scores of its options) as they are had, longest questions first.

    `batch_tokens`: most tokens, padding included, whose keys and values are held at
    once; more only for one question.
    """
    sizes = [
        (len(options), max(len(option.ids_T) for option in options))
        for options in asked
    ]
    for batch in batch_by_tokens(sizes, batch_tokens):
        with torch.inference_mode():
            scores = score_option_batch(student, [asked[i] for i in batch])
        yield from zip(batch, scores, strict=True)


def score_option_batch(
    student: Student, asked: Sequence[Sequence[TokenizedOption]]
) -> list[list[OptionScore]]:
    """Scores of some questions at once."""
    shared = [options[0].ids_T[: count_shared_tokens(options)] for options in asked]
    return score_options_from_prefix(
        student,
        run_prefix(student.model, shared, student.pad_id),
        list(map(len, shared)),
        asked,
    )


def score_options_from_prefix(
    student: Student,
    prefix: Prefix,
    shared: Sequence[int],
    asked: Sequence[Sequence[TokenizedOption]],
) -> list[list[OptionScore]]:
    """Scores of some questions, of whose options the first `shared` tokens were run;
    `prefix` is used up.

    `shared`: at most what `count_shared_tokens` says.
    """
    index = torch.tensor(
        [q for q, options in enumerate(asked) for _ in options],
        device=student.model.device,
    )
    tails = [
        option.ids_T[n:]
        for options, n in zip(asked, shared, strict=True)
        for option in options
    ]
    found = iter(_tail_log_probs(student, prefix.pick(index), tails))
    return [
        [
            _score(option, next(found)[count_shared_tokens(options) - n :])
            for option in options
        ]
        for options, n in zip(asked, shared, strict=True)
    ]


def _score(option: TokenizedOption, log_probs: list[float]) -> OptionScore:
    return OptionScore(sum(log_probs), sum(log_probs[:-1]), option.tokens, option.chars)


def _tail_log_probs(
    student: Student, prefix: Prefix, tails: Sequence[Sequence[int]]
) -> list[list[float]]:
    """log p of each token of each tail, given all before it."""
    width = max(map(len, tails))
    device = student.model.device
    ids_B_L = torch.tensor(
        [[*tail, *[student.pad_id] * (width - len(tail))] for tail in tails],
        device=device,
    )
    mask_B_L = torch.tensor(
        [[1] * len(tail) + [0] * (width - len(tail)) for tail in tails], device=device
    )
    logits_B_1_V = prefix.logits_B_V[:, None]
    first_B_1 = logits_B_1_V.gather(2, ids_B_L[:, :1, None])[
        ..., 0
    ] - logits_B_1_V.logsumexp(2)
    if width == 1:
        return [row[:1] for row in first_B_1.tolist()]
    logits_B_L_V = continue_from(
        student.model, prefix, ids_B_L[:, :-1], mask_B_L[:, :-1]
    ).float()
    rest_B_L = logits_B_L_V.gather(2, ids_B_L[:, 1:, None])[
        ..., 0
    ] - logits_B_L_V.logsumexp(2)
    found: list[list[float]] = torch.cat([first_B_1, rest_B_L], 1).tolist()
    return [row[: len(tail)] for row, tail in zip(found, tails, strict=True)]

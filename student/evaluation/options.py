"""Log-likelihood of each option in the place of the label.

The score of an option is log p(label, the one token that ends it | all before). What
the options of a question have in common is run once, and each option continues from it:

    prompt, rationale, separator | label | token that ends it
    run once per question        | run for each option

The space before a label is part of the label, also if it is a token of its own:
SmolLM2 splits it off before a digit. Measured: a score that counted it for some options
and not for others gave "1 day" 1.7 over "millions of years".
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from cotbuild.prompts.student import compose_option
from cotbuild.schemas.training import Layout
from cotbuild.student.evaluation.float32_logits import float32_logits
from cotbuild.student.evaluation.prefix import (
    Prefix,
    batch_by_tokens,
    continue_from,
    run_prefix,
)
from cotbuild.student.model import Student
from cotbuild.student.tokenize_parts import TokenPart, tokenize_with_parts


class TokenizedOption(NamedTuple):
    """A prompt and a completion that says this option, tokenized as in training."""

    ids_T: list[int]
    """Up to the token that ends the label, which is the last one."""
    start: int
    """Index of the label's first token."""
    chars: int
    """Characters of the label, at least 1."""
    ends_itself: bool = False
    """Whether the label's last token is also the one that ends it."""

    @property
    def tokens(self) -> int:
        """Tokens of the label, without one that only ends it."""
        return len(self.ids_T) - self.start - (not self.ends_itself)


class OptionScore(NamedTuple):
    """Log-likelihood of one option, in natural logarithms."""

    log_prob: float
    """Of the label and the token that ends it."""
    label_log_prob: float
    """Of the label alone, or with its end where that is no token of its own."""
    tokens: int
    chars: int


def tokenize_options(
    tokenizer: PreTrainedTokenizerBase,
    layout: Layout,
    prompt: str,
    options: Sequence[str],
    rationale: str = "",
) -> list[TokenizedOption]:
    """Tokenize a prompt with each option after it.

    `rationale` comes between them if the layout has the rationale first.
    """
    tokenized = []
    for option in options:
        completion, span = compose_option(layout, option, rationale)
        end = not layout.text_after_label
        row = tokenize_with_parts(tokenizer, prompt, completion, [span], end=end)
        label = [i for i, part in enumerate(row.parts_T) if part == TokenPart.LABEL]
        ids_T = row.input_ids_T[: label[-1] + 1]
        ends_itself = row.merged_ends > 0
        tokenized.append(TokenizedOption(ids_T, label[0], len(option), ends_itself))
    return tokenized


def count_shared_tokens(options: Sequence[TokenizedOption]) -> int:
    """Count the leading tokens that all options share and that belong to no label."""
    before_labels = min(option.start for option in options)
    for i in range(before_labels):
        if len({option.ids_T[i] for option in options}) > 1:
            return i
    return before_labels


def score_options(
    student: Student, questions: Sequence[Sequence[TokenizedOption]], batch_tokens: int
) -> Iterator[tuple[int, list[OptionScore]]]:
    """Yield (index of the question, scores of its options), longest questions first.

    `batch_tokens` is the most tokens, padding included, whose keys and values are held
    at once. Only a single question may take more.
    """
    sizes = [_options_size(options) for options in questions]
    for batch in batch_by_tokens(sizes, batch_tokens):
        with torch.inference_mode():
            scores = score_option_batch(student, [questions[i] for i in batch])
        yield from zip(batch, scores, strict=True)


def _options_size(options: Sequence[TokenizedOption]) -> tuple[int, int]:
    """Return the rows and the tokens per row that scoring a question takes."""
    return len(options), max(len(option.ids_T) for option in options)


def score_option_batch(
    student: Student, questions: Sequence[Sequence[TokenizedOption]]
) -> list[list[OptionScore]]:
    """Score the options of some questions in one batch."""
    shared = [count_shared_tokens(options) for options in questions]
    shared_ids = [
        options[0].ids_T[:count]
        for options, count in zip(questions, shared, strict=True)
    ]
    prefix = run_prefix(student.model, shared_ids, student.pad_id)
    return score_options_from_prefix(student, prefix, shared, questions)


def score_options_from_prefix(
    student: Student,
    prefix: Prefix,
    prefix_lengths: Sequence[int],
    questions: Sequence[Sequence[TokenizedOption]],
) -> list[list[OptionScore]]:
    """Score options whose leading tokens were run already.

    `prefix_lengths` is how many tokens of each question were run, at most what
    `count_shared_tokens` returns. `prefix` stays as it is.
    """
    tails = [
        _Tail(row, option.ids_T[length:])
        for row, (options, length) in enumerate(
            zip(questions, prefix_lengths, strict=True)
        )
        for option in options
    ]
    with float32_logits(student.model):
        log_probs = iter(_tail_log_probs(student, prefix, tails))
    scores = []
    for options, length in zip(questions, prefix_lengths, strict=True):
        # What all options share is no part of their scores, even where it was not run
        # with the prefix.
        skipped = count_shared_tokens(options) - length
        scores.append(
            [_make_score(option, next(log_probs)[skipped:]) for option in options]
        )
    return scores


def _make_score(option: TokenizedOption, log_probs: list[float]) -> OptionScore:
    of_label = log_probs if option.ends_itself else log_probs[:-1]
    return OptionScore(sum(log_probs), sum(of_label), option.tokens, option.chars)


class _Tail(NamedTuple):
    """What follows a prefix in an option."""

    row: int
    """Of the prefix."""
    ids: list[int]


def _tail_log_probs(
    student: Student, prefix: Prefix, tails: Sequence[_Tail]
) -> list[list[float]]:
    """Return log p of each token of each tail, given all tokens before it.

    Tails of one length are run together, so that none is padded. Labels have few
    tokens, and most of them one or two: padded to the longest of 32 questions, nine of
    ten tokens were padding. Measured on CommonsenseQA (SmolLM2-135M, one core): the
    options of a question then took as long as its prompt.
    """
    by_length: dict[int, list[int]] = {}
    for number, tail in enumerate(tails):
        by_length.setdefault(len(tail.ids), []).append(number)
    log_probs: dict[int, list[float]] = {}
    for numbers in by_length.values():
        of_length = [tails[number] for number in numbers]
        found = _equal_tail_log_probs(student, prefix, of_length)
        log_probs.update(zip(numbers, found, strict=True))
    return [log_probs[number] for number in range(len(tails))]


def _equal_tail_log_probs(
    student: Student, prefix: Prefix, tails: Sequence[_Tail]
) -> list[list[float]]:
    """Return `_tail_log_probs` of tails of the same length."""
    device = student.model.device
    rows_B = torch.tensor([tail.row for tail in tails], device=device)
    ids_B_L = torch.tensor([tail.ids for tail in tails], device=device)
    log_probs_B_L = _gather_log_probs(prefix.logits_B_V[rows_B, None], ids_B_L[:, :1])
    run_B_L = ids_B_L[:, :-1]
    if run_B_L.shape[1]:
        logits_B_L_V = continue_from(
            student.model, prefix.select(rows_B), run_B_L, torch.ones_like(run_B_L)
        ).float()
        rest_B_L = _gather_log_probs(logits_B_L_V, ids_B_L[:, 1:])
        log_probs_B_L = torch.cat([log_probs_B_L, rest_B_L], 1)
    log_probs: list[list[float]] = log_probs_B_L.tolist()
    return log_probs


def _gather_log_probs(
    logits_B_L_V: torch.Tensor, ids_B_L: torch.Tensor
) -> torch.Tensor:
    """Return log p of the given tokens, B × L."""
    chosen_B_L = logits_B_L_V.gather(2, ids_B_L[:, :, None])[..., 0]
    return chosen_B_L - logits_B_L_V.logsumexp(2)

"""Leave one word out: how much f falls when a word of the rationale is missing.

f is as in `gradients`: log p of the label minus the mean of the other options'. A word's
score is f with the whole rationale minus f with the word removed (erasure: Li et al.,
arXiv 1612.08220). It takes forward passes only, and nothing has to converge.

A text without a word is the same as the whole one up to that word, so question and
rationale are run once. What follows in each text is run in one sequence of many texts,
in which a mask shows each token no more than the text that it belongs to:

    question, rationale | rest without word 1, separator | option | option | … without 2
    run once            | sees the question and what is before word 1
                                                         | sees the rest too | so does it
"""

import copy
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple, Self

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from cotbuild.prompts.student import Span
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.training import Layout
from cotbuild.schemas.variant_rows import TrainingRow
from cotbuild.student.attribution.contrast import list_answers
from cotbuild.student.evaluation.options import (
    TokenizedOption,
    count_shared_tokens,
    score_options,
    tokenize_options,
)
from cotbuild.student.model import Student

_WORD = re.compile(r"\S+")
_SPACE = re.compile(r"\s*")


class TokenizedText(NamedTuple):
    """A prompt and a rationale, whole or without a word, with each option after it."""

    options: list[TokenizedOption]
    """That of the label first."""
    shared_ids: list[int]
    """Tokens before the options."""
    option_ids: list[list[int]]
    """Tokens of each option, with the one that ends it."""

    @classmethod
    def from_options(cls, options: list[TokenizedOption]) -> Self:
        """Split the tokens where those of the options begin to differ."""
        num_shared = count_shared_tokens(options)
        return cls(
            options,
            options[0].ids_T[:num_shared],
            [option.ids_T[num_shared:] for option in options],
        )

    @property
    def longest(self) -> int:
        """Tokens of the text with its longest option."""
        return max(len(option.ids_T) for option in self.options)


class WordCase(NamedTuple):
    """One rationale of W words, tokenized as a whole and without each of its words."""

    spans_W: list[Span]
    """Characters of each word in the rationale."""
    whole: TokenizedText
    without_W: list[TokenizedText]


# -- texts -------------------------------------------------------------------------------


def find_words(rationale: str) -> list[Span]:
    """Return start and end of each word: what white space separates."""
    return [found.span() for found in _WORD.finditer(rationale)]


def remove_word(rationale: str, span: Span) -> str:
    """Return a rationale without one of its words.

    The white space after it goes too, or that before it if it is the last word.
    """
    start, end = span
    space = _SPACE.match(rationale, end)
    after = end if space is None else space.end()
    if after == len(rationale):
        return rationale[:start].rstrip() + rationale[end:]
    return rationale[:start] + rationale[after:]


def make_word_case(
    tokenizer: PreTrainedTokenizerBase,
    layout: Layout,
    row: TrainingRow,
    kind: QuestionKind,
) -> WordCase:
    """Tokenize a row's rationale, whole and without each word, as in training."""
    rationale = row.completion[row.rationale_start : row.rationale_end]
    answers = list_answers(row, kind)

    def tokenize(text: str) -> TokenizedText:
        return TokenizedText.from_options(
            tokenize_options(tokenizer, layout, row.prompt, answers, text)
        )

    spans = find_words(rationale)
    without = [tokenize(remove_word(rationale, span)) for span in spans]
    return WordCase(spans, tokenize(rationale), without)


# -- scores ------------------------------------------------------------------------------


def leave_one_word_out(
    student: Student, case: WordCase, batch_tokens: int
) -> list[float]:
    """Return the score of each word, in natural logarithms.

    `batch_tokens` is the most tokens run at once, or those of one text if it has more.
    """
    texts = [case.whole, *case.without_W]
    with torch.inference_mode():
        if max(text.longest for text in texts) <= attention_window(student.model):
            contrasts = _contrast_in_one_sequence(student, texts, batch_tokens)
        else:
            # The mask would not show every layer what it attends to.
            contrasts = _contrast_each_from_its_start(student, texts, batch_tokens)
    whole, *without_W = contrasts
    return [whole - without for without in without_W]


def attention_window(model: PreTrainedModel) -> float:
    """Return how many tokens back the model's layers look, infinity if all of them.

    0 if they do not all attend to what a mask shows, as recurrent layers and those that
    attend to chunks do not.
    """
    config = model.config.get_text_config()
    # Not every configuration lists the types of its layers.
    layer_types = set(getattr(config, "layer_types", None) or ())
    if model._is_stateful or layer_types - {"full_attention", "sliding_attention"}:
        return 0
    window = getattr(config, "sliding_window", None)
    return float("inf") if window is None else float(window)


def _contrast(log_probs: Sequence[float]) -> float:
    """Return log p of the first option minus the mean of the others'."""
    label, *others = log_probs
    return label - sum(others) / len(others) if others else label


def _contrast_each_from_its_start(
    student: Student, texts: Sequence[TokenizedText], batch_tokens: int
) -> list[float]:
    """Return f of each text; nothing is run once for many."""
    options = [text.options for text in texts]
    scored = dict(score_options(student, options, batch_tokens))
    return [
        _contrast([score.log_prob for score in scored[at]]) for at in range(len(texts))
    ]


def _contrast_in_one_sequence(
    student: Student, texts: Sequence[TokenizedText], batch_tokens: int
) -> list[float]:
    """Return f of each text, the first of which is the whole one."""
    model, whole_ids = student.model, texts[0].shared_ids
    prefix = DynamicCache(config=model.config)
    model(
        input_ids=torch.tensor([whole_ids], device=model.device),
        past_key_values=prefix,
        use_cache=True,
        logits_to_keep=1,
    )
    continuations = [_continue_whole(whole_ids, text) for text in texts]
    contrasts: list[float] = []
    for together in _batches(continuations, batch_tokens):
        packed = _pack(together, len(whole_ids))
        log_probs = _score_packed(model, copy.deepcopy(prefix), packed)
        contrasts += map(_contrast, log_probs)
    return contrasts


class _Continuation(NamedTuple):
    """What a text has after the tokens that are the same as in the whole one."""

    num_kept: int
    """Tokens of the whole text that it begins with."""
    rest_ids: list[int]
    """Its further tokens before the options, at least one."""
    option_ids: list[list[int]]

    @property
    def num_tokens(self) -> int:
        """Tokens to run; the last one of an option is only predicted."""
        return len(self.rest_ids) + sum(len(ids) - 1 for ids in self.option_ids)


def _continue_whole(whole_ids: Sequence[int], text: TokenizedText) -> _Continuation:
    # The last token before the options is run again, for the logits after it.
    most = min(len(whole_ids), len(text.shared_ids) - 1)
    pairs = zip(whole_ids[:most], text.shared_ids[:most], strict=True)
    num_kept = next((at for at, (one, other) in enumerate(pairs) if one != other), most)
    return _Continuation(num_kept, text.shared_ids[num_kept:], text.option_ids)


def _batches(
    continuations: Sequence[_Continuation], batch_tokens: int
) -> Iterator[list[_Continuation]]:
    """Yield them in order, at most `batch_tokens` tokens together, or one alone."""
    batch: list[_Continuation] = []
    num_tokens = 0
    for one in continuations:
        if batch and num_tokens + one.num_tokens > batch_tokens:
            yield batch
            batch, num_tokens = [], 0
        batch.append(one)
        num_tokens += one.num_tokens
    if batch:
        yield batch


class _PackedTexts(NamedTuple):
    """Continuations in one sequence of N tokens, after a whole text of P tokens."""

    ids_N: list[int]
    positions_N: list[int]
    """The place of each token in its own text."""
    sees_N_PN: Tensor
    """Whether a token attends to a column."""
    predictions: list[list[list[tuple[int, int]]]]
    """For each text and option, its tokens, and where in the sequence the logits of
    each are: (index, token).
    """


def _pack(continuations: Sequence[_Continuation], num_whole: int) -> _PackedTexts:
    num_tokens = sum(one.num_tokens for one in continuations)
    sees_N_PN = torch.zeros(num_tokens, num_whole + num_tokens, dtype=torch.bool)
    # Below: sees_N_PN without the columns of the whole text.
    sees_N_N = sees_N_PN[:, num_whole:]
    ids: list[int] = []
    positions: list[int] = []
    predictions = []
    for one in continuations:
        rest_start, rest_end = len(ids), len(ids) + len(one.rest_ids)
        text_end = one.num_kept + len(one.rest_ids)
        ids += one.rest_ids
        positions += range(one.num_kept, text_end)
        sees_N_PN[rest_start : rest_start + one.num_tokens, : one.num_kept] = True
        _see_own_past(sees_N_N, rest_start, rest_end)
        of_options = []
        for option in one.option_ids:
            start, end = len(ids), len(ids) + len(option) - 1
            ids += option[:-1]
            positions += range(text_end, text_end + len(option) - 1)
            sees_N_N[start:end, rest_start:rest_end] = True
            _see_own_past(sees_N_N, start, end)
            places = chain([rest_end - 1], range(start, end))
            of_options.append(list(zip(places, option, strict=True)))
        predictions.append(of_options)
    return _PackedTexts(ids, positions, sees_N_PN, predictions)


def _see_own_past(sees_N_N: Tensor, start: int, end: int) -> None:
    """Let each token of a segment attend to itself and to those before it."""
    size = end - start
    sees_N_N[start:end, start:end] = torch.ones(size, size, dtype=torch.bool).tril()


def _score_packed(
    model: PreTrainedModel, cache: DynamicCache, packed: _PackedTexts
) -> list[list[float]]:
    """Return log p of each option of each text, the token that ends it included.

    The cache of the whole text grows, so it must not be used afterwards.
    """
    device = model.device
    sees_1_1_N_PN = packed.sees_N_PN[None, None].to(device)
    hidden = torch.zeros(sees_1_1_N_PN.shape, dtype=model.dtype, device=device)
    mask_1_1_N_PN = hidden.masked_fill(~sees_1_1_N_PN, torch.finfo(model.dtype).min)
    predicted = [
        prediction
        for options in packed.predictions
        for option in options
        for prediction in option
    ]
    kept = sorted({place for place, _ in predicted})
    row_of_place = {place: row for row, place in enumerate(kept)}
    logits_K_V = model(
        input_ids=torch.tensor([packed.ids_N], device=device),
        position_ids=torch.tensor([packed.positions_N], device=device),
        attention_mask=mask_1_1_N_PN,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=torch.tensor(kept, device=device),
    ).logits[0]
    logp_K_V = logits_K_V.float().log_softmax(-1)
    rows = torch.tensor([row_of_place[place] for place, _ in predicted], device=device)
    tokens = torch.tensor([token for _, token in predicted], device=device)
    log_probs = iter(logp_K_V[rows, tokens].double().tolist())
    return [
        [sum(next(log_probs) for _ in option) for option in options]
        for options in packed.predictions
    ]

"""Tokenize a prompt and completion, and tag each token with its part of the loss.

There are two parts. The label part is the label's tokens and the one token that ends it;
the rationale part is all other tokens of the completion. So a label has the same weight
wherever it is: in `label_only` the end of text ends it, in `post_cot` the line break
before the rationale. The end of text belongs to the part that it ends.

The token that ends a label is the one after it, or the label's last token where that
reaches past the label: Llama-3 and Qwen have one token for a full stop and the line break
after it. The first word of a rationale is never supervised as the end of a label.

The space before a label belongs to the label, also if it is a token of its own, as in
SmolLM2 before a digit. Otherwise, in a row without a rationale, this one token would
weigh as much as a whole rationale.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from cotbuild.prompts.student import Span


class TokenPart(IntEnum):
    """The part of the loss that a token belongs to."""

    PROMPT = 0
    LABEL = 1
    RATIONALE = 2


class TokenizedParts(NamedTuple):
    """A tokenized prompt and completion of T tokens."""

    input_ids_T: list[int]
    parts_T: list[int]
    """A `TokenPart` for each token."""
    merged_ends: int = 0
    """Labels whose last token reaches past them, and so ends them itself."""


def tokenize_with_parts(
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    completion: str,
    labels: Sequence[Span],
    *,
    end: bool = True,
) -> TokenizedParts:
    """Tokenize prompt and completion as one text.

    Args:
        labels: character spans of the labels in the completion. A token that overlaps a
            label is part of it.
        end: whether to append the end-of-text token.
    """
    encoding = tokenizer(
        prompt + completion, return_offsets_mapping=True, return_attention_mask=False
    )
    ids: list[int] = list(encoding["input_ids"])
    # Offsets in the completion; those of the prompt's tokens are negative.
    spans: list[Span] = [
        (start - len(prompt), stop - len(prompt))
        for start, stop in encoding["offset_mapping"]
    ]
    eos = tokenizer.eos_token_id
    while ids and ids[-1] == eos and spans[-1][0] == spans[-1][1]:
        # Appended by the tokenizer itself.
        ids, spans = ids[:-1], spans[:-1]
    num_prompt = _count_prompt_tokens(spans)
    num_completion = len(ids) - num_prompt
    parts = [TokenPart.PROMPT] * num_prompt + [TokenPart.RATIONALE] * num_completion
    if end:
        ids.append(eos)
        parts.append(TokenPart.RATIONALE)
    merged_ends = 0
    for label in labels:
        inside = _label_tokens(completion, label, spans, num_prompt)
        if not inside:
            continue
        last = inside[-1]
        is_merged = spans[last][1] > label[1]
        merged_ends += is_merged
        if not is_merged and last + 1 < len(parts):
            inside.append(last + 1)
        for i in inside:
            parts[i] = TokenPart.LABEL
    return TokenizedParts(ids, [int(part) for part in parts], merged_ends)


class LabelEnds:
    """Finds labels whose last token reaches past them, and so ends them itself.

    Each label is tokenized once, without its prompt: what follows it decides.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, text_after_label: str
    ) -> None:
        self._tokenizer, self._after = tokenizer, text_after_label
        self._is_merged: dict[str, bool] = {}

    def any_merged(self, labels: Iterable[str]) -> bool:
        """Whether any of the labels ends itself."""
        wanted = sorted(set(labels))
        new = [label for label in wanted if label not in self._is_merged]
        if self._after and new:
            self._is_merged |= dict(zip(new, self._are_merged(new), strict=True))
        return any(self._is_merged.get(label, False) for label in wanted)

    def _are_merged(self, labels: Sequence[str]) -> list[bool]:
        encoding = self._tokenizer(
            [f" {label}{self._after}" for label in labels],
            return_offsets_mapping=True,
            return_attention_mask=False,
        )
        ends = [len(f" {label}") for label in labels]
        return [
            any(start < end < stop for start, stop in spans)
            for end, spans in zip(ends, encoding["offset_mapping"], strict=True)
        ]


def find_automatic_start(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the token that the tokenizer puts before every text; empty if it does not."""
    ids = list(tokenizer.encode("a"))
    bos = tokenizer.bos_token_id
    return str(tokenizer.bos_token) if bos is not None and ids[:1] == [bos] else ""


def _count_prompt_tokens(spans: Sequence[Span]) -> int:
    """Count the tokens before the first one that reaches into the completion."""
    for i, (_, stop) in enumerate(spans):
        if stop > 0:
            return i
    return len(spans)


def _label_tokens(
    completion: str, label: Span, spans: Sequence[Span], num_prompt: int
) -> list[int]:
    """Return the indices of the tokens that overlap a label."""
    label_start, label_stop = label
    while label_start > 0 and completion[label_start - 1] == " ":
        label_start -= 1
    inside = []
    for i in range(num_prompt, len(spans)):
        start, stop = spans[i]
        if start < label_stop and stop > label_start:
            inside.append(i)
    return inside

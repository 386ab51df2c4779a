"""Texts to tokens, each told to which part of the loss it belongs. Pure, given a
tokenizer.

Two parts: the label's tokens with the one token behind them that ends it, and all other
tokens of the completion. So a label weighs the same wherever it stands: the end of the
text ends it in `label_only`, the line break before the rationale in `post_cot`. The end
of the text belongs to the part that it ends. A space before the label is the label's,
also where it is a token of its own, as in SmolLM2 before a digit: as a rationale of one
token it would weigh as much as a whole one.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from cotbuild.prompts.student import Span


class TokenPart(IntEnum):
    """What a token is to the loss."""

    PROMPT = 0
    LABEL = 1
    RATIONALE = 2


class TokenizedParts(NamedTuple):
    """A prompt and completion in tokens."""

    input_ids_T: list[int]
    parts_T: list[int]


def tokenize_with_parts(
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    completion: str,
    labels: Sequence[Span],
    *,
    end: bool = True,
) -> TokenizedParts:
    """Tokens of prompt and completion together, so that they are cut as in running
    text; `end`: with one EOS behind.

    `labels`: spans in the completion. A token that a label only begins or ends in is
    the label's.
    """
    read = tokenizer(
        prompt + completion, return_offsets_mapping=True, return_attention_mask=False
    )
    ids: list[int] = list(read["input_ids"])
    spans: list[Span] = [
        (start - len(prompt), stop - len(prompt))
        for start, stop in read["offset_mapping"]
    ]
    eos = tokenizer.eos_token_id
    while (
        ids and ids[-1] == eos and spans[-1][0] == spans[-1][1]
    ):  # put there by the tokenizer itself
        ids, spans = ids[:-1], spans[:-1]
    begin = next((i for i, (_, stop) in enumerate(spans) if stop > 0), len(ids))
    parts = [TokenPart.PROMPT] * begin + [TokenPart.RATIONALE] * (len(ids) - begin)
    if end:
        ids.append(eos)
        parts.append(TokenPart.RATIONALE)
    for start, stop in labels:
        while start > 0 and completion[start - 1] == " ":
            start -= 1
        inside = [
            i
            for i in range(begin, len(spans))
            if spans[i][0] < stop and spans[i][1] > start
        ]
        for i in [*inside, inside[-1] + 1] if inside else []:
            if i < len(parts):
                parts[i] = TokenPart.LABEL
    return TokenizedParts(ids, [int(part) for part in parts])

"""Run prompts once, and continue them from their cached keys and values."""

from collections.abc import Iterator, Sequence
from copy import copy
from typing import NamedTuple

import torch
from transformers import DynamicCache, PreTrainedModel

from cotbuild.student.evaluation.float32_logits import float32_logits
from cotbuild.student.evaluation.growing_cache import make_growing_cache
from cotbuild.student.model import context_length


class Prefix(NamedTuple):
    """Prompts that were run together.

    They are padded on the left, so that the next token of every prompt is in the same
    column. Shapes: B prompts, P tokens of the longest, V tokens of the vocabulary.
    """

    cache: DynamicCache
    mask_B_P: torch.Tensor
    """1 for a token, 0 for padding."""
    logits_B_V: torch.Tensor
    """Logits of the next token, float32."""

    def select(self, rows: torch.Tensor) -> "Prefix":
        """Return the prefix of these rows, with a cache of its own.

        A row may be repeated.
        """
        cache = copy(self.cache)
        # A layer that selects rows replaces its tensors, so those of this prefix stay
        # as they are.
        cache.layers = [copy(layer) for layer in self.cache.layers]
        cache.batch_select_indices(rows)
        return Prefix(cache, self.mask_B_P[rows], self.logits_B_V[rows])


def run_prefix(
    model: PreTrainedModel, ids: Sequence[Sequence[int]], pad_id: int
) -> Prefix:
    """Run prompts together; each has at least one token."""
    width = max(map(len, ids))
    padded = [[pad_id] * (width - len(row)) + list(row) for row in ids]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in ids]
    ids_B_P = torch.tensor(padded, device=model.device)
    mask_B_P = torch.tensor(mask, device=model.device)
    cache = make_growing_cache(model)
    with float32_logits(model):
        output = model(
            input_ids=ids_B_P,
            attention_mask=mask_B_P,
            position_ids=position_ids(mask_B_P),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
    return Prefix(cache, mask_B_P, output.logits[:, -1].float())


def continue_from(
    model: PreTrainedModel,
    prefix: Prefix,
    ids_B_L: torch.Tensor,
    mask_B_L: torch.Tensor,
) -> torch.Tensor:
    """Run L more tokens of each prompt and return their logits, B × L × V.

    Padding is on the right. The cache of `prefix` grows by these tokens. A text that is
    finished and run on with others may be longer than the model's context: its position
    stays the last one, and its logits mean nothing.
    """
    mask_B_T = torch.cat([prefix.mask_B_P, mask_B_L], 1)
    positions_B_T = position_ids(mask_B_T).clamp(max=context_length(model) - 1)
    output = model(
        input_ids=ids_B_L,
        attention_mask=mask_B_T,
        position_ids=positions_B_T[:, -ids_B_L.shape[1] :],
        past_key_values=prefix.cache,
        use_cache=True,
    )
    logits_B_L_V: torch.Tensor = output.logits
    return logits_B_L_V


def position_ids(mask_B_T: torch.Tensor) -> torch.Tensor:
    """Return positions that count from 0 at the first token after the padding."""
    return (mask_B_T.cumsum(1) - 1).clamp(min=0)


def batch_by_tokens(
    sizes: Sequence[tuple[int, int]], budget: int
) -> Iterator[list[int]]:
    """Yield indices in batches of at most `budget` tokens, padding included.

    `sizes` has for each item its number of rows and its tokens per row; all rows of a
    batch are padded to its longest. An item larger than the budget is alone in its
    batch. The longest come first, so that a lack of memory shows at once.
    """
    longest_first = sorted(range(len(sizes)), key=lambda i: (-sizes[i][1], i))
    batch: list[int] = []
    batch_rows = batch_width = 0
    for i in longest_first:
        rows, tokens = sizes[i]
        if batch and (batch_rows + rows) * max(batch_width, tokens) > budget:
            yield batch
            batch, batch_rows, batch_width = [], 0, 0
        batch.append(i)
        batch_rows += rows
        batch_width = max(batch_width, tokens)
    if batch:
        yield batch

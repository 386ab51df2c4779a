"""What comes first is run once: its keys and values are kept, and anything may go on
from them.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import NamedTuple

import torch
from transformers import DynamicCache, PreTrainedModel

from cotbuild.schemas.errors import DataError


class Prefix(NamedTuple):
    """Texts that were run, padded on the left, so that whatever follows stands in the
    same column for all.
    """

    cache: DynamicCache
    mask_B_P: torch.Tensor
    logits_B_V: torch.Tensor
    """Of what follows the last token."""

    def pick(self, rows: torch.Tensor) -> "Prefix":
        """The prefix of these rows, any of them more than once.

        This one must not be used any more.
        """
        self.cache.batch_select_indices(rows)
        return Prefix(self.cache, self.mask_B_P[rows], self.logits_B_V[rows])

    def copy(self) -> "Prefix":
        """One that may be gone on from while this one still may."""
        return Prefix(deepcopy(self.cache), self.mask_B_P, self.logits_B_V)


def run_prefix(
    model: PreTrainedModel, ids: Sequence[Sequence[int]], pad_id: int
) -> Prefix:
    """Run texts together, each of one token or more."""
    width = max(map(len, ids))
    padded = [[pad_id] * (width - len(row)) + list(row) for row in ids]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in ids]
    ids_B_P, mask_B_P = (
        torch.tensor(padded, device=model.device),
        torch.tensor(mask, device=model.device),
    )
    cache = DynamicCache(config=model.config)
    out = model(
        input_ids=ids_B_P,
        attention_mask=mask_B_P,
        position_ids=position_ids(mask_B_P),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return Prefix(cache, mask_B_P, out.logits[:, -1].float())


def continue_from(
    model: PreTrainedModel,
    prefix: Prefix,
    ids_B_L: torch.Tensor,
    mask_B_L: torch.Tensor,
) -> torch.Tensor:
    """Logits [B, L, V] of further tokens; the prefix's cache grows by them.

    Padding stands on their right.
    """
    mask_B_T = torch.cat([prefix.mask_B_P, mask_B_L], 1)
    out = model(
        input_ids=ids_B_L,
        attention_mask=mask_B_T,
        position_ids=position_ids(mask_B_T)[:, -ids_B_L.shape[1] :],
        past_key_values=prefix.cache,
        use_cache=True,
    )
    logits: torch.Tensor = out.logits
    return logits


def position_ids(mask_B_T: torch.Tensor) -> torch.Tensor:
    """0 at a row's first token, whatever stands before it."""
    return (mask_B_T.cumsum(1) - 1).clamp(min=0)


def context_length(model: PreTrainedModel) -> int:
    """Tokens that the model can read; 2^31 where its configuration tells none."""
    return int(
        getattr(model.config.get_text_config(), "max_position_embeddings", None)
        or 2**31
    )


def check_fits(model: PreTrainedModel, question_id: str, tokens: int) -> None:
    """Raise DataError where a question with all that follows it is more than the
    student can read.
    """
    if tokens > context_length(model):
        raise DataError(
            f"question {question_id!r}: up to {tokens} tokens with what follows it. Expected at most {context_length(model)}, "
            "which is what the student can read. Take another student, or leave the question out."
        )


def batch_by_tokens(
    sizes: Sequence[tuple[int, int]], budget: int
) -> Iterator[list[int]]:
    """Indices in batches that hold at most `budget` tokens, longest first: what does
    not fit fails at once.

    `sizes`: for each its rows, and tokens a row, to which all rows of a batch are
    padded. One alone may be larger.
    """
    batch, rows, width = list[int](), 0, 0
    for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i][1], i)):
        if batch and (rows + sizes[i][0]) * max(width, sizes[i][1]) > budget:
            yield batch
            batch, rows, width = [], 0, 0
        batch, rows, width = [*batch, i], rows + sizes[i][0], max(width, sizes[i][1])
    if batch:
        yield batch

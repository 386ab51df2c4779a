"""The loss as one weight a token: written down before a forward pass is run, so that it
adds up over anything.

Both losses are sums over tokens, sum_t weight_t × -log p(t). The weights of a whole
update are known from its rows alone. So its micro-batches, and the processes that share
it, just add their sums: nothing is normalised twice.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.nn import functional

from cotbuild.schemas.training import Loss
from cotbuild.student.tokenize_parts import TokenPart

TokenWeights = tuple[list[float], list[float], list[float]]
"""For each token of a row: of the loss, of the label's mean, of the rationale's mean.
"""


class LossTotals(NamedTuple):
    """What an update holds."""

    examples: int
    """Rationales: of two tasks, both rows together are one."""
    tokens: int
    """Supervised ones."""


def compute_token_weights(
    parts_T: Sequence[int], totals: LossTotals, loss: Loss, rationale_weight: float
) -> TokenWeights:
    """Weights of a row's tokens. The two means, over each part's tokens and then over
    examples, are for the log.

    A row without a part adds 0 to its mean, as one of two tasks does: the other row has
    it.
    """
    label = _mean_weights(parts_T, TokenPart.LABEL, totals)
    rationale = _mean_weights(parts_T, TokenPart.RATIONALE, totals)
    if loss is Loss.PARTS:
        total = [
            of_label + rationale_weight * other
            for of_label, other in zip(label, rationale, strict=True)
        ]
    else:
        total = [
            1 / totals.tokens if part != TokenPart.PROMPT else 0.0 for part in parts_T
        ]
    return total, label, rationale


def _mean_weights(
    parts_T: Sequence[int], part: TokenPart, totals: LossTotals
) -> list[float]:
    share = 1 / max(1, sum(found == part for found in parts_T)) / totals.examples
    return [share if found == part else 0.0 for found in parts_T]


def sum_weighted_losses(
    logits_B_K_V: torch.Tensor, targets_B_K: torch.Tensor, weights_B_K_3: torch.Tensor
) -> torch.Tensor:
    """Loss, label part, rationale part [3] of the tokens at hand, in float32: their
    share of the update's.

    `logits_B_K_V[:, k]` are those that predict `targets_B_K[:, k]`.
    """
    nll_N = functional.cross_entropy(
        logits_B_K_V.flatten(0, 1).float(), targets_B_K.flatten(), reduction="none"
    )
    return nll_N @ weights_B_K_3.flatten(0, 1)

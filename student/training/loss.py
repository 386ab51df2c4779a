"""The loss as one weight per token, known before the forward pass.

Both losses are sums over tokens, Σ_t weight_t · −log p(t). The weights of an update
follow from its rows alone, so micro-batches and processes only add up their sums, and
nothing is normalised twice.

With loss `parts` the sum is L_label + λ · L_rationale, as in "Distilling Step-by-Step"
(arXiv 2305.02301); each is a mean over the part's tokens, then over examples. With loss
`plain` it is the mean over all supervised tokens.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.nn import functional

from cotbuild.schemas.training import Loss
from cotbuild.student.tokenize_parts import TokenPart

TokenWeights = tuple[list[float], list[float], list[float]]
"""For each token of a row its weight in the loss, in the label part's mean and in the
rationale part's mean.
"""


class LossTotals(NamedTuple):
    """What the weights of an update are normalised by."""

    examples: int
    """Rationales; the two rows of two tasks are one."""
    tokens: int
    """Supervised tokens."""


def compute_token_weights(
    parts_T: Sequence[int], totals: LossTotals, loss: Loss, rationale_weight: float
) -> TokenWeights:
    """Compute the weights of a row's tokens; `parts_T` has a `TokenPart` for each.

    The two means are computed for the log whichever loss is minimised. A row without a
    part adds 0 to its mean: of two tasks, each row has one part.
    """
    label = _mean_weights(parts_T, TokenPart.LABEL, totals)
    rationale = _mean_weights(parts_T, TokenPart.RATIONALE, totals)
    if loss is Loss.PARTS:
        weights = [
            of_label + rationale_weight * of_rationale
            for of_label, of_rationale in zip(label, rationale, strict=True)
        ]
    else:
        weights = [
            1 / totals.tokens if part != TokenPart.PROMPT else 0.0 for part in parts_T
        ]
    return weights, label, rationale


def _mean_weights(
    parts_T: Sequence[int], part: TokenPart, totals: LossTotals
) -> list[float]:
    num_tokens = sum(token_part == part for token_part in parts_T)
    share = 1 / max(1, num_tokens) / totals.examples
    return [share if token_part == part else 0.0 for token_part in parts_T]


def sum_weighted_losses(
    logits_B_K_V: torch.Tensor, targets_B_K: torch.Tensor, weights_B_K_3: torch.Tensor
) -> torch.Tensor:
    """Return the loss, the label part and the rationale part of these tokens, [3].

    `logits_B_K_V[:, k]` predict `targets_B_K[:, k]`. The sums are in float32; they are
    this batch's share of the update's.
    """
    nll_N = functional.cross_entropy(
        logits_B_K_V.flatten(0, 1).float(), targets_B_K.flatten(), reduction="none"
    )
    return nll_N @ weights_B_K_3.flatten(0, 1)

"""Which rows make an update, in which order, and how an update is cut into
micro-batches. Pure.

The order hangs on seed and ids alone: every variant sees the same rationales, in the
same order, in as many updates.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import torch

from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.training import Precision
from cotbuild.student.training.loss import TokenWeights, sum_weighted_losses

MICRO_BATCH_COST_TOKENS = {Precision.FLOAT32: 48, Precision.BFLOAT16: 256}
"""What one more micro-batch costs, in tokens: that much padding is cheaper than another
forward and backward pass.

In bfloat16 each pass casts all weights and gradients too.
"""


def plan_updates(
    keys: Sequence[str], seed: int, epochs: float, batch_rows: int
) -> list[list[int]]:
    """For each update the indices of its examples, `batch_rows` of them; the last one
    has what is left.

    Passes follow one another without a gap, each in an order of its own, told by the
    digest of seed, pass and key.
    """
    order: list[int] = []
    for number in range(math.ceil(epochs)):
        ranks = {key: digest("order", [seed, number, key]) for key in keys}
        order += sorted(range(len(keys)), key=lambda i, ranks=ranks: ranks[keys[i]])  # type: ignore[misc]
    order = order[: max(1, round(epochs * len(keys)))]
    return [order[at : at + batch_rows] for at in range(0, len(order), batch_rows)]


class WeightedRow(NamedTuple):
    """A row in tokens, as an update has it."""

    input_ids_T: list[int]
    weights: TokenWeights


def split_update(
    lengths: Sequence[int], batch_tokens: int, switch_tokens: int, processes: int = 1
) -> list[list[list[int]]]:
    """For each process its micro-batches, as indices of rows; all have as many, at most
    `batch_tokens` tokens each.

    As many: sharded models wait for one another at each. A row longer than
    `batch_tokens` is alone. An empty list stands where there is nothing left to do.
    """
    batches = _least_padding(lengths, batch_tokens, switch_tokens)
    while len(batches) % processes and any(len(batch) > 1 for batch in batches):
        batch = batches.pop(max(range(len(batches)), key=lambda i: len(batches[i])))
        batches += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
    batches.sort(key=lambda batch: -len(batch) * max(lengths[i] for i in batch))
    batches += [[] for _ in range(-len(batches) % processes)]
    return [batches[process::processes] for process in range(processes)]


def _least_padding(
    lengths: Sequence[int], batch_tokens: int, switch_tokens: int
) -> list[list[int]]:
    """Rows sorted by length, cut where padding and the cost of a further micro-batch
    are least together.
    """
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    best: list[tuple[int, int]] = [
        (0, 0)
    ]  # cost of the first n rows, and where their last micro-batch begins
    for stop in range(1, len(order) + 1):
        longest = lengths[order[stop - 1]]
        fits = max(1, batch_tokens // longest)
        starts = range(max(0, stop - fits), stop)
        best.append(
            min(
                (best[start][0] + (stop - start) * longest + switch_tokens, start)
                for start in starts
            )
        )
    batches: list[list[int]] = []
    stop = len(order)
    while stop:
        start = best[stop][1]
        batches.append(order[start:stop])
        stop = start
    return batches


class MicroBatch(TypedDict):
    """Rows padded on the left, so that what is supervised stands at the right edge, the
    last K tokens.
    """

    input_ids: torch.Tensor  # [B, T]
    attention_mask: torch.Tensor  # [B, T]
    position_ids: torch.Tensor  # [B, T], 0 at a row's first token
    weights: torch.Tensor  # [B, K, 3]: loss, label part, rationale part


def collate(rows: Sequence[WeightedRow], pad_id: int) -> MicroBatch:
    """Rows as tensors.

    K is the longest completion's, of T tokens the first one never counts: nothing
    predicts it.
    """
    width = max(len(row.input_ids_T) for row in rows)
    ids = torch.full((len(rows), width), pad_id)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    weights = torch.zeros((len(rows), width, 3))
    for b, row in enumerate(rows):
        ids[b, width - len(row.input_ids_T) :] = torch.tensor(row.input_ids_T)
        mask[b, width - len(row.input_ids_T) :] = 1
        weights[b, width - len(row.input_ids_T) :] = torch.tensor(row.weights).T
    supervised = (weights != 0).any(dim=2).any(dim=0).nonzero()
    first = max(1, int(supervised[0])) if len(supervised) else width - 1
    return MicroBatch(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        weights=weights[:, first:],
    )


def compute_losses(model: torch.nn.Module, batch: MicroBatch) -> torch.Tensor:
    """Loss and its parts [3] of a micro-batch.

    Logits are asked of the model's own forward, where there is loss alone: so wrappers
    of it stay in force, and what a family does to its logits.
    """
    ids, wanted = batch["input_ids"], batch["weights"].shape[1]
    out = model(
        input_ids=ids,
        attention_mask=batch["attention_mask"],
        position_ids=batch["position_ids"],
        logits_to_keep=wanted + 1,
        use_cache=False,
    )
    return sum_weighted_losses(out.logits[:, :-1], ids[:, -wanted:], batch["weights"])

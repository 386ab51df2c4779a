"""Which rows make an update, in which order, and how it is split into micro-batches.

The order depends on the seed and the ids alone: every variant sees the same rationales,
in the same order, in as many updates.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import torch
from torch.utils.data import Dataset

from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.training import TrainConfig
from cotbuild.student.tokenize_parts import TokenizedParts, TokenPart
from cotbuild.student.training.examples import TrainingExamples
from cotbuild.student.training.loss import (
    LossTotals,
    TokenWeights,
    compute_token_weights,
    sum_weighted_losses,
)

FLOAT32_MICRO_BATCH_COST = 48
"""Cost of one more micro-batch in float32, in tokens: padding below it is cheaper than
another forward and backward pass.
"""


# -- order and split ---------------------------------------------------------------------


def plan_updates(
    keys: Sequence[str], seed: int, epochs: float, batch_rows: int
) -> list[list[int]]:
    """Return the indices of the examples of each update.

    An update has `batch_rows` examples, the last one what is left. Each pass has an
    order of its own, by a digest of seed, pass and key; an update may span two passes.
    """
    order: list[int] = []
    for epoch in range(math.ceil(epochs)):
        ranks = [digest("order", [seed, epoch, key]) for key in keys]
        order += sorted(range(len(keys)), key=ranks.__getitem__)
    order = order[: max(1, round(epochs * len(keys)))]
    return [
        order[start : start + batch_rows] for start in range(0, len(order), batch_rows)
    ]


def split_update(
    lengths: Sequence[int], batch_tokens: int, micro_batch_cost: int, processes: int = 1
) -> list[list[list[int]]]:
    """Split the rows of an update into micro-batches for each process.

    Every process gets as many micro-batches, since sharded models wait for one another
    at each; an empty list stands for one that has nothing to do.

    Args:
        lengths: tokens of each row.
        batch_tokens: most tokens of a micro-batch, padding included. A longer row is a
            micro-batch of its own.
        micro_batch_cost: the cost of one more micro-batch, in tokens.
        processes: number of processes that share the update.

    Returns the row indices of each micro-batch of each process.
    """
    batches = _split_with_least_cost(lengths, batch_tokens, micro_batch_cost)
    while len(batches) % processes and any(len(batch) > 1 for batch in batches):
        most_rows = max(range(len(batches)), key=lambda i: len(batches[i]))
        batch = batches.pop(most_rows)
        half = len(batch) // 2
        batches += [batch[:half], batch[half:]]
    batches.sort(key=lambda batch: -len(batch) * max(lengths[i] for i in batch))
    batches += [[] for _ in range(-len(batches) % processes)]
    return [batches[process::processes] for process in range(processes)]


def _split_with_least_cost(
    lengths: Sequence[int], batch_tokens: int, micro_batch_cost: int
) -> list[list[int]]:
    """Sort rows by length and cut them where padding and micro-batches cost least.

    Dynamic programming over the number of rows that are batched already.
    """
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i))
    # For the first n rows: their least cost, and where their last micro-batch begins.
    best: list[tuple[int, int]] = [(0, 0)]
    for stop in range(1, len(order) + 1):
        longest = lengths[order[stop - 1]]
        max_rows = max(1, batch_tokens // longest)
        costs = []
        for start in range(max(0, stop - max_rows), stop):
            padded_tokens = (stop - start) * longest
            costs.append((best[start][0] + padded_tokens + micro_batch_cost, start))
        best.append(min(costs))
    batches: list[list[int]] = []
    stop = len(order)
    while stop:
        start = best[stop][1]
        batches.append(order[start:stop])
        stop = start
    return batches


# -- micro-batches -----------------------------------------------------------------------


class WeightedRow(NamedTuple):
    """A tokenized row with the weights of its tokens in an update."""

    input_ids_T: list[int]
    weights: TokenWeights


class MicroBatch(TypedDict):
    """B rows, padded on the left to T tokens.

    So all supervised tokens are among the last K, K being the longest completion.
    """

    input_ids: torch.Tensor  # [B, T]
    attention_mask: torch.Tensor  # [B, T]
    position_ids: torch.Tensor  # [B, T], 0 at a row's first token
    weights: torch.Tensor  # [B, K, 3]: loss, label part, rationale part


def collate(rows: Sequence[WeightedRow], pad_id: int) -> MicroBatch:
    """Pad rows to one width and turn them into tensors.

    The first token never counts among the supervised ones: nothing predicts it.
    """
    width = max(len(row.input_ids_T) for row in rows)
    ids = torch.full((len(rows), width), pad_id)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    weights = torch.zeros((len(rows), width, 3))
    for b, row in enumerate(rows):
        start = width - len(row.input_ids_T)
        ids[b, start:] = torch.tensor(row.input_ids_T)
        mask[b, start:] = 1
        weights[b, start:] = torch.tensor(row.weights).T
    supervised = (weights != 0).any(dim=2).any(dim=0).nonzero()
    first = max(1, int(supervised[0])) if len(supervised) else width - 1
    return MicroBatch(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        weights=weights[:, first:],
    )


def compute_losses(model: torch.nn.Module, batch: MicroBatch) -> torch.Tensor:
    """Return the loss, the label part and the rationale part of a micro-batch, [3].

    Logits come from the model's own forward pass, for the supervised tokens alone, so
    that wrappers such as autocast apply, and so does what a family does to its logits.
    """
    ids = batch["input_ids"]
    num_supervised = batch["weights"].shape[1]
    output = model(
        input_ids=ids,
        attention_mask=batch["attention_mask"],
        position_ids=batch["position_ids"],
        logits_to_keep=num_supervised + 1,
        use_cache=False,
    )
    targets = ids[:, -num_supervised:]
    with torch.autocast(ids.device.type, enabled=False):  # sums stay in float32
        return sum_weighted_losses(output.logits[:, :-1], targets, batch["weights"])


# -- data set ----------------------------------------------------------------------------


class UpdateBatch(TypedDict):
    """One process's part of an update."""

    micro_batches: list[MicroBatch]  # none if all rows of the update are too long
    tokens: int  # of the whole update, without padding
    label_tokens: int  # of the whole update, those of the label's loss
    rationale_tokens: int


class UpdateDataset(Dataset[UpdateBatch]):
    """All updates of a run; item n is update n, for process `process` of `processes`."""

    def __init__(
        self,
        examples: TrainingExamples,
        config: TrainConfig,
        pad_id: int,
        process: int = 0,
        processes: int = 1,
        *,
        micro_batch_cost: int = FLOAT32_MICRO_BATCH_COST,
    ) -> None:
        """`micro_batch_cost` is that of one more micro-batch, in tokens."""
        self._rows, self._config, self._pad_id = examples.rows, config, pad_id
        self._micro_batch_cost = micro_batch_cost
        self._process, self._processes = process, processes
        self._plan = plan_updates(
            examples.keys, config.seed, config.epochs, config.batch_rows
        )
        self._idle_row = _make_idle_row(examples)

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, number: int) -> UpdateBatch:
        rows = self.rows(number)
        weighted = self._weigh_rows(number, rows)
        micro_batches = []
        for batch in self._split(rows)[self._process]:
            of_batch = [weighted[i] for i in batch] or [self._idle_row]
            micro_batches.append(collate(of_batch, self._pad_id))
        return UpdateBatch(
            micro_batches=micro_batches,
            tokens=_count_tokens(rows),
            label_tokens=_count_part(rows, TokenPart.LABEL),
            rationale_tokens=_count_part(rows, TokenPart.RATIONALE),
        )

    def rows(self, number: int) -> list[TokenizedParts]:
        """Return the rows of an update, over all processes."""
        return [row for example in self._plan[number] for row in self._rows[example]]

    def count_empty(self) -> int:
        """Count the updates all of whose rows are too long."""
        return sum(not self.rows(number) for number in range(len(self)))

    def count_tokens(self) -> tuple[int, int]:
        """Count the tokens of the whole run, without and with padding."""
        tokens = padded_tokens = 0
        for number in range(len(self)):
            rows = self.rows(number)
            tokens += _count_tokens(rows)
            for batches in self._split(rows):
                for batch in batches:
                    lengths = [len(rows[i].input_ids_T) for i in batch]
                    padded_tokens += len(batch) * max(lengths, default=0)
        return tokens, padded_tokens

    def _split(self, rows: Sequence[TokenizedParts]) -> list[list[list[int]]]:
        return split_update(
            [len(row.input_ids_T) for row in rows],
            self._config.batch_tokens,
            self._micro_batch_cost,
            self._processes,
        )

    def _weigh_rows(
        self, number: int, rows: Sequence[TokenizedParts]
    ) -> list[WeightedRow]:
        config = self._config
        supervised = sum(
            part != TokenPart.PROMPT for row in rows for part in row.parts_T
        )
        totals = LossTotals(
            examples=sum(bool(self._rows[example]) for example in self._plan[number]),
            tokens=supervised,
        )
        weighted = []
        for row in rows:
            weights = compute_token_weights(
                row.parts_T, totals, config.loss, config.rationale_weight
            )
            weighted.append(WeightedRow(row.input_ids_T, weights))
        return weighted


def _count_tokens(rows: Sequence[TokenizedParts]) -> int:
    return sum(len(row.input_ids_T) for row in rows)


def _count_part(rows: Sequence[TokenizedParts], part: TokenPart) -> int:
    return sum(row.parts_T.count(part) for row in rows)


def _make_idle_row(examples: TrainingExamples) -> WeightedRow:
    """Return the shortest row with weights of 0.

    A process runs it if an update has too few rows for all of them.
    """
    rows = [row for of_example in examples.rows for row in of_example]
    shortest = min(rows, key=lambda row: len(row.input_ids_T))
    zeros = [0.0] * len(shortest.input_ids_T)
    return WeightedRow(shortest.input_ids_T, (zeros, zeros, zeros))

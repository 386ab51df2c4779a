"""The updates of a run as a data set of torch, item n being update n: what the trainer
goes through once, in order.
"""

from collections.abc import Sequence
from typing import TypedDict

from torch.utils.data import Dataset

from cotbuild.schemas.training import TrainConfig
from cotbuild.student.model import resolve_precision
from cotbuild.student.tokenize_parts import TokenizedParts, TokenPart
from cotbuild.student.training.batches import (
    MICRO_BATCH_COST_TOKENS,
    MicroBatch,
    WeightedRow,
    collate,
    plan_updates,
    split_update,
)
from cotbuild.student.training.examples import TrainingExamples
from cotbuild.student.training.loss import LossTotals, compute_token_weights


class UpdateBatch(TypedDict):
    """This process's part of an update."""

    micro_batches: list[MicroBatch]
    tokens: int  # of the whole update, without padding


class UpdateDataset(Dataset[UpdateBatch]):
    """All updates of a run, of which process `process` of `processes` runs its share."""

    def __init__(
        self,
        examples: TrainingExamples,
        config: TrainConfig,
        pad_id: int,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        self._rows, self._config, self._pad_id = examples.rows, config, pad_id
        self._process, self._processes = process, processes
        self._plan = plan_updates(
            examples.keys, config.seed, config.epochs, config.batch_rows
        )
        # What a process runs where an update has too few rows for it; it counts
        # nothing.
        self._shortest = min(
            (row for rows in examples.rows for row in rows),
            key=lambda row: len(row.input_ids_T),
        )

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, number: int) -> UpdateBatch:
        rows = self.rows(number)
        weighted = self._weighted(number, rows)
        nothing = WeightedRow(
            self._shortest.input_ids_T, ([0.0] * len(self._shortest.input_ids_T),) * 3
        )
        batches = self._cut(rows)[self._process] or [[]]
        micro = [
            collate([weighted[i] for i in batch] or [nothing], self._pad_id)
            for batch in batches
        ]
        return UpdateBatch(
            micro_batches=micro, tokens=sum(len(row.input_ids_T) for row in rows)
        )

    def rows(self, number: int) -> list[TokenizedParts]:
        """The rows of an update, of all processes."""
        return [row for example in self._plan[number] for row in self._rows[example]]

    def tokens(self) -> tuple[int, int]:
        """Of the whole run: tokens, and tokens that are run, padding included."""
        rows = [self.rows(number) for number in range(len(self))]
        padded = (
            len(batch) * max(len(inner[i].input_ids_T) for i in batch)
            for inner in rows
            for batches in self._cut(inner)
            for batch in batches
            if batch
        )
        return sum(len(row.input_ids_T) for inner in rows for row in inner), sum(padded)

    def _cut(self, rows: Sequence[TokenizedParts]) -> list[list[list[int]]]:
        switch = MICRO_BATCH_COST_TOKENS[resolve_precision(self._config)]
        return split_update(
            [len(row.input_ids_T) for row in rows],
            self._config.batch_tokens,
            switch,
            self._processes,
        )

    def _weighted(
        self, number: int, rows: Sequence[TokenizedParts]
    ) -> list[WeightedRow]:
        examples = sum(bool(self._rows[example]) for example in self._plan[number])
        totals = LossTotals(
            examples,
            sum(part != TokenPart.PROMPT for row in rows for part in row.parts_T),
        )
        config = self._config
        return [
            WeightedRow(
                row.input_ids_T,
                compute_token_weights(
                    row.parts_T, totals, config.loss, config.rationale_weight
                ),
            )
            for row in rows
        ]

"""How the rows of a build follow from its questions, in batches.

What a batch is follows from the plan alone, so that the files are the same for any number
of processes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, Protocol

from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Rationale

ROWS_PER_BATCH = 1_000


class BatchItem(NamedTuple):
    """A question, and what its rows are derived from besides stored answers."""

    question: Question
    detail: Any


DeriveItems = Callable[[Sequence[BatchItem]], Iterator[Rationale]]


class RowDerivation(Protocol):
    """How the rows of a build follow from its questions; other processes get a copy."""

    def open(self) -> AbstractContextManager[DeriveItems]:
        """Open what is read, and return the function from items to their rows.

        It raises DataError or StoreError where something is missing or damaged.
        """


@dataclass(frozen=True)
class UnderivedRows:
    """The rows of a build before they are derived."""

    derivation: RowDerivation
    items: Iterator[BatchItem]
    """What the rows are of, in plan order."""
    items_per_batch: int

    def __iter__(self) -> Iterator[Rationale]:
        """Derive the rows in this process; duplicates are not flagged."""
        with self.derivation.open() as derive:
            for item in self.items:
                yield from derive([item])

    def batches(self) -> Iterator[list[BatchItem]]:
        """Yield the items of each batch."""
        while batch := list(islice(self.items, self.items_per_batch)):
            yield batch

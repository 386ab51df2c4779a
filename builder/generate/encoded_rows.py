"""Derive and encode the rows of a build, in one process or in several.

What depends on earlier rows, the flag of a duplicate, is added in this process.
"""

from array import array
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from cotbuild.builder.generate.derivation import (
    BatchItem,
    RowDerivation,
    UnderivedRows,
)
from cotbuild.builder.generate.rows import (
    BuildCounts,
    SeenRationales,
    digest_rationale,
    flags_of_duplicate,
)
from cotbuild.builder.processes import map_in_order
from cotbuild.builder.storage.parquet import EncodedRows, encode_rows
from cotbuild.schemas.rationale import Flag, Rationale


class DerivedBatch(NamedTuple):
    """The rows of a batch, whose duplicates are not flagged yet."""

    rows: EncodedRows
    digests: "array[int]"
    """The `digest_rationale` of each row."""
    counts: BuildCounts


@dataclass
class EncodedBuild:
    """The rows of a build as they are written, and the counts of those so far."""

    counts: BuildCounts = field(default_factory=BuildCounts)

    def rows(
        self, underived: UnderivedRows, num_processes: int
    ) -> Generator[EncodedRows, None, None]:
        """Yield the rows in batches. Close the iterator, which ends the processes."""
        seen = SeenRationales()
        derived = map_in_order(
            _open_derivation, underived.derivation, underived.batches(), num_processes
        )
        with closing(derived):
            for batch in derived:
                rows, num_duplicates = _flag_duplicates(batch, seen)
                self.counts.merge(batch.counts)
                if num_duplicates:
                    self.counts.flags[Flag.DUPLICATE.value] += num_duplicates
                yield rows


@contextmanager
def _open_derivation(
    derivation: RowDerivation,
) -> Iterator[Callable[[list[BatchItem]], DerivedBatch]]:
    with derivation.open() as derive:
        yield lambda items: _encode_batch(derive(items))


def _encode_batch(rows: Iterable[Rationale]) -> DerivedBatch:
    records, digests, counts = list(rows), array("Q"), BuildCounts()
    for row in records:
        counts.add(row)
        digests.append(digest_rationale(row.rationale))
    return DerivedBatch(encode_rows(Rationale, records), digests, counts)


def _flag_duplicates(
    batch: DerivedBatch, seen: SeenRationales
) -> tuple[EncodedRows, int]:
    """Return the rows with duplicates flagged, and how many these are."""
    duplicates = [
        number
        for number, digest in enumerate(batch.digests)
        if seen.is_repeated(digest)
    ]
    if not duplicates:
        return batch.rows, 0
    column = batch.rows.table.column("flags")
    flags = {
        number: [
            flag.value for flag in flags_of_duplicate(map(Flag, column[number].as_py()))
        ]
        for number in duplicates
    }
    return batch.rows.replace_values("flags", flags), len(duplicates)

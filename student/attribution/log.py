"""What attribution has finished, one JSON line a rationale: appended, synced, and read
again by the next run.
"""

from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import Field

from cotbuild.schemas.attribution import ScoredRationale
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import JsonLinesWriter, read_json_lines
from cotbuild.schemas.record import Record

RowKey = tuple[str, int]
"""Question id and sample index."""


class AttributedRationale(Record):
    """A rationale that was attributed."""

    scored: ScoredRationale = Field(description="Its scores.")
    completeness_error: float | None = Field(
        description="|sum of scores − change of f| as a share of |change of f|; None: f does not change."
    )
    rank_correlation: float | None = Field(
        description="Spearman's, with the scores under more steps; None: not compared, or all scores are equal."
    )

    @property
    def key(self) -> RowKey:
        return self.scored.question_id, self.scored.sample_index


class AttributionLog:
    """The rationales that were attributed, in an append-only file. A context manager.

    A torn last line, as a kill leaves it, is cut off. Raises StoreError if another line
    is damaged, another process writes to the file, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._writer = JsonLinesWriter(path, exclusive=True)
        try:
            self.rows = _read_finished(path)
        except StoreError:
            self._writer.close()
            raise

    def append(self, row: AttributedRationale) -> None:
        """Write a line to disk."""
        self._writer.append(row.model_dump_json(), fsync=True)
        self.rows[row.key] = row

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()


def _read_finished(path: Path) -> dict[RowKey, AttributedRationale]:
    remedy = "Delete the file to attribute again."
    lines = read_json_lines(path, remedy=remedy, error=StoreError)
    rows = {}
    for number, value in enumerate(lines.values, start=1):
        row = AttributedRationale.parse(value, f"{path} line {number}", StoreError)
        rows[row.key] = row
    return rows

"""What attribution has finished, one JSON line a rationale: appended, synced, and read
again by the next run.
"""

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import Field

from cotbuild.schemas.attribution import ScoredRationale
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.record import Record

RowKey = tuple[str, int]
"""Question id and sample index."""


class FinishedRationale(Record):
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


class FinishedLog:
    """An append-only file of them. A context manager; one process at a time.

    A torn last line, as a kill leaves it, is cut off. Raises StoreError where another
    line is damaged, another process writes, or the disk does not let it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: dict[RowKey, FinishedRationale] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise self._failed(error) from error
        try:
            self._hold()
            self._read()
        except StoreError:
            os.close(self._file)
            raise

    def _hold(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(
                f"{self._path}: another process writes it. Expected one. Wait for it."
            ) from error

    def _read(self) -> None:
        try:
            data = self._path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                os.ftruncate(self._file, whole)
        except OSError as error:
            raise self._failed(error) from error
        for number, line in enumerate(data[:whole].splitlines(), 1):
            where = f"{self._path} line {number}"
            try:
                value = json.loads(line)
            except ValueError as error:
                raise StoreError(
                    f"{where}: {error}. Expected JSON. Remove the file to begin anew."
                ) from error
            row = FinishedRationale.parse(value, where, StoreError)
            self.rows[row.key] = row

    def append(self, row: FinishedRationale) -> None:
        """Write a line, and sync it."""
        line = row.model_dump_json().encode() + b"\n"
        try:
            if os.write(self._file, line) != len(line):
                raise OSError("the disk is full")
            os.fsync(self._file)
        except OSError as error:
            raise self._failed(error) from error
        self.rows[row.key] = row

    def _failed(self, error: OSError) -> StoreError:
        return StoreError(
            f"{self._path}: {error}. Expected a file that can be written. Run the same command again."
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        os.close(self._file)

"""The rationales that were attributed so far, in an append-only file."""

from collections.abc import Collection
from pathlib import Path
from typing import Self

from cotbuild.schemas.attribution import ScoredRationale
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import JsonLinesWriter, open_regular, write_error
from cotbuild.schemas.json_text import JsonFault, parse_record_json
from cotbuild.schemas.record import short_repr
from cotbuild.student.attribution.settings import RowKey

_REMEDY = "Delete the file to attribute again."


class AttributionLog:
    """The scores of the rationales that were attributed. A context manager.

    Memory is that of the keys; scores are read from the file again. A torn last line,
    as a kill leaves it, is cut off. Raises StoreError if another line is damaged,
    another process writes to the file, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = JsonLinesWriter(path, exclusive=True)
        try:
            self._file = open_regular(path)
        except OSError as error:
            self._writer.close()
            raise write_error(path, error) from error
        self._offset_by_key: dict[RowKey, int] = {}
        try:
            self._index()
        except StoreError:
            self._close()
            raise

    def _index(self) -> None:
        number = 0
        while True:
            offset = self._file.tell()
            line = self._file.readline()
            if not line:
                return
            number += 1
            row = _parse_line(line, f"{self._path} line {number}")
            self._offset_by_key[row.question_id, row.sample_index] = offset

    @property
    def keys(self) -> Collection[RowKey]:
        """The rationales in the file, in its order."""
        return self._offset_by_key.keys()

    def append(self, row: ScoredRationale) -> None:
        """Write a line to disk."""
        offset = self._path.stat().st_size
        self._writer.append(row.model_dump_json(), fsync=True)
        self._offset_by_key[row.question_id, row.sample_index] = offset

    def read(self, key: RowKey) -> ScoredRationale:
        """Return the scores of a rationale that is in the file."""
        offset = self._offset_by_key[key]
        self._file.seek(offset)
        return _parse_line(self._file.readline(), f"{self._path} byte {offset}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()

    def _close(self) -> None:
        self._file.close()
        self._writer.close()


def _parse_line(line: bytes, where: str) -> ScoredRationale:
    try:
        value = parse_record_json(line)
    except JsonFault as fault:
        raise StoreError(f"{where}: not JSON: {fault}. {_REMEDY}") from fault
    if not isinstance(value, dict):
        raise StoreError(
            f"{where}: {short_repr(value)} is not a JSON object. {_REMEDY}"
        )
    return ScoredRationale.parse(value, where, StoreError)

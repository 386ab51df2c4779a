"""A journal that another process still writes, read on from where one stopped."""

import os
import re
from pathlib import Path
from typing import BinaryIO

from cotbuild.builder.storage.journal import (
    JournalLine,
    decode_answer,
    is_whole_line,
    open_journal,
    read_error,
    read_line,
)
from cotbuild.schemas.completion import Answer

_KEY = re.compile(rb"[0-9a-f]{32}")


class JournalTail:
    """Reads the lines that were appended since the last call.

    Args:
        path: The journal; it need not exist yet.
        start: Bytes before the first line that is read.
    """

    def __init__(self, path: Path, start: int = 0) -> None:
        self._path = path
        self._offset = start

    def read_on(self) -> list[JournalLine]:
        """Return the lines that were appended since the last call.

        Ends before a line that is torn or damaged, which the next call looks at again.
        Raises StoreError if the journal cannot be read.
        """
        if not os.path.lexists(self._path):
            return []
        with open_journal(self._path) as file:
            try:
                return self._read_lines(file)
            except OSError as fault:
                raise read_error(self._path, fault) from fault

    def _read_lines(self, file: BinaryIO) -> list[JournalLine]:
        lines: list[JournalLine] = []
        file.seek(self._offset)
        while is_whole_line(raw := read_line(file, self._path)):
            key = _KEY.fullmatch(raw, 11, 43)
            if key is None:
                break
            lines.append(
                JournalLine(self._offset, raw[9], bytes.fromhex(key[0].decode()))
            )
            self._offset += len(raw)
        return lines

    def read_answer(self, offset: int) -> Answer:
        """Return the answer at an offset that `read_on` gave.

        Raises StoreError if it cannot be read, DataError if its fields do not fit.
        """
        with open_journal(self._path) as file:
            try:
                file.seek(offset)
                raw = read_line(file, self._path)
            except OSError as fault:
                raise read_error(self._path, fault) from fault
        return decode_answer(raw)

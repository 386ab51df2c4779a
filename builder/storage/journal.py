"""Journals: append-only logs of answers, one per run.

A kill loses at most the line that it tears.

A line is `crc32 status key time json`. The checksum covers everything after it, the
status is one letter and the key 64 hex digits, so that a journal can be indexed without
parsing its JSON.

A rejection is final only once the run that received it is complete. A run that was
stopped early or killed may have met a server with a wrong setting, and what that server
rejected is requested again.
"""

import contextlib
import json
import os
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from cotbuild.schemas.completion import (
    MAX_TOKEN_COUNT,
    Answer,
    Completion,
    Failure,
    FailureKind,
)
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import fsync_path, write_error
from cotbuild.schemas.record import FORMAT_VERSION, check_format

HEADER, COMPLETION, REJECTION, FINAL_FAILURE, FAILURE, END = b"HCPRFE"
"""Status letters: header, completion, rejection, final failure, failure to retry, end.

Earlier versions wrote each rejection as a final failure.
"""

IMPOSSIBLE_COUNT = "token count out of range, left unknown"
"""Note of a completion whose journal holds a number of tokens that no column can."""

_KEY = slice(11, 75)
_JSON = 90
_NO_KEY = "0" * 64
_MAX_END_LINE = 256
"""At least the length of an end line, in bytes."""
SYNC_EVERY_S = 1.0
"""Seconds between two fsyncs.

One takes about 4 ms: one per record would limit a run to 250 requests/s, one per second
costs nothing.
"""


class JournalLine(NamedTuple):
    """The position of an answer in a journal."""

    offset: int
    status: int
    key: bytes
    """The first 16 of the key's 32 bytes."""


def encode_line(status: int, key: str, body: str) -> bytes:
    """Encode one line, newline included.

    Its time is for people; nothing is derived from it.
    """
    rest = f"{chr(status)} {key} {time.time():014.3f} {body}".encode()
    return b"%08x %s\n" % (zlib.crc32(rest), rest)


def encode_answer(answer: Answer) -> bytes:
    """Encode an answer as a line.

    Its JSON is that of the record without the key, which the line holds already, and
    without the notes where there are none.
    """
    # Not model_dump: this runs once for every answer of a build.
    fields = answer.__dict__.items()
    body = {name: value for name, value in fields if name != "request_key"}
    if not body.get("notes"):
        body.pop("notes", None)
    text = json.dumps(body, ensure_ascii=False)
    return encode_line(_status_of(answer), answer.request_key, text)


def _status_of(answer: Answer) -> int:
    if isinstance(answer, Completion):
        return COMPLETION
    return REJECTION if answer.final else FAILURE


def decode_answer(line: bytes) -> Answer:
    """Decode the answer of a whole line. Raises DataError if its fields do not fit."""
    key = line[_KEY].decode()
    value = {"request_key": key, **json.loads(line[_JSON:])}
    if line[9] == COMPLETION:
        _drop_impossible_counts(value)
        return Completion.parse(value, f"answer {key[:16]}")
    value["kind"] = FailureKind(value["kind"])
    return Failure.parse(value, f"answer {key[:16]}")


def _drop_impossible_counts(value: dict[str, Any]) -> None:
    """Replace numbers of tokens over MAX_TOKEN_COUNT by None, with a note.

    Older journals hold any number that a server sent.
    """
    for name in ("prompt_tokens", "completion_tokens"):
        count = value.get(name)
        if isinstance(count, int) and count > MAX_TOKEN_COUNT:
            value[name] = None
            value["notes"] = [*value.get("notes", ()), IMPOSSIBLE_COUNT]


def read_lines(path: Path) -> Iterator[JournalLine | None]:
    """Yield the position of every answer in order, and None for a torn last line.

    Raises StoreError, with file and offset, if another line is damaged or a newer
    cotbuild wrote the journal.
    """
    size = path.stat().st_size
    with path.open("rb", buffering=1 << 20) as file:
        offset = 0
        for raw in file:
            end = offset + len(raw)
            if not _is_whole(raw):
                if end == size:
                    yield None
                    return
                raise StoreError(
                    f"{path}: damaged line at offset {offset}. Restore the file from a copy."
                )
            if raw[9] == HEADER:
                _check_header(raw, path)
            elif raw[9] != END:
                key = bytes.fromhex(raw[11:43].decode("ascii"))
                yield JournalLine(offset, raw[9], key)
            offset = end


def _is_whole(raw: bytes) -> bool:
    if len(raw) <= _JSON or raw[-1:] != b"\n":
        return False
    return b"%08x" % zlib.crc32(memoryview(raw)[9:-1]) == raw[:8]


def _check_header(raw: bytes, path: Path) -> None:
    version = json.loads(raw[_JSON:]).get("format_version")
    check_format(version, str(path), StoreError)


def read_header(path: Path) -> dict[str, Any]:
    """Read what a journal records about its run; empty if the header is torn."""
    with path.open("rb") as file:
        raw = file.readline()
    if not _is_whole(raw) or raw[9] != HEADER:
        return {}
    return dict(json.loads(raw[_JSON:]))


def is_complete(path: Path) -> bool:
    """Return whether the run that wrote a journal got to its end."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _MAX_END_LINE))
        last = file.read().splitlines(keepends=True)[-1:]
    return any(_is_whole(raw) and raw[9] == END for raw in last)


class Journal:
    """The journal that one run writes. A context manager.

    A thread calls fsync once per SYNC_EVERY_S, and closing does so at the end. Raises
    StoreError if the file cannot be created.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        self._num_bytes = 0
        self._dirty = False
        self._broken: StoreError | None = None
        self._closing = threading.Event()
        try:
            self._file = os.open(
                path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644
            )
            text = json.dumps({"format_version": FORMAT_VERSION, **header})
            self._write(encode_line(HEADER, _NO_KEY, text))
            os.fsync(self._file)
            fsync_path(path.parent)
        except OSError as error:
            raise write_error(path, error) from error
        self._syncer = threading.Thread(
            target=self._sync_periodically, daemon=True, name="journal-sync"
        )
        self._syncer.start()

    def append(self, answer: Answer) -> None:
        """Append one answer with one write(2).

        Raises StoreError if that fails, after truncating the journal to whole lines.
        """
        self._write(encode_answer(answer))

    def finish(self) -> None:
        """Append the end line, after the last answer: the rejections become final.

        Raises StoreError as `append` does.
        """
        self._write(encode_line(END, _NO_KEY, "{}"))

    def _write(self, line: bytes) -> None:
        if self._broken is not None:
            raise self._broken
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise self._truncate(error) from error
        if written != len(line):
            raise self._truncate(
                OSError(
                    f"only {written} of {len(line)} bytes were written: the disk is full"
                )
            )
        self._num_bytes += written
        self._dirty = True

    def _truncate(self, error: OSError) -> StoreError:
        """Cut off a half-written line, and refuse to append from now on."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._num_bytes)
        self._broken = write_error(self.path, error)
        return self._broken

    def _sync_periodically(self) -> None:
        while not self._closing.wait(SYNC_EVERY_S):
            if self._dirty:
                self._dirty = False
                try:
                    os.fsync(self._file)
                except OSError as error:
                    # It is unknown what was lost: the next append raises this.
                    self._broken = write_error(self.path, error)
                    return

    def close(self) -> None:
        """Call fsync and close the file. Raises StoreError if any fsync failed."""
        self._closing.set()
        self._syncer.join()
        try:
            os.fsync(self._file)
        except OSError as error:
            self._broken = self._broken or write_error(self.path, error)
        os.close(self._file)
        if self._broken is not None:
            raise self._broken

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        # The error in flight tells why the run ends.
        with contextlib.suppress(StoreError):
            self.close()

"""Journals: append-only logs of answers, one a run, that lose nothing but what a kill
cut in half.

A line is `crc32 status key time json`: the crc covers all that follows it, the status
is one letter, the key 64 hex digits, so that a journal can be indexed without parsing
its JSON.
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

from cotbuild.schemas.completion import Answer, Completion, Failure, FailureKind
from cotbuild.schemas.errors import DataError, StoreError
from cotbuild.schemas.files import fsync_path
from cotbuild.schemas.record import FORMAT_VERSION, check_format

HEADER, COMPLETION, FINAL_FAILURE, FAILURE = b"HCRF"
"""Status letters: header, completion, failure that stays, failure to be asked again."""

_KEY = slice(11, 75)
_JSON = 90
SYNC_EVERY_S = 1.0
"""An fsync takes about 4 ms here: one a record would cap a run at 250 requests/s, one a
second costs nothing.
"""


class JournalLine(NamedTuple):
    """A whole line of a journal."""

    offset: int
    status: int
    key: bytes  # the first 16 of the key's 32 bytes


def encode_line(status: int, key: str, body: str) -> bytes:
    """One line, newline included.

    The time is for people: nothing is derived from it.
    """
    rest = f"{chr(status)} {key} {time.time():014.3f} {body}".encode()
    return b"%08x %s\n" % (zlib.crc32(rest), rest)


def encode_answer(answer: Answer) -> bytes:
    """An answer as a line; its JSON is the record's, without the key, which the line
    holds already.
    """
    status = (
        COMPLETION
        if isinstance(answer, Completion)
        else FINAL_FAILURE
        if answer.final
        else FAILURE
    )
    body = {
        name: value for name, value in answer.__dict__.items() if name != "request_key"
    }
    return encode_line(status, answer.request_key, json.dumps(body, ensure_ascii=False))


def decode_answer(line: bytes) -> Answer:
    """The answer a line holds.

    The line must be whole; a fault in its JSON raises DataError.
    """
    key = line[_KEY].decode()
    value = {"request_key": key, **json.loads(line[_JSON:])}
    if line[9] == COMPLETION:
        return Completion.parse(value, f"answer {key[:16]}")
    value["kind"] = FailureKind(value["kind"])
    return Failure.parse(value, f"answer {key[:16]}")


def read_lines(path: Path) -> Iterator[JournalLine | None]:
    """Every whole line but the header, in order; None at the end for a torn last line.

    Raises StoreError, with file and offset, on a bad line that is not the last, and on
    a newer format.
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
                    f"{path}: offset {offset}: damaged line. Expected a whole answer. Restore the file."
                )
            if raw[9] == HEADER:
                _check_header(raw, path)
            else:
                yield JournalLine(
                    offset, raw[9], bytes.fromhex(raw[11:43].decode("ascii"))
                )
            offset = end


def _is_whole(raw: bytes) -> bool:
    if len(raw) <= _JSON or raw[-1:] != b"\n":
        return False
    return b"%08x" % zlib.crc32(memoryview(raw)[9:-1]) == raw[:8]


def _check_header(raw: bytes, path: Path) -> None:
    try:
        check_format(json.loads(raw[_JSON:]).get("format_version"), str(path))
    except DataError as error:
        raise StoreError(str(error)) from error


def read_header(path: Path) -> dict[str, Any]:
    """What a journal says of the run that wrote it; empty where a kill tore the header."""
    with path.open("rb") as file:
        raw = file.readline()
    return dict(json.loads(raw[_JSON:])) if _is_whole(raw) and raw[9] == HEADER else {}


class Journal:
    """The journal of one run. A context manager; closing makes it durable."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path = path
        self._whole = 0
        self._dirty = False
        self._broken: StoreError | None = None
        self._closing = threading.Event()
        try:
            self._file = os.open(
                path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644
            )
            self._write(
                encode_line(
                    HEADER,
                    "0" * 64,
                    json.dumps({"format_version": FORMAT_VERSION, **about}),
                )
            )
            os.fsync(self._file)
            fsync_path(path.parent)
        except OSError as error:
            raise _failed(path, error) from error
        self._syncer = threading.Thread(
            target=self._sync_now_and_then, daemon=True, name="journal-sync"
        )
        self._syncer.start()

    def append(self, answer: Answer) -> None:
        """Write one answer with one write(2).

        Raises StoreError, with the journal cut back to its last whole line.
        """
        if self._broken is not None:
            raise self._broken
        self._write(encode_answer(answer))

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise self._cut_back(error) from error
        if written != len(line):
            raise self._cut_back(
                OSError(
                    f"only {written} of {len(line)} bytes were written: the disk is full"
                )
            )
        self._whole += written
        self._dirty = True

    def _cut_back(self, error: OSError) -> StoreError:
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._whole)
        self._broken = _failed(self.path, error)
        return self._broken

    def _sync_now_and_then(self) -> None:
        while not self._closing.wait(SYNC_EVERY_S):
            if self._dirty:
                self._dirty = False
                try:
                    os.fsync(self._file)
                except (
                    OSError
                ) as error:  # what was lost is unknown: stop at the next append
                    self._broken = _failed(self.path, error)
                    return

    def close(self) -> None:
        """Stop the thread, fsync, close. Raises StoreError where a sync failed."""
        self._closing.set()
        self._syncer.join()
        try:
            os.fsync(self._file)
        except OSError as error:
            self._broken = self._broken or _failed(self.path, error)
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
        with contextlib.suppress(
            StoreError
        ):  # the error under way says why the run ends
            self.close()


def _failed(path: Path, error: OSError) -> StoreError:
    why = error.strerror or str(error)
    return StoreError(
        f"{path}: {why}. Expected room to write answers. Make room and run the same command again."
    )

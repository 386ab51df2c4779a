"""Journals: append-only logs of answers, one per run.

A kill loses at most the line that it tears.

A line is `crc32 status key time json`. The checksum covers everything after it, the
status is one letter and the key 64 hex digits, so that a journal can be indexed without
parsing its JSON.

A rejection is final only once an end line follows it. A run writes one when it is
complete, a worker whenever a unit of its plan is. A run that was stopped early or
killed may have met a server with a wrong setting, and what that server rejected is
requested again.
"""

import contextlib
import errno
import json
import os
import stat
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

from cotbuild.schemas.completion import (
    MAX_TOKEN_COUNT,
    Answer,
    Completion,
    Failure,
)
from cotbuild.schemas.errors import CotbuildError, DataError, StoreError
from cotbuild.schemas.files import fsync_path, write_error
from cotbuild.schemas.json_text import parse_json
from cotbuild.schemas.record import FORMAT_VERSION, check_format, short_repr

HEADER, COMPLETION, REJECTION, FINAL_FAILURE, FAILURE, END = b"HCPRFE"
"""Status letters: header, completion, rejection, final failure, failure to retry, end.

Earlier versions wrote each rejection as a final failure.
"""

IMPOSSIBLE_COUNT = "token count out of range, left unknown"
"""Note of a completion whose journal holds a number of tokens that no column can."""

REMEDY = (
    "Restore the file from a copy, or move it out of its folder: requests whose answers "
    "it alone has are then sent again."
)
MAX_LINE_BYTES = 512 << 20
"""Longest line: the longest text of a record, each character escaped."""
# One encoder for all answers: json.dumps creates one for each.
_ENCODER = json.JSONEncoder(ensure_ascii=False)
_ANSWERS = frozenset((COMPLETION, REJECTION, FINAL_FAILURE, FAILURE))
_BUFFER_BYTES = 1 << 16
_KEY = slice(11, 75)
_TIME = slice(76, 90)
_JSON = 90
_NO_KEY = "0" * 64
SYNC_EVERY_S = 1.0
"""Seconds between two fsyncs.

One takes about 4 ms: one per record would limit a run to 250 requests/s, one per second
costs nothing.
"""


class JournalLine(NamedTuple):
    """The position of an answer, or of an end line, in a journal."""

    offset: int
    status: int
    key: bytes
    """The first 16 of the key's 32 bytes; zeros for an end line."""


def encode_line(status: int, key: str, body: str) -> bytes:
    """Encode one line, newline included.

    No row is derived from its time. A run's duration is that between the first and the
    last of its journal.
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
    text = _ENCODER.encode(body)
    return encode_line(_status_of(answer), answer.request_key, text)


def _status_of(answer: Answer) -> int:
    if isinstance(answer, Completion):
        return COMPLETION
    return REJECTION if answer.final else FAILURE


def decode_answer(line: bytes) -> Answer:
    """Decode the answer of a whole line. Raises DataError if its fields do not fit."""
    key = line[_KEY].decode()
    where = f"answer {key[:16]}"
    value = {"request_key": key, **_parse_body(line, where, DataError)}
    if line[9] == COMPLETION:
        _drop_impossible_counts(value)
        return Completion.parse(value, where)
    return Failure.parse(value, where)


def _parse_body(line: bytes, where: str, error: type[CotbuildError]) -> dict[str, Any]:
    try:
        # Not parse_record_json: older journals hold any number that a server sent.
        body = parse_json(line[_JSON:].decode())
    except ValueError as fault:  # JsonFault and UnicodeDecodeError are
        raise error(f"{where}: not JSON: {fault}.") from fault
    if not isinstance(body, dict):
        raise error(f"{where}: {short_repr(body)} is not a JSON object.")
    return body


def _drop_impossible_counts(value: dict[str, Any]) -> None:
    """Replace numbers of tokens over MAX_TOKEN_COUNT by None, with a note.

    Older journals hold any number that a server sent.
    """
    for name in ("prompt_tokens", "completion_tokens"):
        count = value.get(name)
        if isinstance(count, int) and count > MAX_TOKEN_COUNT:
            value[name] = None
            value["notes"] = [*value.get("notes", ()), IMPOSSIBLE_COUNT]


def line_time(line: bytes) -> float:
    """Return when a whole line was written, seconds since 1970; 0 if it does not say."""
    try:
        return float(line[_TIME])
    except ValueError:
        return 0.0


def open_journal(path: Path) -> BinaryIO:
    """Open a journal for reading.

    Raises StoreError if it is not a regular file or cannot be opened.
    """
    try:
        # A link may lead anywhere, and reading a pipe or a device may never end.
        if not stat.S_ISREG(path.lstat().st_mode):
            raise StoreError(f"{path}: not a regular file. {REMEDY}")
        return path.open("rb", buffering=_BUFFER_BYTES)
    except OSError as fault:
        raise read_error(path, fault) from fault


def journal_size(path: Path) -> int:
    """Return the size of a journal in bytes; raises StoreError as `open_journal` does."""
    with open_journal(path) as file:
        return os.fstat(file.fileno()).st_size


def read_error(path: Path, fault: OSError) -> StoreError:
    """Return the error for a journal that cannot be read."""
    if isinstance(fault, StoreError):
        return fault
    reason = f"{path}: could not be read: {fault.strerror or fault}."
    if fault.errno in (errno.EMFILE, errno.ENFILE):
        return StoreError(f"{reason} Raise the limit of open files (`ulimit -n`).")
    if fault.errno == errno.EACCES:
        return StoreError(f"{reason} Give yourself permission to read it.")
    return StoreError(f"{reason} {REMEDY}")


def read_line(file: BinaryIO, path: Path) -> bytes:
    """Read a line of a journal. Raises StoreError if it is over MAX_LINE_BYTES."""
    line = file.readline(MAX_LINE_BYTES + 1)
    if len(line) > MAX_LINE_BYTES:
        offset = file.tell() - len(line)
        raise StoreError(
            f"{path}: line at offset {offset} is longer than {MAX_LINE_BYTES >> 20} MiB. "
            f"{REMEDY}"
        )
    return line


def read_lines(path: Path) -> Iterator[JournalLine | None]:
    """Yield the position of every answer and end line, and None for a torn last line.

    Raises StoreError, with file and offset, if another line is damaged, the journal
    cannot be read, or a newer cotbuild wrote it.
    """
    with open_journal(path) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            yield from _index_lines(file, path, size)
        except OSError as fault:
            raise read_error(path, fault) from fault


def _index_lines(file: BinaryIO, path: Path, size: int) -> Iterator[JournalLine | None]:
    offset = 0
    while raw := read_line(file, path):
        end = offset + len(raw)
        if not is_whole_line(raw):
            if end >= size:
                yield None
                return
            raise StoreError(f"{path}: damaged line at offset {offset}. {REMEDY}")
        if raw[9] == HEADER:
            _check_header(raw, path)
        elif raw[9] in _ANSWERS or raw[9] == END:
            yield JournalLine(offset, raw[9], _parse_key(raw, path, offset))
        else:
            raise StoreError(
                f"{path}: line at offset {offset} has the unknown status "
                f"{raw[9:10]!r}. {REMEDY}"
            )
        offset = end


def _parse_key(raw: bytes, path: Path, offset: int) -> bytes:
    """Return the first 16 bytes of a line's key."""
    try:
        key = bytes.fromhex(raw[_KEY].decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != 32:  # `fromhex` skips spaces
        raise StoreError(
            f"{path}: line at offset {offset} has the key {short_repr(raw[_KEY])}, not "
            f"64 hex digits. {REMEDY}"
        )
    return key[:16]


def is_whole_line(raw: bytes) -> bool:
    """Whether bytes are one line of a journal, complete and undamaged."""
    if len(raw) <= _JSON or raw[-1:] != b"\n":
        return False
    return b"%08x" % zlib.crc32(memoryview(raw)[9:-1]) == raw[:8]


def _check_header(raw: bytes, path: Path) -> None:
    where = f"{path}: header"
    try:
        header = _parse_body(raw, where, StoreError)
    except StoreError as fault:
        raise StoreError(f"{fault} {REMEDY}") from fault
    check_format(header.get("format_version"), str(path), StoreError)


def read_header(path: Path) -> dict[str, Any]:
    """Read what a journal records about its run; empty if the header is torn."""
    with open_journal(path) as file:
        raw = read_line(file, path)
    if not is_whole_line(raw) or raw[9] != HEADER:
        return {}
    return _parse_body(raw, f"{path}: header", StoreError)


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
        """Append an end line: the rejections before it become final.

        Raises StoreError as `append` does.
        """
        self._write(encode_line(END, _NO_KEY, "{}"))

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.path.name

    @property
    def num_bytes(self) -> int:
        """Bytes written so far."""
        return self._num_bytes

    def sync(self) -> None:
        """Wait until all that was appended survives a power cut.

        May be called from any thread. Raises StoreError if an fsync failed.
        """
        try:
            os.fsync(self._file)
        except OSError as error:
            self._broken = self._broken or write_error(self.path, error)
        if self._broken is not None:
            raise self._broken

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

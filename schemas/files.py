"""Files: atomic writes, JSON records, append-only JSON lines, checksums and locks.

The one module of `schemas` that does IO, so that builder and student share it.

Functions on bytes, folders and locks raise OSError as it comes. Functions on records
and JSON lines raise an error of `schemas.errors` in one line.
"""

import errno
import fcntl
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from cotbuild.schemas.errors import ConfigError, CotbuildError, DataError, StoreError
from cotbuild.schemas.json_text import JsonFault, parse_record_json
from cotbuild.schemas.record import FORMAT_VERSION, Record, check_format, short_repr
from cotbuild.schemas.yaml_text import MAX_YAML_BYTES, parse_yaml

R = TypeVar("R", bound=Record)

MAX_RECORD_BYTES = 64 << 20
"""Largest JSON record that is read. A manifest of 1,000 files takes about 0.5 MiB."""

MAX_LINES_BYTES = 1 << 30
"""Largest file of JSON lines that is read."""

_BLOCK_BYTES = 1 << 16


# -- bytes and folders -------------------------------------------------------------------


def write_text_atomic(path: Path, text: str) -> None:
    """Write UTF-8 text as `write_bytes_atomic` does."""
    write_bytes_atomic(path, text.encode("utf-8"))


def write_bytes_atomic(path: Path, data: bytes) -> None:
    """Replace a file so that a reader sees all of the old bytes or all of the new ones.

    This holds after a power cut too. Missing parent folders are created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def fsync_path(path: Path) -> None:
    """Flush a file to disk, or a folder, so that the names in it survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading; of a link, the file it leads to.

    Raises OSError at once if it is a pipe, a device or a directory, which might never
    end or answer.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = open(descriptor, "rb")  # noqa: SIM115, PTH123 (the caller closes it)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "Not a regular file: replace it by one", str(path))
    return file


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hex digits."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def file_lock(path: Path, *, wait: bool, shared: bool = False) -> Iterator[bool]:
    """Hold a lock on `path`, which is created where it is missing.

    It is exclusive, or held together with others that are `shared`.

    Yields whether the lock was acquired, which is always so with `wait`. The kernel
    releases it when the process ends, however it ends. Raises OSError at a link, since
    the file would be created where it leads.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        yield _lock_descriptor(descriptor, wait=wait, shared=shared)
    finally:
        os.close(descriptor)


def _lock_descriptor(descriptor: int, *, wait: bool, shared: bool = False) -> bool:
    operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, operation if wait else operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# -- YAML --------------------------------------------------------------------------------


def read_yaml(path: Path, *, remedy: str = "Pass a readable file of YAML.") -> Any:
    """Return the value of a YAML file, as `parse_yaml` does.

    Raises ConfigError, also as `read_yaml_text` does.
    """
    return parse_yaml(read_yaml_text(path, remedy=remedy), str(path))


def read_yaml_text(path: Path, *, remedy: str = "Pass a readable file of YAML.") -> str:
    """Return the text of a file of YAML.

    `remedy` is the sentence that tells the user what to do about a file that cannot be
    read. Raises ConfigError in one line if it cannot be read, has more than
    MAX_YAML_BYTES or is not UTF-8.
    """
    try:
        data = _read_bounded(path, MAX_YAML_BYTES)
    except (OSError, ValueError) as fault:  # ValueError: NUL in the path
        reason = getattr(fault, "strerror", None) or fault
        raise ConfigError(f"{path}: could not be read: {reason}. {remedy}") from fault
    if len(data) > MAX_YAML_BYTES:
        raise ConfigError(
            f"{path}: larger than {MAX_YAML_BYTES >> 20} MiB, the most that YAML may "
            "have. Shorten it."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise ConfigError(
            f"{path}: byte {fault.start} is {data[fault.start]:#04x}, which is not "
            "UTF-8. Save the file as UTF-8."
        ) from fault


# -- JSON records ------------------------------------------------------------------------


def read_record(
    path: Path,
    model: type[R],
    *,
    remedy: str,
    error: type[CotbuildError] = DataError,
) -> R | None:
    """Read a record from a JSON file, or return None if there is no such file.

    `remedy` is the sentence that tells the user what to do about a damaged file. Raises
    `error` if the file cannot be read, is not a JSON object, holds fields that `model`
    refuses, or was written by a newer cotbuild.
    """
    try:
        data = _read_bounded(path, MAX_RECORD_BYTES)
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise error(f"{path}: could not be read: {fault.strerror or fault}.") from fault
    if len(data) > MAX_RECORD_BYTES:
        raise error(f"{path}: larger than {MAX_RECORD_BYTES >> 20} MiB. {remedy}")
    value = _parse_object(data, f"{path}", remedy, error)
    version = value.get("format_version")
    try:
        check_format(version, str(path), error)
        return model.parse(value, str(path), error)
    except error as fault:
        if type(version) is int and version > FORMAT_VERSION:
            raise  # it is not damaged
        raise error(f"{fault} {remedy}") from fault


def _read_bounded(path: Path, max_bytes: int) -> bytes:
    """Read a file; one larger than `max_bytes` comes back with one byte more."""
    with open_regular(path) as file:
        return file.read(max_bytes + 1)


def write_record(path: Path, record: Record, *, indent: int | None = 2) -> None:
    """Write a record as a JSON file, atomically. Raises StoreError."""
    text = json.dumps(record.model_dump(mode="json"), indent=indent, ensure_ascii=False)
    try:
        write_text_atomic(path, text + "\n")
    except OSError as fault:
        raise write_error(path, fault) from fault


def write_error(path: Path, fault: Exception) -> StoreError:
    """Return the StoreError for a file or folder that could not be written."""
    reason = getattr(fault, "strerror", None) or str(fault)
    return StoreError(
        f"{path}: could not be written: {reason}. Check permissions and free disk space, "
        "then run the same command again."
    )


def _parse_object(
    data: bytes,
    where: str,
    remedy: str,
    error: type[CotbuildError],
    *,
    allow_nan: bool = False,
) -> dict[str, Any]:
    """Parse a JSON object; any fault becomes one line that ends with `remedy`."""
    try:
        value = parse_record_json(data, allow_nan=allow_nan)
    except JsonFault as fault:
        raise error(f"{where}: not JSON: {fault}. {remedy}") from fault
    if not isinstance(value, dict):
        raise error(f"{where}: {short_repr(value)} is not a JSON object. {remedy}")
    return value


# -- JSON lines --------------------------------------------------------------------------


class JsonLines(NamedTuple):
    """The content of a file of JSON lines."""

    values: list[dict[str, Any]]
    """The objects in order."""
    num_dropped: int
    """Lines left out: a torn last line, and damaged ones where they are skipped."""


def read_json_lines(
    path: Path,
    *,
    remedy: str,
    error: type[CotbuildError] = DataError,
    skip_damaged: bool = False,
    allow_nan: bool = False,
) -> JsonLines:
    """Read a file of JSON lines; a missing file counts as an empty one.

    A last line without a newline, as a kill leaves it, is dropped. Raises `error` if
    the file cannot be read or another line is not a JSON object; with `skip_damaged`
    such a line is dropped too. Blank lines are ignored. `allow_nan` is for numbers that
    Python wrote, such as the loss of a training run that diverged.
    """
    try:
        data = _read_bounded(path, MAX_LINES_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return JsonLines([], 0)
    except OSError as fault:
        raise error(f"{path}: could not be read: {fault.strerror or fault}.") from fault
    if len(data) > MAX_LINES_BYTES:
        raise error(f"{path}: larger than {MAX_LINES_BYTES >> 20} MiB. {remedy}")
    *lines, torn = data.split(b"\n")
    values, num_dropped = [], int(bool(torn))
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            where = f"{path} line {number}"
            values.append(
                _parse_object(line, where, remedy, error, allow_nan=allow_nan)
            )
        except CotbuildError:
            if not skip_damaged:
                raise
            num_dropped += 1
    return JsonLines(values, num_dropped)


class JsonLinesWriter:
    """Appends lines to a file of JSON lines. A context manager.

    A torn last line is cut off when the file is opened, so that the next line begins on
    a line of its own. Raises StoreError if the file cannot be written or, with
    `exclusive`, another process holds it.
    """

    def __init__(self, path: Path, *, exclusive: bool = False) -> None:
        self.path = path
        try:
            self._file = _open_for_append(path)
        except OSError as fault:
            raise write_error(path, fault) from fault
        try:
            self._prepare(exclusive=exclusive)
        except BaseException:
            self._file.close()
            raise

    def _prepare(self, *, exclusive: bool) -> None:
        if exclusive and not _lock_descriptor(self._file.fileno(), wait=False):
            raise StoreError(
                f"{self.path}: another process is writing to it. Wait for it to finish."
            )
        try:
            _cut_torn_line(self._file)
        except OSError as fault:
            raise write_error(self.path, fault) from fault

    def append(self, line: str, *, fsync: bool) -> None:
        """Append one line of JSON, given without its newline, with one write(2).

        With `fsync` it is on disk when this returns. Raises StoreError.
        """
        data = line.encode() + b"\n"
        try:
            if self._file.write(data) != len(data):
                raise OSError("the disk is full")
            if fsync:
                os.fsync(self._file.fileno())
        except OSError as fault:
            raise write_error(self.path, fault) from fault

    def close(self) -> None:
        """Close the file, which releases its lock."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def append_json_line(path: Path, line: str, *, fsync: bool) -> None:
    """Append one line to a file of JSON lines that is written now and then.

    Raises StoreError.
    """
    with JsonLinesWriter(path) as writer:
        writer.append(line, fsync=fsync)


def _open_for_append(path: Path) -> FileIO:
    """Open a file for reading and appending, unbuffered."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a+b", buffering=0)


def _cut_torn_line(file: FileIO) -> None:
    """Truncate a file after its last newline."""
    size = end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        file.truncate(end)

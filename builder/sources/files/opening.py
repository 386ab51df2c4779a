"""Open a file as the bytes of UTF-8 text, whatever it is compressed with.

The first bytes decide, not the ending of the name. What a compressed file holds is
bounded, as the rows of a Parquet file are: 1 MB of gzip can stand for 1 GB.
"""

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cotbuild.schemas.errors import DataError

MAX_FREE_BYTES = 1 << 30
MAX_RATIO = 1_000
"""A file may hold MAX_FREE_BYTES decompressed, or MAX_RATIO times its size."""
HEAD_BYTES = 1 << 16
COMPRESSION_ENDINGS = (".gz", ".zst", ".bz2", ".xz")
BOM = b"\xef\xbb\xbf"
PARQUET_MAGIC = b"PAR1"

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
}
_UTF_16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_EXCEL_ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".ods")
_OLE_MAGIC = b"\xd0\xcf\x11\xe0"
_TAR_MAGIC = slice(257, 262)
_CHUNK_BYTES = 1 << 16


@dataclass
class Content:
    """The content of an open file. A context manager."""

    file: io.BufferedReader
    """Decompressed, as UTF-8."""
    wrappings: tuple[str, ...]
    """What it was unwrapped from, such as gzip or UTF-16."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.file.close()

    @property
    def head(self) -> bytes:
        """The first bytes of a file that was not yet read from."""
        return self.file.peek(1)


def open_file(path: Path) -> io.BufferedReader:
    """Open a file in binary mode; raises DataError if that fails."""
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {error.strerror}.") from error


def open_content(path: Path) -> Content:
    """Open a file and unwrap its content.

    Raises DataError if it cannot be read or is an archive or workbook, and while
    reading if it is damaged or holds too much.
    """
    file = open_file(path)
    try:
        return _unwrap(file, path)
    except BaseException:
        file.close()
        raise


def read_head(path: Path) -> str:
    """Return the first HEAD_BYTES of a file as text, whatever they hold.

    Raises what `open_content` raises.
    """
    with open_content(path) as content:
        return content.file.read(HEAD_BYTES).decode(errors="replace")


def _unwrap(file: io.BufferedReader, path: Path) -> Content:
    wrappings: list[str] = []
    compression = _find_compression(file.peek(1))
    if compression is not None:
        wrappings.append(compression)
        file = io.BufferedReader(_Decompressed(file, path, compression), _CHUNK_BYTES)
    head = file.peek(1)
    _refuse_other_formats(head, path, compression)
    encoding = _UTF_16.get(head[:2])
    if encoding is not None:
        wrappings.append("UTF-16")
        file = io.BufferedReader(_Transcoded(file, path, encoding), _CHUNK_BYTES)
    return Content(file, tuple(wrappings))


def _find_compression(head: bytes) -> str | None:
    found = (name for magic, name in _MAGIC.items() if head.startswith(magic))
    return next(found, None)


def _refuse_other_formats(head: bytes, path: Path, compression: str | None) -> None:
    """Raise DataError for a file that holds other files, or text in UTF-32."""
    what = ""
    if head.startswith(b"PK\x03\x04"):
        if path.suffix.lower() in _EXCEL_ENDINGS:
            what = (
                "a damaged workbook, or none of Excel's. Save the sheet as CSV in UTF-8"
            )
        else:
            what = "a zip archive. Unpack it with `unzip`, and pass the file in it"
    elif head.startswith(_OLE_MAGIC):
        what = "an old or encrypted Excel workbook. Save the sheet as CSV in UTF-8"
    elif head[_TAR_MAGIC] == b"ustar":
        what = "a tar archive. Unpack it with `tar -xf`, and pass the file in it"
    elif head.startswith(_UTF_32):
        what = "text in UTF-32. Save it as UTF-8"
    elif _find_compression(head) is not None:
        what = "compressed twice. Decompress it once"
    elif head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        what = "an Arrow file. Write it as Parquet"
    elif head.startswith(b"version https://git-lfs.github.com/"):
        what = "a Git LFS pointer, not the file. Fetch the file with `git lfs pull`"
    elif head[:100].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        what = "a web page. Download the file itself"
    elif head.startswith(PARQUET_MAGIC) and compression is not None:
        what = f"a Parquet file inside {compression}. Decompress it"
    elif len(head) >= 2 and b"\0" in head[:2] and head[:2] != b"\0\0":
        what = "text in UTF-16 without a byte order mark. Save it as UTF-8"
    if what:
        raise DataError(f"{path.name}: {what}.")


class _Unwrapped(io.RawIOBase):
    """Bytes that are made from those of another file, in chunks."""

    def __init__(self, inner: io.BufferedReader) -> None:
        self._inner = inner
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = self._next_chunk()
        chunk = self._rest[: len(buffer)]
        self._rest = self._rest[len(chunk) :]
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def _next_chunk(self) -> bytes:
        """Return bytes, empty at the end."""
        raise NotImplementedError

    def close(self) -> None:
        self._inner.close()
        super().close()


class _Decompressed(_Unwrapped):
    def __init__(self, inner: io.BufferedReader, path: Path, compression: str) -> None:
        super().__init__(inner)
        self._path = path
        self._compression = compression
        self._read = _open_decompressor(inner, compression)
        num_bytes = path.stat().st_size
        self._max_bytes = max(MAX_FREE_BYTES, num_bytes * MAX_RATIO)
        self._num_left = self._max_bytes

    def _next_chunk(self) -> bytes:
        try:
            chunk = self._read(_CHUNK_BYTES)
        # pyarrow raises OSError too.
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
            line = str(error).partition("\n")[0].rstrip(".")
            raise DataError(
                f"{self._path.name}: damaged {self._compression}: {line}. Fetch the "
                "file again."
            ) from error
        self._num_left -= len(chunk)
        if self._num_left < 0:
            raise DataError(
                f"{self._path.name}: it holds more than {self._max_bytes >> 20:,} MiB, "
                f"{MAX_RATIO:,} times its size. Decompress it if that is right."
            )
        return chunk


def _open_decompressor(
    file: io.BufferedReader, compression: str
) -> Callable[[int], bytes]:
    """Return the read method of a file that decompresses another."""
    match compression:
        case "gzip":
            return gzip.GzipFile(fileobj=file).read
        case "bzip2":
            return bz2.BZ2File(file).read
        case "xz":
            return lzma.LZMAFile(file).read
    import pyarrow as pa

    stream = pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd")
    read: Callable[[int], bytes] = stream.read
    return read


class _Transcoded(_Unwrapped):
    def __init__(self, inner: io.BufferedReader, path: Path, encoding: str) -> None:
        super().__init__(inner)
        inner.read(2)  # the byte order mark
        self._path = path
        self._decoder = codecs.getincrementaldecoder(encoding)()

    def _next_chunk(self) -> bytes:
        text = ""
        while not text:
            chunk = self._inner.read(_CHUNK_BYTES)
            try:
                text = self._decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{self._path.name}: it begins as UTF-16 and is not: {error.reason}. "
                    "Save the file as UTF-8."
                ) from error
            if not chunk:
                break
        return text.encode()

"""Files as responses: whole or a range, with a digest as ETag where one is known.

Starlette's FileResponse opens a path a second time and answers a bad range with plain
text. Here the file is opened once, so that what was checked is what is sent, and its
end is that of the moment at which it was opened: a log may grow meanwhile.
"""

import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BufferedReader
from typing import Final
from urllib.parse import quote

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cotbuild.builder.web.problems import ProblemError

_BLOCK_BYTES: Final = 256 << 10
_RANGE: Final = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


@dataclass(frozen=True)
class Download:
    """An open file that is to be sent. Whoever sends it closes it."""

    file: BufferedReader
    media_type: str
    file_name: str | None = None
    """Name under which a browser saves it; None: it is shown."""
    etag: str | None = None
    """Strong validator of its bytes, without quotes; None for a file that grows."""


@dataclass(frozen=True)
class ByteRange:
    """Bytes from `start` up to, not including, `end`."""

    start: int
    end: int


class RangeError(ProblemError):
    """A range that begins behind the end of a file."""

    def __init__(self, size: int) -> None:
        super().__init__(
            416,
            "range_not_satisfiable",
            f"The file has {size:,} bytes, and the range begins behind them.",
            "Ask again later if it grows.",
            {"content-range": f"bytes */{size}"},
        )


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """Return the range that a `Range` header asks for; None for all of the file.

    A header that is malformed or names several ranges is ignored, as RFC 9110, 14.2
    allows. Raises RangeError if the range begins behind the end.
    """
    match = _RANGE.fullmatch(header.strip()) if header is not None else None
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:  # the last N bytes
        length = int(last)
        start, end = max(0, size - length), size
    else:
        start = int(first)
        end = min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= end:
        raise RangeError(size)
    return ByteRange(start, end)


def send_file(
    request: Request, download: Download, limiter: CapacityLimiter
) -> Response:
    """Return the response to a GET or HEAD of a file, which it closes at its end.

    `If-None-Match` gives 304, `Range` 206, and `If-Range` with another ETag the whole
    file. `limiter` bounds the threads that read. Raises ProblemError, and closes the
    file then too.
    """
    try:
        return _respond(request, download, limiter)
    except BaseException:
        download.file.close()
        raise


def _respond(
    request: Request, download: Download, limiter: CapacityLimiter
) -> Response:
    size = os.fstat(download.file.fileno()).st_size
    headers = _headers(download)
    if _is_known(request, download.etag):
        download.file.close()
        return Response(status_code=304, headers=headers)
    part = None
    if _wants_range(request, download.etag):
        part = parse_range(request.headers.get("range"), size)
    whole = ByteRange(0, size)
    if part is not None:
        headers["content-range"] = f"bytes {part.start}-{part.end - 1}/{size}"
    sent = part or whole
    headers["content-length"] = str(sent.end - sent.start)
    status = 200 if part is None else 206
    media_type = download.media_type
    if request.method == "HEAD":
        download.file.close()
        return Response(status_code=status, headers=headers, media_type=media_type)
    body = _read_blocks(download.file, sent, limiter)
    return StreamingResponse(body, status, headers, media_type)


def _headers(download: Download) -> dict[str, str]:
    headers = {"accept-ranges": "bytes"}
    if download.etag is not None:
        headers["etag"] = f'"{download.etag}"'
        headers["cache-control"] = "private, no-cache"
    if download.file_name is not None:
        # RFC 6266: a name with other characters than these is percent-encoded.
        name = quote(download.file_name, safe="")
        headers["content-disposition"] = f"attachment; filename*=utf-8''{name}"
    return headers


def _is_known(request: Request, etag: str | None) -> bool:
    """Return whether `If-None-Match` names the file as it is."""
    known = request.headers.get("if-none-match")
    if known is None or etag is None:
        return False
    tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
    return "*" in tags or f'"{etag}"' in tags


def _wants_range(request: Request, etag: str | None) -> bool:
    """Return whether `Range` counts: not if `If-Range` names other bytes."""
    if "range" not in request.headers:
        return False
    condition = request.headers.get("if-range")
    return condition is None or (etag is not None and condition == f'"{etag}"')


async def _read_blocks(
    file: BufferedReader, part: ByteRange, limiter: CapacityLimiter
) -> AsyncIterator[bytes]:
    """Yield the bytes of a part, and close the file at the end."""
    try:
        position = part.start
        while position < part.end:
            length = min(_BLOCK_BYTES, part.end - position)
            block = await anyio.to_thread.run_sync(
                os.pread, file.fileno(), length, position, limiter=limiter
            )
            if not block:  # it was cut off meanwhile: the client sees too few bytes
                return
            position += len(block)
            yield block
    finally:
        file.close()

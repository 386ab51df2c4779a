"""Reads the bodies of responses in chunks and up to a bound.

Whatever a server sends, compressed or not, takes no more memory than the bound.
"""

import aiohttp

KIB = 1024
MIB = 1024 * KIB

MAX_ERROR_BYTES = 64 * KIB
"""Read of the body of an error; the rest only repeats."""
MAX_SMALL_BYTES = 64 * KIB
"""Longest body of /version and /health."""
MAX_LIST_BYTES = 16 * MIB
"""Longest body of /models, /tokenize and /metrics: the token ids of a prompt of a
million tokens take 8 MB, a service's list of models 1 MB.
"""
BASE_COMPLETION_BYTES = 2 * MIB
BYTES_PER_TOKEN = 256
"""A token of text takes 4 bytes on average, and a character at most 12 in JSON."""
MAX_COMPLETION_BYTES = 64 * MIB


class BodyTooLong(Exception):
    """A body is longer than the bound; the message names it."""

    def __init__(self, limit: int) -> None:
        size = f"{limit / MIB:.1f} MiB" if limit >= MIB else f"{limit // KIB} KiB"
        super().__init__(f"the body is longer than {size}")


def completion_limit(max_tokens: int | None) -> int:
    """Return the longest body in bytes of a completion of `max_tokens` tokens.

    It leaves 2 MiB for reasoning, which some servers do not count. None: the server
    was given no limit.
    """
    if max_tokens is None:
        return MAX_COMPLETION_BYTES
    return min(
        BASE_COMPLETION_BYTES + BYTES_PER_TOKEN * max_tokens, MAX_COMPLETION_BYTES
    )


async def read_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return the whole body, decompressed.

    Raises BodyTooLong, and closes the connection, if it has more than `limit` bytes.
    """
    raw, is_whole = await _read_up_to(response, limit)
    if not is_whole:
        raise BodyTooLong(limit)
    return raw


async def read_body_start(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return at most the first `limit` bytes of the body, decompressed.

    Closes the connection if there are more.
    """
    raw, _ = await _read_up_to(response, limit)
    return raw


async def _read_up_to(
    response: aiohttp.ClientResponse, limit: int
) -> tuple[bytes, bool]:
    """Return the body up to `limit` bytes, and whether that is all of it."""
    chunks: list[bytes] = []
    size = 0
    # aiohttp decompresses no further than what is read here.
    while chunk := await response.content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            response.close()
            return b"".join(chunks)[:limit], False
    return b"".join(chunks), True

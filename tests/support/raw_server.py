"""An HTTP server inside the test that sends any bytes, one response a connection."""

import asyncio
import contextlib
import gzip
import itertools
from collections.abc import AsyncIterator, Callable, Iterable

Respond = Callable[[str], Iterable[bytes]]
"""From the path of a request to the bytes of the response, perhaps without end."""


@contextlib.asynccontextmanager
async def serve_raw(respond: Respond) -> AsyncIterator[str]:
    """Serve on loopback; yield the base URL."""

    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            path = await _read_request(reader)
            for chunk in respond(path):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def _read_request(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lines = head.split("\r\n")
    for line in lines:
        name, _, value = line.partition(":")
        if name.casefold() == "content-length":
            await reader.readexactly(int(value))
    return lines[0].split(" ")[1]


def response(body: bytes, status: int = 200, *headers: str) -> list[bytes]:
    """A whole response."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return ["\r\n".join(lines).encode() + b"\r\n\r\n" + body]


def endless(status: int = 200) -> Iterable[bytes]:
    """A chunked body without end."""
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = f"HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return itertools.chain([head], itertools.repeat(chunk))


def gigabytes(status: int = 200) -> Iterable[bytes]:
    """A body of ten gigabytes, as its length says."""
    head = f"HTTP/1.1 {status} X\r\nContent-Length: 10000000000\r\n\r\n".encode()
    return itertools.chain([head], itertools.repeat(b" " * 0x10000, 160_000))


def compressed(status: int = 200) -> list[bytes]:
    """A body of 16 KB that unpacks to 16 MB."""
    body = gzip.compress(b" " * 2**24)
    return response(body, status, "Content-Encoding: gzip")

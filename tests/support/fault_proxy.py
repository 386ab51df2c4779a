"""A proxy between a client and an HTTP server that makes the faults of networks.

It understands just enough of HTTP to tell one request from the next: both sides send a
Content-Length or, in answers, chunks.
"""

import asyncio
import contextlib
import random
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple

from tests.support.waiting import HANG_S

Fault = Literal[
    "drop_before",  # the connection ends before the server saw the request
    "drop_after",  # it ends when the server has served it: the answer is lost
    "http_409",  # refused without the server
    "http_412",
    "http_503",
    "slow",  # the server sees it later
    "torn_request",  # half of the body arrives, then the connection ends
    "torn_answer",  # half of the answer arrives
]
PASSING_FAULTS: tuple[Fault, ...] = (
    "drop_before",
    "drop_after",
    "http_503",
    "slow",
    "torn_request",
    "torn_answer",
)
SLOW_S = 0.2


class _Message(NamedTuple):
    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()


class FaultProxy:
    """A running proxy. Its dials may be turned at any time, from any thread."""

    def __init__(self, port: int, upstream_port: int) -> None:
        self.port = port
        self._upstream_port = upstream_port
        self.next_faults: list[Fault] = []
        """Faults of the next requests with one of `methods`, one each."""
        self.shares: dict[Fault, float] = {}
        """Share of requests with each fault."""
        self.methods: frozenset[str] | None = None
        """The methods of requests that have faults; None: any."""
        self.made: Counter[Fault] = Counter()
        """Faults that were made."""
        self.requests: Counter[str] = Counter()
        """Requests by method."""
        self.error_body = b"<Error><Code>SlowDown</Code></Error>"
        """Body of the answers of the faults `http_…`."""
        self._random = random.Random(7)

    def _choose(self, method: str) -> Fault | None:
        if self.methods is not None and method not in self.methods:
            return None
        if self.next_faults:
            return self.next_faults.pop(0)
        draw = self._random.random()
        for fault, share in self.shares.items():
            if draw < share:
                return fault
            draw -= share
        return None

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve the requests of one connection."""
        try:
            while (request := await _read_message(reader)) is not None:
                self.requests[request.method] += 1
                fault = self._choose(request.method)
                if fault is not None:
                    self.made[fault] += 1
                if not await self._answer(request, fault, writer):
                    break
        except (OSError, asyncio.IncompleteReadError):
            return  # one side is gone
        finally:
            await _close(writer)

    async def _answer(
        self, request: _Message, fault: Fault | None, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer a request; returns whether the connection goes on."""
        if fault == "drop_before":
            return False
        if fault in ("http_409", "http_412", "http_503"):
            status, body = fault.removeprefix("http_").encode(), self.error_body
            head = b"HTTP/1.1 %s Fault\r\nContent-Length: %d\r\n\r\n"
            has_body = request.method != "HEAD"
            writer.write(head % (status, len(body)) + (body if has_body else b""))
            await writer.drain()
            return True
        if fault == "slow":
            await asyncio.sleep(SLOW_S)
        upstream_reader, upstream = await asyncio.open_connection(
            "127.0.0.1", self._upstream_port
        )
        try:
            sent = request.body
            if fault == "torn_request":
                sent = sent[: len(sent) // 2]
            upstream.write(request.head + sent)
            await upstream.drain()
            if fault == "torn_request":
                return False
            is_head = request.method == "HEAD"
            answer = await _read_message(upstream_reader, has_body=not is_head)
        finally:
            await _close(upstream)
        if answer is None or fault == "drop_after":
            return False
        body = answer.body
        if fault == "torn_answer":
            body = body[: len(body) // 2]
        writer.write(answer.head + body)
        await writer.drain()
        return fault != "torn_answer"


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _read_message(
    reader: asyncio.StreamReader, *, has_body: bool = True
) -> _Message | None:
    """Read a request or an answer; None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    fields = {}
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip()
    if not has_body or b" 204 " in head[:20]:
        return _Message(head, b"")
    if fields.get(b"transfer-encoding") == b"chunked":
        return _Message(head, await _read_chunks(reader))
    return _Message(
        head, await reader.readexactly(int(fields.get(b"content-length", 0)))
    )


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    """Read chunks as they are, with their sizes."""
    data = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        data += line + await reader.readexactly(size + 2)
        if size == 0:
            return data


@contextlib.contextmanager
def run_fault_proxy(port: int, upstream_port: int) -> Iterator[FaultProxy]:
    """Run a proxy in a thread until the block ends."""
    proxy = FaultProxy(port, upstream_port)
    started, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        server = await asyncio.start_server(
            proxy.serve, "127.0.0.1", port, limit=1 << 20
        )
        async with server:
            started.set()
            await stop.wait()
            server.close()
            open_connections = asyncio.all_tasks() - {asyncio.current_task()}
            for task in open_connections:
                task.cancel()
            await asyncio.gather(*open_connections, return_exceptions=True)

    thread = threading.Thread(
        target=lambda: loop.run_until_complete(run()), daemon=True
    )
    thread.start()
    assert started.wait(HANG_S)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(HANG_S)
        loop.close()

"""A running vLLM server of ours: its process and its connections."""

import asyncio
import contextlib
from typing import Any, Generic, Protocol, TypeVar

import aiohttp
from yarl import URL

from cotbuild.builder.teachers.http.bodies import (
    MAX_LIST_BYTES,
    BodyTooLong,
    read_body,
)
from cotbuild.builder.teachers.http.connection import Connections
from cotbuild.builder.teachers.http.token_progress import TokenProgress
from cotbuild.builder.teachers.http.wire import (
    RetryableFailure,
    ServerLoad,
    backoff_s,
    parse_load,
)
from cotbuild.builder.teachers.vllm.process import GuardedProcess

BASE_URL = "http://localhost/v1"
"""Only its path matters on a Unix socket."""
ROOT_URL = URL(BASE_URL).parent
CALL_TIMEOUT_S = 10.0
EXIT_WAIT_S = 10.0
"""Wait after a broken connection, which nearly always means that the server is gone; the
guard needs a few seconds to clean up.
"""


class SocketClient(Protocol):
    """What sends the requests to a server."""

    async def __aenter__(self) -> Any: ...
    async def __aexit__(self, *exc: object) -> None: ...


C = TypeVar("C", bound=SocketClient)


class ServerSession(Generic[C]):
    """A healthy server with its process and its connections.

    `connections` are for health and metrics, apart from the requests of `client`.
    """

    def __init__(
        self, process: GuardedProcess, client: C, connections: Connections
    ) -> None:
        self.process = process
        self.client = client
        self.connections = connections
        self.tokens = TokenProgress()
        self.ended = asyncio.Event()
        self.lost_last = False
        """Whether the last attempt lost its connection."""

    async def wait_before_retry(
        self, outcome: RetryableFailure, num_attempts: int
    ) -> None:
        """Wait before the next attempt, but no longer than the server lives."""
        if outcome.lost:
            wait_s = EXIT_WAIT_S
        else:
            wait_s = backoff_s(num_attempts, outcome.after_s, 0.5)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), wait_s)

    async def read_load(self) -> ServerLoad | None:
        """Return the server's load; None if it does not report it."""
        metrics = await get_body(self.connections, "metrics")
        return None if metrics is None else parse_load(metrics)

    async def close(self) -> None:
        """End the server with all it started; requests in flight break off."""
        self.ended.set()
        try:
            await self.process.stop()
        finally:
            await self.connections.close()
            await self.client.__aexit__()


async def get_body(connections: Connections, path: str) -> bytes | None:
    """Return the body of a 200 response; None for anything else."""
    timeout = aiohttp.ClientTimeout(total=CALL_TIMEOUT_S)
    try:
        async with await connections.send(
            "GET", ROOT_URL / path, timeout=timeout
        ) as response:
            if response.status != 200:
                return None
            return await read_body(response, MAX_LIST_BYTES)
    except (aiohttp.ClientError, OSError, BodyTooLong):
        return None

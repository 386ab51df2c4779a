"""Forwards HTTP requests to a vLLM server on its Unix socket, byte by byte."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiohttp

from cotbuild.builder.teachers.http.connection import Connections
from cotbuild.builder.teachers.vllm.server_session import ROOT_URL
from cotbuild.schemas.errors import TeacherError


class UpstreamLost(Exception):
    """The connection to the server broke, or its response did not end as it should."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response whose body is still to be read."""

    status: int
    content_type: str
    retry_after: str | None
    _response: aiohttp.ClientResponse

    async def chunks(self, limit: int) -> AsyncIterator[bytes]:
        """Yield the body; raises UpstreamLost if it breaks off or exceeds `limit` bytes."""
        size = 0
        try:
            async for chunk in self._response.content.iter_any():
                size += len(chunk)
                if size > limit:
                    raise UpstreamLost(f"the body is longer than {limit} bytes")
                yield chunk
        except (aiohttp.ClientError, OSError) as fault:
            raise UpstreamLost(f"{type(fault).__name__}: {fault}") from fault


class Upstream:
    """The connections to one server, without a limit on their number or time."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._connections: Connections | None = None

    async def __aenter__(self) -> Self:
        self._connections = Connections(ROOT_URL, None, self._socket)
        return self

    async def __aexit__(self, *exc: object) -> None:
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.close()

    @asynccontextmanager
    async def send(self, method: str, path: str, body: bytes) -> AsyncIterator[Reply]:
        """Send a request. Leaving the block early makes the server abandon it.

        Raises UpstreamLost if no response begins.
        """
        if self._connections is None:
            raise TeacherError("managed vLLM: its connections are closed.")
        try:
            response = await self._connections.send(
                method, ROOT_URL / path, data=body or None
            )
        except (aiohttp.ClientError, OSError) as fault:
            raise UpstreamLost(f"{type(fault).__name__}: {fault}") from fault
        async with response:
            yield Reply(
                response.status,
                response.headers.get("Content-Type", "application/json"),
                response.headers.get("Retry-After"),
                response,
            )

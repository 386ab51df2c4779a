"""Asking endpoints in a test."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from cotbuild.builder.teachers.http.client import EndpointClient
from cotbuild.builder.teachers.http.pool import EndpointPool
from tests.support.http_teacher import Server
from tests.support.raw_server import Respond, serve_raw

T = TypeVar("T")


def pool(
    *urls: str, say: Callable[[str], None] = print, **options: Any
) -> EndpointPool:
    """A pool of these endpoints, to be entered, with waits short enough for a test."""
    names = ("api_key", "uds", "max_answer_s")
    client = {name: options.pop(name) for name in names if name in options}
    clients = [
        EndpointClient(url, options.get("model", "fake"), call_timeout_s=2.0, **client)
        for url in urls
    ]
    options.pop("model", None)
    settings: dict[str, Any] = {
        "window": 8,
        "max_attempts": 2,
        "stall_s": 60.0,
        "backoff_s": 0.02,
    }
    return EndpointPool(clients, say, **(settings | options))


def use(
    server: Server, act: Callable[[EndpointPool], Awaitable[T]], **options: Any
) -> T:
    """What `act` returns, with an entered pool of this one server."""

    async def run() -> T:
        async with pool(server.url, **options) as teacher:
            return await act(teacher)

    return asyncio.run(run(), debug=True)


def use_client(
    server: Server, act: Callable[[EndpointClient], Awaitable[T]], **options: Any
) -> T:
    """The same with a client alone."""

    async def run() -> T:
        async with EndpointClient(
            server.url, **({"model": "fake"} | options)
        ) as client:
            return await act(client)

    return asyncio.run(run(), debug=True)


def use_raw(
    respond: Respond,
    act: Callable[[EndpointClient], Awaitable[T]],
    model: str = "m",
) -> T:
    """The same with a client of a server that sends any bytes."""

    async def run() -> T:
        async with serve_raw(respond) as url, EndpointClient(url, model) as client:
            return await act(client)

    return asyncio.run(run())

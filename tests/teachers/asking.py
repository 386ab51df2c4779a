"""Asking through the endpoint client in a test."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from cotbuild.builder.teachers.endpoint import EndpointTeacher
from tests.http_teacher import Server

T = TypeVar("T")


def use(server: Server, act: Callable[[EndpointTeacher], Awaitable[T]], **options: Any) -> T:
    """What `act` returns, with an entered teacher of this server."""

    async def run() -> T:
        settings: dict[str, Any] = {"model": "fake", "window": 8, "max_attempts": 2, "backoff_s": 0.02}
        async with EndpointTeacher(server.url, **(settings | options)) as teacher:
            return await act(teacher)

    return asyncio.run(run(), debug=True)

"""A service as tests run it: the real app and stores, with jobs that only wait."""

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from cotbuild.builder.service.app import create_app, open_service
from cotbuild.builder.service.folders import job_table_url, make_service_folders
from cotbuild.builder.service.jobs.open import open_job_store
from cotbuild.builder.service.service import Service
from cotbuild.builder.service.settings import ServiceSettings
from cotbuild.builder.service.teachers.pool import TeacherPool
from cotbuild.schemas.service.principal import Role
from cotbuild.schemas.service.tokens import NewToken
from tests.support.web_servers import serving

PORT = 8787


class IdleRunner:
    """Runs no job: tests change the table themselves."""

    fault: str | None = None
    teachers: TeacherPool | None = None

    def __init__(self) -> None:
        self.num_wakes = 0
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        await self._stopped.wait()

    def stop(self) -> None:
        self._stopped.set()

    def wake(self) -> None:
        self.num_wakes += 1


def idle_service(root: Path, **settings: Any) -> Service:
    """A service under `root` that runs no jobs. Whoever serves it closes it."""
    made = ServiceSettings(root=root, **settings)
    make_service_folders(made)
    store = open_job_store(job_table_url(made))
    return open_service(made, IdleRunner(), store, PORT)


def make_token(service: Service, name: str, role: Role = Role.RUNNER) -> str:
    """A token of a new principal."""
    return service.tokens.add(NewToken(name=name, role=role)).token


class ServedService:
    """A service behind a real server."""

    def __init__(self, service: Service, url: str) -> None:
        self.service = service
        self.url = url

    def client(self, name: str | None = None, role: Role = Role.RUNNER) -> httpx.Client:
        """A client with a token of its own; without a name, one without a token."""
        headers = {}
        if name is not None:
            headers["authorization"] = f"Bearer {make_token(self.service, name, role)}"
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)


@contextmanager
def served(root: Path, **settings: Any) -> Iterator[ServedService]:
    """Serve a service that runs no jobs."""
    service = idle_service(root, **settings)
    with serving(create_app(service)) as server:
        yield ServedService(service, server.url)


def upload(client: httpx.Client, data: bytes) -> str:
    """Upload a file and return its digest."""
    sha256 = hashlib.sha256(data).hexdigest()
    response = client.put(f"/v1/files/{sha256}", content=data)
    assert response.status_code in (200, 201), response.text
    return sha256

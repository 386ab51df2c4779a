"""The jobs of a teacher host, each one on a socket of its own."""

import asyncio
from pathlib import Path

from cotbuild.builder.service.teachers.hosted_server import HostedServer
from cotbuild.builder.service.teachers.job_site import JobSite
from cotbuild.schemas.service.teacher import HostedJob, TeacherJob


class HostedJobs:
    """The jobs that share a server.

    Args:
        server: What answers them.
        sockets: The folder for the sockets, which only this user can enter.
    """

    def __init__(self, server: HostedServer, sockets: Path) -> None:
        self.had_any = False
        """Whether there has ever been a job."""
        self._server = server
        self._sockets = sockets
        self._sites: dict[str, JobSite] = {}
        self._num_finished_before = 0  # of jobs that are gone
        self._empty_since_s = asyncio.get_running_loop().time()

    async def add(self, job: HostedJob) -> Path:
        """Serve a job; return its socket, the same one if it is served already."""
        site = self._sites.get(job.id)
        if site is None:
            site = JobSite(job, self._server, self._sockets / job.id)
            await site.start()
            self._sites[job.id] = site
            self.had_any = True
        return site.socket

    async def remove(self, job_id: str) -> None:
        """Break off the requests of a job and remove its socket, if it is served."""
        site = self._sites.pop(job_id, None)
        if site is None:
            return
        self._num_finished_before += site.num_finished
        if not self._sites:
            self._empty_since_s = asyncio.get_running_loop().time()
        await site.close()

    async def close(self) -> None:
        """Remove all jobs."""
        for job_id in list(self._sites):
            await self.remove(job_id)

    @property
    def empty_s(self) -> float | None:
        """Seconds without a job; None while there is one."""
        if self._sites:
            return None
        return asyncio.get_running_loop().time() - self._empty_since_s

    @property
    def silent_s(self) -> float:
        """Seconds since a job was last heard of; 0 while a request is under way."""
        if self._server.gate.slots.in_flight:
            return 0.0
        last_s = max((site.last_request_s for site in self._sites.values()), default=0)
        return asyncio.get_running_loop().time() - last_s

    @property
    def num_finished(self) -> int:
        """Requests answered, also of jobs that are gone."""
        current = sum(site.num_finished for site in self._sites.values())
        return self._num_finished_before + current

    def status(self) -> tuple[TeacherJob, ...]:
        """Return the load of each job."""
        return tuple(site.status() for site in self._sites.values())

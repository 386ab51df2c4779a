"""Supervisors for tests: in this process, or in one of their own that is killed.

    python tests/support/jobs.py ROOT MAX_JOBS

runs one on ROOT until SIGTERM. Its jobs are lines for the shell, or words of cotbuild.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [
        str(Path(__file__).parents[2]),
        str(Path(__file__).parents[1] / ".ns"),
    ]

from cotbuild.builder.service.jobs.open import open_job_store
from cotbuild.builder.service.jobs.store import JobStore, NewJob
from cotbuild.builder.service.jobs.supervisor import Supervisor, SupervisorSettings
from cotbuild.builder.service.teachers.pool import TeacherPool
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.service.job import JobKind, JobRecord, JobState
from tests.support.waiting import HANG_S, until

PRELUDE = """
finish() {
    printf '{"event":"finished","at":"then","outcome":"%s","exit_code":%s}\\n' "$1" "$2" >> "$EVENTS"
    exit "$2"
}
wait_for() { while [ ! -e "$1" ]; do sleep 0.02; done; }
"""
"""What a script may call. It runs in the root, with TARGET and EVENTS."""


@dataclass(frozen=True)
class JobCommand:
    """A process to start."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]


@dataclass(frozen=True)
class CommandMaker:
    """What jobs of tests run."""

    root: Path

    def __call__(self, job: JobRecord, folder: Path) -> JobCommand:
        events = folder / "events.jsonl"
        if "error" in job.request:
            raise ConfigError(str(job.request["error"]))
        script = job.request.get("script") or job.request.get("labels", {}).get(
            "script"
        )
        if script is not None:
            target = self.root / job.target
            target.mkdir(exist_ok=True)
            env = os.environ | {"EVENTS": str(events), "TARGET": str(target)}
            argv = ("/bin/sh", "-c", PRELUDE + script)
            return JobCommand(argv, self.root, env)
        words = [str(word) for word in job.request["words"]]
        # Two processes at once for one job, and the second ends with 99.
        once = ("flock", "--nonblock", "--no-fork", "-E", "99", str(folder / "once"))
        program = (sys.executable, "-m", "cotbuild", "--events", str(events))
        return JobCommand((*once, *program, *words), self.root, os.environ)


@dataclass
class Bench:
    """A root with a table of jobs, and supervisors of it."""

    root: Path
    url: str
    host: str = "here"
    settings: dict[str, Any] = field(default_factory=dict)
    store: JobStore = field(init=False)

    def __post_init__(self) -> None:
        self.root.mkdir(exist_ok=True)
        self.store = open_job_store(self.url)

    @classmethod
    def on_sqlite(cls, root: Path, **settings: Any) -> "Bench":
        return cls(
            root, f"sqlite:///{root / '.service' / 'jobs.sqlite'}", settings=settings
        )

    def supervisor(
        self, store: JobStore | None = None, teachers: TeacherPool | None = None
    ) -> Supervisor:
        settings = SupervisorSettings(
            root=self.root,
            jobs_folder=self.root / ".service" / "jobs",
            lock=self.root / ".service" / f"lock-{self.host}",
            host=self.host,
            **{"poll_s": 0.05, **self.settings},
        )
        return Supervisor(
            store or self.store, settings, CommandMaker(self.root), teachers
        )

    @asynccontextmanager
    async def running(
        self, supervisor: Supervisor | None = None
    ) -> AsyncIterator[Supervisor]:
        """Run a supervisor meanwhile; its processes run on."""
        supervisor = supervisor or self.supervisor()
        task = asyncio.create_task(supervisor.run())
        try:
            yield supervisor
        finally:
            supervisor.stop()
            await asyncio.wait_for(task, HANG_S)

    def submit(
        self, script: str = "exit 0", target: str = "build", **changes: Any
    ) -> str:
        request = {"script": script}
        fields = {
            "kind": JobKind.GENERATE,
            "owner": "ann",
            "request": request,
            **changes,
        }
        return self.store.add(
            NewJob(target=target, request_digest="d", **fields)
        ).job.id

    async def until_state(self, job_id: str, *states: JobState) -> JobRecord:
        """Wait for a state; the job then."""
        await until(lambda: self.store.get(job_id).state in states, f"not {states}")
        return self.store.get(job_id)

    async def until_process(self, job_id: str) -> JobRecord:
        """Wait until a job has a process."""
        await until(lambda: self.store.get(job_id).process is not None, "no process")
        return self.store.get(job_id)

    def log(self, job_id: str) -> str:
        return (self.root / ".service" / "jobs" / job_id / "log.txt").read_text()


def pid_of(job: JobRecord) -> int:
    assert job.process is not None
    return job.process.pid


async def serve(root: Path, max_jobs: int) -> None:
    """Supervise until SIGTERM."""
    bench = Bench.on_sqlite(root, max_jobs=max_jobs, max_crashes=1_000, poll_s=0.2)
    supervisor = bench.supervisor()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, supervisor.stop)
    await supervisor.run()
    bench.store.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))

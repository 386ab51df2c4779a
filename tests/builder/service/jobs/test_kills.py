"""Real kill -9 of servers, of the processes of jobs, and of both, at random moments,
while a server of a teacher counts what it is asked.

`make soak` does it a hundred times to `cotbuild serve`, and as often to a server that
is a supervisor alone, whose jobs end with an error if they ever run twice at once.
"""

import os
import random
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cotbuild.builder.process_identity import read_status
from cotbuild.builder.service.jobs.store import JobFilter
from cotbuild.schemas.service.job import JobRecord, JobState
from tests.builder.generate.test_kill import nonces_in_build
from tests.support.commands import invoke, rows, write_questions
from tests.support.http_teacher import Server, serve
from tests.support.jobs import Bench, pid_of
from tests.support.killed_servers import KilledServer, ServeCommand, SupervisorAlone
from tests.support.waiting import HANG_S, wait_until

WINDOW = 8
NUM_QUESTIONS = 100
KILLS = int(os.environ.get("COTBUILD_KILLS", "100"))
UNFINISHED = (JobState.QUEUED, JobState.RUNNING)
VICTIMS = ("both", "server", "process")
_EVENTS = re.compile(rb"/jobs/(\w{16})/events\.jsonl")


class Storm:
    """Jobs, a server for them, and what is killed.

    Args:
        folder: Where the sources are.
        bench: The root with the table, which this process reads too.
        teacher: Who is asked.
        server: The server of jobs.
    """

    def __init__(
        self, folder: Path, bench: Bench, teacher: Server, server: KilledServer
    ) -> None:
        self.folder, self.bench, self.teacher = folder, bench, teacher
        self.server = server
        self.job_ids: list[str] = []
        self.num_killed = 0
        """Processes of jobs that were killed."""

    def submit(self) -> None:
        """One more build, of questions of its own."""
        name = f"build-{len(self.job_ids)}"
        source = write_questions(
            self.folder / f"{name}.jsonl",
            (f"Which of these is {name} {i}?" for i in range(NUM_QUESTIONS)),
        )
        self.job_ids.append(self.server.submit(name, source, self.teacher.url, WINDOW))

    def strike(self, victim: str) -> None:
        """Kill something at a random moment, and start the server again."""
        while len(self.unfinished()) < 2:
            self.submit()
        self.wait_for_requests()
        if victim != "process":
            self.server.kill()
        if victim != "server":
            self.kill_processes()
        self.server.start()
        for job in self.jobs():
            if job.error_code == "crashed":  # killed too often before an answer came
                self.bench.store.retry(job.id)

    def wait_for_requests(self) -> None:
        """Wait until some more were asked, or no job is left that would ask; sometimes
        for a second at most, which is while a server or a process starts.
        """
        goal = self.teacher.stats()["requests"] + random.randint(1, 60)
        longest_s = random.choice([random.uniform(0.05, 1), HANG_S, HANG_S])
        deadline_s = time.monotonic() + longest_s
        while self.teacher.stats()["requests"] < goal and time.monotonic() < deadline_s:
            check_none_runs_twice()
            if not self.unfinished():
                break
            time.sleep(0.05)

    def unfinished(self) -> list[JobRecord]:
        return self.bench.store.list_jobs(JobFilter(states=UNFINISHED))

    def kill_processes(self) -> None:
        """Kill one of the processes that the table names, or more."""
        held = self.bench.store.list_held(self.bench.host)
        alive = [job for job in held if job.process is not None and is_alive(job)]
        for job in random.sample(alive, random.randint(min(1, len(alive)), len(alive))):
            os.kill(pid_of(job), signal.SIGKILL)
            self.num_killed += 1

    def jobs(self) -> list[JobRecord]:
        return [self.bench.store.get(job_id) for job_id in self.job_ids]


def is_alive(job: JobRecord) -> bool:
    status = read_status(pid_of(job))
    return status is not None and status.is_alive


def command_lines() -> Iterator[tuple[int, bytes]]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield int(path.parent.name), path.read_bytes()
        except OSError:
            continue


def check_none_runs_twice() -> None:
    """Each job has at most one process; its command line names the job's events."""
    ids = []
    for pid, words in command_lines():
        found = _EVENTS.search(words)
        status = read_status(pid) if found is not None else None
        # A process leads a session of its own; a child that it forks does not.
        if found is not None and status is not None and status.session == pid:
            ids.append(found[1])
    assert len(ids) == len(set(ids)), ids


@pytest.mark.parametrize(
    ("make_server", "kills"),
    [
        pytest.param(
            ServeCommand, 3, marks=[pytest.mark.slow, pytest.mark.timeout(600)]
        ),
        *(
            pytest.param(make, KILLS, marks=[pytest.mark.soak, pytest.mark.timeout(0)])
            for make in (SupervisorAlone, ServeCommand)
        ),
    ],
)
def test_after_any_number_of_kills_every_job_ends_as_it_would_have(
    tmp_path: Path, make_server: type[KilledServer], kills: int
) -> None:
    """No accepted job is lost or runs twice at once, and nothing is asked twice but
    what was under way in a process that was killed.
    """
    random.seed(kills)
    sources = tmp_path / "sources"
    sources.mkdir()
    with (
        serve(nonce=True, latency_s=0.1, sigma=0.7) as teacher,
        make_server(tmp_path / "root", sources, teacher.url) as server,
    ):
        storm = Storm(sources, server.bench, teacher, server)
        for _ in range(min(3, kills - 1)):
            storm.submit()
        for number in range(kills):
            storm.strike(VICTIMS[number % len(VICTIMS)])
        for job_id in storm.job_ids:
            wait_until(
                lambda job_id=job_id: server.bench.store.get(job_id).state.is_final,  # type: ignore[misc]
                server.log,
            )
        check(storm)
        server.stop()
    root = os.fsencode(server.bench.root)
    assert [words for _, words in command_lines() if root in words] == []


def check(storm: Storm) -> None:
    """Check states, requests and answers once all jobs are over."""
    bench, teacher = storm.bench, storm.teacher
    jobs = storm.jobs()
    assert {job.state for job in jobs} == {JobState.SUCCEEDED}, [
        (job.id, job.state, job.error, bench.log(job.id)) for job in jobs
    ]
    assert sorted(job.id for job in bench.store.list_jobs(limit=1_000)) == storm.job_ids
    num_questions = NUM_QUESTIONS * len(jobs)
    asked, allowed = teacher.stats()["requests"], storm.num_killed * WINDOW
    assert num_questions <= asked <= num_questions + allowed
    first, replaced = teacher.first_nonces(), 0
    for job in jobs:
        out = bench.root / job.target
        assert len(rows(out)) == NUM_QUESTIONS
        built = nonces_in_build(out)
        replaced += sum(built[key] != first[key] for key in built)
    assert replaced <= allowed
    invoke("verify", bench.root / jobs[0].target)
    print(
        f"\n{len(jobs)} jobs of {NUM_QUESTIONS} questions: {asked} requests, "
        f"{asked - num_questions} of them asked before, where {storm.num_killed} "
        f"processes with up to {WINDOW} requests under way and {storm.server.num_kills} "
        f"servers were killed; {sum(job.attempt for job in jobs)} attempts"
    )

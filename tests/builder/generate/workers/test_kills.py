"""Real kill -9 of workers at random moments, against a server that counts requests."""

import os
import random
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from cotbuild.builder.generate.run import generate
from cotbuild.builder.generate.workers.status import PlanWatch
from cotbuild.builder.terminal import Terminal
from tests.builder.generate.workers.test_worker import config_of, served
from tests.support.commands import published
from tests.support.http_teacher import serve
from tests.support.plans import open_board, plan_build, start_worker
from tests.support.waiting import HANG_S

WINDOW, TEAM = 8, 3


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(4, marks=pytest.mark.slow),
        pytest.param(20, marks=[pytest.mark.soak, pytest.mark.timeout(900)]),
    ],
)
def test_workers_killed_at_random_lose_nothing(tmp_path: Path, kills: int) -> None:
    """At most a window of requests a kill is asked twice, and the build has the bytes
    of one process.
    """
    random.seed(kills)
    num_questions = 150 * (kills + 1)
    out, log = tmp_path / "build", tmp_path / "log"
    with serve(latency_s=0.05, sigma=0.7) as server, ExitStack() as stack:
        config = config_of(tmp_path, num_questions, teacher=served(server, WINDOW))
        plan = plan_build(config, out, workers=TEAM)
        assert plan is not None
        watch = PlanWatch(open_board(out), plan)
        numbers = iter(range(1_000))

        def start() -> tuple[str, subprocess.Popen[str]]:
            name = f"w{next(numbers)}"
            # No second leases: what they ask twice is not for this test. And a lease
            # that a starved machine renews in time: what was killed is given back below.
            options = {"lease_s": 20.0, "renew_s": 0.4, "second_after": 10_000}
            process = start_worker(out, name, log, **options)
            return name, stack.enter_context(process)

        team = [start() for _ in range(TEAM)]
        for _ in range(kills):
            goal = server.stats()["requests"] + random.randint(1, 140)
            deadline = time.monotonic() + HANG_S
            while server.stats()["requests"] < goal and time.monotonic() < deadline:
                if all(process.poll() is not None for _, process in team):
                    break
                time.sleep(0.01)
            victim = random.randrange(TEAM)
            name, process = team[victim]
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                watch.release(name)
            team[victim] = start()
        for _, process in team:
            assert process.wait(HANG_S) == 0, log.read_text()
        stats = server.stats()
        assert stats["keys"] == num_questions
        assert stats["repeated"] <= kills * WINDOW
        assert generate(config, out, Terminal()).asked == 0
        generate(config, tmp_path / "alone", Terminal())
    assert published(out) == published(tmp_path / "alone")

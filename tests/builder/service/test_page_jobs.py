"""What the pages of a service do with its jobs, over the real stores."""

import asyncio
import threading
from contextlib import closing
from pathlib import Path

import pytest

from cotbuild.builder.service import page_jobs, service
from cotbuild.builder.service.page_jobs import PageJobs
from cotbuild.builder.service.service import PLANNING_THREADS
from cotbuild.builder.web.problems import ProblemError
from cotbuild.schemas.service.job import JobKind
from cotbuild.schemas.service.principal import Principal, Role
from cotbuild.schemas.service.requests import PlanView, parse_request
from tests.support.services import idle_service
from tests.support.waiting import HANG_S, until

RUNNER = Principal(name="rob", role=Role.RUNNER)
REQUEST = parse_request(
    {
        "kind": "generate",
        "target": "mine",
        "config": {"source": {"name": "bundled"}, "teacher": {"model": "scripted"}},
    }
)
VIEW = PlanView(kind=JobKind.GENERATE, target="mine")


def test_plans_of_the_page_are_as_few_at_a_time_as_those_of_the_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_started = 0
    let_go = threading.Event()

    def plan_slowly(*_: object) -> PlanView:
        nonlocal num_started
        num_started += 1
        let_go.wait(HANG_S)
        return VIEW

    monkeypatch.setattr(page_jobs, "plan_request", plan_slowly)
    monkeypatch.setattr(service, "PLANNING_WAIT_S", 0.2)

    async def check() -> None:
        jobs = PageJobs(idle)
        plans = [asyncio.create_task(jobs.plan(RUNNER, REQUEST)) for _ in range(5)]
        try:
            num_refused = len(plans) - PLANNING_THREADS
            await until(lambda: sum(plan.done() for plan in plans) == num_refused)
        finally:
            let_go.set()
        ends = await asyncio.gather(*plans, return_exceptions=True)
        refusals = [end for end in ends if isinstance(end, ProblemError)]
        assert [refusal.status for refusal in refusals] == [503] * num_refused
        assert ends.count(VIEW) == num_started == PLANNING_THREADS
        # There is room again.
        assert await jobs.plan(RUNNER, REQUEST) == VIEW

    idle = idle_service(tmp_path)
    with closing(idle.store), closing(idle.database):
        asyncio.run(check())

"""A worker on a plan: every chain to its end, from unit to unit, as one process would."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cotbuild.builder.generate.run import generate
from cotbuild.builder.generate.workers.board import Board
from cotbuild.builder.generate.workers.leases import UnitLeases
from cotbuild.builder.generate.workers.status import PlanWatch
from cotbuild.builder.storage.answer_store import AnswerStore
from cotbuild.builder.terminal import Terminal
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import ConfigError, StoreError, TeacherError
from cotbuild.schemas.work import JournalStart, WorkCounts, WorkPlan
from tests.support.commands import published, write_questions
from tests.support.http_teacher import Server, serve
from tests.support.plans import open_board, plan_build, start_worker, work
from tests.support.waiting import HANG_S, wait_until


def config_of(folder: Path, number: int, **settings: Any) -> BuildConfig:
    source = write_questions(
        folder / "q.jsonl", (f"Which of these is number {i}?" for i in range(number))
    )
    values = {"source": {"name": str(source)}, "teacher": {"model": "scripted"}}
    return BuildConfig.parse(values | settings, "test")


def served(server: Server, window: int = 8) -> dict[str, Any]:
    """The teacher at a server."""
    return {"model": "fake", "endpoints": [server.url], "window": window}


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(nonce=True, latency_s=0.02) as running:
        yield running


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"mode": "elicit-then-rationalize"},
        {"decode": "choice", "on_length": "longer"},
        {"decode": "json", "samples": 2},
    ],
    ids=lambda settings: settings.get("mode") or settings.get("decode") or "plain",
)
def test_a_worker_gives_the_bytes_of_one_process(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    scripted = {"model": "scripted", "scripted": {"length_frac": 0.2}}
    config = config_of(tmp_path, 150, teacher=scripted, **settings)
    out = tmp_path / "build"
    plan = plan_build(config, out)
    assert plan is not None
    assert len(plan.units) > 4
    done = work(out)
    assert done.num_units == len(plan.units)
    assert done.counts.chains == 150 * config.samples
    assert done.counts.requests >= done.counts.chains
    assert generate(config, out, Terminal()).asked == 0
    generate(config, tmp_path / "alone", Terminal())
    assert published(out) == published(tmp_path / "alone")


def test_requests_that_failed_before_are_asked_where_the_plan_has_them(
    tmp_path: Path, server: Server
) -> None:
    """In a mode with later steps too, whose stored answers a worker looks up."""
    server.set(faults={"http_400": 0.2}, times=0)
    config = config_of(
        tmp_path, 60, teacher=served(server), mode="elicit-then-rationalize"
    )
    out = tmp_path / "build"
    generate(config, out, Terminal())
    assert plan_build(config, out) is None
    server.set(faults={})
    plan = plan_build(config, out, retry_failed=True)
    assert plan is not None
    assert work(out).counts.requests >= plan.num_open
    assert plan_build(config, out, retry_failed=True) is None


def test_what_a_lost_worker_has_stored_is_not_asked_again(
    tmp_path: Path, server: Server
) -> None:
    """Its journal is read from where the unit began, its lease having expired."""
    config = config_of(tmp_path, 64, teacher=served(server))
    out = tmp_path / "build"
    plan_build(config, out, workers=1)
    with start_worker(
        out, "lost", tmp_path / "log", lease_s=1.0, renew_s=0.2
    ) as process:
        wait_until(lambda: server.stats()["requests"] >= 24)
        process.kill()
    stored = server.stats()["requests"] - 8
    done = work(out, "next", lease_s=1.0, renew_s=0.2)
    assert done.counts.requests <= 64 - stored
    assert server.stats()["keys"] == 64
    assert server.stats()["repeated"] <= 8
    assert generate(config, out, Terminal()).asked == 0


def test_a_unit_that_is_lost_and_leased_again_is_not_asked_again(
    tmp_path: Path, server: Server
) -> None:
    """The worker reads its own journal as it reads those of former holders."""
    server.set(latency_s=0.4, slots=0)
    config = config_of(tmp_path, 16, teacher=served(server, window=1))
    out, board = tmp_path / "build", open_board(tmp_path / "build")
    plan = plan_build(config, out)
    assert plan is not None
    with start_worker(out, "w", tmp_path / "log", renew_s=0.3) as process:
        wait_until(lambda: server.stats()["requests"] >= 3)
        wait_until(lambda: take_from_holder(board, plan))
        assert process.wait(HANG_S) == 0, (tmp_path / "log").read_text()
    assert server.stats()["keys"] == 16
    assert server.stats()["repeated"] <= 1


def take_from_holder(board: Board, plan: WorkPlan) -> bool:
    """Take the only unit from its holder and give it back; False if that renewed it."""
    [unit] = plan.units
    first = board.read_state(plan.name, unit.name).first
    lease = None if first is None else board.read_lease(first)
    if lease is None:
        return False
    number = lease.number + 1
    taken = lease.model_copy(update={"worker": "other", "number": number})
    if not board.create_lease(plan.name, unit.name, taken, is_second=False):
        return False
    board.release_lease(plan.name, unit.name, number, is_second=False)
    return True


def test_an_idle_worker_helps_with_a_unit_that_takes_long(
    tmp_path: Path, server: Server
) -> None:
    """From its end, and both drop what the other one has: the unit is done sooner, and
    little of it is asked twice.
    """
    server.set(latency_s=1.0, slots=0)
    config = config_of(tmp_path, 16, teacher=served(server, window=1))
    out = tmp_path / "build"
    plan = plan_build(config, out)
    assert plan is not None
    assert len(plan.units) == 1  # so that there is nothing but a second lease to take
    options: dict[str, Any] = {"lease_s": HANG_S, "renew_s": 0.3, "second_after": 2}
    with start_worker(out, "slow", tmp_path / "log", **options) as slow:
        wait_until(lambda: lease_number(open_board(out), plan) > 2)
        helped = work(out, "helper", **options, window=4)
        assert slow.wait(HANG_S) == 0, (tmp_path / "log").read_text()
    assert helped.counts.requests > 0
    assert server.stats()["keys"] == 16
    assert server.stats()["repeated"] < 16
    assert generate(config, out, Terminal()).asked == 0


def lease_number(board: Board, plan: WorkPlan) -> int:
    """Return the number of the lease on the first unit; 0 if nobody has one."""
    first = board.read_state(plan.name, plan.units[0].name).first
    return 0 if first is None else first.number


def test_a_drained_worker_gives_its_units_back(tmp_path: Path, server: Server) -> None:
    server.set(latency_s=1.0, slots=0)
    config = config_of(tmp_path, 1_000, teacher=served(server))
    out = tmp_path / "build"
    plan = plan_build(config, out, workers=2)
    assert plan is not None
    board = open_board(out)
    with start_worker(out, "w", tmp_path / "log", renew_s=0.2) as process:
        wait_until(lambda: server.stats()["requests"] >= 10)
        board.send(plan.name, "drain")
        assert process.wait(HANG_S) == 0
    assert "reason='drained'" in (tmp_path / "log").read_text()
    status = PlanWatch(board, plan).status()
    assert status.leases == ()
    assert not status.is_finished
    assert board.live_workers() == []
    asked = server.stats()["requests"]
    assert work(out, "late").reason == "drained"
    assert server.stats()["requests"] == asked


def test_rejections_of_a_worker_without_a_completion_are_not_final(
    tmp_path: Path, server: Server
) -> None:
    """Its server may be the wrong one, though the plan was finished with others."""
    server.set(faults={"http_400": 1.0}, times=0)
    config = config_of(tmp_path, 32, teacher=served(server))
    out = tmp_path / "build"
    plan = plan_build(config, out, workers=1)
    assert plan is not None
    assert len(plan.units) == 2
    board = open_board(out)
    other = UnitLeases(board, plan, "other", lease_s=HANG_S)
    held = other.take(JournalStart(name="other.journal", start=0))
    assert held is not None
    with start_worker(out, "w", tmp_path / "log") as process:
        wait_until(lambda: PlanWatch(board, plan).status().num_done == 1)
        other.finish(held, WorkCounts())
        assert process.wait(HANG_S) == 0, (tmp_path / "log").read_text()
    assert server.stats()["requests"] == 16
    rest = plan_build(config, out)
    assert rest is not None
    assert rest.num_open == 32


def test_rejections_are_final_once_their_unit_is_done(
    tmp_path: Path, server: Server
) -> None:
    """Though the journal of the worker goes on behind them."""
    server.set(faults={"http_400": 0.1}, times=0)
    config = config_of(tmp_path, 200, teacher=served(server))
    out = tmp_path / "build"
    plan_build(config, out)
    done = work(out)
    assert 0 < done.counts.failures < 100
    assert generate(config, out, Terminal()).asked == 0
    assert plan_build(config, out) is None


def test_a_worker_whose_requests_all_fail_ends_and_gives_its_units_back(
    tmp_path: Path, server: Server
) -> None:
    server.set(faults={"http_400": 1.0}, times=0)
    config = config_of(tmp_path, 100, teacher=served(server))
    out = tmp_path / "build"
    plan = plan_build(config, out)
    assert plan is not None
    with pytest.raises(TeacherError, match="the first 20 requests all failed"):
        work(out)
    assert PlanWatch(open_board(out), plan).status().leases == ()
    server.set(faults={})
    assert generate(config, out, Terminal()).asked == 100


def test_a_second_plan_is_worked_on_with_the_same_server(
    tmp_path: Path, server: Server
) -> None:
    config = config_of(tmp_path, 40, teacher=served(server))
    out = tmp_path / "build"
    first = plan_build(config, out)
    assert first is not None
    with start_worker(out, "w", tmp_path / "log", wait_s=HANG_S) as process:
        wait_until(lambda: server.stats()["keys"] == 40)
        more = config_of(tmp_path, 60, teacher=served(server))
        second = plan_build(more, out)
        assert second is not None
        assert second.name.startswith("plan-0002-")
        board = open_board(out)
        watch = PlanWatch(board, second)
        wait_until(lambda: watch.status().is_finished)
        board.send(second.name, "closed")
        assert process.wait(HANG_S) == 0
    assert generate(more, out, Terminal()).asked == 0
    assert server.stats()["repeated"] <= 20


def test_a_plan_of_other_code_is_refused_with_a_line(tmp_path: Path) -> None:
    out = tmp_path / "build"
    plan = plan_build(config_of(tmp_path, 20), out)
    assert plan is not None
    name = f"plan-0002-{'0' * 16}"
    open_board(out).publish(plan.model_copy(update={"code": "other", "name": name}))
    with pytest.raises(ConfigError) as refused:
        work(out)
    assert str(refused.value) == (
        f"{open_board(out).where(name)}/plan.json: planned by another version of cotbuild "
        "or Python, whose requests may differ. Install the version of the planner on "
        "this machine."
    )


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"sample_index": 0}', b"\xff"])
def test_a_damaged_unit_is_one_line_that_names_it(tmp_path: Path, line: bytes) -> None:
    out = tmp_path / "build"
    plan = plan_build(config_of(tmp_path, 20), out)
    assert plan is not None
    for unit in plan.units:
        open_board(out).blobs.delete(f"{plan.name}/units/{unit.name}.jsonl.gz")
        open_board(out).write_unit(plan.name, unit.name, [line])
    with pytest.raises(StoreError) as damaged:
        work(out)
    message = str(damaged.value)
    units = open_board(out).where(f"{plan.name}/units")
    assert message.startswith(f"{units}/00000")
    assert "\n" not in message
    assert PlanWatch(open_board(out), plan).status().leases == ()


def test_a_unit_that_is_gone_is_given_back(tmp_path: Path) -> None:
    out = tmp_path / "build"
    plan = plan_build(config_of(tmp_path, 20), out)
    assert plan is not None
    for unit in plan.units:
        open_board(out).blobs.delete(f"{plan.name}/units/{unit.name}.jsonl.gz")
    with pytest.raises(StoreError, match="there is no such file"):
        work(out)
    assert PlanWatch(open_board(out), plan).status().leases == ()


def test_a_worker_ends_where_a_later_plan_is_closed(
    tmp_path: Path, server: Server
) -> None:
    """Though its own plan is not: the driver deletes older plans with their signals."""
    config = config_of(tmp_path, 20, teacher=served(server))
    out, board = tmp_path / "build", open_board(tmp_path / "build")
    plan = plan_build(config, out)
    assert plan is not None
    later = plan.model_copy(update={"name": f"plan-0002-{'0' * 16}"})
    with start_worker(out, "w", tmp_path / "log", wait_s=10 * HANG_S) as process:
        wait_until(lambda: server.stats()["keys"] == 20)
        board.send(later.name, "closed")
        board.publish(later)
        assert process.wait(HANG_S) == 0, (tmp_path / "log").read_text()


def test_a_worker_without_a_plan_waits_and_says_so(tmp_path: Path) -> None:
    began = time.monotonic()
    assert work(tmp_path / "build", wait_s=0.3).reason == "no_plan"
    assert time.monotonic() - began >= 0.3
    assert AnswerStore(tmp_path / "build").journals == []

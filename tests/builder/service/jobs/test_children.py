"""The process of a job: how it begins, its log, its signals."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cotbuild.builder.process_identity import open_process
from cotbuild.builder.service.jobs.children import (
    Child,
    WaitingChild,
    cap_log,
    read_log_end,
)
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.service.job import ProcessIdentity, StopMode
from tests.support.waiting import until, wait_until


@dataclass(frozen=True)
class ShellCommand:
    """A line for the shell, as the command of a job."""

    line: str
    cwd: Path = Path("/")
    env: dict[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})

    @property
    def argv(self) -> tuple[str, ...]:
        return ("/bin/sh", "-c", self.line)


def waiting_child(line: str, log: Path, **variables: str) -> WaitingChild:
    return WaitingChild(ShellCommand(line, log.parent), variables, log, 0)


def test_a_command_begins_once_it_may(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"

    async def run() -> int | None:
        child = waiting_child(
            "echo out; echo err >&2; cat; pwd; echo $A; exit 7", log, A="b"
        )
        assert log.read_bytes() == b""
        opened = child.begin()
        try:
            return await opened.wait()
        finally:
            opened.close()

    assert asyncio.run(run()) == 7
    assert log.read_text().splitlines() == ["out", "err", str(tmp_path), "b"]


def test_a_command_that_may_not_never_begins(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    child = waiting_child("echo began", log)
    child.close()
    assert open_process(child.process) is None
    assert log.read_bytes() == b""


def test_the_command_of_a_killed_server_never_begins(tmp_path: Path) -> None:
    """Whoever holds the other end of the pipe is gone, and so is the process."""
    log = tmp_path / "log.txt"
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tests.builder.service.jobs.test_children import waiting_child\n"
        "child = waiting_child('echo began', Path(sys.argv[1]))\n"
        "print(child.process.model_dump_json(), flush=True)\n"
        "time.sleep(1000)\n"
    )
    root = Path(__file__).parents[4]
    with subprocess.Popen(
        [sys.executable, "-c", script, str(log)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": f"{root}/tests/.ns:{root}"},
    ) as server:
        assert server.stdout is not None
        identity = _identity(server.stdout.readline())
        assert _is_running(identity)
        server.kill()
    wait_until(lambda: not _is_running(identity))
    assert log.read_bytes() == b""


def test_a_child_is_adopted_and_its_end_noticed(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"

    async def run() -> None:
        started = waiting_child(
            "trap 'exit 4' USR1; touch ready; while :; do sleep 0.01; done", log
        )
        own = started.begin()
        adopted = Child.adopt(started.process)
        waiting = asyncio.create_task(adopted.wait())
        await until((tmp_path / "ready").exists)
        adopted.stop(StopMode.DRAIN, can_drain=True)
        # Who did not start it cannot know its exit code.
        assert await waiting is None
        assert await own.wait() == 4
        late = Child.adopt(started.process)
        assert await late.wait() is None
        for child in (own, adopted, late):
            child.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("mode", "can_drain", "expected"),
    [
        (StopMode.DRAIN, True, signal.SIGUSR1),
        (StopMode.DRAIN, False, signal.SIGTERM),
        (StopMode.NOW, True, signal.SIGTERM),
    ],
)
def test_which_signal_stops_it(
    tmp_path: Path, mode: StopMode, can_drain: bool, expected: signal.Signals
) -> None:
    async def run() -> int | None:
        child = waiting_child("exec sleep 1000", tmp_path / "log.txt").begin()
        child.stop(mode, can_drain=can_drain)
        try:
            return await child.wait()
        finally:
            child.close()

    assert asyncio.run(run()) == -expected


def test_a_child_that_is_not_watched_any_more_runs_on(tmp_path: Path) -> None:
    started = waiting_child("exec sleep 1000", tmp_path / "log.txt")
    child = started.begin()
    child.close()
    assert _is_running(started.process)
    child.kill()
    wait_until(lambda: not _is_running(started.process))


def test_a_program_that_is_missing_says_so_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"

    async def run() -> int | None:
        command = ShellCommand("")
        missing = _Words(("/no/such/program",), command.env, tmp_path)
        child = WaitingChild(missing, {}, log, 0).begin()
        try:
            return await child.wait()
        finally:
            child.close()

    assert asyncio.run(run()) == 127
    assert "/no/such/program" in log.read_text()


def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"log\.txt"):
        waiting_child("true", tmp_path / "missing" / "log.txt")


def test_the_beginning_of_a_long_log_is_cut_off(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("".join(f"line {i}\n" for i in range(1_000)))
    size = log.stat().st_size
    cap_log(log, max_bytes=size, kept_bytes=100)
    assert log.stat().st_size == size
    with log.open("ab") as writer:  # as the process has it open
        writer.write(b"newest\n")
        writer.flush()
        cap_log(log, max_bytes=size, kept_bytes=100)
        writer.write(b"after\n")
    first, *lines = log.read_text().splitlines()
    assert first.startswith("… ")
    assert first.endswith(" bytes of this log were cut off here")
    assert lines[-3:] == ["line 999", "newest", "after"]
    assert lines[0].startswith("line 9")
    assert len(lines) < 20


def test_a_log_that_is_missing_is_empty(tmp_path: Path) -> None:
    cap_log(tmp_path / "log.txt")
    assert read_log_end(tmp_path / "log.txt") == []


@dataclass(frozen=True)
class _Words:
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: Path


def _identity(line: bytes) -> ProcessIdentity:
    return ProcessIdentity.model_validate_json(line)


def _is_running(identity: ProcessIdentity) -> bool:
    descriptor = open_process(identity)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True

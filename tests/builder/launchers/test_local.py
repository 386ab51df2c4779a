"""Workers as processes of this machine: the contract of launchers, and the workers that
a run left behind.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from cotbuild.builder.launchers import local
from cotbuild.builder.launchers.base import Launcher
from cotbuild.builder.launchers.local import LocalLauncher, WorkerRecord, read_last_line
from cotbuild.schemas.errors import StoreError
from cotbuild.schemas.files import read_record
from tests.support.launcher_contract import (
    SLEEP,
    LauncherContract,
    command,
    wait_for_exits,
)

ANY_COMMAND = ("env",)


@pytest.fixture(autouse=True)
def secrets_and_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    monkeypatch.setattr(local, "GRACE_S", 0.5)


def kill(folder: Path, name: str) -> None:
    path = folder / ".answers" / "workers" / f"{name}.json"
    record = read_record(path, WorkerRecord, remedy="")
    assert record is not None
    os.kill(record.process.pid, signal.SIGKILL)


class TestLocal(LauncherContract):
    @contextmanager
    def open(self, folder: Path) -> Iterator[Launcher]:
        launcher = LocalLauncher(folder, ANY_COMMAND)
        try:
            yield launcher
        finally:
            launcher.stop()

    def kill(self, launcher: Launcher, folder: Path, names: Sequence[str]) -> None:  # noqa: ARG002
        for name in names:
            kill(folder, name)


LEAVE_BEHIND = """
import sys, time
from pathlib import Path
from cotbuild.builder.launchers.base import WorkerCommand
from cotbuild.builder.launchers.local import LocalLauncher

launcher = LocalLauncher(Path(sys.argv[1]), ("env",))
for name in ("killed", "ended"):
    launcher.launch(WorkerCommand(name, ("sleep", "1000"), {}))
print("launched", flush=True)
time.sleep(1000)
"""


def test_workers_outlive_a_killed_run_and_the_next_one_finds_them(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LEAVE_BEHIND, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "launched\n"
        run.kill()
    kill(tmp_path, "ended")
    launcher = LocalLauncher(tmp_path, ANY_COMMAND)
    assert list(launcher.running) == ["ended", "killed"]
    exits = wait_for_exits(launcher, 1)
    assert exits["ended"].exit_code is None
    assert list(launcher.running) == ["killed"]
    launcher.launch(command("new", *SLEEP))
    kill(tmp_path, "killed")
    assert wait_for_exits(launcher, 1)["killed"].exit_code is None
    launcher.stop()
    assert LocalLauncher(tmp_path, ANY_COMMAND).running == ()


FOUND = """
import sys
from pathlib import Path
from cotbuild.builder.launchers.base import WorkerCommand
from cotbuild.builder.launchers.local import LocalLauncher

launcher = LocalLauncher(Path(sys.argv[1]), ("sh", "-c"))
launcher.launch(WorkerCommand("good", ("echo 'good: 1 unit finished; drained'",), {}))
launcher.launch(WorkerCommand("bad", ("echo 'error: no such model'; exit 1",), {}))
"""


def test_a_worker_of_an_earlier_run_ended_as_its_last_line_says(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", FOUND, str(tmp_path)], check=True)
    exits = wait_for_exits(LocalLauncher(tmp_path), 2)
    assert exits["good"] == ("good", 0, "good: 1 unit finished; drained")
    message = "ended while no run watched it: error: no such model"
    assert exits["bad"] == ("bad", None, message)


def test_a_worker_that_is_drained_before_it_listens_is_not_lost(tmp_path: Path) -> None:
    launcher = LocalLauncher(tmp_path, ANY_COMMAND)
    launcher.launch(command("new", *SLEEP))  # SIGUSR1 ends it
    launcher.drain()
    exits = wait_for_exits(launcher, 1)
    assert exits["new"] == ("new", 4, "drained before it began")


def test_a_worker_whose_record_cannot_be_written_is_ended(tmp_path: Path) -> None:
    launcher = LocalLauncher(tmp_path, ANY_COMMAND)
    (tmp_path / ".answers" / "workers" / "new.json").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"new\.json: could not be written"):
        launcher.launch(command("new", *SLEEP, FOLDER=str(tmp_path)))
    assert launcher.running == ()
    assert not any(str(tmp_path).encode() in variables for variables in environments())


def environments() -> Iterator[bytes]:
    """The variables of each process of this user."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            yield path.read_bytes()


def test_records_of_another_machine_and_what_is_no_record_stay(tmp_path: Path) -> None:
    folder = tmp_path / ".answers" / "workers"
    folder.mkdir(parents=True)
    (folder / "torn.json").write_text('{"format_version": 1, "proc')
    elsewhere = {"pid": os.getpid(), "start_ticks": 1, "boot_id": "of another machine"}
    record = WorkerRecord.parse({"process": elsewhere}, "test")
    (folder / "elsewhere.json").write_text(record.model_dump_json())
    launcher = LocalLauncher(tmp_path)
    assert not launcher.running
    launcher.stop()
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (b"", ""),
        (b"\n\n", ""),
        (b"one\ntwo\n\n", "two"),
        (b"one\n\xff\x1b[0m", "\ufffd\\u001b[0m"),
        (b"a" * 40_000, "a" * 1_000),
    ],
)
def test_the_last_line_of_a_log(tmp_path: Path, log: bytes, line: str) -> None:
    (tmp_path / "log").write_bytes(log)
    assert read_last_line(tmp_path / "log") == line
    assert read_last_line(tmp_path / "missing") == ""

"""The guard against a real process tree that ignores SIGTERM, and real SIGKILLs of
whoever started it.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cotbuild.builder import guard
from cotbuild.builder.teachers.vllm.process import (
    GuardedProcess,
    find_last_error,
    new_run_dir,
)
from cotbuild.schemas.errors import StoreError
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="looks into /proc and /dev/shm"
)
DUMMY = Path(__file__).parents[3] / "support" / "dummy_server.py"
GRACE_S = 0.3
OWNER = Path(__file__).parents[3] / "support" / "dummy_owner.py"


def dummy(run_dir: Path) -> list[str]:
    return [sys.executable, str(DUMMY), str(run_dir)]


@pytest.fixture
def pids(tmp_path: Path) -> Path:
    return tmp_path / "pids"


@pytest.fixture
def run_dir() -> Iterator[Path]:
    folder = new_run_dir()
    yield folder
    assert not folder.exists()


def started(pids: Path) -> list[int]:
    return [int(line) for line in pids.read_text().split()] if pids.exists() else []


def running(pids: Path) -> list[int]:
    alive = {pid for pid, _ in guard.list_processes()}
    return [pid for pid in started(pids) if pid in alive]


def left_behind(pids: Path, run_dir: Path) -> list[object]:
    made = pids.with_name("pids.shm")
    names = made.read_text().split() if made.exists() else []
    paths = [run_dir, *map(Path, names)]
    return [*running(pids), *(path for path in paths if path.exists())]


def assert_gone(pids: Path, run_dir: Path) -> None:
    wait_until(
        lambda: not left_behind(pids, run_dir), lambda: f"{left_behind(pids, run_dir)}"
    )


def start(run_dir: Path, pids: Path, tmp_path: Path) -> GuardedProcess:
    server = GuardedProcess(
        dummy(run_dir), {"DUMMY_PIDS": str(pids)}, tmp_path / "log", run_dir, GRACE_S
    )
    wait_until(lambda: len(running(pids)) == 3, "the dummy did not start")
    return server


def test_stop_ends_the_whole_tree_and_its_files(
    run_dir: Path, pids: Path, tmp_path: Path
) -> None:
    server = start(run_dir, pids, tmp_path)
    assert server.exit_code() is None
    assert (run_dir / "s").exists()
    asyncio.run(server.stop())
    assert left_behind(pids, run_dir) == []
    assert server.exit_code() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_the_guard_ends_the_tree(
    run_dir: Path, pids: Path, tmp_path: Path, number: signal.Signals
) -> None:
    server = start(run_dir, pids, tmp_path)
    os.kill(server.guard_pid, number)
    assert_gone(pids, run_dir)
    assert asyncio.run(server.wait()) == 0


def test_a_server_that_dies_takes_its_tree_along(
    run_dir: Path, pids: Path, tmp_path: Path
) -> None:
    server = start(run_dir, pids, tmp_path)
    # A dead process no longer says what it had mapped, so the guard looks before.
    time.sleep(2 * (guard.SHM_EVERY_S + 2 * guard.POLL_S))
    os.kill(int((run_dir / guard.SERVER_PID).read_text()), signal.SIGKILL)
    assert asyncio.run(server.wait()) == 128 + signal.SIGKILL
    assert left_behind(pids, run_dir) == []


def test_a_killed_guard_is_noticed(run_dir: Path, tmp_path: Path) -> None:
    # Only the server's own process group can be found then, so this server has no child
    # that left it.
    server = GuardedProcess(
        [sys.executable, "-c", "import time; time.sleep(300)"],
        {},
        tmp_path / "log",
        run_dir,
    )
    pid_file = run_dir / guard.SERVER_PID
    wait_until(pid_file.exists, "not started")
    pid = int(pid_file.read_text())
    os.kill(server.guard_pid, signal.SIGKILL)
    wait_until(
        lambda: pid not in {alive for alive, _ in guard.list_processes()},
        "the kernel left the server alive",
    )
    assert asyncio.run(server.wait()) == -signal.SIGKILL
    wait_until(
        lambda: pid not in {found for found, _ in guard.list_processes()},
        "the server outlived its guard",
    )


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.2, "up", "stopping"])
def test_kill_9_of_the_owner_leaves_nothing(
    pids: Path, tmp_path: Path, moment: float | str
) -> None:
    run_dir = new_run_dir()
    command = [sys.executable, str(OWNER), str(run_dir), str(tmp_path / "log")]
    environment = {**os.environ, "DUMMY_PIDS": str(pids)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as owner:
        assert owner.stdin is not None
        assert owner.stdout is not None
        guard_pid = int(owner.stdout.readline())  # it has been spawned, no more
        if isinstance(moment, float):
            time.sleep(moment)
        else:
            wait_until(lambda: len(running(pids)) == 3, "the dummy did not start")
        if moment == "stopping":
            owner.stdin.close()
            wait_until(pids.with_name("pids.asked").exists, "not asked to end")
        owner.kill()
    wait_until(
        lambda: guard_pid not in {pid for pid, _ in guard.list_processes()},
        "the guard still runs",
    )
    assert left_behind(pids, run_dir) == []


@pytest.mark.parametrize("code", [0, 3])
def test_exit_code_and_output_reach_the_owner(
    run_dir: Path, tmp_path: Path, code: int
) -> None:
    log = tmp_path / "folder" / "log"
    for life in "first", "second":
        script = f"import sys; print('ValueError: {life}'); sys.exit({code})"
        server = GuardedProcess([sys.executable, "-c", script], {}, log, run_dir)
        assert asyncio.run(server.wait()) == code
        assert server.last_error() == f"ValueError: {life}"
    assert "first" in log.read_text()


def test_a_command_that_cannot_be_run_is_named(run_dir: Path, tmp_path: Path) -> None:
    server = GuardedProcess(["/no/such/program"], {}, tmp_path / "log", run_dir)
    assert asyncio.run(server.wait()) == 127
    assert "/no/such/program" in server.last_error()


def test_a_run_directory_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    words = [
        "--parent",
        str(os.getpid()),
        "--run-dir",
        str(tmp_path / "theirs"),
        "--grace",
        "1",
        "--",
        "true",
    ]
    command = [sys.executable, "-I", "-S", guard.__file__, *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert b"FileExistsError" in process.stderr.read()  # before its stdin ends
    assert process.returncode == 1
    assert (tmp_path / "theirs").is_dir()


def test_a_log_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write the log"):
        GuardedProcess(["true"], {}, tmp_path / "file" / "log", new_run_dir())


def test_the_run_directory_leaves_room_for_socket_names() -> None:
    assert len(f"{new_run_dir()}/05e830e2-eca4-41de-84b9-d869d5e19540") <= 107


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", "no output at all"),
        ("INFO one\nINFO two\n\n", "INFO two"),
        ("KeyError: 'a'\nINFO shutting down\n", "KeyError: 'a'"),
        (
            "(EngineCore pid=7) ERROR 11-24 04:33:19 [core.py:900] ValueError: no room\n"
            "(APIServer pid=6) RuntimeError: Engine core initialization failed. See root cause above.\n",
            "ValueError: no room",
        ),
        ("torch.OutOfMemoryError: 3 GiB\n", "torch.OutOfMemoryError: 3 GiB"),
        ("usage: api_server.py\napi_server.py: error: unrecognized arguments: --x\n",
         "api_server.py: error: unrecognized arguments: --x"),
        (
            "ERROR [registry.py:9] ModuleNotFoundError: No module named 'torchvision'\n"
            "pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
            "  Value error, Model architectures ['LlavaForConditionalGeneration'] failed to be "
            "inspected. Please check the logs for more details.\n",
            "Model architectures ['LlavaForConditionalGeneration'] failed to be inspected: "
            "vLLM's code for this model needs torchvision and could not import it. Install "
            "the one that fits your torch, or pass another model.",
        ),
    ],
)  # fmt: skip
def test_last_error(log: str, expected: str) -> None:
    assert find_last_error(log) == expected

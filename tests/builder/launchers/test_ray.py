"""Workers on a real Ray: the contract of launchers, nodes that are killed, and a driver
that is killed while its workers go on. The nodes are processes of this machine.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cotbuild.builder.guard import list_processes
from cotbuild.builder.launchers.base import Launcher
from cotbuild.builder.launchers.ray import Cluster, RayLauncher, find_cluster
from cotbuild.builder.launchers.ray_node import NodeReport, check_report
from cotbuild.builder.version import cotbuild_version
from cotbuild.schemas.errors import ConfigError, TeacherError
from tests.support.launcher_contract import (
    SLEEP,
    LauncherContract,
    command,
    wait_for_exits,
)
from tests.support.ray_cluster import TOKEN, RayCluster, run_cluster
from tests.support.waiting import wait_until

ANY_COMMAND = ("env",)
HEAD = "10.0.0.1:6379"


@pytest.mark.parametrize(
    ("environment", "cluster"),
    [
        ({}, Cluster("local", token_required=False)),
        ({"RAY_ADDRESS": ""}, Cluster("local", token_required=False)),
        ({"RAY_ADDRESS": "local"}, Cluster("local", token_required=False)),
        (
            {"RAY_ADDRESS": "127.0.0.1:6379"},
            Cluster("127.0.0.1:6379", token_required=False),
        ),
        (
            {"RAY_ADDRESS": HEAD, "RAY_AUTH_MODE": "Token"},
            Cluster(HEAD, token_required=True),
        ),
    ],
)
def test_the_cluster_is_that_of_the_environment(
    environment: dict[str, str], cluster: Cluster
) -> None:
    assert find_cluster(environment) == cluster


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"RAY_ADDRESS": HEAD}, "RAY_AUTH_MODE is not set"),
        ({"RAY_ADDRESS": "auto"}, "RAY_AUTH_MODE is not set"),
        (
            {"RAY_ADDRESS": HEAD, "RAY_AUTH_MODE": "disabled"},
            "RAY_AUTH_MODE is 'disabled'",
        ),
        ({"RAY_ADDRESS": "127.0.0.1.example:1"}, "RAY_AUTH_MODE is not set"),
        ({"RAY_ADDRESS": "ray://10.0.0.1:10001"}, "is one of Ray Client"),
    ],
)
def test_a_cluster_without_a_token_is_refused(
    environment: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        find_cluster(environment)


VERSION = cotbuild_version()


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (NodeReport("0.0.1", True, True), "has cotbuild '0.0.1'"),
        (NodeReport(VERSION, False, True), "does not see the build '/b'"),
        (NodeReport(VERSION, True, False), "runs without RAY_AUTH_MODE=token"),
    ],
)
def test_a_node_that_cannot_run_workers_is_named(
    report: NodeReport, message: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^node 10\.0\.0\.2 .*{message}"):
        check_report(report, "10.0.0.2", "/b", token_required=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with run_cluster(2) as running:
        yield running


@contextmanager
def launch_on(
    cluster: RayCluster, folder: Path, gpus_per_worker: int = 0
) -> Iterator[RayLauncher]:
    launcher = RayLauncher(
        str(folder),
        number=2,
        gpus_per_worker=gpus_per_worker,
        program=ANY_COMMAND,
        environment=cluster.environment,
    )
    try:
        yield launcher
    finally:
        launcher.stop()


def find_worker(folder: Path, name: str) -> int | None:
    """The process that prints to the log of a worker, its guard excepted."""
    log = str(folder / ".answers" / "logs" / f"{name}.log")
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command_line = (entry / "cmdline").read_bytes()
            prints_to = str((entry / "fd" / "1").readlink())
            if prints_to == log and b"guard.py" not in command_line:
                return int(entry.name)
    return None


def wait_for_worker(folder: Path, name: str) -> int:
    found: list[int] = []

    def look() -> bool:
        pid = find_worker(folder, name)
        found.extend([] if pid is None else [pid])
        return bool(found)

    wait_until(look, f"{name} was not started")
    return found[0]


@pytest.mark.slow
class TestRay(LauncherContract):
    @pytest.fixture(autouse=True)
    def on_a_cluster(
        self, cluster: RayCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.cluster = cluster
        monkeypatch.setitem(cluster.environment, "HF_TOKEN", "hf_abcdefghijklmnop")

    @contextmanager
    def open(self, folder: Path) -> Iterator[Launcher]:
        with launch_on(self.cluster, folder) as launcher:
            yield launcher

    def kill(self, launcher: Launcher, folder: Path, names: Sequence[str]) -> None:  # noqa: ARG002
        for name in names:
            os.kill(wait_for_worker(folder, name), signal.SIGKILL)


@pytest.mark.soak
def test_a_worker_of_a_killed_node_is_lost_and_the_next_one_starts_elsewhere(
    tmp_path: Path,
) -> None:
    with run_cluster(1, 1) as cluster, launch_on(cluster, tmp_path) as launcher:
        launcher.launch(command("first", *SLEEP))
        first = wait_for_worker(tmp_path, "first")
        cluster.kill_node_of(first)
        lost = wait_for_exits(launcher, 1)["first"]
        assert (lost.exit_code, lost.message) == (None, "its node does not answer")
        assert find_worker(tmp_path, "first") is None
        # Ray still takes the node for alive.
        launcher.launch(command("second", *SLEEP))
        wait_for_worker(tmp_path, "second")
        launcher.stop()
        assert find_worker(tmp_path, "second") is None


DRIVER = """
import sys, time
from cotbuild.builder.launchers.base import WorkerCommand
from cotbuild.builder.launchers.ray import RayLauncher

launcher = RayLauncher(sys.argv[1], number=1, program=("env",))
launcher.launch(WorkerCommand("worker", ("sleep", "1000"), {}))
time.sleep(1000)
"""


@pytest.mark.parametrize(
    "where",
    [
        pytest.param("a cluster", marks=pytest.mark.slow),
        pytest.param("this machine", marks=pytest.mark.soak),
    ],
)
def test_workers_go_on_when_the_driver_is_killed(
    where: str, cluster: RayCluster, tmp_path: Path
) -> None:
    environment = dict(cluster.environment)
    if where == "this machine":
        for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
            environment.pop(name, None)
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path)], env=environment
    ) as driver:
        worker = wait_for_worker(tmp_path, "worker")
        agent = next(iter(children_of(driver.pid)))
        driver.kill()
    if where == "a cluster":
        wait_until(lambda: not is_alive(agent), "the agent is still there")
    assert is_alive(worker)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not is_alive(agent), "Ray outlives its last worker")


def children_of(parent: int) -> set[int]:
    return {pid for pid, of in list_processes() if of == parent}


def is_alive(pid: int) -> bool:
    return pid in {alive for alive, _ in list_processes()}


@pytest.mark.slow
def test_a_worker_that_no_node_has_room_for_is_refused(
    cluster: RayCluster, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"no node of the Ray cluster has 3 GPU\(s\)"):
        launch_on(cluster, tmp_path, gpus_per_worker=3).__enter__()


@pytest.mark.soak
def test_a_wrong_token_is_refused_without_quoting_it(
    cluster: RayCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cluster.environment, "RAY_AUTH_TOKEN", "another-token-9876543")
    with pytest.raises(TeacherError, match="could not be reached") as caught:
        launch_on(cluster, tmp_path).__enter__()
    message = str(caught.value)
    assert "\n" not in message
    assert "9876543" not in message
    assert TOKEN not in message

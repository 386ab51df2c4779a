"""Workers beyond this machine as a user meets them: a build on a real Ray whose nodes
and driver are killed, one on a real Slurm, and the scripts that are printed.
"""

import os
import random
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest
import yaml

from cotbuild.builder.generate.workers.units import choose_unit_size
from tests.support.commands import (
    PROGRAM,
    cotbuild,
    invoke,
    published,
    start,
    write_questions,
)
from tests.support.http_teacher import Server, serve
from tests.support.ray_cluster import RayCluster, run_cluster
from tests.support.slurm import MISSING, is_installed, run_slurm
from tests.support.waiting import HANG_S, wait_until
from tests.support.worker_builds import has_had, requests_of, without_spending

WINDOW = 8


def questions(folder: Path, count: int) -> Path:
    texts = (f"Which of these is number {number}?" for number in range(count))
    return write_questions(folder / "q.jsonl", texts)


def asking(server: Server, source: Path, out: Path, *more: object) -> list[object]:
    return ["generate", "--source", source, "--teacher", "fake", "--endpoint",
            server.url, "--window", WINDOW, "--out", out, *more]  # fmt: skip


# -- Ray -----------------------------------------------------------------------------------


def start_on(
    cluster: RayCluster, words: list[object], log: Path
) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(
            [*PROGRAM, *map(str, words)],
            stdout=output,
            stderr=output,
            env=cluster.environment,
        )


def workers_of(out: Path) -> list[int]:
    """The processes of a build's workers on Ray, guards excepted."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        is_worker = b"worker" in words and str(out).encode() in words
        if is_worker and not any(word.endswith(b"guard.py") for word in words):
            found.append(int(entry.name))
    return found


@pytest.mark.slow
def test_a_build_on_ray_survives_a_killed_node_and_a_killed_driver(
    tmp_path: Path,
) -> None:
    count = 600
    source, out, log = questions(tmp_path, count), tmp_path / "b", tmp_path / "log"
    with serve(latency_s=0.2) as server, run_cluster(1, 1) as cluster:
        words = asking(server, source, out, "--workers", 2, "--engine", "ray")
        with start_on(cluster, words, log) as driver:
            wait_until(lambda: requests_of(server) >= 100, log.read_text)
            wait_until(lambda: len(workers_of(out)) == 2)
            cluster.kill_node_of(workers_of(out)[0])
            wait_until(lambda: "was lost" in log.read_text(), log.read_text)
            driver.kill()
        asked = requests_of(server)
        wait_until(lambda: requests_of(server) >= asked + 40)
        with start_on(cluster, words, log) as driver:
            assert driver.wait(HANG_S) == 0, log.read_text()
        assert count <= requests_of(server) <= count + WINDOW
        cotbuild(*asking(server, source, tmp_path / "alone"))
    assert published(out) == published(tmp_path / "alone")
    assert "does not answer; its units go to others" in log.read_text()
    # What Ray prints about its nodes is kept from the output.
    assert "raylet" not in log.read_text()


class RayVictims:
    """Kills what a build on Ray consists of, each time the server has had more requests.

    Nodes are replaced, as a cluster's autoscaler does it; a driver is started again.
    """

    def __init__(self, cluster: RayCluster, words: list[object], out: Path) -> None:
        self._cluster = cluster
        self._words = words
        self._out = out
        self.log = out.with_suffix(".log")
        self.driver = start_on(cluster, words, self.log)

    def kill(self, what: str, turn: int) -> None:
        wait_until(lambda: workers_of(self._out), self.log.read_text)
        workers = workers_of(self._out)
        # The last and the first in turn: one place after the other, where both run.
        victim = workers[0] if turn % 2 else workers[-1]
        if what == "worker":
            os.kill(victim, signal.SIGKILL)
        elif what == "node":
            self._cluster.kill_node_of(victim)
            self._cluster.add_node(1)
        else:
            self.driver.kill()
            self.driver.wait()
            self.driver = start_on(self._cluster, self._words, self.log)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_twenty_kills_on_ray_lose_nothing_and_repeat_a_window_each(
    tmp_path: Path,
) -> None:
    count, kills = 2000, ["worker"] * 14 + ["node"] * 3 + ["driver"] * 3
    random.Random(20).shuffle(kills)
    source, out = questions(tmp_path, count), tmp_path / "b"
    with serve(latency_s=0.1) as server, run_cluster(1, 1) as cluster:
        words = asking(server, source, out, "--workers", 2, "--engine", "ray")
        victims = RayVictims(cluster, words, out)
        try:
            for turn, what in enumerate(kills):
                wanted = (turn + 1) * count // (len(kills) + 1)
                wait_until(partial(has_had, server, wanted), victims.log.read_text)
                victims.kill(what, turn)
            assert victims.driver.wait(HANG_S) == 0, victims.log.read_text()
        finally:
            victims.driver.kill()
            victims.driver.wait()
        repeated = requests_of(server) - count
        # And one unit: two workers that share the last one each see only now and then
        # what the other one has answered.
        unit = choose_unit_size(count, 2)
        assert 0 <= repeated <= len(kills) * WINDOW + unit
        print(f"{len(kills)} kills: {repeated} of {count} asked twice")
        cotbuild(*asking(server, source, tmp_path / "alone"))
    expected = without_spending(published(tmp_path / "alone"))
    assert without_spending(published(out)) == expected


# -- Slurm ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_build_on_slurm(tmp_path: Path) -> None:
    if not is_installed():
        pytest.skip(MISSING)
    source, out, log = questions(tmp_path, 300), tmp_path / "b", tmp_path / "log"
    with serve(latency_s=0.1) as server, run_slurm() as slurm:
        words = asking(server, source, out, "--workers", 0)
        with start(*words, log=log) as driver:
            try:
                script = tmp_path / "worker.sbatch"
                options = ("--count", 2, "--gpus-per-worker", 0)
                script.write_text(cotbuild("worker", out, "--slurm", *options).stdout)
                slurm.run("sbatch", "--parsable", f"--chdir={tmp_path}", str(script))
                assert driver.wait(HANG_S) == 0, log.read_text()
            finally:
                driver.kill()
        assert requests_of(server) == 300
        cotbuild(*asking(server, source, tmp_path / "alone"))
    assert published(out) == published(tmp_path / "alone")


# -- scripts -------------------------------------------------------------------------------


def test_a_script_of_slurm_passes_on_the_options_of_the_worker() -> None:
    words = ("worker", "b", "--endpoint", "http://x/v1", "--window", 5, "--slurm")
    lines = invoke(*words).stdout.splitlines()
    assert lines[0] == "#!/bin/bash"
    (command,) = [line for line in lines if line.endswith(" &")]
    build = Path("b").absolute()
    assert command.endswith(
        f'worker {build} --id "$name" --endpoint http://x/v1 --window 5 &'
    )
    assert not any("--gpus" in line for line in lines)


def test_a_manifest_of_kubernetes_passes_on_the_options_of_the_worker() -> None:
    words = ("worker", "s3://b/x", "--wait", 5, "--kubernetes", "--count", 2)
    job = yaml.safe_load(invoke(*words, "--image", "i", "--secret", "A=s/k").stdout)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"][:3] == ["s3://b/x", "--wait", "5"]
    assert job["spec"]["completions"] == 2
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--slurm", "--kubernetes"], "--slurm and --kubernetes exclude each other."),
        (["--slurm", "--image", "i"], "--image is for --kubernetes."),
        (["--slurm", "--secret", "A=s/k"], "--secret is for --kubernetes."),
        (["--count", "2"], "--count is for --slurm and --kubernetes."),
        (["--slurm", "--count", "0"], "--count 0 is below 1."),
        (["--slurm", "--gpus-per-worker", "-1"], "--gpus-per-worker -1 is below 0."),
        (["--slurm", "--id", "a"], "--id 'a' names one worker, and a script runs many"),
        (["--kubernetes"], "--kubernetes needs the image that the pods run."),
        (["--kubernetes", "--image", "i"], "'b' is no absolute path"),
    ],
)
def test_a_wrong_option_of_a_script_is_one_line(words: list[str], message: str) -> None:
    done = invoke("worker", "b", *words, code=2)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {message}")


def test_a_script_with_hidden_characters_is_refused() -> None:
    done = invoke("worker", "b\u202e", "--slurm", code=2)
    assert "has characters that cannot be seen" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--engine", "ray"], "--engine ray starts workers."),
        (["--engine", "ray", "--workers", "0"], "--engine ray starts workers."),
        (["--engine", "dask", "--workers", "1"], "--engine 'dask' is not known."),
        (["--gpus-per-worker", "2"], "--gpus-per-worker 2 is for workers on Ray"),
        (["--workers", "1", "--engine", "ray", "--gpus-per-worker", "-1"],
         "--gpus-per-worker -1 is below 0."),
    ],
)  # fmt: skip
def test_a_wrong_option_of_an_engine_is_one_line(
    tmp_path: Path, words: list[str], message: str
) -> None:
    done = invoke("generate", "--out", tmp_path / "b", *words, code=2)
    assert done.stderr.splitlines()[0].startswith(f"error: {message}")


def test_a_cluster_without_a_token_is_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.1.2.3:6379")
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    words = ("--teacher", "scripted", "--workers", 1, "--engine", "ray")
    done = invoke("generate", "--out", tmp_path / "b", "--limit", 2, *words, code=2)
    assert "RAY_AUTH_MODE is not set: whoever reaches such a cluster" in done.stderr

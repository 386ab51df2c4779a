"""The script of an array job: run by bash as Slurm would, and by a real Slurm."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotbuild.builder.launchers.slurm import slurm_script
from tests.support.slurm import MISSING, Slurm, is_installed, run_slurm
from tests.support.waiting import wait_until

VARIABLES = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}
TEXTS = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12
)
FAKE_WORKER = """\
#!/bin/bash
# Waits for a signal to drain, and says how it was started.
trap 'echo drained by USR1; exit 4' USR1
trap 'echo drained by TERM; exit 4' TERM
echo "started $*"
while true; do sleep 0.05; done
"""
WORDS = {"start", "drain"}
"""Beginnings of what it prints."""


def make_script(
    program: Sequence[str], arguments: Sequence[str] = (), build: str = "build"
) -> str:
    return slurm_script(build, arguments, count=2, gpus_per_worker=0, program=program)


@pytest.fixture
def fake_worker(tmp_path: Path) -> Path:
    program = tmp_path / "it's a worker"
    program.write_text(FAKE_WORKER)
    program.chmod(0o755)
    return program


def test_the_script_asks_for_an_array_that_is_queued_again_and_signalled() -> None:
    script = slurm_script("build", [], count=16, gpus_per_worker=4)
    options = [line for line in script.splitlines() if line.startswith("#SBATCH")]
    assert options == [
        "#SBATCH --job-name=cotbuild-worker",
        "#SBATCH --array=0-15",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        "#SBATCH --gpus-per-node=4",
        "#SBATCH --requeue",
        "#SBATCH --signal=B:USR1@120",
        "#SBATCH --open-mode=append",
        "#SBATCH --output=cotbuild-worker-%A_%a.log",
    ]


@settings(max_examples=25, deadline=None)
@given(build=TEXTS, arguments=st.lists(TEXTS, max_size=3))
def test_any_path_and_argument_reaches_the_worker(
    build: str, arguments: list[str]
) -> None:
    printf = shutil.which("printf")
    assert printf is not None
    script = make_script((printf, r"%s\0"), arguments, build)
    done = subprocess.run(
        ["bash", "-c", script],
        env=os.environ | VARIABLES,
        capture_output=True,
        timeout=60,
        check=True,
    )
    sent = ["worker", build, "--id", "slurm-7_2-0", *arguments]
    assert done.stdout.decode().split("\0")[:-1] == sent


@pytest.mark.parametrize(
    ("number", "requeued"),
    [(signal.SIGUSR1, "requeue 7_2\n"), (signal.SIGTERM, "")],
    ids=["time limit", "cancelled"],
)
def test_a_signal_drains_and_the_time_limit_queues_again(
    number: signal.Signals, requeued: str, fake_worker: Path, tmp_path: Path
) -> None:
    # Stands in for Slurm's scontrol, and notes its arguments.
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text('#!/bin/bash\necho "$*" >> "$NOTES"\n')
    scontrol.chmod(0o755)
    notes = tmp_path / "notes"
    notes.touch()
    environment = VARIABLES | {
        "PATH": f"{scontrol.parent}:{os.environ['PATH']}",
        "NOTES": str(notes),
    }
    output = tmp_path / "output"
    with output.open("wb") as file:
        job = subprocess.Popen(
            ["bash", "-c", make_script((str(fake_worker),))],
            stdout=file,
            env=os.environ | environment,
        )
    wait_until(lambda: "started" in output.read_text())
    job.send_signal(number)
    assert job.wait(60) == 4
    word = number.name.removeprefix("SIG")
    assert output.read_text().splitlines()[-1] == f"drained by {word}"
    assert notes.read_text() == requeued


def test_a_signal_before_the_worker_starts_reaches_it(fake_worker: Path) -> None:
    trap = "trap 'drain TERM' TERM\n"
    script = make_script((str(fake_worker),))
    assert trap in script
    done = subprocess.run(
        ["bash", "-c", script.replace(trap, f"{trap}kill -TERM $$\n")],
        env=os.environ | VARIABLES,
        timeout=60,
    )
    # The worker may end before it has a trap of its own.
    assert done.returncode in (4, 128 + signal.SIGTERM)


def test_the_exit_code_of_a_worker_is_that_of_its_job() -> None:
    done = subprocess.run(
        ["bash", "-c", make_script(("bash", "-c", "exit 3"))],
        env=os.environ | VARIABLES,
        timeout=60,
    )
    assert done.returncode == 3


@pytest.fixture
def slurm() -> Iterator[Slurm]:
    if not is_installed():
        pytest.skip(MISSING)
    with run_slurm() as running:
        yield running


@pytest.mark.slow
def test_a_drained_job_of_slurm_starts_again_and_a_cancelled_one_ends(
    slurm: Slurm, fake_worker: Path, tmp_path: Path
) -> None:
    script = tmp_path / "job.sbatch"
    script.write_text(make_script((str(fake_worker),)))
    job = slurm.run(
        *("sbatch", "--parsable", "--time=60", f"--chdir={tmp_path}", str(script))
    )

    def log(index: int) -> str:
        path = tmp_path / f"cotbuild-worker-{job}_{index}.log"
        return path.read_text() if path.exists() else ""

    wait_until(lambda: all("started" in log(index) for index in (0, 1)))
    # As Slurm does 120 s before the time limit.
    slurm.run("scancel", "--signal=USR1", "--batch", f"{job}_0")
    wait_until(lambda: slurm.states(job) == {"0": "PENDING", "1": "RUNNING"})
    # Slurm starts a job that was queued again two minutes later.
    slurm.run("scontrol", "update", f"JobId={job}_0", "StartTime=now")
    wait_until(lambda: log(0).count("started") == 2)
    slurm.run("scancel", job)
    wait_until(lambda: not slurm.states(job))
    wait_until(lambda: "drained by TERM" in log(1))
    # Slurm's own lines are between them.
    from_worker = [line for line in log(0).splitlines() if line[:5] in WORDS]
    assert from_worker[:3] == [
        f"started worker build --id slurm-{job}_0-0",
        "drained by USR1",
        f"started worker build --id slurm-{job}_0-1",
    ]
    assert f"started worker build --id slurm-{job}_1-0" in log(1).splitlines()

"""A Slurm of one node, this machine, with daemons and an authentication of its own."""

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.waiting import wait_until

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
MISSING = "no Slurm. Install it: apt-get install slurm-wlm munge."

_CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def is_installed() -> bool:
    """Return whether every program of Slurm is there."""
    return all(_find(name) is not None for name in PROGRAMS)


def _find(name: str) -> str | None:
    # Debian has the daemons off the PATH of users.
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return shutil.which(name, path=path)


class Slurm:
    """A running Slurm; its commands by `run`."""

    def __init__(self, config: Path) -> None:
        self.environment = os.environ | {"SLURM_CONF": str(config)}

    def run(self, *command: str) -> str:
        """Run a command of Slurm and return what it prints."""
        done = subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.strip()

    def states(self, job: str) -> dict[str, str]:
        """Return the state of each unfinished task of an array job, by its index."""
        listed = self.run("squeue", "--noheader", "--array", "-j", job, "-o", "%K %T")
        return dict(line.split() for line in listed.splitlines())


@contextlib.contextmanager
def run_slurm() -> Iterator[Slurm]:
    """Start the daemons; end them and remove their files afterwards."""
    # A short path, because munge's socket is in it.
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as name:
        folder = Path(name)
        # munged refuses a socket that other users cannot reach.
        folder.chmod(0o755)
        with _run_daemons(folder) as slurm:
            yield slurm


@contextlib.contextmanager
def _run_daemons(folder: Path) -> Iterator[Slurm]:
    host = socket.gethostname().partition(".")[0]
    for name in ("munge", "state", "spool"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge" / "key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o600)
    config = folder / "slurm.conf"
    config.write_text(
        _CONFIG.format(
            host=host,
            user=pwd.getpwuid(os.getuid()).pw_name,
            controller_port=_free_port(),
            node_port=_free_port(),
            folder=folder,
        )
    )
    munge = [
        *(f"--key-file={key}", f"--socket={folder}/munge/socket", "--force"),
        *(f"--log-file={folder}/munge/log", f"--seed-file={folder}/munge/seed"),
        *(f"--pid-file={folder}/munge/pid", "--foreground"),
    ]
    commands = [
        ["munged", *munge],
        ["slurmctld", "-D", "-f", str(config)],
        ["slurmd", "-D", "-f", str(config), "-N", host],
    ]
    slurm = Slurm(config)
    with contextlib.ExitStack() as stack:
        for name, *arguments in commands:
            program = _find(name)
            assert program is not None
            daemon = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=slurm.environment,
            )
            stack.callback(_end, daemon)
            if name == "munged":
                wait_until(lambda: (folder / "munge" / "socket").exists())
        wait_until(lambda: _is_idle(slurm), "Slurm did not start")
        yield slurm


def _is_idle(slurm: Slurm) -> bool:
    try:
        return slurm.run("sinfo", "--noheader", "-o", "%T") == "idle"
    except subprocess.CalledProcessError:
        return False


def _end(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(30)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port

"""Processes told apart: pids are used again, machines start again."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cotbuild.builder.process_identity import (
    identify,
    kill_session,
    open_process,
    read_status,
    send_signal,
)
from cotbuild.schemas.service.job import ProcessIdentity
from tests.support.waiting import HANG_S, wait_until

SLEEP = ["sleep", "1000"]


@contextmanager
def process_of(*words: str) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(words, start_new_session=True) as process:
        try:
            yield process
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)


def test_a_process_is_found_until_it_ends() -> None:
    with process_of(*SLEEP) as process:
        identity = identify(process.pid, 0)
        descriptor = open_process(identity)
        assert descriptor is not None
        send_signal(descriptor, signal.SIGTERM)
        assert os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT) is not None
        # A zombie: it has its pid still, and has ended.
        status = read_status(process.pid)
        assert status is not None
        assert not status.is_alive
        assert open_process(identity) is None
        assert process.wait(HANG_S) == -signal.SIGTERM
        assert read_status(process.pid) is None
        assert open_process(identity) is None
        send_signal(descriptor, signal.SIGTERM)  # to nobody
        os.close(descriptor)


@pytest.mark.parametrize(
    "change", [{"start_ticks": 1}, {"boot_id": "another"}], ids=["pid", "boot"]
)
def test_another_process_with_the_same_pid_is_let_alone(
    change: dict[str, object],
) -> None:
    with process_of(*SLEEP) as process:
        identity = identify(process.pid, 0).model_copy(update=change)
        assert open_process(identity) is None
        kill_session(identity)
        assert process.poll() is None


def test_a_session_is_killed_with_all_its_processes() -> None:
    """Also those that left the group of its leader, and after the leader's end."""
    script = (
        "import os, subprocess, sys\n"
        "other = subprocess.Popen(['sleep', '1000'], process_group=0)\n"
        "print(other.pid, flush=True)\n"
        "os._exit(0) if sys.argv[1] == 'ends' else other.wait()\n"
    )
    for how in ("stays", "ends"):
        words = [sys.executable, "-I", "-S", "-c", script, how]
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, start_new_session=True
        ) as process:
            assert process.stdout is not None
            identity = identify(process.pid, 0)
            other = int(process.stdout.readline())
            if how == "ends":
                process.wait(HANG_S)
            kill_session(identity)
            process.wait(HANG_S)
            wait_until(lambda pid=other: _has_ended(pid))  # type: ignore[misc]


def _has_ended(pid: int) -> bool:
    status = read_status(pid)
    return status is None or not status.is_alive


def test_a_pid_that_nobody_has_is_none() -> None:
    with process_of("true") as process:
        identity = identify(process.pid, 0)
        process.wait(HANG_S)
    assert open_process(identity) is None
    kill_session(identity)
    assert isinstance(identity, ProcessIdentity)

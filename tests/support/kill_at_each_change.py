"""kill -9 at the first change that installing a build makes, at the second, and so on.

Run as a program: kill_at_each_change.py BUILD WORK COMMAND…, where DIR in the command
stands for a copy of BUILD. Each time a new process, a fork, runs the command on a fresh
copy in WORK/N and is killed before change N; the last one is not killed. Prints their
number. Only forks are killed, so nothing has to be imported again.
"""

import importlib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cotbuild.builder.build import install
from cotbuild.builder.cli.app import main

IMPORTED_ONCE = (
    "generate.assemble",
    "release.pull",
    "variants.listing",
    "variants.write",
)
CHANGES = ("replace", "rename", "unlink", "remove", "mkdir", "rmdir")


def kill_before_change(number: int) -> None:
    """Kill this process before it makes change `number`, counted from the install on."""
    left = number
    installing = False

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any, **options: Any) -> Any:
            nonlocal left
            left -= installing
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*args, **options)

        return wrapper

    def begin(install_build: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*args: Any) -> Any:
            nonlocal installing
            installing = True
            return install_build(*args)

        return wrapper

    for name in CHANGES:
        setattr(os, name, counted(getattr(os, name)))
    replace_everywhere(install.install_build, begin(install.install_build))


def replace_everywhere(old: object, new: object) -> None:
    """Replace a function in every module that imported it by name."""
    for module in [*sys.modules.values()]:
        for name in [name for name, value in vars(module).items() if value is old]:
            setattr(module, name, new)


def run_killed(number: int, words: list[str]) -> int:
    """Return the status of a fork that runs the command and is killed at a change."""
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(1, 2)
        kill_before_change(number)
        sys.argv = ["cotbuild", *words]
        try:
            main()
        except SystemExit as end:
            os._exit(int(end.code or 0))
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def kill_at_each_change(build: Path, work: Path, words: list[str]) -> int:
    """Return how many forks were run; all but the last were killed."""
    status, number = -signal.SIGKILL, 0
    while status == -signal.SIGKILL:
        number += 1
        copy = work / f"{number}"
        if build.exists():
            shutil.copytree(build, copy)
        status = run_killed(number, [word.replace("DIR", str(copy)) for word in words])
    assert status == 0, f"exit {status} of {words} in {copy}"
    return number


if __name__ == "__main__":
    for module in IMPORTED_ONCE:  # which takes longer than the command
        importlib.import_module(f"cotbuild.builder.{module}")
    print(kill_at_each_change(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))

